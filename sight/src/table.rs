//! The table: what the runtime exports so that it can be read from outside.
//!
//! It is a static of the runtime's, of words of eight bytes: addresses of what everything hangs on (`Roots`),
//! and where the fields are in what hangs there. It has no pointer to a function and nothing that changes, and
//! nobody in the process reads it.
//!
//! # How it is found
//!
//! By a note of the object that the runtime is in, of the type [`NOTE`] (`.note.sylvan`, loaded with the
//! object, and kept when that is stripped). Its four bytes are the distance from there to the table. So it is
//! found in a program, in a library that a program was started with, in memory, and in a file.
//!
//! # Versions
//!
//! The table begins with [`MAGIC`], [`VERSION`] and its length in words. Whoever reads it knows one version:
//! whatever changes in the fields below, or in what they mean, makes another one.

/// The name of the note that leads to the table.
pub const NAME: &[u8] = b"sylvan";
/// Its type.
pub const NOTE: u32 = 2;
/// What the table begins with.
pub const MAGIC: u64 = u64::from_ne_bytes(*b"SylvanAt");
/// What tells an OS thread's [`Sleeper`] from something else; in its lowest byte is a [`Reason`](crate::Reason).
pub const SLEEPER: u32 = 0x5379_4f00;
/// The version that this package describes.
pub const VERSION: u64 = 13;

/// Defines structures of words, with how they are read.
macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($(#[$of:meta])* $field:ident,)+ })+) => {$(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        pub struct $name<W = u64> {
            $($(#[$of])* pub $field: W,)+
        }

        impl $name {
            /// What the fields are called.
            #[cfg(test)]
            const FIELDS: &[&str] = &[$(stringify!($field)),+];

            fn take(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
                Some(Self { $($field: words.next()?,)+ })
            }

            /// All of them.
            #[allow(dead_code, reason = "of some there are addresses")]
            fn words(&self) -> impl Iterator<Item = u64> {
                [$(self.$field),+].into_iter()
            }
        }
    )+};
}

words! {
    /// What the table begins with.
    Head {
        /// [`MAGIC`].
        magic,
        /// [`VERSION`].
        version,
        /// How many words the table has.
        n_words,
    }

    /// Addresses of statics.
    Roots {
        /// A pointer to the slab that was made last ([`Slab`]).
        slabs,
        /// How far below the top of a stack the word is that leads to its thread; 0 before the runtime has
        /// started.
        owner_below,
        /// The same of the word that does so where the first is null: for a thread that is bound to its OS
        /// thread. 0 where there is none.
        bound_below,
        /// The same of the word that leads to what a whole program's thread has a name in; 0 where there is none.
        named_below,
        /// Where the name is in that: 16 bytes, with a zero behind it.
        name_at,
        /// And where the word is at which those wait who join the thread.
        joined_at,
        /// As `owner_below`, of the number by which libc knows the thread (4 bytes); 0 where it has none of its own.
        number_below,
        /// The lowest word of state that a parked thread has (4 bytes): what has a lower one was parked in the process
        /// that this one was forked off.
        parked_from,
        /// The number that the next thread gets.
        next_id,
        /// The first number of this life: what has a lower one is a thread of the process that this one was
        /// forked off.
        first_id,
        /// How many numbers from that on are of OS threads, or of green ones that have ended without a core.
        n_others,
        /// A pointer to the thread with a lower number that is there all the same: it has forked.
        forked,
        /// A pointer to the scheduler ([`Scheduler`]); null before the runtime has started.
        scheduler,
        /// A pointer to the shards of deadlines ([`Timers`]), one for each core; null before.
        timers,
        /// The queues of those who wait at an address ([`Buckets`]).
        buckets,
        /// Pointers to chunks of descriptors ([`Entries`]).
        entries,
        /// What the clock of the kernel's that never jumps (`CLOCK_MONOTONIC`) said when that of the runtime
        /// said 0; 0 before.
        clock_base_ns,
        /// What is recorded, and where a recording is asked for ([`Control`](crate::recording::Control)).
        recording,
        /// A pointer to a pointer to places that say who has a lock ([`Place`](crate::owners::Place)); null where
        /// it is not noted.
        owners,
    }

    /// A slab of stacks.
    Slab {
        /// A pointer to the one that was made before.
        next,
        /// The lowest address.
        start,
        /// From one stack to the next.
        stride,
        /// How many stacks were ever used: what is above was never touched.
        n_cut,
        /// What the class of a task with such a stack says (1 byte).
        class,
        /// How long the guard is, at the lowest address of each stack.
        guard_len,
        /// The size of this.
        size,
    }

    /// A task.
    Task {
        /// A pointer to the next one in the queue.
        next,
        /// 4 bytes, a [`state_word`](crate::state_word).
        state,
        /// 1 byte, a [`Reason`](crate::Reason): of a parked task, or of one in a blocking section, where it says of which
        /// kind that is.
        reason,
        /// 1 byte: that of its stack. 0 for OS threads.
        class,
        /// 4 bytes: the index of the core that it runs on or ran on last; of a bound thread the number of its OS
        /// thread.
        core,
        /// A pointer to the lease of its worker ([`Lease`]); null for a thread that is bound to its OS thread.
        lease,
        /// The stack pointer that it goes on with, while no OS thread runs it. Otherwise this does not lead into
        /// its stack.
        stack_pointer,
        /// Where the frames of its stack begin, if it has one: the first returns by the word below.
        first_frame,
        /// The lowest address of its stack; 0 before its start and after its end.
        bottom,
        /// A pointer to who waits for its end ([`Sleeper`]), if above 2; 1: it has ended.
        join,
        /// Its number.
        id,
        /// A pointer to what few have ([`Rare`]).
        rare,
        /// The size of this.
        size,
    }

    /// What lies at the stack pointer of a thread that no OS thread runs.
    Saved {
        /// Where it goes on.
        pc,
        /// Its frame pointer.
        frame_pointer,
        /// The size of this: the stack pointer is above it once the thread goes on.
        size,
    }

    /// What few tasks have.
    Rare {
        /// A pointer to the name, and its length; null if it has none.
        name,
    }

    /// What a worker holds a core by.
    Lease {
        /// What the worker does.
        word,
        /// All bits, if the core was taken from it.
        claim,
        /// 4 bytes: the number of its OS thread.
        os_thread,
        /// Not where, but which bits of the word tell the state.
        state_bits,
        /// What these are in a run.
        running,
        /// What these are in a blocking section.
        blocking,
        /// The size of this.
        size,
    }

    /// The scheduler.
    Scheduler {
        /// A pointer to the cores ([`Core`]), and how many there are.
        cores,
        /// The list that all cores share ([`List`]).
        inject,
        /// The same of tasks that an event has woken.
        woken,
        /// The same of tasks that are to run without a core.
        apart,
    }

    /// A core.
    Core {
        /// A pointer to the lease of its worker; null while it goes from one to another.
        owner,
        /// A pointer to the youngest task that was woken.
        inbox,
        /// A pointer to a task that has not started.
        aside,
        /// A ring of tasks ([`Queue`]).
        queue,
        /// The same, of tasks that an event has woken.
        woken,
        /// Lists ([`List`]) that the worker alone knows.
        pinned,
        /// As above.
        pinned_woken,
        /// As above.
        overflow,
        /// 4 bytes: how many tasks were run, and tries found none.
        tick,
        /// What else is counted ([`Counts`](crate::threads::Counts)), eight bytes each.
        counts,
        /// 4 bytes: the number of the OS thread that has it.
        os_thread,
        /// The size of this.
        size,
    }

    /// A list of tasks, linked by their `next`.
    List {
        /// A pointer to the first.
        head,
        /// How many there are.
        len,
        /// The size of this.
        size,
    }

    /// A ring of tasks.
    Queue {
        /// 4 bytes: the number of the oldest.
        head,
        /// 4 bytes: the number behind the youngest.
        tail,
        /// A pointer to pointers.
        slots,
        /// How many of these: a number's place is what is left of it when it is divided by this.
        capacity,
        /// The size of this.
        size,
    }

    /// Who waits at an address.
    Buckets {
        /// How many queues there are.
        n,
        /// From one to the next.
        stride,
        /// A pointer to the first that waits there ([`Waiter`]), in each.
        first,
    }

    /// Who waits at an address, on its stack.
    Waiter {
        /// The address.
        address,
        /// A pointer to the task; null for an OS thread.
        task,
        /// When it came, by the runtime's clock; all bits if that does not matter.
        since_ns,
        /// 4 bytes: where an OS thread waits.
        os_word,
        /// 1 byte: how far above the address the number is of who has the lock, as libc knows it (4 bytes, which are 0
        /// where that is not known); 0: nowhere.
        owner_above,
        /// 1 byte, a [`Reason`](crate::Reason).
        reason,
        /// A pointer to the one behind it; from the last to the first.
        next,
        /// The size of this.
        size,
    }

    /// Chunks of descriptors.
    Entries {
        /// How many pointers to chunks there are.
        n_chunks,
        /// How many descriptors are in a chunk.
        per_chunk,
        /// From one to the next.
        stride,
        /// A pointer to the first that waits to read ([`EntryWaiter`]).
        readers,
        /// The same to write.
        writers,
    }

    /// Who waits for a descriptor, on its stack.
    EntryWaiter {
        /// A pointer to the task; null for an OS thread.
        task,
        /// Until when, by the runtime's clock; all bits if for ever.
        deadline_ns,
        /// A pointer to the one behind it; from the last to the first.
        next,
        /// The size of this.
        size,
    }

    /// The deadlines of a core.
    Timers {
        /// From one core's to the next.
        stride,
        /// The first level of the wheel.
        levels,
        /// How many levels.
        n_levels,
        /// From one to the next.
        level_stride,
        /// A bit for each slot that is not empty.
        occupied,
        /// The slots, each a pointer to an alarm.
        slots,
        /// How many of these a level has.
        n_slots,
    }

    /// A deadline, on the stack of who waits.
    Alarm {
        /// When, by the runtime's clock.
        deadline_ns,
        /// A pointer to the task.
        task,
        /// A pointer to the next of the slot; from the last to the first.
        next,
        /// The size of this.
        size,
    }

    /// One that waits for one other, on its stack; of an OS thread, in the heap.
    Sleeper {
        /// A pointer to the task; null for an OS thread.
        task,
        /// 4 bytes: where an OS thread waits.
        os_word,
        /// 4 bytes: of an OS thread, [`SLEEPER`] with its reason.
        tag,
    }
}

macro_rules! table {
    ($($field:ident: $type:ident,)+) => {
        /// The table; with addresses as `A`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(C)]
        #[allow(missing_docs, reason = "each type says what it is")]
        pub struct Table<A = u64> {
            pub head: Head,
            pub roots: Roots<A>,
            $(pub $field: $type,)+
        }

        impl Table {
            /// What each part is called, and its fields.
            #[cfg(test)]
            const PARTS: &[(&str, &[&str])] = &[
                ("head", Head::FIELDS),
                ("roots", Roots::<u64>::FIELDS),
                $((stringify!($field), $type::<u64>::FIELDS),)+
            ];

            fn take(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
                Some(Self {
                    head: Head::take(words)?,
                    roots: Roots::take(words)?,
                    $($field: $type::take(words)?,)+
                })
            }

            /// All words but addresses: distances, lengths and numbers.
            fn sizes(&self) -> impl Iterator<Item = u64> {
                std::iter::empty()$(.chain(self.$field.words()))+
            }
        }
    };
}

table! {
    slab: Slab,
    task: Task,
    saved: Saved,
    rare: Rare,
    lease: Lease,
    scheduler: Scheduler,
    core: Core,
    list: List,
    queue: Queue,
    buckets: Buckets,
    waiter: Waiter,
    entries: Entries,
    entry_waiter: EntryWaiter,
    timers: Timers,
    alarm: Alarm,
    sleeper: Sleeper,
}

/// How long the table is.
pub const LEN: usize = size_of::<Table>();

/// Why what was found is not read as a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTable {
    /// It does not begin as one.
    None,
    /// It is one of another version, or of this version and of another length.
    Other(Head),
}

impl Head {
    /// What the tables of this version begin with.
    pub const THIS: Self =
        Self { magic: MAGIC, version: VERSION, n_words: (LEN / size_of::<u64>()) as u64 };

    /// What a table that begins otherwise is called, and what this package reads.
    #[must_use]
    pub fn told_apart(self) -> [String; 2] {
        [self, Self::THIS].map(|Self { version, n_words, .. }| match self.version {
            VERSION => format!("version {version} of the table with {n_words} words"),
            _ => format!("version {version} of the table"),
        })
    }
}

impl Table {
    /// Reads a table from [`LEN`] bytes, or from as many as there are of one of another version.
    ///
    /// What is read of somebody else is not to be trusted: what no runtime says of its sizes is no table.
    ///
    /// # Errors
    ///
    /// If it is no table, or another one.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoTable> {
        let (words, _) = bytes.as_chunks();
        let mut words = words.iter().map(|word| u64::from_ne_bytes(*word));
        let head = Head::take(&mut words.clone()).ok_or(NoTable::None)?;
        if head.magic != MAGIC {
            Err(NoTable::None)
        } else if head != Head::THIS {
            Err(NoTable::Other(head))
        } else {
            Self::take(&mut words).filter(Self::is_likely).ok_or(NoTable::None)
        }
    }

    /// Whether its sizes are such as a runtime has: nobody is to ask for memory by others.
    fn is_likely(&self) -> bool {
        /// All that is described is smaller than that, or fewer.
        const SIZE_MAX: u64 = 1 << 20;
        /// And what is read in one piece.
        const PIECE_MAX: u64 = 1 << 26;
        let Self { entries, buckets, timers, .. } = self;
        let pieces = [
            (entries.per_chunk, entries.stride),
            (buckets.n, buckets.stride),
            (timers.n_levels, timers.level_stride),
        ];
        self.sizes().all(|size| size <= SIZE_MAX)
            && pieces.iter().all(|(n, len)| n * len <= PIECE_MAX)
    }
}

/// Where the table is, if one of these notes, which begin at `start`, leads to it.
#[must_use]
pub fn find(notes: &[u8], start: u64) -> Option<u64> {
    const HEAD: usize = 12;
    const ALIGN: usize = 4;
    let mut rest = notes;
    while rest.len() > HEAD {
        let number = |at: usize| {
            rest.get(at..at + ALIGN).and_then(|it| it.try_into().ok()).map(u32::from_ne_bytes)
        };
        let (name_len, len) = (number(0)? as usize, number(4)? as usize);
        let name = rest.get(HEAD..HEAD + name_len)?;
        let at = HEAD + name_len.next_multiple_of(ALIGN);
        if name.strip_suffix(b"\0") == Some(NAME) && number(8)? == NOTE && len == ALIGN {
            let from = start.wrapping_add((notes.len() - rest.len() + at) as u64);
            return Some(from.wrapping_add_signed(i64::from(number(at)?.cast_signed())));
        }
        rest = rest.get(at + len.next_multiple_of(ALIGN)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;
    use crate::state_word::{PARKED, PARKED_SHIFT};

    fn bytes(words: impl Iterator<Item = u64>) -> Vec<u8> {
        words.flat_map(u64::to_ne_bytes).collect()
    }

    #[test]
    fn a_table_is_read_in_the_order_in_which_it_lies_in_memory() {
        let Head { magic, version, n_words } = Head::THIS;
        let words = [magic, version, n_words].into_iter().chain(3..n_words);
        let table = Table::parse(&bytes(words)).expect("a table");
        assert_eq!((table.roots.slabs, table.sleeper.tag), (3, n_words - 1));
    }

    #[test]
    fn the_script_for_gdb_reads_this_version_in_the_same_order() {
        let script = crate::gdb::ENTRY;
        let says = |line: String| assert!(script.lines().any(|it| it == line), "no `{line}`");
        says(format!("VERSION = {VERSION}"));
        says(format!("N_WORDS = {}", Head::THIS.n_words));
        says(format!("NOTE = {NOTE}"));
        says(format!("PARKED, PARKED_SHIFT = {PARKED}, {PARKED_SHIFT}"));
        let reasons: Vec<_> = Reason::ALL.iter().map(|reason| reason.text()).collect();
        says(format!("REASONS = \"{}\".split()", reasons.join(" ")));
        let layout = script.split("\"\"\"\n").nth(2).expect("the layout");
        let parts =
            Table::PARTS.iter().map(|(name, fields)| format!("{name} {}", fields.join(" ")));
        let n = layout.lines().count();
        assert_eq!(layout.lines().collect::<Vec<_>>(), parts.take(n).collect::<Vec<_>>());
        assert!(
            layout.lines().last().is_some_and(|line| line.starts_with("entry_waiter ")),
            "{layout}"
        );
    }

    #[test]
    fn another_version_is_told_from_something_else() {
        let of = |magic, version| Table::parse(&bytes([magic, version, 3].into_iter()));
        let head = |version| Head { magic: MAGIC, version, n_words: 3 };
        assert_eq!(of(MAGIC, 99), Err(NoTable::Other(head(99))));
        assert_eq!(of(MAGIC, VERSION), Err(NoTable::Other(head(VERSION))));
        assert_eq!(of(1, VERSION), Err(NoTable::None));
        assert_eq!(Table::parse(&[]), Err(NoTable::None));
        let [its, ours] = head(99).told_apart();
        assert_eq!(
            (its, ours),
            ("version 99 of the table".into(), format!("version {VERSION} of the table"))
        );
        let [its, ours] = head(VERSION).told_apart();
        assert_eq!(its, format!("version {VERSION} of the table with 3 words"));
        assert_eq!(ours, its.replace(" 3 ", &format!(" {} ", Head::THIS.n_words)));
    }

    #[test]
    fn the_note_leads_to_the_table_past_others() {
        let note = |name: &[u8], kind: u32, value: i32| {
            let head = [name.len() as u32, 4, kind].map(u32::to_ne_bytes).concat();
            let name = [name, &[0; 4][..name.len().next_multiple_of(4) - name.len()]].concat();
            [head, name, value.to_ne_bytes().to_vec()].concat()
        };
        let others = [note(b"GNU\0", 2, 8), note(b"sylvan\0", 1, 8)].concat();
        let notes = [others.clone(), note(b"sylvan\0", NOTE, -16)].concat();
        let from = 1000 + notes.len() as u64 - 4;
        assert_eq!(find(&notes, 1000), Some(from - 16));
        assert_eq!(find(&others, 1000), None);
        assert_eq!(find(&notes[..notes.len() - 5], 1000), None);
    }
}

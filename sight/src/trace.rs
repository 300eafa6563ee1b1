//! The events of a run: what happens to green threads and on workers, 16 bytes each.
//!
//! ```text
//!   bits of the first word     what
//!   0..48                      when, in nanoseconds since the trace began, modulo 78 hours
//!   48..56                     the kind
//!   56..64                     a detail: see the kind
//!   bits of the second word
//!   0..32                      the green thread that it happens to: the lower half of its number
//!   32..64                     another one, or a count: see the kind
//! ```
//!
//! Each worker has a ring of its own, so an event does not say where it was: whoever reads the ring knows.
//! A ring belongs to an OS thread between `Take` and `Leave`, and to one at a time. What OS threads record
//! that have no core and never had one is in a ring that they share.
//!
//! Half a number is enough to tell threads apart, for a ring does not reach back over four thousand million
//! spawns. And the hours are counted by whoever reads: in a ring the times never fall (`file`).
//!
//! A name takes as many events as it needs, ten bytes each, in a row: [`Event::text`].

/// An event, as it lies in a ring and in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Event(pub [u64; 2]);

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $number:literal),* $(,)?) => {
        /// What has happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Kind {
            $($(#[$doc])* $kind = $number,)*
        }

        impl Kind {
            /// All of them, by their numbers.
            pub const ALL: &[Self] = &[$(Self::$kind),*];
        }
    };
}

kinds! {
    /// A thread was spawned; the other one has spawned it, or 0 for an OS thread.
    Spawn = 1,
    /// A thread's first run begins, on this worker.
    Start = 2,
    /// A later run begins, on this worker.
    Run = 3,
    /// The run ends: the thread waits. The detail is the reason.
    Park = 4,
    /// The run ends: the thread lets others run.
    Yield = 5,
    /// The run ends, and so does the thread.
    End = 6,
    /// A thread that waited may run. The detail says by whom, as a [`By`]; the other is that thread.
    Wake = 7,
    /// A blocking section begins in the run.
    Section = 8,
    /// The blocking section ends.
    SectionEnd = 9,
    /// The worker finds that it has lost its core, in a run or a section; the other is the core's number.
    HandOver = 10,
    /// The worker looks at its event loop; the other is how many events there were.
    Look = 11,
    /// The worker took a thread from another core.
    Steal = 12,
    /// The worker sleeps until something comes.
    Sleep = 13,
    /// It is awake again.
    Awake = 14,
    /// An OS thread becomes a worker. In place of a green thread stands its number, the other is the
    /// core's.
    Take = 15,
    /// It is none any more, and has no core. Its number and the core's, as above.
    Leave = 16,
    /// A part of a thread's name; the detail says which part.
    Name = 17,
}

/// Who has woken a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum By {
    /// An OS thread.
    OsThread = 0,
    /// The green thread that the event names.
    Thread = 1,
    /// The event loop, or a deadline.
    Event = 2,
}

impl Event {
    const TIME: u64 = (1 << 48) - 1;

    /// When times begin again.
    pub const HOURS_NS: u64 = Self::TIME + 1;

    /// Bytes of a name that an event has room for.
    pub const TEXT: usize = 10;

    /// An event at `at_ns`.
    #[inline]
    #[must_use]
    pub const fn new(at_ns: u64, kind: Kind, detail: u8, thread: u32, other: u32) -> Self {
        let first = at_ns & Self::TIME | (kind as u64) << 48 | (detail as u64) << 56;
        Self([first, thread as u64 | (other as u64) << 32])
    }

    /// Part number `part` of the name of `thread`: at most ten bytes, and no zeros.
    #[must_use]
    pub fn text(thread: u32, part: u8, text: &[u8]) -> Self {
        let mut bytes = [0; 16];
        for (i, &byte) in text.iter().take(Self::TEXT).enumerate() {
            bytes[i] = byte;
        }
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let event = Self::new(word(0), Kind::Name, part, thread, 0);
        Self([event.0[0], event.0[1] | (word(0) >> 48 | word(8) << 16) << 32])
    }

    /// The bytes of a name that are in it.
    #[must_use]
    pub fn name_part(self) -> Vec<u8> {
        let (first, rest) = (self.at_ns().to_le_bytes(), self.other().to_le_bytes());
        let bytes = first[..6].iter().chain(&rest);
        bytes.copied().take_while(|&byte| byte != 0).collect()
    }

    /// When, in nanoseconds since the trace began, modulo [`Event::HOURS_NS`]. Of a name it is not the time.
    #[must_use]
    pub const fn at_ns(self) -> u64 {
        self.0[0] & Self::TIME
    }

    /// What has happened; `None` if this is no event.
    #[must_use]
    pub fn kind(self) -> Option<Kind> {
        let number = (self.0[0] >> 48) as u8;
        Kind::ALL.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The detail of its kind.
    #[must_use]
    pub const fn detail(self) -> u8 {
        (self.0[0] >> 56) as u8
    }

    /// The thread that it happens to; 0 for none.
    #[must_use]
    pub const fn thread(self) -> u32 {
        self.0[1] as u32
    }

    /// The other thread, or the count.
    #[must_use]
    pub const fn other(self) -> u32 {
        (self.0[1] >> 32) as u32
    }

    /// As it lies in a file.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        let [first, second] = self.0.map(u64::to_le_bytes);
        std::array::from_fn(|i| if i < 8 { first[i] } else { second[i - 8] })
    }

    /// What lies in a file.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        Self([word(0), word(8)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_what_it_was_made_of() {
        assert_eq!(size_of::<Event>(), 16);
        for (i, &kind) in Kind::ALL.iter().enumerate() {
            assert_eq!(kind as usize, i + 1, "numbered without a gap");
            let event = Event::new(Event::TIME, kind, 255, u32::MAX, 7);
            assert_eq!(event.kind(), Some(kind));
            let rest = (event.at_ns(), event.detail(), event.thread(), event.other());
            assert_eq!(rest, (Event::TIME, 255, u32::MAX, 7));
            assert_eq!(Event::from_bytes(event.to_bytes()), event);
        }
        assert_eq!(Event([0, 0]).kind(), None);
        assert_eq!(Event([18 << 48, 0]).kind(), None);
    }

    #[test]
    fn a_name_comes_out_as_it_went_in() {
        for name in ["", "a", "123456", "1234567", "0123456789"] {
            let event = Event::text(7, 3, name.as_bytes());
            assert_eq!(event.name_part(), name.as_bytes());
            let rest = (event.kind(), event.thread(), event.detail());
            assert_eq!(rest, (Some(Kind::Name), 7, 3));
        }
    }
}

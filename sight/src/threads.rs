//! The green threads that there are.
//!
//! 1. The slabs of stacks are in a list; each says how many of its stacks were ever used.
//! 2. In each of these a word leads to its thread, or to none.
//! 3. What is there is taken for a thread if it says that this is its stack, and its number is one that was given.
//! 4. Threads that have not started have no stack, and are in the queues of the scheduler.
//!
//! A process that runs goes on meanwhile. What is found was true of each thread at some moment, of different
//! threads at different ones; a thread that is spawned or ends meanwhile is found or not.
//!
//! # One that is nowhere
//!
//! A thread that has not started is in no queue while it goes from one to another, or to its stack: for as long as
//! the worker that has it in its hands waits for a processor. And a look that has seen the one place may come to the
//! other too early. But it is known how many there are: as many as were spawned, without those that have ended. So
//! where fewer are found of those that were there when the look began, it looks again, for a second at most.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::copies::{Copies, Record};
pub use crate::counts::{Counts, Done, n_apart, n_shared};
use crate::hash::{HashMap, HashSet};
use crate::memory::{Memory, Piece, Unreadable};
use crate::reason::Reason;
use crate::state_word;
use crate::table::{self, Table};

/// Lists longer than this are not followed: what changes under one's eyes may lead in a circle.
const MANY: u64 = 1 << 24;

/// More cores there are nowhere.
const CORES_MAX: u64 = 1 << 13;

/// What a task says of who waits for its end, once that has come; a pointer to them is above.
const ENDED: u64 = 1;

/// A green thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number, never used twice in a process.
    pub id: u64,
    /// Its name, if it was spawned with one.
    pub name: Option<String>,
    /// What it does.
    pub state: State,
    /// Of one that is runnable or parked, the word that says since when ([`state_word::age`]).
    pub state_word: u32,
    /// Why it waits, if it is parked.
    pub reason: Option<Reason>,
    /// The index of the core that it runs on or ran on last; none before its start, and of a bound one.
    pub core: Option<u32>,
    /// The OS thread that runs it, if it is known.
    pub os_thread: Option<u32>,
    /// Its stack, without the guard; none before its start.
    pub stack: Option<Range<u64>>,
    /// Where its registers are saved, while no OS thread runs it.
    pub stack_pointer: Option<u64>,
    /// The word that its first frame returns by: all others lie below.
    pub first_frame: Option<u64>,
    /// Where its task is.
    pub task: u64,
    /// The address of who waits for its end, if somebody does: on the stack of that thread if it is a green
    /// one.
    pub joiner: Option<u64>,
    /// In a whole program the address of the word at which those wait who join it, once it has started.
    pub joined_at: Option<u64>,
}

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// It has not started.
    NotStarted,
    /// An OS thread runs it.
    Running,
    /// It is in a blocking section, in which an OS thread may block.
    Blocking,
    /// It has an OS thread for itself.
    Bound,
    /// It may run, and waits for a worker.
    Runnable,
    /// It waits for somebody who wakes it.
    Parked,
}

impl State {
    /// What people call it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotStarted => "not started",
            Self::Running => "running",
            Self::Blocking => "blocking",
            Self::Bound => "bound",
            Self::Runnable => "runnable",
            Self::Parked => "parked",
        }
    }
}

/// A core, with the OS thread that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker {
    /// The index of the core.
    pub core: u32,
    /// The number of the OS thread; none while the core goes from one to another.
    pub os_thread: Option<u32>,
    /// What it does: `None` between runs, and while it sleeps.
    pub doing: Option<State>,
    /// How many threads wait there for their turn.
    pub n_queued: u64,
    /// What it has done so far.
    pub counts: Counts,
}

/// Finds the green threads, in the order of their numbers: all that there were when the look began, unless the process
/// does not come to give one of them its place for a second.
///
/// # Errors
///
/// If what all hangs on cannot be read. A single thread that cannot be read is left out.
pub fn threads<M: Memory + ?Sized>(memory: &M, table: &Table) -> Result<Vec<Thread>, Unreadable> {
    Look::new(memory, table)?.threads()
}

/// Finds the cores and their workers; none before the runtime has started.
///
/// # Errors
///
/// If they cannot be read.
pub fn workers<M: Memory + ?Sized>(memory: &M, table: &Table) -> Result<Vec<Worker>, Unreadable> {
    let look = Look::new(memory, table)?;
    let cores = look.cores()?;
    let owners: Vec<_> = cores.iter().map(|core| core.word(table.core.owner)).collect();
    let leases = leases(memory, table, owners.iter().copied());
    let worker = |((core, owner), index): ((&CoreCopy, &u64), u32)| {
        let lease = leases.get(owner);
        Worker {
            core: index,
            os_thread: lease.map(|lease| lease.os_thread),
            doing: lease.and_then(|lease| lease.doing),
            n_queued: look.n_queued(core),
            counts: Counts::of(&table.core, Record(&core.0)),
        }
    };
    Ok(cores.iter().zip(&owners).zip(0..).map(worker).collect())
}

/// How many stacks, or threads on them, cannot be read and are not found: where a core file was cut off, for instance.
///
/// # Errors
///
/// If what leads to them cannot be read.
pub fn n_unreadable<M: Memory + ?Sized>(memory: &M, table: &Table) -> Result<usize, Unreadable> {
    let look = Look::new(memory, table)?;
    let below = memory.word(table.roots.owner_below)?;
    if below == 0 {
        return Ok(0);
    }
    let words = look.words_below_tops(below, &look.slots()?);
    let n_stacks = words.iter().filter(Option::is_none).count();
    let owners = words.iter().flatten().map(|it| it.word(0)).filter(|owner| *owner != 0);
    let tasks = Copies::read(memory, &owners.collect::<Vec<_>>(), table.task.size);
    let n_gone = tasks.iter().filter(Option::is_none).count(); // some may have ended
    Ok(n_stacks + n_gone.min(look.n_missing(&look.found()?)?))
}

/// How many threads were spawned so far.
///
/// # Errors
///
/// If that cannot be read.
pub fn n_spawned<M: Memory + ?Sized>(memory: &M, table: &Table) -> Result<u64, Unreadable> {
    memory.word(table.roots.next_id)
}

/// Which of these threads a worker runs just now, by their places among them.
pub fn running<M: Memory + ?Sized>(memory: &M, table: &Table, threads: &[Thread]) -> Vec<usize> {
    let places: Vec<_> = threads.iter().map(|thread| thread.task).collect();
    let tasks = Copies::read(memory, &places, table.task.size);
    let lease_of = |(at, (thread, task)): (usize, (&Thread, Option<Record<'_>>))| {
        let task = task.filter(|task| task.word(table.task.id) == thread.id)?;
        let (stack_pointer, first_frame) = saved(&table.task, task, thread.stack.as_ref()?);
        let is_on_cpu = stack_pointer.is_none() && first_frame.is_some();
        is_on_cpu.then(|| (at, task.word(table.task.lease)))
    };
    let candidates: Vec<_> =
        threads.iter().zip(tasks.iter()).enumerate().filter_map(lease_of).collect();
    let leases = leases(memory, table, candidates.iter().map(|(_, lease)| *lease));
    let runs = |(_, lease): &(usize, u64)| {
        leases.get(lease).is_some_and(|lease| lease.doing == Some(State::Running))
    };
    candidates.into_iter().filter(runs).map(|(at, _)| at).collect()
}

/// A place for a thread.
struct Slot {
    bottom: u64,
    usable: Range<u64>,
    class: u8,
}

struct Lease {
    os_thread: u32,
    doing: Option<State>,
}

/// Reads each lease once.
fn leases<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    places: impl Iterator<Item = u64>,
) -> HashMap<u64, Lease> {
    let mut places: Vec<_> = places.filter(|at| *at != 0).collect();
    places.sort_unstable();
    places.dedup();
    let layout = &table.lease;
    let copies = Copies::read(memory, &places, layout.size);
    let lease = |record: Record<'_>| {
        let state = record.word(layout.word) & layout.state_bits;
        let doing = match state {
            _ if state == layout.running => Some(State::Running),
            _ if state == layout.blocking => Some(State::Blocking),
            _ => None,
        };
        Lease { os_thread: record.half(layout.os_thread), doing }
    };
    let leases = places.iter().zip(copies.iter());
    leases.filter_map(|(at, record)| Some((*at, lease(record?)))).collect()
}

/// A look at a process.
struct Look<'a, M: Memory + ?Sized> {
    memory: &'a M,
    table: &'a Table,
    /// The lowest word of state that a parked thread has.
    parked_from: u32,
    /// The numbers that threads may have.
    ids: Range<u64>,
    /// That of one which has a lower one.
    forked: u64,
}

impl<'a, M: Memory + ?Sized> Look<'a, M> {
    fn new(memory: &'a M, table: &'a Table) -> Result<Self, Unreadable> {
        let roots = &table.roots;
        let mut parked_from = [0; 4];
        memory.read(roots.parked_from, &mut parked_from)?;
        let parked_from = u32::from_ne_bytes(parked_from);
        let ids = memory.word(roots.first_id)?..memory.word(roots.next_id)?;
        let forked = memory.word(roots.forked)?;
        Ok(Self { memory, table, parked_from, ids, forked })
    }

    fn threads(&self) -> Result<Vec<Thread>, Unreadable> {
        const MOMENT: Duration = Duration::from_millis(1);
        const PATIENCE: Duration = Duration::from_secs(1);
        let begin = Instant::now();
        let mut found = self.found()?;
        while self.n_missing(&found)? > 0 && begin.elapsed() < PATIENCE && self.memory.wait(MOMENT)
        {
            found = self.found()?;
        }
        self.name(&mut found);
        self.name_of_program(&mut found)?;
        Ok(found.into_iter().map(|(_, thread)| thread).collect())
    }

    /// The threads that one look finds, each with where its name is.
    fn found(&self) -> Result<Vec<(u64, Thread)>, Unreadable> {
        // In the order in which a thread goes.
        let not_started = self.not_started()?;
        let mut found = self.started()?;
        found.extend(not_started);
        found.sort_by_key(|(_, thread)| thread.id);
        found.dedup_by_key(|(_, thread)| thread.id);
        Ok(found)
    }

    /// How many that were there when the look began are not among these, at least: some of the ends are later ones'.
    fn n_missing(&self, found: &[(u64, Thread)]) -> Result<usize, Unreadable> {
        let n_found = found.iter().filter(|(_, thread)| self.ids.contains(&thread.id)).count();
        let n_ends = |core: &CoreCopy| Counts::of(&self.table.core, Record(&core.0)).n_ends;
        let n_ends = self.cores()?.iter().map(n_ends).fold(0, u64::saturating_add);
        let n_gone = n_ends.saturating_add(self.memory.word(self.table.roots.n_others)?);
        let n_known = n_gone.saturating_add(n_found as u64);
        let n_missing = self.ids.end.saturating_sub(self.ids.start).saturating_sub(n_known);
        Ok(usize::try_from(n_missing).unwrap_or(usize::MAX))
    }

    /// Threads that have a stack, each with where its name is.
    fn started(&self) -> Result<Vec<(u64, Thread)>, Unreadable> {
        let roots = &self.table.roots;
        let slots = self.slots()?;
        let words = |below: u64, slots: &[&Slot]| {
            let copies = self.words_below_tops(below, slots.iter().copied());
            copies.iter().map(|record| record.map_or(0, |it| it.word(0))).collect::<Vec<_>>()
        };
        let below = self.memory.word(roots.owner_below)?;
        if below == 0 {
            return Ok(Vec::new());
        }
        let all: Vec<_> = slots.iter().collect();
        let owners = words(below, &all);
        let (mut owned, rest): (Vec<_>, Vec<_>) =
            all.into_iter().zip(owners).partition(|(_, owner)| *owner != 0);
        let bound_below = self.memory.word(roots.bound_below)?;
        if bound_below != 0 {
            let rest: Vec<_> = rest.into_iter().map(|(slot, _)| slot).collect();
            let bound = words(bound_below, &rest);
            owned.extend(rest.into_iter().zip(bound).filter(|(_, owner)| *owner != 0));
        }
        let places: Vec<_> = owned.iter().map(|(_, owner)| *owner).collect();
        let tasks = Copies::read(self.memory, &places, self.table.task.size);
        // One that was joined is gone for who has joined it, though its stack is still to be given back.
        let is_of = |slot: &Slot, task: Record<'_>| {
            task.word(self.table.task.bottom) == slot.bottom
                && task.byte(self.table.task.class) == slot.class
                && task.word(self.table.task.join) != ENDED
        };
        let found: Vec<_> = owned
            .iter()
            .zip(tasks.iter())
            .filter_map(|((slot, at), task)| Some((*slot, *at, task?)))
            .filter(|(slot, at, task)| is_of(slot, *task) && self.is_of_this_life(*at, *task))
            .collect();
        let leases = leases(
            self.memory,
            self.table,
            found.iter().map(|(.., task)| task.word(self.table.task.lease)),
        );
        let thread = |(slot, at, task): &(&Slot, u64, Record<'_>)| {
            let rare = task.word(self.table.task.rare);
            (rare, self.thread(*at, *task, Some(slot), &leases))
        };
        Ok(found.iter().map(thread).collect())
    }

    /// The word that is so far below the top of each stack.
    fn words_below_tops<'s>(
        &self,
        below: u64,
        slots: impl IntoIterator<Item = &'s Slot>,
    ) -> Copies {
        let place = |slot: &Slot| slot.usable.end.wrapping_sub(below);
        let places: Vec<_> = slots.into_iter().map(place).collect();
        Copies::read(self.memory, &places, size_of::<u64>() as u64)
    }

    fn is_of_this_life(&self, at: u64, task: Record<'_>) -> bool {
        let id = task.word(self.table.task.id);
        self.ids.contains(&id) || at == self.forked && (1..self.ids.end).contains(&id)
    }

    /// Every stack that was ever used.
    fn slots(&self) -> Result<Vec<Slot>, Unreadable> {
        /// No slab has more stacks: it is no larger than 32 GiB, and a stack no smaller than 64 KiB.
        const STACKS_MAX: u64 = 1 << 19;
        let layout = &self.table.slab;
        let mut slots = Vec::new();
        let mut at = self.memory.word(self.table.roots.slabs)?;
        let mut seen = HashSet::default();
        // What is no list of the runtime's may lead in a circle.
        while at != 0 && (slots.len() as u64) < MANY && seen.insert(at) {
            let mut bytes = vec![0; usize::try_from(layout.size).unwrap_or(0)];
            self.memory.read(at, &mut bytes)?;
            let slab = Record(&bytes);
            let (start, stride) = (slab.word(layout.start), slab.word(layout.stride));
            let (guard_len, class) = (slab.word(layout.guard_len), slab.byte(layout.class));
            for n in 0..slab.word(layout.n_cut).min(STACKS_MAX) {
                let bottom = start.wrapping_add(n.wrapping_mul(stride));
                let usable = bottom.wrapping_add(guard_len)..bottom.wrapping_add(stride);
                slots.push(Slot { bottom, usable, class });
            }
            at = slab.word(layout.next);
        }
        Ok(slots)
    }

    fn thread(
        &self,
        at: u64,
        task: Record<'_>,
        slot: Option<&Slot>,
        leases: &HashMap<u64, Lease>,
    ) -> Thread {
        let layout = &self.table.task;
        let stack = slot.map(|slot| slot.usable.clone());
        let (stack_pointer, first_frame) =
            stack.as_ref().map_or((None, None), |stack| saved(layout, task, stack));
        let lease = leases.get(&task.word(layout.lease));
        let word = task.half(layout.state);
        let state = match (&stack, stack_pointer, lease) {
            (None, ..) => State::NotStarted,
            (_, Some(_), _) if word >= self.parked_from => State::Parked,
            (_, Some(_), _) => State::Runnable,
            (_, None, None) => State::Bound,
            (_, None, Some(lease)) => lease.doing.unwrap_or(State::Running),
        };
        let is_off = matches!(state, State::Parked | State::Runnable);
        let is_on_cpu = stack_pointer.is_none();
        let reason = Reason::of(task.byte(layout.reason)).filter(|reason| match state {
            State::Parked => !reason.is_section(),
            State::Blocking => reason.is_section(),
            _ => false,
        });
        let os_thread = match state {
            State::Bound => Some(task.half(layout.core)),
            _ => lease.filter(|_| is_on_cpu).map(|lease| lease.os_thread),
        };
        let join = task.word(layout.join);
        Thread {
            id: task.word(layout.id),
            name: None,
            state,
            state_word: if is_off { word } else { state_word::RUNNING },
            reason,
            core: slot.filter(|_| state != State::Bound).map(|_| task.half(layout.core)),
            os_thread,
            stack,
            stack_pointer,
            first_frame,
            task: at,
            joiner: (join > 2).then_some(join),
            joined_at: None,
        }
    }

    /// Copies of the cores; none before there is a scheduler.
    fn cores(&self) -> Result<Vec<CoreCopy>, Unreadable> {
        let scheduler = self.memory.word(self.table.roots.scheduler)?;
        if scheduler == 0 {
            return Ok(Vec::new());
        }
        let at = scheduler.wrapping_add(self.table.scheduler.cores);
        let (start, n) = (self.memory.word(at)?, self.memory.word(at.wrapping_add(8))?);
        let place = |n: u64| start.wrapping_add(n * self.table.core.size);
        let places: Vec<_> = (0..n.min(CORES_MAX)).map(place).collect();
        let copies = Copies::read(self.memory, &places, self.table.core.size);
        Ok(copies.iter().flatten().map(|core| CoreCopy(core.0.to_vec())).collect())
    }

    /// Threads that are in a queue and have no stack, each with where its name is.
    fn not_started(&self) -> Result<Vec<(u64, Thread)>, Unreadable> {
        let queued = self.queued()?;
        let tasks = Copies::read(self.memory, &queued, self.table.task.size);
        let layout = &self.table.task;
        let found = queued.iter().zip(tasks.iter()).filter_map(|(at, task)| Some((*at, task?)));
        let found = found.filter(|(at, task)| {
            let is_green = task.byte(layout.class) != 0 && task.word(layout.bottom) == 0;
            is_green && self.is_of_this_life(*at, *task)
        });
        let none = HashMap::default();
        let thread = |(at, task): (u64, Record<'_>)| {
            (task.word(layout.rare), self.thread(at, task, None, &none))
        };
        Ok(found.map(thread).collect())
    }

    /// All tasks that are in queues.
    fn queued(&self) -> Result<Vec<u64>, Unreadable> {
        let mut queued = Vec::new();
        let core = &self.table.core;
        for copy in self.cores()? {
            for at in [core.inbox, core.aside] {
                self.follow(copy.word(at), MANY, &mut queued);
            }
            for at in [core.pinned, core.pinned_woken, core.overflow] {
                let (head, len) =
                    (copy.word(at + self.table.list.head), copy.word(at + self.table.list.len));
                self.follow(head, len, &mut queued);
            }
            for at in [core.queue, core.woken] {
                self.ring(&copy, at, &mut queued);
            }
        }
        let scheduler = self.memory.word(self.table.roots.scheduler)?;
        if scheduler != 0 {
            for at in [self.table.scheduler.inject, self.table.scheduler.woken] {
                let list = scheduler.wrapping_add(at);
                let head = self.memory.word(list.wrapping_add(self.table.list.head))?;
                let len = self.memory.word(list.wrapping_add(self.table.list.len))?;
                self.follow(head, len, &mut queued);
            }
        }
        Ok(queued)
    }

    /// How many tasks are in the queues of a core.
    fn n_queued(&self, copy: &CoreCopy) -> u64 {
        /// Who comes in is taken in before long, most often.
        const INBOUND_MAX: u64 = 1000;
        let core = &self.table.core;
        let mut inbound = Vec::new();
        for at in [core.inbox, core.aside] {
            self.follow(copy.word(at), INBOUND_MAX, &mut inbound);
        }
        let lists = [core.pinned, core.pinned_woken, core.overflow];
        let lists = lists.map(|at| copy.word(at + self.table.list.len));
        let rings = [core.queue, core.woken].map(|at| self.ring_len(copy, at));
        lists.into_iter().chain(rings).fold(inbound.len() as u64, u64::saturating_add)
    }

    /// Tasks that are linked, up to `n`; where a list changes meanwhile, no further than to where it has been.
    fn follow(&self, mut at: u64, n: u64, into: &mut Vec<u64>) {
        let mut seen = HashSet::default();
        for _ in 0..n.min(MANY) {
            if at == 0 || !seen.insert(at) {
                break;
            }
            into.push(at);
            let next = self.memory.word(at.wrapping_add(self.table.task.next));
            let Ok(next) = next else { break };
            at = next;
        }
    }

    /// How many tasks are in a ring that is at `at` of a core.
    fn ring_len(&self, core: &CoreCopy, at: u64) -> u64 {
        let layout = &self.table.queue;
        let (head, tail) = (core.half(at + layout.head), core.half(at + layout.tail));
        u64::from(tail.wrapping_sub(head)).min(layout.capacity)
    }

    /// The tasks of a ring that is at `at` of a core.
    fn ring(&self, core: &CoreCopy, at: u64, into: &mut Vec<u64>) {
        let layout = &self.table.queue;
        let (head, len) = (core.half(at + layout.head), self.ring_len(core, at));
        let (slots, n) = (core.word(at + layout.slots), layout.capacity);
        let place = |i| slots.wrapping_add((u64::from(head) + i) % n * size_of::<u64>() as u64);
        let places: Vec<_> = (0..len).map(place).collect();
        let copies = Copies::read(self.memory, &places, size_of::<u64>() as u64);
        into.extend(copies.iter().flatten().map(|task| task.word(0)));
    }

    /// Reads the names that threads of a whole program have, and where they are joined.
    fn name_of_program(&self, threads: &mut [(u64, Thread)]) -> Result<(), Unreadable> {
        const LEN: u64 = 16;
        let below = self.memory.word(self.table.roots.named_below)?;
        let name_at = self.memory.word(self.table.roots.name_at)?;
        let joined_at = self.memory.word(self.table.roots.joined_at)?;
        if below == 0 {
            return Ok(());
        }
        let mut started: Vec<_> = threads
            .iter_mut()
            .filter_map(|(_, thread)| Some((thread.stack.clone()?.end.wrapping_sub(below), thread)))
            .collect();
        let places: Vec<_> = started.iter().map(|(place, _)| *place).collect();
        let words = Copies::read(self.memory, &places, size_of::<u64>() as u64);
        let records: Vec<_> =
            words.iter().map(|word| word.map_or(0, |word| word.word(0))).collect();
        let places: Vec<_> = records.iter().map(|record| record.wrapping_add(name_at)).collect();
        let names = Copies::read(self.memory, &places, LEN);
        for (((_, thread), record), name) in started.iter_mut().zip(records).zip(names.iter()) {
            thread.joined_at = (record != 0).then(|| record.wrapping_add(joined_at));
            let bytes = name.and_then(|name| name.0.split(|byte| *byte == 0).next());
            if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty() && thread.name.is_none()) {
                thread.name = Some(String::from_utf8_lossy(bytes).into_owned());
            }
        }
        Ok(())
    }

    /// Reads the names.
    fn name(&self, threads: &mut [(u64, Thread)]) {
        /// More is not read of one.
        const LONGEST: u64 = 4096;
        let mut named: Vec<_> = threads.iter_mut().filter(|(rare, _)| *rare != 0).collect();
        let places: Vec<_> =
            named.iter().map(|(rare, _)| rare.wrapping_add(self.table.rare.name)).collect();
        let copies = Copies::read(self.memory, &places, 2 * size_of::<u64>() as u64);
        let names: Vec<_> = copies
            .iter()
            .map(|name| name.map_or((0, 0), |it| (it.word(0), it.word(8).min(LONGEST))))
            .collect();
        let mut bytes: Vec<_> = names.iter().map(|(_, len)| vec![0; *len as usize]).collect();
        let pieces = names.iter().zip(&mut bytes).map(|((at, _), into)| Piece { at: *at, into });
        let are_read = self.memory.read_many(&mut pieces.collect::<Vec<_>>());
        for (((_, thread), (at, _)), (bytes, is_read)) in
            named.iter_mut().zip(names).zip(bytes.into_iter().zip(are_read))
        {
            if at != 0 && is_read {
                thread.name = Some(String::from_utf8_lossy(&bytes).into_owned());
            }
        }
    }
}

/// Where the registers of a task are saved on its stack, if no OS thread runs it, and where its first frame begins.
pub(crate) fn saved(
    layout: &table::Task,
    task: Record<'_>,
    stack: &Range<u64>,
) -> (Option<u64>, Option<u64>) {
    let word = |at| Some(task.word(at)).filter(|word| stack.contains(word));
    (word(layout.stack_pointer), word(layout.first_frame))
}

/// A core as it was.
struct CoreCopy(Vec<u8>);

impl CoreCopy {
    fn word(&self, at: u64) -> u64 {
        Record(&self.0).word(at)
    }

    fn half(&self, at: u64) -> u32 {
        Record(&self.0).half(at)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::thread;

    use super::*;
    use crate::memory::Copied;

    /// A process with one thread, at whose stack it is not written before somebody has waited for so long.
    struct Starting {
        memory: Copied,
        moments_left: Cell<u32>,
    }

    impl Memory for Starting {
        fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Unreadable> {
            self.memory.read(at, into)?;
            if at == OWNER && self.moments_left.get() > 0 {
                into.fill(0);
            }
            Ok(())
        }

        fn wait(&self, moment: Duration) -> bool {
            thread::sleep(moment);
            self.moments_left.set(self.moments_left.get().saturating_sub(1));
            true
        }
    }

    const SLAB: u64 = 0x100;
    const STACK: u64 = 0x200;
    const OWNER: u64 = 0x300 - 8;
    const TASK: u64 = 0x400;

    /// The process, where so many of its two numbers are not the thread's.
    fn starting(n_others: u64, moments_left: u32) -> (Starting, Table) {
        let words = vec![0; table::LEN / 8 - 3];
        let head = [table::MAGIC, table::VERSION, table::LEN as u64 / 8];
        let bytes =
            |words: &[u64]| words.iter().flat_map(|it| it.to_ne_bytes()).collect::<Vec<_>>();
        let mut table = Table::parse(&bytes(&[&head[..], &words].concat())).expect("a table");
        let mut memory = vec![0; 0x100];
        let mut put = |at: u64, word| {
            memory[at as usize / 8] = word;
            at
        };
        let roots = &mut table.roots;
        roots.first_id = put(0x08, 2);
        roots.next_id = put(0x10, 4);
        roots.n_others = put(0x18, n_others);
        roots.slabs = put(0x20, SLAB);
        roots.owner_below = put(0x28, 0x300 - OWNER);
        let slab = &mut table.slab;
        slab.start = put(SLAB + 8, STACK) - SLAB;
        slab.stride = put(SLAB + 16, 0x100) - SLAB;
        slab.n_cut = put(SLAB + 24, 1) - SLAB;
        slab.size = 32;
        put(OWNER, TASK);
        table.task.bottom = put(TASK + 8, STACK) - TASK;
        table.task.id = put(TASK + 16, 3) - TASK;
        table.task.size = 24;
        let memory = Copied { start: 0, bytes: bytes(&memory) };
        (Starting { memory, moments_left: Cell::new(moments_left) }, table)
    }

    #[test]
    fn a_look_goes_on_until_a_thread_that_is_on_its_way_has_come() {
        let (process, table) = starting(1, 3);
        let found = threads(&process, &table).expect("all can be read");
        assert_eq!(found.iter().map(|thread| thread.id).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn nobody_waits_for_threads_that_have_ended() {
        let (process, table) = starting(2, 3);
        assert_eq!(threads(&process, &table), Ok(Vec::new()));
        assert_eq!(process.moments_left.get(), 3);
    }

    #[test]
    fn a_thread_that_does_not_come_is_given_up() {
        let (process, table) = starting(0, u32::MAX);
        assert_eq!(threads(&process, &table), Ok(Vec::new()));
    }
}

//! What few tasks have, and what is looked at seldom: behind one word of the header.
//!
//! A task that is spawned with a name has it from the start. Others get it when they first need it, from
//! their own run or from their spawner, and keep it until the task is freed. One thread makes it, and
//! others that find it see all of it.

use std::mem::offset_of;

use sylvan_sight::table;

use crate::context::floating::Floating;
use crate::primitive::Cell;

pub(crate) struct Rare {
    /// Never changes.
    pub(crate) name: Option<Box<str>>,
    /// With the name. Who makes the task sets it, before anybody else has it; then it is the task's.
    pub(crate) birth: Cell<Option<Birth>>,
    /// The signal mask of a task that is attended (`dress`). Whoever holds the `Runnable` reads it, the
    /// task itself writes it, and so with the clock.
    pub(crate) mask: Cell<u64>,
    /// Its processor time, if it has asked for that.
    pub(crate) clock: Cell<Option<Clock>>,
    /// How it computes as it begins. Who makes the task sets it, before anybody else has it.
    pub(crate) floating: Cell<Floating>,
    /// When its name was recorded last (`trace`); 0 for never. By whoever holds the `Runnable`.
    pub(crate) named_in: Cell<u32>,
}

/// What makes a thread known by its name: called on it before anything else.
pub type Birth = Box<dyn FnOnce()>;

/// The processor time of a green thread: what its runs have used, from the one in which it first asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// That of the runs that are over.
    used_ns: u64,
    /// What the clock of its OS thread said when this run began.
    since_ns: u64,
}

impl Rare {
    pub(crate) const LAYOUT: table::Rare = table::Rare { name: offset_of!(Self, name) as u64 };

    pub(crate) fn new(name: Option<Box<str>>) -> Self {
        Self {
            name,
            birth: Cell::new(None),
            mask: Cell::new(0),
            clock: Cell::new(None),
            floating: Cell::new(Floating::first()),
            named_in: Cell::new(0),
        }
    }
}

impl Clock {
    /// The count begins, at this time of the OS thread's clock.
    pub(crate) fn new(now_ns: u64) -> Self {
        Self { used_ns: 0, since_ns: now_ns }
    }

    /// What it says at this time of the OS thread's clock.
    pub(crate) fn at(self, now_ns: u64) -> u64 {
        self.used_ns + now_ns.saturating_sub(self.since_ns)
    }

    /// The run ends.
    pub(crate) fn stopped(self, now_ns: u64) -> Self {
        Self { used_ns: self.at(now_ns), since_ns: now_ns }
    }

    /// The next run begins, on whatever OS thread.
    pub(crate) fn started(self, now_ns: u64) -> Self {
        Self { since_ns: now_ns, ..self }
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_runs_does_not_count() {
        let clock = Clock::new(1_000);
        assert_eq!(clock.at(1_300), 300);
        let clock = clock.stopped(1_500);
        assert_eq!(clock.at(1_500), 500);
        // On another OS thread, which has used less.
        let clock = clock.started(20);
        assert_eq!(clock.at(120), 600);
    }
}

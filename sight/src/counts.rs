//! What cores have done, and how many threads wait for one.

use crate::copies::Record;
use crate::memory::{Memory, Unreadable};
use crate::table::{self, Table};

/// What a core has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    n_ticks: u32,
    n_sleeps: u64,
    n_shares: u64,
    n_looks: u64,
    n_events: u64,
    n_steals: u64,
    n_takes: u64,
    /// Threads that have ended there.
    pub(crate) n_ends: u64,
}

/// What a core has done between two looks at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Runs of threads: switches to them.
    pub n_runs: u64,
    /// Looks at the event loop.
    pub n_looks: u64,
    /// What these have found.
    pub n_events: u64,
    /// Searches that found something at another core.
    pub n_steals: u64,
    /// Hand-overs of the core to another OS thread.
    pub n_takes: u64,
}

impl Counts {
    /// How many words there are, beside the ticks.
    const LEN: u64 = 7 * size_of::<u64>() as u64;

    pub(crate) fn of(layout: &table::Core, core: Record<'_>) -> Self {
        let mut words = core.words(layout.counts, Self::LEN);
        let mut next = || words.next().unwrap_or(0);
        Self {
            n_ticks: core.half(layout.tick),
            n_sleeps: next(),
            n_shares: next(),
            n_looks: next(),
            n_events: next(),
            n_steals: next(),
            n_takes: next(),
            n_ends: next(),
        }
    }

    /// What was done since an earlier look.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Done {
        let n_ticks = u64::from(self.n_ticks.wrapping_sub(earlier.n_ticks));
        let n_sleeps = self.n_sleeps.wrapping_sub(earlier.n_sleeps);
        let n_shares = self.n_shares.wrapping_sub(earlier.n_shares);
        Done {
            // A tick that found nothing ran nothing.
            n_runs: n_ticks.saturating_sub(n_sleeps).saturating_sub(n_shares),
            n_looks: self.n_looks.wrapping_sub(earlier.n_looks).wrapping_add(n_sleeps),
            n_events: self.n_events.wrapping_sub(earlier.n_events),
            n_steals: self.n_steals.wrapping_sub(earlier.n_steals),
            n_takes: self.n_takes.wrapping_sub(earlier.n_takes),
        }
    }
}

/// How many threads wait in the queues that all cores share.
///
/// # Errors
///
/// If they cannot be read.
pub fn n_shared<M: Memory + ?Sized>(memory: &M, table: &Table) -> Result<u64, Unreadable> {
    n_listed(memory, table, &[table.scheduler.inject, table.scheduler.woken])
}

/// How many threads, of those whose runs last, wait for an OS thread that runs them without a core.
///
/// # Errors
///
/// If that cannot be read.
pub fn n_apart<M: Memory + ?Sized>(memory: &M, table: &Table) -> Result<u64, Unreadable> {
    n_listed(memory, table, &[table.scheduler.apart])
}

/// How many threads are in these lists of the scheduler's.
fn n_listed<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    lists: &[u64],
) -> Result<u64, Unreadable> {
    let scheduler = memory.word(table.roots.scheduler)?;
    if scheduler == 0 {
        return Ok(0);
    }
    let len = |list: &u64| memory.word(scheduler.wrapping_add(list + table.list.len));
    lists.iter().try_fold(0_u64, |sum, list| Ok(sum.saturating_add(len(list)?)))
}

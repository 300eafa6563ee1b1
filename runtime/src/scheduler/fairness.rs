//! Whose turn it is on a core: tasks that an event has woken (a descriptor, a deadline), or others.
//!
//! One queue for both would be unfair to events. Forty threads that compute for 5 ms and yield go
//! round in 100 ms on two cores. A thread that wakes up every 2 ms would wait for a whole round each
//! time. So there are two queues, and while both have something they share the core's time, half and
//! half.
//!
//! Not turn by turn: a hundred connections that take 10 µs each would then wait for a hundred
//! threads that take 5 ms each. What is counted is time, by a look at the clock before each run, and
//! that only while both have something; a queue that is alone takes it all, and pays nothing.
//!
//! # Why neither starves
//!
//! Let both have something all the time. The balance is the time of the woken less that of the
//! others; the woken go first while it is below a head start of 1 ms. So it falls only by runs of the
//! others, which begin at 1 ms or above, and rises only by runs of the woken, which begin below that.
//! It stays within one run of the head start. A run counts for 10 ms at most; one that lasts longer
//! loses its core. So either kind gets half of the time, give or take 11 ms. A task waits for at most
//! twice the time of those of its kind that are before it, and these 11 ms, however many there are of
//! the other kind.
//!
//! The head start lets a handful of short runs, a ticker's say, all go before the next long one. A
//! queue that runs dry keeps its balance, which says what has come before, and gains nothing by it.
//!
//! A task that a run has woken runs right after it (see `next`). While woken ones wait, that is for
//! the account of the others, and at most twice in a row: there and back. Else those that wake each
//! other, and compute, would go along with each of the woken.

use super::core::{Core, Local};
use crate::clock;
use crate::task::Runnable;

const HEAD_START_NS: i64 = 1_000_000;
const RUN_MAX_NS: i64 = 10_000_000;

/// Which tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Woken,
    Other,
}

#[derive(Debug)]
pub(super) struct Fairness {
    /// By how much the woken are ahead.
    balance_ns: i64,
    /// Whose run it is, and when it began; if the other kind waits meanwhile.
    run: Option<(Kind, u64)>,
}

impl Fairness {
    pub(super) fn new() -> Self {
        Self { balance_ns: 0, run: None }
    }

    /// Whose turn it is when both kinds have something. The run begins now.
    pub(super) fn next(&mut self, now_ns: u64) -> Kind {
        self.end_run(now_ns);
        let kind = if self.balance_ns < HEAD_START_NS { Kind::Woken } else { Kind::Other };
        self.run = Some((kind, now_ns));
        kind
    }

    /// The run of another task begins now, whosever turn it is, while woken ones wait.
    pub(super) fn go_before(&mut self, now_ns: u64) {
        self.end_run(now_ns);
        self.run = Some((Kind::Other, now_ns));
    }

    fn end_run(&mut self, now_ns: u64) {
        if let Some((kind, begin_ns)) = self.run {
            let run_ns = i64::try_from(now_ns.saturating_sub(begin_ns)).unwrap_or(i64::MAX);
            self.balance_ns += match kind {
                Kind::Woken => run_ns.min(RUN_MAX_NS),
                Kind::Other => -run_ns.min(RUN_MAX_NS),
            };
            // However many went before their turn, the woken get no more for it than a run's time.
            self.balance_ns = self.balance_ns.max(HEAD_START_NS - RUN_MAX_NS);
        }
    }

    /// Only one kind has anything: its run does not count.
    pub(super) fn alone(&mut self) {
        self.run = None;
    }
}

/// The oldest task of the kind whose turn it is, if there are of both.
///
/// In a relay there may be none though others wait: the task that has just run is the one whose turn it is, or a thief
/// was faster.
pub(super) fn pop_fairly<const IN_RELAY: bool>(core: &Core, local: &mut Local) -> Option<Runnable> {
    match local.fairness.next(clock::now_ns()) {
        Kind::Woken if IN_RELAY => pop_woken(core, local),
        // A thief may have been faster.
        Kind::Woken => pop_woken(core, local).or_else(|| pop_other(core, local)),
        Kind::Other => pop_other(core, local).or_else(|| pop_woken(core, local)),
    }
}

/// The oldest of the tasks that an event has woken.
#[inline(always)]
pub(super) fn pop_woken(core: &Core, local: &mut Local) -> Option<Runnable> {
    // Started, all of them: pinned in the shared mode, and in the own mode none.
    local.interval.ran_one();
    // SAFETY: the calling worker has the core.
    unsafe { core.woken.pop() }.or_else(|| local.pinned_woken.pop_front())
}

/// The oldest of the others.
#[inline(always)]
pub(super) fn pop_other(core: &Core, local: &mut Local) -> Option<Runnable> {
    if !local.pinned.is_empty() {
        // Pinned ones and those that have not started, in turn, so that neither keeps the other
        // waiting.
        local.pinned_first = !local.pinned_first;
        if local.pinned_first {
            return local.pinned.pop_front();
        }
    }
    // SAFETY: the calling worker has the core.
    unsafe { core.queue.pop() }.or_else(|| local.pinned.pop_front())
}

/// Appends a task to those that events have woken, or spills it to the overflow.
pub(super) fn enqueue_woken(core: &Core, local: &mut Local, task: Runnable) {
    if task.pinned.get() {
        local.pinned_woken.push_back(task);
    // SAFETY: the calling worker has the core.
    } else if let Err(task) = unsafe { core.woken.push(task) } {
        spill(core, local, task);
    }
}

/// Leaves a task to the overflow, which is to be injected.
#[cold]
pub(super) fn spill(core: &Core, local: &mut Local, task: Runnable) {
    local.overflow.push_back(task);
    core.set_has_overflow(true);
}

/// How many tasks there are that an event has woken.
pub(super) fn n_woken(core: &Core, local: &Local) -> usize {
    core.woken.len() + local.pinned_woken.len()
}

/// Whether there are any.
#[inline(always)]
pub(super) fn events_wait(core: &Core, local: &Local) -> bool {
    !core.woken.is_empty() || !local.pinned_woken.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the runs take, neither kind gets more than the other, but for a run each.
        #[test]
        fn both_kinds_get_the_same_time(runs in vec((0..RUN_MAX_NS as u64, 0..RUN_MAX_NS as u64), 1..500)) {
            let (mut fairness, mut now_ns) = (Fairness::new(), 0);
            let mut ahead_ns = 0_i64;
            for (woken_ns, other_ns) in runs {
                match fairness.next(now_ns) {
                    Kind::Woken => {
                        now_ns += woken_ns;
                        ahead_ns += woken_ns as i64;
                    }
                    Kind::Other => {
                        now_ns += other_ns;
                        ahead_ns -= other_ns as i64;
                    }
                }
                prop_assert!(ahead_ns <= HEAD_START_NS + RUN_MAX_NS);
                prop_assert!(ahead_ns >= HEAD_START_NS - RUN_MAX_NS);
            }
        }

        /// A run beside which nobody waited is not held against its kind.
        #[test]
        fn time_alone_does_not_count(alone_ns in 0..u64::MAX / 2) {
            let mut fairness = Fairness::new();
            assert_eq!(fairness.next(0), Kind::Woken);
            fairness.alone();
            assert_eq!(fairness.next(alone_ns), Kind::Woken);
        }
    }

    #[test]
    fn short_runs_go_before_the_next_long_one() {
        let mut fairness = Fairness::new();
        let mut now_ns = 0;
        for _ in 0..50 {
            assert_eq!(fairness.next(now_ns), Kind::Woken);
            now_ns += 10_000;
        }
    }
}

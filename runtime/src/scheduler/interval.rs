//! After how many runs a worker that always has something to run looks at its event loop.
//!
//! After 61. A run that ends at a request, since its thread's calls never have to wait, counts as eight: such a run
//! takes longer than most, and its thread queues again and again (`scheduler`), while the loop is never looked at by
//! itself.
//!
//! Short runs do not take looks away from each other: none comes sooner than 20 µs after the last one, for the system
//! call is to be divided among runs that are worth it.
//!
//! While 32 tasks wait that have waited since the last look, further events are as well off in the kernel. Those do
//! not count that have queued since: whom an event would wake is to queue behind them once, and not for ever. Whoever
//! asks for a look gets it in any case, for deadlines alone may keep as many waiting for good.

use crate::sys::BATCH;

/// Runs from one look to the next, at most: Go's number, and a prime, so that no pattern of the program's falls in
/// step with it.
const RUNS: u32 = 61;

/// As how many a run counts that ends at a request.
const REQUEST: u32 = 8;

/// Time from one look to the next, at least.
const PAUSE_NS: u64 = 20_000;

/// Tasks woken by events beside which no further events are asked for.
const ENOUGH: usize = BATCH / 2;

#[derive(Debug)]
pub(super) struct Interval {
    /// The tick at which it is over.
    end: u32,
    /// When the last look between two runs was.
    looked_ns: u64,
    /// Tasks woken by events that have waited since the last look: those that were taken meanwhile are counted off.
    n_ahead: usize,
}

impl Interval {
    pub(super) fn new() -> Self {
        Self { end: RUNS, looked_ns: 0, n_ahead: 0 }
    }

    /// Whether a look is due before the run of this tick.
    #[inline(always)]
    pub(super) fn is_over(&self, tick: u32) -> bool {
        // Both go round.
        tick.wrapping_sub(self.end).cast_signed() >= 0
    }

    /// A run has ended at a request.
    #[inline(always)]
    pub(super) fn count_request(&mut self) {
        self.end = self.end.wrapping_sub(REQUEST - 1);
    }

    /// It is over, or somebody asks: whether enough time has passed as well. The next one begins.
    pub(super) fn end(&mut self, tick: u32, now_ns: u64) -> bool {
        self.restart(tick);
        let is_time = now_ns.saturating_sub(self.looked_ns) >= PAUSE_NS;
        if is_time {
            self.looked_ns = now_ns;
        }
        is_time
    }

    /// The next one begins.
    pub(super) fn restart(&mut self, tick: u32) {
        self.end = tick.wrapping_add(RUNS);
    }

    /// So many tasks wait after a look that events have woken.
    pub(super) fn set_ahead(&mut self, n_waiting: usize) {
        self.n_ahead = n_waiting;
    }

    /// The one of them that has waited longest is about to run.
    #[inline(always)]
    pub(super) fn ran_one(&mut self) {
        self.n_ahead = self.n_ahead.saturating_sub(1);
    }

    /// Whether so many have waited since the last look that further events may wait, too; `n_waiting` wait in all.
    pub(super) fn has_enough(&self, n_waiting: usize) -> bool {
        // Thieves have taken some.
        self.n_ahead.min(n_waiting) >= ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs from each look to the next, if all of them take so long and end at a request or not.
    fn intervals(run_ns: u64, at_request: bool) -> Vec<u32> {
        let mut interval = Interval::new();
        let (mut looks, mut last) = (Vec::new(), 0);
        for tick in 1..1_000 {
            if interval.is_over(tick) && interval.end(tick, 1_000_000 + u64::from(tick) * run_ns) {
                looks.push(tick - last);
                last = tick;
            }
            if at_request {
                interval.count_request();
            }
        }
        looks
    }

    #[test]
    fn a_look_is_due_after_61_runs() {
        assert!(intervals(2_000, false).iter().all(|&n_runs| n_runs == 61));
    }

    #[test]
    fn a_look_is_due_after_eight_requests() {
        assert_eq!(intervals(25_000, true)[1..5], [8; 4]);
    }

    #[test]
    fn short_runs_have_no_look_within_20_microseconds() {
        assert!(intervals(100, false)[1..].iter().all(|&n_runs| n_runs == 4 * 61));
        assert!(intervals(1_000, true)[1..].iter().all(|&n_runs| n_runs == 24));
    }

    #[test]
    fn ticks_go_round() {
        let mut interval = Interval::new();
        interval.restart(u32::MAX - 1);
        assert!(!interval.is_over(u32::MAX) && !interval.is_over(58) && interval.is_over(59));
    }

    #[test]
    fn who_queues_again_holds_up_no_event() {
        let mut interval = Interval::new();
        interval.set_ahead(ENOUGH + 10);
        for _ in 0..10 {
            interval.ran_one();
            assert!(interval.has_enough(ENOUGH + 10));
        }
        interval.ran_one();
        assert!(!interval.has_enough(ENOUGH + 10));
    }
}

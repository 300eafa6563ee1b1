//! How much of a processor an OS thread has used since somebody first asked.

use std::time::{Duration, Instant};

use crate::sys::thread;

/// What an OS thread had used of a processor, and when.
#[derive(Clone, Copy)]
pub(super) struct Usage {
    at: Instant,
    /// `None` where the system does not tell.
    processor_ns: Option<u64>,
}

impl Usage {
    pub(super) fn of(os_thread: u32, at: Instant) -> Self {
        Self { at, processor_ns: thread::processor_time_ns(os_thread) }
    }

    /// How much it has used since `before`; `None` where nobody tells, or tells of another one, to which the
    /// core has gone meanwhile.
    pub(super) fn since(self, before: Self) -> Option<Duration> {
        let used_ns = self.processor_ns?.checked_sub(before.processor_ns?);
        used_ns.map(Duration::from_nanos)
    }

    /// Whether it has hardly used any since `before`: less than a quarter of the time.
    pub(super) fn is_quiet_since(self, before: Self) -> bool {
        self.since(before).is_some_and(|used| 4 * used < self.at - before.at)
    }

    /// Whether it has used one for half of the time since `before`: also where nobody tells.
    pub(super) fn is_busy_since(self, before: Self) -> bool {
        self.since(before).is_none_or(|used| 2 * used >= self.at - before.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was used at one time, 1,000 ns, and 100 ns later.
    fn at_first_and_later(later: Option<u64>) -> (Usage, Usage) {
        let at = Instant::now();
        let later_at = at + Duration::from_nanos(100);
        (Usage { at, processor_ns: Some(1_000) }, Usage { at: later_at, processor_ns: later })
    }

    #[test]
    fn who_has_had_no_processor_for_half_of_the_time_has_not_computed() {
        let is_busy = |later| {
            let (first, later) = at_first_and_later(later);
            later.is_busy_since(first)
        };
        assert!(is_busy(Some(1_050)));
        assert!(!is_busy(Some(1_049)));
        assert!(is_busy(None), "the system does not tell");
        assert!(is_busy(Some(20)), "another thread has the core");
    }

    #[test]
    fn who_has_had_one_for_a_quarter_of_the_time_is_not_quiet() {
        let is_quiet = |later| {
            let (first, later) = at_first_and_later(later);
            later.is_quiet_since(first)
        };
        assert!(is_quiet(Some(1_024)));
        assert!(!is_quiet(Some(1_025)));
        assert!(!is_quiet(None), "the system does not tell");
        assert!(!is_quiet(Some(20)), "another thread has the core");
    }
}

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
}

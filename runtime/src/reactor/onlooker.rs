//! Who looks at event loops of cores from outside, without taking anything from them: it polls their
//! descriptors.

use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The event loops that it looks at, in the order in which they were added.
pub(crate) struct Onlooker(Vec<PollFd<'static>>);

impl Onlooker {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// One more: that of a core.
    pub(crate) fn add(&mut self, core: usize) {
        let pollable = super::event_loop(core).poller.pollable();
        self.0.push(PollFd::from_borrowed_fd(pollable, PollFlags::IN));
    }

    /// Waits until one of them has anything, for at most `timeout`; whether one has.
    pub(crate) fn wait(&mut self, timeout: Duration) -> bool {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        // An error is an early end: the caller looks again.
        poll(&mut self.0, Some(&timeout)).is_ok_and(|n_ready| n_ready > 0)
    }

    /// Whether the last wait has found that the one of that number has anything. So has one that is lost.
    pub(crate) fn is_ready(&self, nth: usize) -> bool {
        self.0.get(nth).is_some_and(|polled| !polled.revents().is_empty())
    }
}

//! A call that may have to wait: in which direction, and what it has been through.

use super::heir::Heir;
use crate::clock;
use crate::park::{Interrupt, WaitReason};
use crate::timer;

/// A direction of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// There is something to read, to accept, or an end of file to see.
    Read,
    /// There is room to write, or a connection has come about.
    Write,
}

impl Interest {
    pub(super) fn reason(self) -> WaitReason {
        match self {
            Self::Read => WaitReason::Read,
            Self::Write => WaitReason::Write,
        }
    }
}

/// What one call has been through so far. Small, for it lies in the frames of who waits.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// Set from the descriptor's timeout at the first wait, or by who calls; [`NEVER`](Self::NEVER).
    pub(super) deadline_ns: u64,
    /// What ends it beside.
    pub(super) interrupt: Option<&'a Interrupt>,
    /// Its place among those who wait, from the first wait on; 0 before.
    pub(super) turn: u64,
    /// It has found nothing although the direction is CLOSED.
    pub(super) found_nothing_at_end: bool,
    /// Its time was up, and it was made once more.
    pub(super) had_last_try: bool,
    /// Where its file is, when the number means another one: see `heir`; 0 if nowhere.
    pub(super) heir: u32,
}

impl<'a> Call<'a> {
    /// No deadline: five hundred years.
    pub(super) const NEVER: u64 = u64::MAX;

    /// One that waits for as long as the descriptor's timeout says.
    #[inline]
    pub(crate) fn new() -> Self {
        Self::until(None)
    }

    /// The same, until this is raised.
    #[inline]
    pub(crate) fn unless(self, interrupt: &'a Interrupt) -> Self {
        Self { interrupt: Some(interrupt), ..self }
    }

    /// One that waits until then at most, whatever the descriptor's timeout.
    #[inline]
    pub(crate) fn until(deadline_ns: Option<u64>) -> Self {
        let deadline_ns = deadline_ns.unwrap_or(Self::NEVER);
        Self {
            deadline_ns,
            interrupt: None,
            turn: 0,
            found_nothing_at_end: false,
            had_last_try: false,
            heir: 0,
        }
    }

    /// Whether its time is up.
    #[inline]
    pub(crate) fn is_due(&self) -> bool {
        self.deadline_ns != Self::NEVER && clock::now_ns() >= self.deadline_ns
    }

    /// Until when it may be kept waiting, now that it is about to wait; `None` if its time is up.
    #[inline]
    pub(super) fn latest_ns(&self) -> Option<u64> {
        if self.deadline_ns == Self::NEVER { Some(Self::NEVER) } else { self.latest_by_clock_ns() }
    }

    #[cold]
    fn latest_by_clock_ns(&self) -> Option<u64> {
        let left_ns = self.deadline_ns.saturating_sub(clock::now_ns());
        let latest_ns = self.deadline_ns.saturating_add(timer::lateness_ns(left_ns));
        (left_ns != 0).then_some(latest_ns)
    }

    /// Whether it can be interrupted.
    #[cold]
    pub(crate) fn is_interruptible(&self) -> bool {
        self.interrupt.is_some()
    }

    /// Where its file is, if it has been told that the number means another one.
    #[cold]
    pub(crate) fn take_heir(&mut self) -> Option<Heir> {
        Heir::new(std::mem::take(&mut self.heir))
    }
}

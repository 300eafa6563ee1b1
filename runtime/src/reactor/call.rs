//! A call that may have to wait: in which direction, what it has been through, and how a wait ends.

use crate::park::WaitReason;

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

/// What one call has been through so far.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// Set from the descriptor's timeout at the first wait, or by who calls.
    pub(super) deadline_ns: Option<u64>,
    /// It has found nothing although the direction is CLOSED.
    pub(super) found_nothing_at_end: bool,
    /// Its time was up, and it was made once more.
    pub(super) had_last_try: bool,
    /// Its place among those who wait, from the first wait on.
    pub(super) turn: Option<u64>,
}

impl Call {
    /// One that waits until then at most, whatever the descriptor's timeout.
    pub(crate) fn until(deadline_ns: Option<u64>) -> Self {
        Self { deadline_ns, ..Self::default() }
    }
}

/// How a wait for readiness ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// Try again.
    Ready,
    /// The deadline has passed.
    TimedOut,
    /// The program has asked not to wait (`O_NONBLOCK`).
    Unwanted,
}

//! What a thread of a whole program has of its own: a part of its record, for as long as it lives.

use std::sync::atomic::{AtomicBool, Ordering};

use sylvan::Interrupt;

/// What ends a thread's waits: signals that are left for it, and its cancellation.
#[derive(Debug)]
pub struct Signals {
    /// Raised by whoever leaves something here.
    pub(crate) interrupt: Interrupt,
    /// A cancellation is due: the next cancellation point acts on it.
    is_cancelled: AtomicBool,
}

sylvan::local_pointer! {
    /// Those of the calling thread; null for one that is not green.
    static OWN: Signals as "sylvan_own_signals";
}

impl Signals {
    /// Those of a thread that is about to start.
    #[must_use]
    pub const fn new() -> Self {
        Self { interrupt: Interrupt::new(), is_cancelled: AtomicBool::new(false) }
    }

    /// The calling green thread begins with these.
    ///
    /// # Safety
    ///
    /// They last until the thread has ended, or has begun with others.
    pub unsafe fn begin(&self) {
        OWN.set(self);
    }

    /// Says whether a cancellation is due: one that was asked for, and that the thread lets in. If so its wait
    /// ends.
    pub(crate) fn set_cancelled(&self, is_cancelled: bool) {
        // Release pairs with the acquire in `is_cancelled`; with the interrupt, where it ends a wait.
        self.is_cancelled.store(is_cancelled, Ordering::Release);
        if is_cancelled {
            self.interrupt.raise();
        }
    }

    /// Whether a cancellation is due.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }
}

impl Default for Signals {
    fn default() -> Self {
        Self::new()
    }
}

/// Those of the calling green thread; `None` for any other.
#[inline]
pub(crate) fn own<'a>() -> Option<&'a Signals> {
    // SAFETY: they last as long as the thread, which uses them in its own name.
    unsafe { OWN.get().as_ref() }
}

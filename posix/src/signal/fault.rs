//! Handlers of faults: what the kernel calls for a signal that a thread causes itself.
//!
//! No OS thread blocks these, whatever runs there. So the kernel calls the handler on its own, and has masked what it is
//! to mask for the OS thread, on which a green thread's mask is nothing but a cover. Here the handler is called as that
//! thread's: what it is to have blocked the thread has blocked, it is told the thread's mask and its stack for signals,
//! and what it changes of the mask is in force as it returns.

use std::ffi::{c_int, c_void};

use libc::siginfo_t;

use super::own::{Signals, Stack, own};
use super::{attendant, bit, delivery};
use crate::action::Said;

/// Signals that a thread causes itself.
pub(crate) const FAULTS: u64 = bit(libc::SIGSEGV)
    | bit(libc::SIGBUS)
    | bit(libc::SIGILL)
    | bit(libc::SIGFPE)
    | bit(libc::SIGTRAP)
    | bit(libc::SIGSYS);

/// What the kernel calls where the program has a handler.
pub(crate) extern "C-unwind" fn on_fault(
    signal: c_int,
    info: *mut siginfo_t,
    context: *mut c_void,
) {
    let said = Said::of(signal);
    let handler = said.handler();
    // SAFETY: the kernel passes one, and nobody else has it.
    let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
    match own() {
        None => delivery::call(handler, signal, info, context),
        Some(signals) => {
            let mask = signals.mask();
            signals.set_mask(mask | said.mask_for(signal));
            let in_handler = InHandler::begin(signals);
            let mask = delivery::call_as(signals, mask, handler, signal, info, context);
            drop(in_handler);
            // It may be another OS thread now.
            context.uc_stack = delivery::alternate_stack().0;
            goes_on_with(signals, mask);
        }
    }
}

/// While the handler runs, which may wait (`delivery`), and out of which some languages throw an exception.
struct InHandler<'a> {
    signals: &'a Signals,
    outer: Option<Stack>,
}

impl<'a> InHandler<'a> {
    fn begin(signals: &'a Signals) -> Self {
        signals.depth.set(signals.depth.get() + 1);
        Self { signals, outer: signals.alternate.take() }
    }
}

impl Drop for InHandler<'_> {
    fn drop(&mut self) {
        let signals = self.signals;
        signals.depth.set(signals.depth.get().saturating_sub(1));
        // The handler that this one has interrupted may go on on another OS thread, too.
        let here = signals.alternate.take();
        let is_in_handler = signals.depth.get() > 0;
        signals.alternate.set(if is_in_handler { here.or(self.outer) } else { None });
    }
}

/// The thread goes on, where it was, with this mask. That may be in the midst of this crate: what it lets in is
/// delivered at its next call, or where the attendant finds it.
fn goes_on_with(signals: &Signals, mask: u64) {
    let before = signals.set_mask(mask);
    if before & !mask != 0 {
        attendant::has_open(!mask);
        if signals.deliverable() != 0 {
            signals.interrupt.raise();
            attendant::attend();
        }
    }
}

//! Handlers of signals: what the kernel calls in the place of the program's.
//!
//! # On an OS thread
//!
//! The kernel calls it wherever the thread is. In the midst of the runtime, which may have a lock there, the signal waits
//! until the thread is out of it (`sylvan::contract::signal::defer`): it is left pending, with what was said with it, and
//! blocked. Some microseconds later it is let in, and called again. So a handler on `main` may do what POSIX allows it.
//!
//! # On a green thread
//!
//! Its signals are delivered where it is safe (`delivery`): the handler is called at once. But faults, which a thread
//! causes itself, no OS thread blocks, whatever runs there. So the kernel calls the handler on its own, and has masked
//! what it is to mask for the OS thread, on which a green thread's mask is nothing but a cover. Here the handler is called
//! as that thread's: what it is to have blocked the thread has blocked, it is told the thread's mask and its stack for
//! signals, and what it changes of the mask is in force as it returns.

use std::ffi::{c_int, c_void};

use libc::siginfo_t;

use super::lock::{block, set_mask, unblock};
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

/// A whole program begins.
pub(super) fn begin() {
    sylvan::contract::signal::defer_to(unblock);
}

/// What the kernel calls where the program has a handler.
pub(crate) extern "C-unwind" fn on_signal(
    signal: c_int,
    info: *mut siginfo_t,
    context: *mut c_void,
) {
    let said = Said::of(signal);
    // SAFETY: the kernel passes both, and nobody else has them.
    let (told, context) = unsafe { (&*info, &mut *context.cast::<libc::ucontext_t>()) };
    let is_fault = FAULTS & bit(signal) != 0;
    match own() {
        Some(signals) if is_fault => as_its_own(signals, said, signal, info, context),
        None if !is_fault && sylvan::contract::signal::defer(bit(signal)) => {
            block(bit(signal));
            delivery::send_to_own(told);
            *delivery::mask_in(context) |= bit(signal);
        }
        caller => {
            if caller.is_none() {
                *delivery::mask_in(context) &= !sylvan::contract::signal::take_deferred();
            }
            match said.take_handler(signal) {
                Some(handler) => delivery::call(handler, signal, info, context),
                // Somebody else was first: what is left is the default.
                None => delivery::send_to_own(told),
            }
        }
    }
}

/// Calls the handler of a fault of the calling green thread.
fn as_its_own(
    signals: &Signals,
    said: &Said,
    signal: c_int,
    info: *mut siginfo_t,
    context: &mut libc::ucontext_t,
) {
    let mask = signals.mask();
    signals.set_mask(mask | said.mask_for(signal));
    let mut in_handler = InHandler::begin(signals);
    let mask = delivery::call_as(signals, mask, said.handler(), signal, info, context);
    in_handler.has_returned = true;
    drop(in_handler);
    // It may be another OS thread now.
    context.uc_stack = delivery::alternate_stack().0;
    goes_on_with(signals, mask);
}

/// While the handler runs, which may wait (`delivery`), and out of which some languages throw an exception.
struct InHandler<'a> {
    signals: &'a Signals,
    outer: Option<Stack>,
    /// Else it was left by an exception, and the kernel does not put the OS thread's mask back.
    has_returned: bool,
}

impl<'a> InHandler<'a> {
    fn begin(signals: &'a Signals) -> Self {
        Self { signals, outer: signals.begin_handler(), has_returned: false }
    }
}

impl Drop for InHandler<'_> {
    fn drop(&mut self) {
        self.signals.end_handler(self.outer);
        if !self.has_returned {
            set_mask(sylvan::contract::signal::cover());
        }
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

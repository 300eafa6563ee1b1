//! Signals: masks, and how a signal reaches a green thread.
//!
//! In a program on the mirror a green thread's mask goes with it from one OS thread to another, and the
//! kernel delivers what is open there (`sylvan::contract::signal`). In a whole program that would not do. A
//! handler may call what this crate has, so it must not interrupt this crate or the runtime in the midst of
//! it. And a signal may be for a thread that waits. There each OS thread of the runtime has blocked all, and
//! each green thread has what [`own::Signals`] holds: its mask, and what is left for it.
//!
//! ```text
//!   pthread_kill, raise, ...  --> left for the thread --> it waits: its wait is interrupted (wait) --+
//!   the attendant: a signal         (own, queue)      --> it runs: it is poked (attendant) ----------+
//!   for the process                                   --> it has it blocked: until it opens it ------+
//!                                                                                                    v
//!                                   the thread, on its own stack, has the kernel deliver it (delivery)
//! ```
//!
//! Timers whose signal is for the thread that computes have a way of their own (`tick`).
//!
//! Nothing is lost, whatever happens at the same time. The sender leaves the signal, and then looks whether
//! the thread has it blocked. The thread opens it, and then looks what is left for it. One that is not
//! blocked raises the thread's interrupt, which a wait that begins later finds.
//!
//! OS threads are the kernel's: `main`, and those that were there before the runtime.

pub(crate) mod attendant;
pub(crate) mod delivery;
pub(crate) mod handler;
pub(crate) mod lock;
mod outside;
pub mod own;
mod queue;
pub(crate) mod tick;

use std::io;
use std::ptr;

use libc::{c_int, siginfo_t, sigset_t};

use crate::errno::set_errno;
use crate::in_place_of_libc;
use crate::kernel;
use crate::whole::is_whole;

in_place_of_libc! { pthread_sigmask, sigprocmask }

use own::{Signals, own};

/// The bit of a signal in a mask.
pub(crate) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// What nobody can block.
const NEVER: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

/// The signals that this crate has for itself.
pub(crate) const OURS: u64 = bit(attendant::POKE) | bit(tick::TICK);

/// Whether a signal, whatever the number, is one of those.
pub(crate) fn is_ours(signal: c_int) -> bool {
    matches!(signal, attendant::POKE | tick::TICK)
}

/// A whole program begins.
pub(crate) fn begin() {
    unsafe extern "C" fn in_child() {
        lock::forget();
        if let Some(mask) = own::forget() {
            lock::set_mask(mask);
        }
        attendant::forget();
        tick::forget();
        crate::cancel::forget();
    }
    outside::begin();
    attendant::begin();
    tick::begin();
    handler::begin();
    sylvan::contract::signal::cover_all(OURS);
    // SAFETY: the function does what one may in a child of a fork.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}

/// The mask of the calling thread, green or not.
pub(crate) fn mask_of_caller() -> u64 {
    own().map_or_else(lock::mask, Signals::mask)
}

/// The calling thread looks what is left for it; whether a handler has run.
pub(crate) fn look(signals: &Signals) -> bool {
    look_from(signals, None)
}

/// The same, where it was interrupted in the program's code.
fn look_from(signals: &Signals, interrupted: delivery::Interrupted<'_>) -> bool {
    signals.interrupt.take();
    delivery::deliver(signals, interrupted).any
}

/// The same, if anything is. Also at the end of some calls that never wait: a thread that makes one after the other is
/// poked in the midst of them, where nothing is delivered.
pub(crate) fn look_if_due(signals: &Signals) {
    if signals.deliverable() != 0 {
        look(signals);
    }
}

/// Sends a signal to the green thread that is such a one; `None` if there is none. An error is the number of
/// one: of a signal that must not be lost, for which there is no room.
pub(crate) fn send(
    is_it: impl FnMut(&Signals) -> bool,
    info: &siginfo_t,
    is_queued: bool,
) -> Option<Result<(), c_int>> {
    enum Sent {
        To(*const Signals),
        Poked,
        Full,
    }
    let signal = bit(info.si_signo);
    let sent = lock::held(|held| {
        let target = own::find(held, is_it)?;
        let is_open = target.mask() & signal == 0;
        let is_waited_for = target.waits_for() & signal != 0;
        if is_open && !is_waited_for && delivery::is_ignored(info.si_signo) {
            return Some(Sent::To(target));
        }
        if !target.leave(held, info, is_queued, false) {
            return Some(Sent::Full);
        }
        let is_open = target.mask() & signal == 0 || target.waits_for() & signal != 0;
        let is_self = own().is_some_and(|own| ptr::eq(own, target));
        if is_open && !is_self && !target.interrupt.raise() {
            attendant::poke_once(held, target);
            return Some(Sent::Poked);
        }
        Some(Sent::To(target))
    })?;
    match (sent, own()) {
        (Sent::Full, _) => return Some(Err(libc::EAGAIN)),
        (Sent::Poked, _) => attendant::attend(),
        // To itself: at once.
        (Sent::To(target), Some(own)) if ptr::eq(target, own) => _ = look(own),
        (Sent::To(_), _) => {}
    }
    Some(Ok(()))
}

/// Changes the mask of the calling green thread; what it was.
pub(crate) fn change_own(signals: &Signals, mask: u64) -> u64 {
    let mask = mask & !(NEVER | INTERNAL);
    let before = signals.set_mask(mask);
    if before & !mask != 0 {
        look_if_due(signals);
        take_of_process(signals, before & !mask);
        attendant::has_open(!mask);
    }
    if mask & !before != 0 {
        attendant::has_closed(mask & !before);
    }
    before
}

/// What is left for the process, and was just opened by a green thread, is delivered before it goes on.
pub(crate) fn take_of_process(signals: &Signals, opened: u64) {
    let mut pending = 0_u64;
    let what = [(&raw mut pending).expose_provenance() as _, size_of::<u64>() as _, 0, 0, 0, 0];
    // SAFETY: the kernel writes a mask to `pending`.
    unsafe { kernel::enter(libc::SYS_rt_sigpending, what) };
    let mut left = pending & opened;
    while left != 0
        && let Some(info) = attendant::wait_for(left, Some(0))
    {
        left &= !bit(info.si_signo);
        lock::held(|held| signals.leave(held, &info, false, true));
        look(signals);
    }
}

/// The calling green thread is about to end: a signal for the process that was on its way to it, and that nobody
/// else has open, is delivered before that.
pub(crate) fn take_last(signals: &Signals) {
    let mask = signals.mask();
    if !attendant::waits_for_any(!mask) {
        return;
    }
    // The attendant has handed on, or given back, what it had taken.
    signals.set_mask(u64::MAX);
    attendant::has_closed(!mask);
    signals.set_mask(mask);
    take_of_process(signals, !mask);
    look(signals);
}

/// Has a green thread wait with another mask than its own, as `ppoll` and its kin do: a signal that is open then, and
/// is left already, ends the wait.
pub(crate) fn with_mask<T>(mask: u64, f: impl FnOnce() -> T) -> T {
    let Some(signals) = own() else { return f() };
    let before = signals.set_mask(mask & !(NEVER | INTERNAL));
    attendant::attend();
    if signals.deliverable() != 0 {
        signals.interrupt.raise();
    }
    let result = f();
    change_own(signals, before);
    result
}

/// What is left for the calling green thread, or for the process, and is open is delivered at once; whether a handler
/// has run.
pub(crate) fn let_in() -> bool {
    let Some(signals) = own() else { return false };
    // Meanwhile the attendant takes nothing for this thread, and has handed on, or given back, what it had taken.
    let mask = signals.set_mask(u64::MAX);
    attendant::has_closed(!mask);
    take_of_process(signals, !mask);
    signals.set_mask(mask);
    attendant::has_open(!mask);
    look(signals)
}

/// glibc's own signals, which it lets nobody block: to cancel a thread, and to have all change their user.
const INTERNAL: u64 = 1 << 31 | 1 << 32;

/// The system call, for a thread of this process.
///
/// # Safety
///
/// `set` is null or points to a mask of the kernel's, and `before` is null or points to where one may be
/// written.
pub(crate) unsafe fn rt_sigprocmask(
    how: c_int,
    set: *const u64,
    before: *mut u64,
) -> io::Result<()> {
    // SAFETY: as the caller promises. They may be the same.
    let set = (!set.is_null()).then(|| unsafe { set.read_unaligned() });
    let was = change_mask(how, set)?;
    if !before.is_null() {
        // SAFETY: as the caller promises.
        unsafe { before.write_unaligned(was) };
    }
    Ok(())
}

fn change_mask(how: c_int, set: Option<u64>) -> io::Result<u64> {
    let Some(signals) = own().filter(|_| !sylvan::contract::signal::is_vfork_child()) else {
        // Nobody blocks this crate's own: they are for each OS thread.
        let theirs = if is_whole() { !OURS } else { u64::MAX };
        let set = set.map(|set| set & theirs);
        let was = sylvan::contract::signal::change_mask(how, set)?;
        if set.is_some() && is_whole() && !sylvan::contract::signal::is_vfork_child() {
            attendant::has_blocked(lock::mask());
        }
        return Ok(was);
    };
    let before = signals.mask();
    let Some(set) = set else {
        look_if_due(signals);
        return Ok(before);
    };
    let mask = match how {
        libc::SIG_BLOCK => before | set,
        libc::SIG_UNBLOCK => before & !set,
        libc::SIG_SETMASK => set,
        _ => return Err(io::Error::from_raw_os_error(libc::EINVAL)),
    };
    Ok(change_own(signals, mask))
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: `set` is null or points to a set, and `before` is null or points to where one may be
/// written.
pub unsafe extern "C-unwind" fn pthread_sigmask(
    how: c_int,
    set: *const sigset_t,
    before: *mut sigset_t,
) -> c_int {
    // The kernel's mask is what a set begins with. libc leaves the rest of `before` alone, too.
    let set = set.cast::<u64>();
    // SAFETY: as the caller promises.
    let set = (!set.is_null()).then(|| unsafe { set.read_unaligned() } & !INTERNAL);
    let from = set.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: as the caller promises.
    let result = unsafe { rt_sigprocmask(how, from, before.cast()) };
    result.map_or_else(|error| error.raw_os_error().unwrap_or(libc::EINVAL), |()| 0)
}

/// As libc's.
///
/// # Safety
///
/// As for `pthread_sigmask`.
pub unsafe extern "C-unwind" fn sigprocmask(
    how: c_int,
    set: *const sigset_t,
    before: *mut sigset_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let error = unsafe { pthread_sigmask(how, set, before) };
    if error == 0 {
        return 0;
    }
    set_errno(error);
    -1
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: `set` points to where a set may be written.
pub unsafe extern "C" fn sigpending(set: *mut sigset_t) -> c_int {
    let mut pending = 0_u64;
    let what = [(&raw mut pending).expose_provenance() as _, size_of::<u64>() as _, 0, 0, 0, 0];
    // SAFETY: the kernel writes a mask to `pending`.
    unsafe { kernel::enter(libc::SYS_rt_sigpending, what) };
    if let Some(signals) = own() {
        // The OS thread has blocked more than the thread.
        pending = (pending | signals.pending()) & signals.mask();
    }
    // SAFETY: as the caller promises.
    unsafe { set.cast::<u64>().write_unaligned(pending & !OURS) };
    0
}

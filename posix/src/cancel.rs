//! Cancellation of threads: `pthread_cancel` and its kin.
//!
//! A thread's `cancel` word has what it lets in, and what was asked of it:
//!
//! ```text
//!   DISABLED       it lets no cancellation in (`pthread_setcancelstate`); by the thread itself
//!   ASYNCHRONOUS   at any time, not at cancellation points alone (`pthread_setcanceltype`); as above
//!   ASKED          somebody has called `pthread_cancel`; stays
//!   OVER           it is on its way out, and lets in nothing more; stays
//! ```
//!
//! A cancellation is *due* when it is ASKED, and neither DISABLED nor OVER. Whoever makes it so, the canceller or
//! the thread, says so to the thread's `Signals`, which ends the waits that may end. Each function that is a
//! cancellation point calls `point` before it does anything, and again when its wait has ended so: there
//! the thread exits with `PTHREAD_CANCELED`. One that is ASYNCHRONOUS does so in the handler of a poke, too, where it
//! is in the program's own code (`signal::attendant`).
//!
//! What `Signals` has been told is a hint: where a thread disables cancellation as somebody asks for it, a
//! wait may end once for nothing, as if a handler had run. `point` puts it right. It also has signals delivered that
//! were left for the thread since it looked last.
//!
//! OS threads are libc's, and its own functions their cancellation points. Where one waits by this crate all the
//! same, `os_thread` ends that.

mod os_thread;

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::Ordering;

use libc::pthread_t;

pub(crate) use os_thread::{by_os_thread, forget};

use crate::errno::errno;
use crate::next::call_next;
use crate::signal::delivery::leave_handler;
use crate::signal::look;
use crate::thread::{Record, Whose, of, this, unwind};

const DISABLED: u32 = 1;
const ASYNCHRONOUS: u32 = 2;
const ASKED: u32 = 4;
const OVER: u32 = 8;

/// `PTHREAD_CANCELED`.
const CANCELED: *mut c_void = ptr::without_provenance_mut(usize::MAX);

const fn is_due_by(word: u32) -> bool {
    word & (ASKED | DISABLED | OVER) == ASKED
}

/// Whether the calling thread is to exit at its next cancellation point; of an OS thread, whether that has just
/// ended its wait.
pub(crate) fn is_due() -> bool {
    // Acquire pairs with the release of the canceller.
    this().map_or_else(os_thread::is_due, |this| is_due_by(this.cancel.load(Ordering::Acquire)))
}

/// Whether it is to exit wherever it is.
pub(crate) fn is_due_at_once() -> bool {
    // As above.
    this().is_some_and(|this| {
        let word = this.cancel.load(Ordering::Acquire);
        is_due_by(word) && word & ASYNCHRONOUS != 0
    })
}

/// A cancellation point: exits, if that is due.
#[inline]
pub(crate) fn point() {
    let Some(this) = this() else { return os_thread::point() };
    // As above.
    if is_due_by(this.cancel.load(Ordering::Acquire)) {
        act(this);
    } else if this.signals.interrupt.is_raised() {
        heed(this);
    }
}

/// The calling thread, whose this is, has not looked why it was interrupted. One that makes one call after the other
/// and never waits is poked in the midst of them, where nothing is delivered.
#[cold]
fn heed(this: &Record) {
    if this.signals.is_cancelled() {
        this.signals.set_cancelled(false);
        // It may have become due since the look before: what says so is gone now.
        if is_due_by(this.cancel.load(Ordering::Acquire)) {
            act(this);
        }
    }
    look(&this.signals);
}

/// A cancellation point, of a function that is about to wait by [`futex`](crate::wait::futex).
pub(crate) fn point_before_wait() {
    os_thread::enlist();
    point();
}

/// Makes a call that is a cancellation point and says its error by `errno`. One that has done something is left
/// as it is.
#[inline]
pub(crate) fn around<T: Copy + PartialEq + From<i8>>(call: impl FnOnce() -> T) -> T {
    point();
    let result = call();
    if result == T::from(-1_i8) && errno() == libc::EINTR {
        point();
    }
    result
}

/// The calling thread, whose this is, exits.
#[cold]
fn act(this: &Record) -> ! {
    is_over(this);
    this.leaves(CANCELED);
    // SAFETY: a cancellation point, whose frames have nothing to drop.
    unsafe { unwind(CANCELED) }
}

/// The calling thread, whose this is, is on its way out, be it of a handler of signals.
pub(crate) fn is_over(this: &Record) {
    this.cancel.fetch_or(OVER, Ordering::Relaxed);
    if this.signals.depth.replace(0) > 0 {
        leave_handler(&this.signals);
    }
    if this.signals.is_cancelled() {
        this.signals.set_cancelled(false);
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_cancel(thread: pthread_t) -> c_int {
    // SAFETY: as the caller promises.
    let record = match unsafe { of(thread) } {
        Whose::Ours(record) => record,
        Whose::Nobodys => return libc::ESRCH,
        Whose::Libcs => {
            // SAFETY: as above.
            let error = unsafe { call_next!(pthread_cancel(pthread_t) -> c_int, thread) };
            os_thread::end_wait(thread);
            return error;
        }
    };
    // Release pairs with the acquire of who looks whether it is due.
    let word = record.cancel.fetch_or(ASKED, Ordering::AcqRel) | ASKED;
    if !is_due_by(word) || record.has_ended() {
        return 0;
    }
    record.signals.set_cancelled(true);
    if word & ASYNCHRONOUS != 0 && this().is_some_and(|this| ptr::eq(this, record)) {
        act(record);
    }
    0
}

/// As that of libc.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C-unwind" fn pthread_testcancel() {
    point();
}

/// Sets or clears a flag of the calling thread, and exits if that lets a cancellation in.
fn change(this: &Record, flag: u32, is_set: bool) {
    let before = if is_set {
        this.cancel.fetch_or(flag, Ordering::AcqRel)
    } else {
        this.cancel.fetch_and(!flag, Ordering::AcqRel)
    };
    let now = if is_set { before | flag } else { before & !flag };
    if is_due_by(now) && now & ASYNCHRONOUS != 0 {
        act(this);
    }
    if is_due_by(now) != is_due_by(before) {
        this.signals.set_cancelled(is_due_by(now));
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int {
    let Some(this) = this() else {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(pthread_setcancelstate(c_int, *mut c_int) -> c_int, state, old)
        };
    };
    // SAFETY: as the caller promises.
    unsafe { set(this, DISABLED, state, old) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_setcanceltype(kind: c_int, old: *mut c_int) -> c_int {
    let Some(this) = this() else {
        // SAFETY: as the caller promises.
        return unsafe { call_next!(pthread_setcanceltype(c_int, *mut c_int) -> c_int, kind, old) };
    };
    // SAFETY: as the caller promises.
    unsafe { set(this, ASYNCHRONOUS, kind, old) }
}

/// Both: 1 sets the flag, 0 clears it.
///
/// # Safety
///
/// `old` is null, or a place for what it was.
unsafe fn set(this: &Record, flag: u32, to: c_int, old: *mut c_int) -> c_int {
    if to != 0 && to != 1 {
        return libc::EINVAL;
    }
    if !old.is_null() {
        let was = this.cancel.load(Ordering::Relaxed) & flag != 0;
        // SAFETY: as the caller promises.
        unsafe { *old = was.into() };
    }
    change(this, flag, to == 1);
    0
}

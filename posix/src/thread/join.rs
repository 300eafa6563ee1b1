//! Joining a thread, and letting it go. The protocol is `record`'s.

use std::ffi::{c_int, c_void};
use std::sync::atomic::Ordering;

use libc::{clockid_t, pthread_t, timespec};
use sylvan::{Wait, WaitReason};

use super::pthread_self;
use super::record::{DETACHED, ENDED, JOINED, Record, Whose, of, this};
use crate::cancel;
use crate::deadline::{self, Deadline};
use crate::next::call_next;
use crate::wait::{self, Restart};

/// Waits for a thread's end and takes its result. A cancellation point.
///
/// # Safety
///
/// `result` is null, or a place for it.
unsafe fn join(record: &'static Record, result: *mut *mut c_void, deadline: Deadline) -> c_int {
    // SAFETY: asks who calls.
    let caller = unsafe { pthread_self() } as usize;
    let waits_for_caller = this().is_some_and(|this| {
        this.joiner.load(Ordering::Relaxed) == record.id() as usize && !record.has_ended()
    });
    if record.id() as usize == caller || waits_for_caller {
        return libc::EDEADLK;
    }
    if !begin_to_join(record, caller) {
        return libc::EINVAL;
    }
    loop {
        // Acquire pairs with the release at the thread's end.
        let state = record.state.load(Ordering::Acquire);
        if state & ENDED != 0 {
            break;
        }
        match wait::futex(
            &record.state,
            state,
            deadline,
            WaitReason::Join,
            Restart::UnlessCancelled,
        ) {
            Ok(Wait::TimedOut) if give_up(record) => return libc::ETIMEDOUT,
            Err(_) if cancel::is_due() && give_up(record) => cancel::point(),
            _ => {}
        }
    }
    // SAFETY: as the caller promises; the thread has ended, and this is the one call that joins it.
    unsafe { take(record, result) };
    0
}

/// Whether the caller is the one that joins it.
fn begin_to_join(record: &Record, caller: usize) -> bool {
    let before = record.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
        (state & (JOINED | DETACHED) == 0).then_some(state | JOINED)
    });
    if before.is_ok() {
        record.joiner.store(caller, Ordering::Relaxed);
    }
    before.is_ok()
}

/// The caller joins it no more; `false` if it has ended.
fn give_up(record: &Record) -> bool {
    record.joiner.store(0, Ordering::Relaxed);
    record
        .state
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
            (state & ENDED == 0).then_some(state & !JOINED)
        })
        .is_ok()
}

/// # Safety
///
/// The thread has ended, and the caller is who joins it; `result` is null, or a place for it.
unsafe fn take(record: &'static Record, result: *mut *mut c_void) {
    if !result.is_null() {
        // SAFETY: as the caller promises.
        unsafe { *result = record.result.get() };
    }
    record.give_back();
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_join(thread: pthread_t, result: *mut *mut c_void) -> c_int {
    cancel::point();
    // SAFETY: as the caller promises, here and below.
    match unsafe { of(thread) } {
        // SAFETY: as above.
        Whose::Ours(record) => unsafe { join(record, result, None) },
        Whose::Nobodys => libc::ESRCH,
        // SAFETY: as above.
        Whose::Libcs => wait::section(|| unsafe {
            call_next!(pthread_join(pthread_t, *mut *mut c_void) -> c_int, thread, result)
        }),
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_tryjoin_np(thread: pthread_t, result: *mut *mut c_void) -> c_int {
    // SAFETY: as the caller promises, here and below.
    match unsafe { of(thread) } {
        Whose::Ours(record) if !record.has_ended() => libc::EBUSY,
        // SAFETY: asks who calls.
        Whose::Ours(record) if begin_to_join(record, unsafe { pthread_self() } as usize) => {
            // SAFETY: as above.
            unsafe { take(record, result) };
            0
        }
        Whose::Ours(_) => libc::EINVAL,
        Whose::Nobodys => libc::ESRCH,
        // SAFETY: as above.
        Whose::Libcs => unsafe {
            call_next!(pthread_tryjoin_np(pthread_t, *mut *mut c_void) -> c_int, thread, result)
        },
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_timedjoin_np(
    thread: pthread_t,
    result: *mut *mut c_void,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { pthread_clockjoin_np(thread, result, libc::CLOCK_REALTIME, time) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_clockjoin_np(
    thread: pthread_t,
    result: *mut *mut c_void,
    clock: clockid_t,
    time: *const timespec,
) -> c_int {
    cancel::point();
    // SAFETY: as the caller promises, here and below.
    let deadline = match unsafe { time.as_ref() }.map(|time| deadline::at(clock, time)) {
        None => None,
        Some(Ok(deadline)) => deadline,
        Some(Err(deadline::Invalid)) => return libc::EINVAL,
    };
    // SAFETY: as above.
    match unsafe { of(thread) } {
        // SAFETY: as above.
        Whose::Ours(record) => unsafe { join(record, result, deadline) },
        Whose::Nobodys => libc::ESRCH,
        // SAFETY: as above.
        Whose::Libcs => wait::section(|| unsafe {
            call_next!(
                pthread_clockjoin_np(
                    pthread_t,
                    *mut *mut c_void,
                    clockid_t,
                    *const timespec,
                ) -> c_int,
                thread,
                result,
                clock,
                time
            )
        }),
    }
}

/// As libc's `pthread_detach`; `None` if the thread is libc's.
///
/// # Safety
///
/// As that of libc.
pub(crate) unsafe fn detach(thread: pthread_t) -> Option<c_int> {
    // SAFETY: as the caller promises.
    let record = match unsafe { of(thread) } {
        Whose::Ours(record) => record,
        Whose::Nobodys => return Some(libc::ESRCH),
        Whose::Libcs => return None,
    };
    // Acquires what the thread did, if it has ended; releases to it else.
    let before = record.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
        (state & (JOINED | DETACHED) == 0).then_some(state | DETACHED)
    });
    match before {
        Ok(state) => {
            if state & ENDED != 0 {
                record.give_back();
            }
            Some(0)
        }
        Err(_) => Some(libc::EINVAL),
    }
}

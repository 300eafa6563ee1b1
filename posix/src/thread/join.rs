//! Joining a thread, and letting it go. The protocol is `record`'s.

use std::ffi::{c_int, c_long, c_void};
use std::ptr;
use std::sync::atomic::Ordering;
use std::time::Instant;

use libc::{clockid_t, pthread_t, timespec};
use sylvan::{Wait, WaitReason};

use super::pthread_self;
use super::record::{DETACHED, ENDED, JOINED, Record, Whose, of, this};
use crate::cancel;
use crate::deadline::{self, Deadline};
use crate::kernel;
use crate::next::call_next;
use crate::owner;
use crate::poll::to_timespec;
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

/// A green thread waits for an OS thread's end and takes its result. A cancellation point.
///
/// libc joins where that takes no time. Its own wait is not ended by a poke; the kernel's is, at the word that tells of
/// the thread's end.
///
/// # Safety
///
/// As for `join`, of a thread of libc's.
unsafe fn join_os_thread(thread: pthread_t, result: *mut *mut c_void, deadline: Deadline) -> c_int {
    static PAST: timespec = timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        // SAFETY: as the caller promises.
        let error = unsafe {
            call_next!(
                pthread_timedjoin_np(pthread_t, *mut *mut c_void, *const timespec) -> c_int,
                thread,
                result,
                &raw const PAST
            )
        };
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if error != libc::ETIMEDOUT || left.is_some_and(|left| left.is_zero()) {
            return error;
        }
        let left = left.map(to_timespec);
        let left = left.as_ref().map_or(ptr::null(), ptr::from_ref).expose_provenance() as c_long;
        let word = owner::of_os_thread(thread);
        // SAFETY: the thread is there until it is joined. The kernel looks at the word, and reads a time.
        wait::section(|| unsafe {
            let seen = (*word).load(Ordering::Relaxed);
            if seen != 0 {
                let at = word.expose_provenance() as c_long;
                let what = [at, libc::FUTEX_WAIT.into(), seen.into(), left, 0, 0];
                kernel::enter(libc::SYS_futex, what);
            }
        });
        cancel::point();
    }
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
    cancel::point_before_wait();
    // SAFETY: as the caller promises, here and below.
    match unsafe { of(thread) } {
        // SAFETY: as above.
        Whose::Ours(record) => unsafe { join(record, result, None) },
        Whose::Nobodys => libc::ESRCH,
        // SAFETY: as above.
        Whose::Libcs if sylvan::is_green() => unsafe { join_os_thread(thread, result, None) },
        // SAFETY: as above.
        Whose::Libcs => unsafe {
            call_next!(pthread_join(pthread_t, *mut *mut c_void) -> c_int, thread, result)
        },
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
    cancel::point_before_wait();
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
        Whose::Libcs if sylvan::is_green() => unsafe { join_os_thread(thread, result, deadline) },
        // SAFETY: as above.
        Whose::Libcs => unsafe {
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
        },
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

//! C11's threads, by their own names: libc's call its own functions inside, past ours.

use std::ffi::{c_int, c_void};
use std::ptr;

use libc::{pthread_cond_t, pthread_mutex_t, pthread_t, timespec};

use super::{Function, create, detach, pthread_exit, pthread_join, pthread_self};
use crate::next::call_next;
use crate::{cond, mutex};

const SUCCESS: c_int = 0;
const BUSY: c_int = 1;
const ERROR: c_int = 2;
const NO_MEMORY: c_int = 3;
const TIMED_OUT: c_int = 4;

/// An error as C11 has it.
fn said(error: c_int) -> c_int {
    match error {
        0 => SUCCESS,
        libc::ENOMEM => NO_MEMORY,
        libc::ETIMEDOUT => TIMED_OUT,
        libc::EBUSY => BUSY,
        _ => ERROR,
    }
}

type Runs = unsafe extern "C-unwind" fn(*mut c_void) -> c_int;

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn thrd_create(
    thread: *mut pthread_t,
    function: Runs,
    argument: *mut c_void,
) -> c_int {
    if !crate::begins_green() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(
                thrd_create(*mut pthread_t, Runs, *mut c_void) -> c_int,
                thread,
                function,
                argument
            )
        };
    }
    // SAFETY: as the caller promises.
    let error = unsafe { create(thread, ptr::null(), Function::C11(function), argument) };
    // It is memory for a thread that there is none of.
    if error == libc::EAGAIN { NO_MEMORY } else { said(error) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn thrd_join(thread: pthread_t, result: *mut c_int) -> c_int {
    let mut returned = ptr::null_mut();
    // SAFETY: as the caller promises.
    let error = unsafe { pthread_join(thread, &raw mut returned) };
    if error == 0 && !result.is_null() {
        // SAFETY: as the caller promises.
        unsafe { *result = returned.addr() as c_int };
    }
    said(error)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn thrd_detach(thread: pthread_t) -> c_int {
    // SAFETY: as the caller promises, here and below.
    match unsafe { detach(thread) } {
        Some(error) => said(error),
        // SAFETY: as above.
        None => unsafe { call_next!(thrd_detach(pthread_t) -> c_int, thread) },
    }
}

/// As that of libc.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C" fn thrd_current() -> pthread_t {
    // SAFETY: asks who calls.
    unsafe { pthread_self() }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn thrd_exit(result: c_int) -> ! {
    // SAFETY: as the caller promises.
    unsafe { pthread_exit(ptr::without_provenance_mut(result as usize)) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn mtx_lock(it: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    said(unsafe { mutex::pthread_mutex_lock(it) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn mtx_trylock(it: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    said(unsafe { mutex::pthread_mutex_trylock(it) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn mtx_timedlock(it: *mut pthread_mutex_t, time: *const timespec) -> c_int {
    // SAFETY: as the caller promises.
    said(unsafe { mutex::pthread_mutex_timedlock(it, time) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn mtx_unlock(it: *mut pthread_mutex_t) -> c_int {
    // SAFETY: as the caller promises.
    said(unsafe { mutex::pthread_mutex_unlock(it) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn cnd_signal(it: *mut pthread_cond_t) -> c_int {
    // SAFETY: as the caller promises.
    said(unsafe { cond::pthread_cond_signal(it) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn cnd_broadcast(it: *mut pthread_cond_t) -> c_int {
    // SAFETY: as the caller promises.
    said(unsafe { cond::pthread_cond_broadcast(it) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn cnd_wait(
    it: *mut pthread_cond_t,
    with: *mut pthread_mutex_t,
) -> c_int {
    // SAFETY: as the caller promises.
    said(unsafe { cond::pthread_cond_wait(it, with) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn cnd_timedwait(
    it: *mut pthread_cond_t,
    with: *mut pthread_mutex_t,
    time: *const timespec,
) -> c_int {
    // SAFETY: as the caller promises.
    said(unsafe { cond::pthread_cond_timedwait(it, with, time) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn cnd_destroy(it: *mut pthread_cond_t) {
    // SAFETY: as the caller promises.
    unsafe { cond::pthread_cond_destroy(it) };
}

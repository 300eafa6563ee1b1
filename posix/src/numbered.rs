//! Calls that name a thread by its number, as the kernel does.
//!
//! A green thread of a whole program has a number of which the kernel knows nothing (`owner`). Where one is named
//! that is the caller's own, the kernel is asked for the calling OS thread. Of another green thread it can be said
//! what all have that have not said otherwise for themselves, which is what the first thread has; to change
//! anything for it alone is `ENOTSUP`.

use std::ffi::{c_int, c_uint};

use libc::{cpu_set_t, id_t, pid_t, sched_param, size_t};

use crate::attributes::PRIO_PROCESS;
use crate::errno::fails;
use crate::kernel;
use crate::next::call_next;
use crate::owner;
use crate::signal::lock::held;
use crate::signal::own::find;

/// What is to be done with the one that is named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Ask,
    Change,
}

/// The number that the kernel is to be given for one that a program has, or the error.
pub(crate) fn kernels(number: pid_t, to: To) -> Result<pid_t, c_int> {
    if !owner::is_green(number) {
        return Ok(number);
    }
    if number == owner::me().cast_signed() {
        return Ok(0);
    }
    let is_there = held(|held| find(held, |signals| signals.number() == number).is_some());
    match to {
        _ if !is_there => Err(libc::ESRCH),
        // SAFETY: asks for a number.
        To::Ask => Ok(unsafe { kernel::enter(libc::SYS_getpid, [0; 6]) } as pid_t),
        To::Change => Err(libc::ENOTSUP),
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn sched_getaffinity(id: pid_t, len: size_t, set: *mut cpu_set_t) -> c_int {
    match kernels(id, To::Ask) {
        // SAFETY: as the caller promises.
        Ok(id) => unsafe {
            call_next!(sched_getaffinity(pid_t, size_t, *mut cpu_set_t) -> c_int, id, len, set)
        },
        Err(error) => fails(error),
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn sched_getscheduler(id: pid_t) -> c_int {
    match kernels(id, To::Ask) {
        // SAFETY: as the caller promises.
        Ok(id) => unsafe { call_next!(sched_getscheduler(pid_t) -> c_int, id) },
        Err(error) => fails(error),
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn sched_getparam(id: pid_t, param: *mut sched_param) -> c_int {
    match kernels(id, To::Ask) {
        // SAFETY: as the caller promises.
        Ok(id) => unsafe {
            call_next!(sched_getparam(pid_t, *mut sched_param) -> c_int, id, param)
        },
        Err(error) => fails(error),
    }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn getpriority(which: c_uint, who: id_t) -> c_int {
    let is_thread = which == PRIO_PROCESS;
    let named = if is_thread { kernels(who.cast_signed(), To::Ask) } else { Ok(who.cast_signed()) };
    match named {
        // SAFETY: as the caller promises.
        Ok(who) => unsafe {
            call_next!(getpriority(c_uint, id_t) -> c_int, which, who.cast_unsigned())
        },
        Err(error) => fails(error),
    }
}

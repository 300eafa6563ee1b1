//! POSIX message queues. On Linux they are descriptors that can be waited for.
//!
//! A call with a deadline that has passed does not block: so it asks, and the thread parks in between.

use std::ffi::{c_char, c_int, c_long, c_uint};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{CLOCK_REALTIME, mqd_t, size_t, ssize_t, timespec};
use sylvan::contract::io::Interest;
use sylvan::contract::numbers;

use crate::cancel;
use crate::deadline;
use crate::errno::{fails, number_of};
use crate::kernel;
use crate::next::call_next;
use crate::poll::answer;
use crate::wait::{self, Restart};

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn mq_timedreceive(
    queue: mqd_t,
    message: *mut c_char,
    len: size_t,
    priority: *mut c_uint,
    until: *const timespec,
) -> ssize_t {
    if !sylvan::is_green() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(
                mq_timedreceive(
                    mqd_t,
                    *mut c_char,
                    size_t,
                    *mut c_uint,
                    *const timespec,
                ) -> ssize_t,
                queue,
                message,
                len,
                priority,
                until,
            )
        };
    }
    let priority = priority.expose_provenance() as c_long;
    let arguments = [message.expose_provenance() as c_long, len as c_long, priority];
    cancel::around(|| {
        // SAFETY: as the caller promises.
        let result =
            unsafe { green(queue, Interest::Read, libc::SYS_mq_timedreceive, arguments, until) };
        result.map_or_else(|error| fails(number_of(&error)) as i64, |n| n as i64)
    }) as ssize_t
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn mq_receive(
    queue: mqd_t,
    message: *mut c_char,
    len: size_t,
    priority: *mut c_uint,
) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe { mq_timedreceive(queue, message, len, priority, std::ptr::null()) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn mq_timedsend(
    queue: mqd_t,
    message: *const c_char,
    len: size_t,
    priority: c_uint,
    until: *const timespec,
) -> c_int {
    if !sylvan::is_green() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(
                mq_timedsend(mqd_t, *const c_char, size_t, c_uint, *const timespec) -> c_int,
                queue,
                message,
                len,
                priority,
                until,
            )
        };
    }
    let arguments = [message.expose_provenance() as c_long, len as c_long, priority.into()];
    cancel::around(|| {
        // SAFETY: as the caller promises.
        let result =
            unsafe { green(queue, Interest::Write, libc::SYS_mq_timedsend, arguments, until) };
        result.map_or_else(|error| fails(number_of(&error)), |_| 0)
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn mq_send(
    queue: mqd_t,
    message: *const c_char,
    len: size_t,
    priority: c_uint,
) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { mq_timedsend(queue, message, len, priority, std::ptr::null()) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn mq_close(queue: mqd_t) -> c_int {
    if !numbers::closing(queue) {
        return fails(libc::EBADF);
    }
    // SAFETY: as the caller promises.
    unsafe { call_next!(mq_close(mqd_t) -> c_int, queue) }
}

/// The call of a green thread.
///
/// # Safety
///
/// As for `mq_timedreceive` or `mq_timedsend`.
unsafe fn green(
    queue: mqd_t,
    interest: Interest,
    number: c_long,
    [message, len, priority]: [c_long; 3],
    until: *const timespec,
) -> io::Result<usize> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    // SAFETY: as the caller promises.
    let until = match unsafe { until.as_ref() } {
        Some(until) => deadline::at(CLOCK_REALTIME, until).map_err(|_| invalid())?,
        None => None,
    };
    let ask = |queue: mqd_t| {
        let past = timespec { tv_sec: 0, tv_nsec: 0 };
        let past = (&raw const past).expose_provenance() as c_long;
        // SAFETY: as the caller promises, which waits.
        match answer(unsafe {
            kernel::enter(number, [queue.into(), message, len, priority, past, 0])
        }) {
            Err(error) if error.raw_os_error() == Some(libc::ETIMEDOUT) => Ok(None),
            other => other.map(Some),
        }
    };
    if queue < 0 {
        return ask(queue).map(Option::unwrap_or_default);
    }
    // SAFETY: not -1. It is given to the kernel and to the runtime, which asks about it.
    let queue = unsafe { BorrowedFd::borrow_raw(queue) };
    let found =
        wait::shared(queue, interest, until, Restart::AsAsked, |queue| ask(queue.as_raw_fd()))?;
    found.ok_or_else(|| io::Error::from_raw_os_error(libc::ETIMEDOUT))
}

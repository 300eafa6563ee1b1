//! `epoll_wait` and its kin: a program's own event loop waits green.
//!
//! An event loop is a descriptor that is readable while it has something to tell, so it can be watched by that
//! of a core, with edges. A call asks it without waiting, and parks until there is an edge since the moment
//! before the question.
//!
//! # No event is lost
//!
//! - *Edges.* The kernel has a list of what an event loop has to tell. It puts something in when what it
//!   watches has woken it, and when something is added or modified and is ready. Each time it wakes those who
//!   poll the event loop itself, whether the list was empty or not. So each is an edge for the core's, which
//!   sees the list after it.
//! - *Levels.* What is watched by its level goes back into the list when it was told, without a wake-up. It
//!   leaves the list when it is found not to be ready any more. So the list is empty when a question has
//!   found nothing, and as long as it is not, a question finds something: a thread asks before it parks.
//! - *Several threads.* An edge wakes one, as in the kernel. What one question takes another does not find;
//!   it may have left something, so whoever has found something wakes the next. While a question is under way
//!   the kernel has taken the list apart, and another one may find nothing that is by level. So a thread that
//!   has found something says so to those who are about to park, too
//!   (`sylvan::contract::io::attempt_shared`). `EPOLLONESHOT` and `EPOLLEXCLUSIVE` are the kernel's: they
//!   decide what goes into the list.

use std::ffi::{c_int, c_long};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use libc::{epoll_event, sigset_t, timespec};
use sylvan::contract::io::Interest;

use crate::cancel;
use crate::errno::{fails, number_of};
use crate::kernel;
use crate::next::{Next, call_next};
use crate::poll::{MASK_SIZE, answer, from_now, length, masked, to_result};
use crate::wait::{self, Restart};

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn epoll_wait(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout_ms: c_int,
) -> c_int {
    if !sylvan::is_green() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(
                epoll_wait(c_int, *mut epoll_event, c_int, c_int) -> c_int,
                epoll,
                events,
                most,
                timeout_ms,
            )
        };
    }
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    // SAFETY: as the caller promises.
    cancel::around(|| unsafe { wait_green(epoll, events, most, timeout) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn epoll_pwait(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout_ms: c_int,
    mask: *const sigset_t,
) -> c_int {
    if !sylvan::is_green() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(
                epoll_pwait(c_int, *mut epoll_event, c_int, c_int, *const sigset_t) -> c_int,
                epoll,
                events,
                most,
                timeout_ms,
                mask,
            )
        };
    }
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    // SAFETY: as the caller promises, here and in it.
    cancel::around(|| unsafe { masked(mask, || wait_green(epoll, events, most, timeout)) })
}

/// As that of libc, which has it since version 2.35.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn epoll_pwait2(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    static NEXT: Next = Next::new(c"epoll_pwait2");
    type Function = unsafe extern "C" fn(
        c_int,
        *mut epoll_event,
        c_int,
        *const timespec,
        *const sigset_t,
    ) -> c_int;
    let next = NEXT.get();
    if next.is_null() {
        return fails(libc::ENOSYS);
    }
    if !sylvan::is_green() {
        // SAFETY: libc's function has this type.
        let next = unsafe { std::mem::transmute::<*mut std::ffi::c_void, Function>(next) };
        // SAFETY: as the caller promises.
        return unsafe { next(epoll, events, most, timeout, mask) };
    }
    // SAFETY: as the caller promises.
    let Ok(timeout) = (unsafe { length(timeout) }) else { return fails(libc::EINVAL) };
    // SAFETY: as the caller promises, here and in it.
    cancel::around(|| unsafe { masked(mask, || wait_green(epoll, events, most, timeout)) })
}

/// The wait of a green thread.
///
/// # Safety
///
/// As for `epoll_wait`.
unsafe fn wait_green(
    epoll: c_int,
    events: *mut epoll_event,
    most: c_int,
    timeout: Option<Duration>,
) -> c_int {
    // As a number, since it goes along.
    let to = events.expose_provenance() as c_long;
    let ask = |epoll: c_int| {
        let arguments = [epoll.into(), to, most.into(), 0, 0, MASK_SIZE];
        // SAFETY: as the caller promises, which waits.
        answer(unsafe { kernel::enter(libc::SYS_epoll_pwait, arguments) })
    };
    if timeout == Some(Duration::ZERO) || epoll < 0 {
        return to_result(ask(epoll));
    }
    // SAFETY: not -1. It is given to the kernel and to the runtime, which asks about it.
    let epoll = unsafe { BorrowedFd::borrow_raw(epoll) };
    let result = wait::shared(epoll, Interest::Read, from_now(timeout), Restart::Never, |epoll| {
        let n = ask(epoll.as_raw_fd())?;
        Ok((n > 0).then_some(n))
    });
    result
        .map_or_else(|error: io::Error| fails(number_of(&error)), |n| to_result(Ok(n.unwrap_or(0))))
}

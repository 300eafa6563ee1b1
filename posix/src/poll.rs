//! `poll` and `ppoll`.
//!
//! What a set of descriptors has to tell the kernel's own call says, on the caller's array; the runtime
//! waits in between (`sylvan::contract::poll_by`).

use std::ffi::{c_int, c_long};
use std::io;
use std::mem::ManuallyDrop;
use std::ptr;
use std::time::{Duration, Instant};

use libc::{nfds_t, pollfd, sigset_t, size_t, timespec};

use crate::cancel;
use crate::deadline::{self, Deadline, Invalid};
use crate::errno::{fails, number_of};
use crate::kernel;
use crate::next::call_next;
use crate::{signal, wait};

/// The kernel's mask is as long as this.
pub(crate) const MASK_SIZE: c_long = size_of::<u64>() as c_long;

/// As many as may be read without asking first.
const FEW: u32 = 8;

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn poll(fds: *mut pollfd, n: nfds_t, timeout_ms: c_int) -> c_int {
    if !sylvan::is_green() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(poll(*mut pollfd, nfds_t, c_int) -> c_int, fds, n, timeout_ms)
        };
    }
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    // SAFETY: as the caller promises.
    cancel::around(|| unsafe { poll_green(fds, n, timeout, false) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn ppoll(
    fds: *mut pollfd,
    n: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    if !sylvan::is_green() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(
                ppoll(*mut pollfd, nfds_t, *const timespec, *const sigset_t) -> c_int,
                fds,
                n,
                timeout,
                mask,
            )
        };
    }
    // SAFETY: as the caller promises.
    let Ok(timeout) = (unsafe { length(timeout) }) else { return fails(libc::EINVAL) };
    // SAFETY: as the caller promises, here and in it.
    cancel::around(|| unsafe { masked(mask, || poll_green(fds, n, timeout, !mask.is_null())) })
}

/// As that of libc, for what was compiled with `_FORTIFY_SOURCE`.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn __poll_chk(
    fds: *mut pollfd,
    n: nfds_t,
    timeout_ms: c_int,
    len: size_t,
) -> c_int {
    check(n, len);
    // SAFETY: as the caller promises.
    unsafe { poll(fds, n, timeout_ms) }
}

/// As that of libc, for what was compiled with `_FORTIFY_SOURCE`.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn __ppoll_chk(
    fds: *mut pollfd,
    n: nfds_t,
    timeout: *const timespec,
    mask: *const sigset_t,
    len: size_t,
) -> c_int {
    check(n, len);
    // SAFETY: as the caller promises.
    unsafe { ppoll(fds, n, timeout, mask) }
}

/// Ends the program, as libc does, if an array of `len` bytes has not room for `n`.
fn check(n: nfds_t, len: size_t) {
    unsafe extern "C" {
        fn __chk_fail() -> !;
    }
    if len as nfds_t / (size_of::<pollfd>() as nfds_t) < n {
        // SAFETY: takes nothing.
        unsafe { __chk_fail() }
    }
}

/// A length of time, if there is one.
///
/// # Safety
///
/// It is null, or points to one.
pub(crate) unsafe fn length(time: *const timespec) -> Result<Option<Duration>, Invalid> {
    // SAFETY: as the caller promises.
    unsafe { time.as_ref() }.map(deadline::length).transpose()
}

/// When a length of time is over that begins now; what is too far ahead never comes.
pub(crate) fn from_now(timeout: Option<Duration>) -> Deadline {
    timeout.and_then(|timeout| Instant::now().checked_add(timeout))
}

/// Waits with another mask than the thread's own, if there is one.
///
/// # Safety
///
/// It is null, or points to a mask.
pub(crate) unsafe fn masked(mask: *const sigset_t, f: impl FnOnce() -> c_int) -> c_int {
    if mask.is_null() {
        return f();
    }
    // SAFETY: as the caller promises; the kernel's mask is what a set begins with.
    let mask = unsafe { mask.cast::<u64>().read_unaligned() };
    signal::with_mask(mask, f)
}

/// The result of a call, or its error in `errno`.
#[expect(clippy::cast_possible_truncation, reason = "as many as a call may ask about")]
pub(crate) fn to_result(result: io::Result<usize>) -> c_int {
    result.map_or_else(|error| fails(number_of(&error)), |n| n as c_int)
}

/// What has come of a question that does not wait. Where it has a mask of its own and finds nothing, a signal that
/// is open by that ends it; where it finds something, none is let in. Both as in the kernel.
pub(crate) fn at_once(found: io::Result<usize>, has_mask: bool) -> io::Result<usize> {
    match found {
        Ok(0) if has_mask && signal::let_in() => Err(io::Error::from_raw_os_error(libc::EINTR)),
        found => found,
    }
}

/// The question of a green thread.
///
/// # Safety
///
/// As for `poll`.
#[expect(clippy::cast_possible_truncation, reason = "as the kernel takes it")]
unsafe fn poll_green(
    fds: *mut pollfd,
    n: nfds_t,
    timeout: Option<Duration>,
    has_mask: bool,
) -> c_int {
    let n = n as u32;
    // Where they are is passed as a number: it goes along into a section, and comes back.
    let at = fds.expose_provenance();
    // SAFETY: as the caller promises, which waits.
    let ask = move |left| unsafe { ask(at, n, left) };
    // What cannot be read, or is too much, the kernel finds out before anybody else looks.
    if timeout == Some(Duration::ZERO) || n > FEW || !is_on_own_stack(fds) {
        match ask(Some(Duration::ZERO)) {
            Ok(0) if timeout != Some(Duration::ZERO) => {}
            end => return to_result(at_once(end, has_mask)),
        }
    }
    // SAFETY: as the caller promises.
    let wanted = (0..n as usize).map(|index| unsafe { fds.add(index).read() });
    to_result(wait::poll(wanted, from_now(timeout), ask))
}

/// Whether something lies in one of the frames next above.
fn is_on_own_stack<T>(it: *const T) -> bool {
    const NEAR: usize = 4096;
    let here = ManuallyDrop::new(0_u8);
    it.addr().wrapping_sub(ptr::from_ref(&here).addr()) < NEAR
}

/// The kernel's own call.
///
/// # Safety
///
/// As for `poll`.
unsafe fn ask(at: usize, n: u32, left: Option<Duration>) -> io::Result<usize> {
    let mut left = left.map(to_timespec);
    let left = left.as_mut().map_or(0, |left| (&raw mut *left).expose_provenance() as c_long);
    let arguments = [at as c_long, c_long::from(n), left, 0, MASK_SIZE, 0];
    // SAFETY: as the caller promises.
    answer(unsafe { kernel::enter(libc::SYS_ppoll, arguments) })
}

/// What the kernel has said.
#[expect(clippy::cast_possible_truncation, reason = "an error is small")]
pub(crate) fn answer(result: c_long) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result as i32))
}

/// A length of time, as the kernel has it.
pub(crate) fn to_timespec(time: Duration) -> timespec {
    let tv_sec = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    timespec { tv_sec, tv_nsec: time.subsec_nanos().into() }
}

//! Giving way, and sleeping.
//!
//! A sleep goes by the monotonic clock, which both the clocks that programs sleep by are converted to
//! (`deadline`); by any other one it is the kernel's, in a blocking section. Timers that end in a signal
//! (`alarm`, `setitimer`, `timer_create`) are the kernel's; of a thread's processor time, see `attributes`.

use std::ffi::{c_int, c_uint};
use std::time::{Duration, Instant};

use libc::{CLOCK_REALTIME, TIMER_ABSTIME, clockid_t, timespec, useconds_t};

use crate::cancel;
use crate::deadline::{self, Deadline};
use crate::errno::{errno, set_errno, zero_or_fails};
use crate::next::call_next;
use crate::poll::to_timespec;
use crate::wait::{self, Interrupted};

/// As that of libc: lets others run first.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C-unwind" fn sched_yield() -> c_int {
    wait::yield_now();
    0
}

/// As that of libc.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C-unwind" fn thrd_yield() {
    wait::yield_now();
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int {
    // SAFETY: as the caller promises.
    let error = unsafe { clock_nanosleep(CLOCK_REALTIME, 0, time, left) };
    zero_or_fails(error)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn clock_nanosleep(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
) -> c_int {
    let is_green = sylvan::is_green();
    if is_green {
        cancel::point();
    }
    if !is_green || !deadline::is_clock(clock) {
        // SAFETY: as the caller promises.
        return unsafe { sleep_in_the_kernel(clock, flags, time, left, is_green) };
    }
    let is_absolute = flags & TIMER_ABSTIME != 0;
    // SAFETY: as the caller promises.
    let time = unsafe { &*time };
    let until = if is_absolute { deadline::at(clock, time) } else { deadline::after(time) };
    let Ok(until) = until else { return libc::EINVAL };
    if sleep_until(until).is_ok() {
        return 0;
    }
    cancel::point();
    if !is_absolute && !left.is_null() {
        // SAFETY: as the caller promises.
        unsafe { left.write(left_until(until, time)) };
    }
    libc::EINTR
}

/// For an ordinary thread, and by a clock that the runtime does not have.
///
/// # Safety
///
/// As for `clock_nanosleep`.
// Not inlined: a thread that sleeps keeps the frame of its caller, in a page with all else that it has.
#[inline(never)]
unsafe fn sleep_in_the_kernel(
    clock: clockid_t,
    flags: c_int,
    time: *const timespec,
    left: *mut timespec,
    is_green: bool,
) -> c_int {
    let next = || {
        // SAFETY: as the caller promises.
        unsafe {
            call_next!(
                clock_nanosleep(clockid_t, c_int, *const timespec, *mut timespec) -> c_int,
                clock,
                flags,
                time,
                left,
            )
        }
    };
    if is_green { wait::section(next) } else { next() }
}

/// Sleeps, or parks for good where the time never comes.
fn sleep_until(until: Deadline) -> Result<(), Interrupted> {
    const LONG: Duration = Duration::from_secs(1 << 30);
    loop {
        match until {
            Some(until) => return wait::sleep_until(until),
            None => wait::sleep_until(Instant::now() + LONG)?,
        }
    }
}

fn left_until(until: Deadline, asked: &timespec) -> timespec {
    until.map_or(*asked, |until| to_timespec(until.saturating_duration_since(Instant::now())))
}

/// As that of libc.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C-unwind" fn usleep(micros: useconds_t) -> c_int {
    let time = to_timespec(Duration::from_micros(micros.into()));
    // SAFETY: a length of time.
    unsafe { nanosleep(&raw const time, std::ptr::null_mut()) }
}

/// As that of libc.
///
/// # Safety
///
/// None is needed.
#[expect(clippy::cast_possible_truncation, reason = "no more than was asked for")]
#[expect(clippy::cast_sign_loss, reason = "not negative")]
pub unsafe extern "C-unwind" fn sleep(seconds: c_uint) -> c_uint {
    let before = errno();
    let time = to_timespec(Duration::from_secs(seconds.into()));
    let mut left = time;
    // SAFETY: a length of time, and a place for one.
    let is_over = unsafe { nanosleep(&raw const time, &raw mut left) } == 0;
    if is_over {
        set_errno(before);
        return 0;
    }
    left.tv_sec as c_uint
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn thrd_sleep(time: *const timespec, left: *mut timespec) -> c_int {
    // SAFETY: as the caller promises.
    match unsafe { clock_nanosleep(CLOCK_REALTIME, 0, time, left) } {
        0 => 0,
        libc::EINTR => -1,
        _ => -2,
    }
}

//! Waiting for a signal.
//!
//! A green thread says what it waits for (`Signals::waits_for`), looks whether that is left for it or for the
//! process, and parks. Whoever leaves it such a signal ends its wait, blocked as it is; for the process the
//! attendant does.

use std::ptr;
use std::time::{Duration, Instant};

use libc::{c_int, siginfo_t, sigset_t, timespec};
use sylvan::WaitReason;
use sylvan::contract::shown::{self, Awaited};

use crate::cancel;
use crate::errno::{fails, set_errno};
use crate::kernel;
use crate::signal::own::{Signals, own};
use crate::signal::{OURS, attendant, bit, mask_of_caller, with_mask};
use crate::wait::{self, Restart};

/// Waits until `deadline` for one of `set`; an error is its number.
fn wait_for(signals: &Signals, set: u64, deadline: Option<Instant>) -> Result<siginfo_t, c_int> {
    signals.set_waits_for(set);
    let result = wait_as_said(signals, set, deadline);
    signals.set_waits_for(0);
    attendant::has_closed(set & signals.mask());
    result
}

fn wait_as_said(
    signals: &Signals,
    set: u64,
    deadline: Option<Instant>,
) -> Result<siginfo_t, c_int> {
    let awaited = Awaited::new(shown::SIGWAIT, set);
    let mut is_known = false;
    loop {
        if let Some(info) = signals.take(set) {
            return Ok(info);
        }
        if let Some(info) = attendant::wait_for(set, Some(0)) {
            return Ok(info);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(libc::EAGAIN);
        }
        if !is_known {
            is_known = true;
            attendant::attend();
        }
        let ended = wait::futex(&awaited.word, 0, deadline, WaitReason::Signal, Restart::Never);
        if ended.is_err() && signals.pending() & set == 0 {
            return Err(libc::EINTR);
        }
    }
}

/// The mask that a set begins with, without this crate's own signals.
///
/// # Safety
///
/// It points to a set.
unsafe fn mask_of(set: *const sigset_t) -> u64 {
    // SAFETY: as the caller promises.
    unsafe { set.cast::<u64>().read_unaligned() & !OURS }
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn sigtimedwait(
    set: *const sigset_t,
    info: *mut siginfo_t,
    timeout: *const timespec,
) -> c_int {
    let Some(signals) = own() else {
        // SAFETY: as the caller promises.
        let set = unsafe { mask_of(set) };
        let (from, to) = ((&raw const set).expose_provenance() as _, info.expose_provenance() as _);
        let what = [from, to, timeout.expose_provenance() as _, size_of::<u64>() as _, 0, 0];
        // SAFETY: as the caller promises.
        return unsafe { kernel::call(libc::SYS_rt_sigtimedwait, what) } as c_int;
    };
    cancel::point();
    // SAFETY: null, or a time.
    let timeout = unsafe { timeout.as_ref() };
    let is_time = |time: &timespec| time.tv_sec >= 0 && (0..1_000_000_000).contains(&time.tv_nsec);
    let result = if timeout.is_some_and(|time| !is_time(time)) {
        Err(libc::EINVAL)
    } else {
        let length = |time: &timespec| Duration::new(time.tv_sec as u64, time.tv_nsec as u32);
        let deadline = timeout.and_then(|time| Instant::now().checked_add(length(time)));
        // SAFETY: as the caller promises.
        wait_for(signals, unsafe { mask_of(set) }, deadline)
    };
    match result {
        Ok(mut found) => {
            if found.si_code == libc::SI_TKILL {
                // As libc says it.
                found.si_code = libc::SI_USER;
            }
            if !info.is_null() {
                // SAFETY: as the caller promises.
                unsafe { info.write(found) };
            }
            found.si_signo
        }
        Err(error) => {
            cancel::point();
            set_errno(error);
            -1
        }
    }
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn sigwaitinfo(set: *const sigset_t, info: *mut siginfo_t) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { sigtimedwait(set, info, ptr::null()) }
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn sigwait(set: *const sigset_t, signal: *mut c_int) -> c_int {
    loop {
        // SAFETY: as the caller promises.
        let found = unsafe { sigtimedwait(set, ptr::null_mut(), ptr::null()) };
        if found > 0 {
            // SAFETY: as the caller promises.
            unsafe { signal.write(found) };
            return 0;
        }
        let error = crate::errno::errno();
        if error != libc::EINTR {
            return error;
        }
    }
}

/// Waits with this mask until a handler has run: -1 and `EINTR`.
fn suspend(mask: u64, by: u32) -> c_int {
    cancel::point();
    let awaited = Awaited::new(by, !mask);
    with_mask(mask, || {
        while wait::futex(&awaited.word, 0, None, WaitReason::Signal, Restart::Never).is_ok() {}
    });
    cancel::point();
    set_errno(libc::EINTR);
    -1
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn sigsuspend(set: *const sigset_t) -> c_int {
    // SAFETY: as the caller promises.
    suspend_with(unsafe { mask_of(set) })
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn __sigsuspend(set: *const sigset_t) -> c_int {
    // SAFETY: the same function by another name.
    unsafe { sigsuspend(set) }
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn pause() -> c_int {
    match own() {
        Some(signals) => suspend(signals.mask(), shown::PAUSE),
        None => {
            let what = [0, 0, 0, 0, 0, 0];
            // SAFETY: waits for a signal, with no descriptors and no end.
            unsafe { kernel::call(libc::SYS_ppoll, what) as c_int }
        }
    }
}

/// As libc's: with the mask of the first 32 signals, and of no other.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C-unwind" fn sigpause(mask: c_int) -> c_int {
    suspend_with(mask.cast_unsigned().into())
}

/// As libc's: with one signal open that may be blocked.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C-unwind" fn __xpg_sigpause(signal: c_int) -> c_int {
    if !(1..=64).contains(&signal) {
        return fails(libc::EINVAL);
    }
    suspend_with(mask_of_caller() & !bit(signal))
}

/// As `sigsuspend`.
fn suspend_with(mask: u64) -> c_int {
    if own().is_some() {
        return suspend(mask, shown::SIGSUSPEND);
    }
    let set = (&raw const mask).expose_provenance() as _;
    // SAFETY: the kernel reads a mask.
    unsafe {
        kernel::call(libc::SYS_rt_sigsuspend, [set, size_of::<u64>() as _, 0, 0, 0, 0]) as c_int
    }
}

//! A thread's processor time: that of the green thread, not of the OS threads that have run it.

use std::mem;

use libc::{c_int, clockid_t, pthread_t, rusage, time_t, timespec, timeval};

use crate::in_place_of_libc;
use crate::next::Next;
use crate::signal::look_if_due;
use crate::signal::own::own;
use crate::thread::{self, Whose};
use crate::whole;

/// A handler of a signal may call it: it is looked up when the program starts (`descriptors`).
pub(crate) static CLOCK_GETTIME: Next = Next::new(c"clock_gettime");

in_place_of_libc! { clock_gettime, getrusage, pthread_getcpuclockid }

/// As libc's, which answers for all other clocks.
///
/// # Safety
///
/// As for libc's: `time` points to where one may be written.
pub unsafe extern "C-unwind" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if clock == libc::CLOCK_THREAD_CPUTIME_ID {
        // SAFETY: as the caller promises.
        let result = unsafe { processor_time(time) };
        if let Some(signals) = own() {
            look_if_due(signals);
        }
        return result;
    }
    // SAFETY: as the caller promises.
    unsafe { libcs(clock, time) }
}

/// The processor time of the calling thread.
///
/// # Safety
///
/// As for `clock_gettime`.
unsafe fn processor_time(time: *mut timespec) -> c_int {
    let Some(used) = sylvan::thread::processor_time() else {
        // SAFETY: as the caller promises.
        return unsafe { libcs(libc::CLOCK_THREAD_CPUTIME_ID, time) };
    };
    let (tv_sec, tv_nsec) = (used.as_secs() as time_t, used.subsec_nanos().into());
    // SAFETY: as the caller promises.
    unsafe { time.write(timespec { tv_sec, tv_nsec }) };
    0
}

/// That of libc.
///
/// # Safety
///
/// As for it.
unsafe fn libcs(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(clockid_t, *mut timespec) -> c_int =
        unsafe { mem::transmute(CLOCK_GETTIME.get()) };
    // SAFETY: as the caller promises.
    unsafe { next(clock, time) }
}

/// As libc's. A green thread's own processor time counts as the user's, and what else there is to know of
/// a thread is the OS thread's.
///
/// # Safety
///
/// As for libc's: `usage` points to where it may be written.
pub unsafe extern "C" fn getrusage(who: c_int, usage: *mut rusage) -> c_int {
    static NEXT: Next = Next::new(c"getrusage");
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_int, *mut rusage) -> c_int =
        unsafe { mem::transmute(NEXT.get()) };
    // SAFETY: as the caller promises.
    let result = unsafe { next(who, usage) };
    if result == 0
        && who == libc::RUSAGE_THREAD
        && let Some(used) = sylvan::thread::processor_time()
    {
        // SAFETY: as the caller promises.
        let usage = unsafe { &mut *usage };
        usage.ru_utime =
            timeval { tv_sec: used.as_secs() as time_t, tv_usec: used.subsec_micros().into() };
        usage.ru_stime = timeval { tv_sec: 0, tv_usec: 0 };
    }
    result
}

/// As libc's. A green thread's clock is one for itself: others get no number for it.
///
/// # Safety
///
/// As for libc's: the thread is there, and `clock` points to where a number may be written.
pub unsafe extern "C" fn pthread_getcpuclockid(thread: pthread_t, clock: *mut clockid_t) -> c_int {
    static NEXT: Next = Next::new(c"pthread_getcpuclockid");
    if whole::is_whole() {
        // SAFETY: as the caller promises.
        match unsafe { thread::of(thread) } {
            Whose::Ours(record)
                if thread::this().is_some_and(|this| std::ptr::eq(this, record)) =>
            {
                // SAFETY: as the caller promises.
                unsafe { clock.write(libc::CLOCK_THREAD_CPUTIME_ID) };
                return 0;
            }
            Whose::Ours(_) => return libc::ENOENT,
            Whose::Nobodys => return libc::ESRCH,
            Whose::Libcs => {}
        }
    }
    // Neither the kernel nor its libc knows the number of one that has a block of the runtime's, were it bound.
    let is_ours = sylvan::thread::stack_bounds().is_some();
    // SAFETY: asks who calls.
    if is_ours && thread == unsafe { libc::pthread_self() } {
        // SAFETY: as the caller promises.
        unsafe { clock.write(libc::CLOCK_THREAD_CPUTIME_ID) };
        return 0;
    }
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(pthread_t, *mut clockid_t) -> c_int =
        unsafe { mem::transmute(NEXT.get()) };
    // SAFETY: as the caller promises.
    unsafe { next(thread, clock) }
}

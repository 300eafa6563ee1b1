//! Timers that end in a signal: those whose signal is for a certain thread (`signal::tick`); all others are the
//! kernel's.
//!
//! A clock of a thread's processor time is one of its OS thread's: who makes a timer for its own is bound to that
//! (`attributes`).

use std::ffi::{c_int, c_long, c_void};
use std::mem;

use libc::{clockid_t, itimerspec, itimerval, sigevent, timer_t, timespec, timeval};

use crate::attributes;
use crate::errno::fails;
use crate::kernel;
use crate::next::{Next, next_of};
use crate::signal::is_ours;
use crate::signal::lock::held;
use crate::signal::tick::{self, Key, N_INTERVAL};
use crate::whole::is_whole;

static TIMER_CREATE: Next = Next::new(c"timer_create");

/// Whether signals of timers are this crate's to see to.
fn sees_to_them() -> bool {
    is_whole() && !sylvan::contract::signal::is_vfork_child()
}

/// Makes a timer; `made` hears of it.
///
/// # Safety
///
/// As for `timer_create`; `next` makes it.
unsafe fn create(
    clock: clockid_t,
    event: *mut sigevent,
    made: impl FnOnce(Key),
    next: impl FnOnce(*mut sigevent) -> c_int,
) -> c_int {
    if clock == libc::CLOCK_THREAD_CPUTIME_ID && !attributes::own() {
        return -1;
    }
    // SAFETY: as the caller promises: null, or what is to be done.
    if sees_to_them() && unsafe { event.as_ref() }.is_some_and(|it| is_ours(it.sigev_signo)) {
        // For the program there are no such signals.
        return fails(libc::EINVAL);
    }
    // SAFETY: as the caller promises.
    let ours = if sees_to_them() { unsafe { tick::make(clock, event) } } else { None };
    let Some((key, mut ours)) = ours else { return next(event) };
    let result = next(&raw mut ours);
    if result == 0 {
        made(key);
        tick::attend();
    } else {
        tick::end(key);
    }
    result
}

/// Deletes a timer of that name.
fn delete(name: usize, next: impl FnOnce() -> c_int) -> c_int {
    // Before: afterwards somebody else's may have the name.
    let key = if sees_to_them() { tick::take_name(name) } else { None };
    let result = next();
    match key {
        Some(key) if result == 0 => tick::end(key),
        Some(key) => tick::made(key, name),
        None => {}
    }
    result
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: `event` is null or says what is to be done, and `timer` points to where a timer may be written.
pub unsafe extern "C" fn timer_create(
    clock: clockid_t,
    event: *mut sigevent,
    timer: *mut timer_t,
) -> c_int {
    let next = TIMER_CREATE.get();
    if next.is_null() {
        // Before 2.34 it is in a library that nothing else may have asked for.
        return fails(libc::ENOSYS);
    }
    type Function = unsafe extern "C" fn(clockid_t, *mut sigevent, *mut timer_t) -> c_int;
    // SAFETY: libc's function has this type.
    let next = unsafe { mem::transmute::<*mut c_void, Function>(next) };
    // SAFETY: as the caller promises, here and below; it was written.
    let made = |key| tick::made(key, unsafe { timer.read() }.addr());
    // SAFETY: as above.
    unsafe { create(clock, event, made, |event| next(clock, event, timer)) }
}

/// libc's functions about a timer. There are older ones of each name, which take another kind of `timer_t`: a program that
/// does not say which it means finds those of this crate, all of them, as it finds `timer_create`.
macro_rules! about_timers {
    ($($name:ident($timer:ident, $($argument:ident: $type:ty),*) |$next:ident| $body:expr;)+) => {$(
        /// As libc's.
        ///
        /// # Safety
        ///
        /// As for libc's: there is such a timer.
        pub unsafe extern "C" fn $name($timer: timer_t, $($argument: $type),*) -> c_int {
            static NEXT: Next = next_of!($name);
            let next = NEXT.get();
            if next.is_null() {
                return fails(libc::ENOSYS);
            }
            type Function = unsafe extern "C" fn(timer_t, $($type),*) -> c_int;
            // SAFETY: libc's function has this type.
            let next = unsafe { mem::transmute::<*mut c_void, Function>(next) };
            // SAFETY: as the caller promises.
            let $next = || unsafe { next($timer, $($argument),*) };
            $body
        }
    )+};
}

about_timers! {
    timer_delete(timer,) |next| delete(timer.addr(), next);
    timer_settime(timer, flags: c_int, to: *const itimerspec, before: *mut itimerspec) |next| next();
    timer_gettime(timer, left: *mut itimerspec) |next| next();
    timer_getoverrun(timer,) |next| next();
}

/// The system call of that name.
///
/// # Safety
///
/// As for `timer_create`.
pub(crate) unsafe fn raw_create(
    clock: clockid_t,
    event: *mut sigevent,
    timer: *mut c_int,
) -> c_int {
    let next = |event: *mut sigevent| {
        let what = [clock.into(), at(event), at(timer), 0, 0, 0];
        // SAFETY: as the caller promises.
        unsafe { kernel::call(libc::SYS_timer_create, what) as c_int }
    };
    let made = |key| {
        // SAFETY: as the caller promises; it was written.
        let name = raw_name(unsafe { timer.read() });
        tick::made(key, name);
        if event.is_null() {
            tick::says_name(key, name);
        }
    };
    // SAFETY: as the caller promises.
    unsafe { create(clock, event, made, next) }
}

/// The system call of that name.
pub(crate) fn raw_delete(timer: c_int) -> c_int {
    // SAFETY: deletes a timer, if there is one of that number.
    let next =
        || unsafe { kernel::call(libc::SYS_timer_delete, [timer.into(), 0, 0, 0, 0, 0]) as c_int };
    delete(raw_name(timer), next)
}

/// As libc has it.
fn raw_name(timer: c_int) -> usize {
    timer as usize
}

fn at<T>(to: *const T) -> c_long {
    to.expose_provenance() as c_long
}

/// Which of `tick`'s a timer of `setitimer` is.
fn interval_of(which: c_int) -> Option<usize> {
    match which {
        libc::ITIMER_VIRTUAL => Some(0),
        libc::ITIMER_PROF => Some(1),
        _ => None,
    }
}

/// The kernel's timer in the place of that of `setitimer`, if there is one.
fn made(which: usize) -> Option<c_long> {
    tick::interval(which).map(|name| name as c_long)
}

/// The same; it is made if there is none.
fn made_now(which: usize) -> Option<c_long> {
    if !tick::goes_to_who_computes() {
        return None;
    }
    // Nobody else makes one meanwhile.
    let timer = held(|_| {
        if let Some(timer) = made(which) {
            return Some(timer);
        }
        let (key, event) = tick::make_interval(which)?;
        // The process's time in user mode, and that with the kernel's: as `setitimer` counts.
        const OWN_PROCESS: clockid_t = !0 << 3;
        const CLOCKS: [clockid_t; N_INTERVAL] = [OWN_PROCESS | 1, OWN_PROCESS];
        let mut timer: c_int = 0;
        let what = [CLOCKS[which].into(), at(&raw const event), at(&raw const timer), 0, 0, 0];
        // SAFETY: the kernel reads what is to be done, and writes a number.
        if unsafe { kernel::enter(libc::SYS_timer_create, what) } != 0 {
            tick::end(key);
            return None;
        }
        // SAFETY: the kernel has written there.
        let timer = unsafe { (&raw mut timer).read_volatile() };
        tick::made(key, timer as usize);
        take_over(which, timer.into());
        Some(timer.into())
    });
    tick::attend();
    timer
}

/// What the program that was here before has set goes on here: it was the kernel's.
fn take_over(which: usize, timer: c_long) {
    let mut left = NEVER;
    let never = NEVER;
    let what = [WHICH[which].into(), at(&raw const never), at(&raw mut left), 0, 0, 0];
    // SAFETY: the kernel reads times, and writes some.
    unsafe { kernel::enter(libc::SYS_setitimer, what) };
    let left = in_nanoseconds(left.it_interval).zip(in_nanoseconds(left.it_value));
    if let Some((it_interval, it_value)) = left {
        set(timer, &itimerspec { it_interval, it_value });
    }
}

/// The timers of `setitimer` that are such, in `tick`'s order.
const WHICH: [c_int; N_INTERVAL] = [libc::ITIMER_VIRTUAL, libc::ITIMER_PROF];

const NO_TIME: timespec = timespec { tv_sec: 0, tv_nsec: 0 };
const NO_TIMES: itimerspec = itimerspec { it_interval: NO_TIME, it_value: NO_TIME };
const NO_MICROS: timeval = timeval { tv_sec: 0, tv_usec: 0 };
const NEVER: itimerval = itimerval { it_interval: NO_MICROS, it_value: NO_MICROS };

fn get(timer: c_long) -> itimerspec {
    let mut left = NO_TIMES;
    // SAFETY: the kernel writes times.
    unsafe { kernel::enter(libc::SYS_timer_gettime, [timer, at(&raw mut left), 0, 0, 0, 0]) };
    left
}

fn set(timer: c_long, time: &itimerspec) -> itimerspec {
    let mut before = NO_TIMES;
    let what = [timer, 0, at(time), at(&raw mut before), 0, 0];
    // SAFETY: the kernel reads times, and writes some.
    unsafe { kernel::enter(libc::SYS_timer_settime, what) };
    before
}

/// As the kernel takes it; `None` if that is no time.
fn in_nanoseconds(time: timeval) -> Option<timespec> {
    let is_time = time.tv_sec >= 0 && (0..1_000_000).contains(&time.tv_usec);
    is_time.then_some(timespec { tv_sec: time.tv_sec, tv_nsec: time.tv_usec * 1_000 })
}

/// Rounded up: what is left of a timer is not nothing.
fn in_microseconds(time: timespec) -> timeval {
    let micros = time.tv_nsec.unsigned_abs().div_ceil(1_000).cast_signed();
    timeval { tv_sec: time.tv_sec + micros / 1_000_000, tv_usec: micros % 1_000_000 }
}

fn told(time: itimerspec) -> itimerval {
    itimerval {
        it_interval: in_microseconds(time.it_interval),
        it_value: in_microseconds(time.it_value),
    }
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: `to` is null or points to times, and `before` is null or points to where some may be written.
pub unsafe extern "C" fn setitimer(
    which: c_int,
    to: *const itimerval,
    before: *mut itimerval,
) -> c_int {
    // SAFETY: as the caller promises, here and below.
    let in_the_kernel = || unsafe {
        kernel::call(libc::SYS_setitimer, [which.into(), at(to), at(before), 0, 0, 0]) as c_int
    };
    let Some(interval) = interval_of(which).filter(|_| sees_to_them()) else {
        return in_the_kernel();
    };
    let time = if to.is_null() {
        Some(NO_TIMES)
    } else {
        // SAFETY: as above.
        let time = unsafe { to.read() };
        in_nanoseconds(time.it_interval)
            .zip(in_nanoseconds(time.it_value))
            .map(|(it_interval, it_value)| itimerspec { it_interval, it_value })
    };
    let Some(time) = time else { return fails(libc::EINVAL) };
    let Some(timer) = made_now(interval) else { return in_the_kernel() };
    let was = set(timer, &time);
    if !before.is_null() {
        // SAFETY: as above.
        unsafe { before.write(told(was)) };
    }
    0
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: `left` points to where times may be written.
pub unsafe extern "C" fn getitimer(which: c_int, left: *mut itimerval) -> c_int {
    let timer = interval_of(which).filter(|_| sees_to_them()).and_then(made);
    let Some(timer) = timer else {
        let what = [which.into(), at(left), 0, 0, 0, 0];
        // SAFETY: as the caller promises.
        return unsafe { kernel::call(libc::SYS_getitimer, what) as c_int };
    };
    // SAFETY: as the caller promises.
    unsafe { left.write(told(get(timer))) };
    0
}

/// Runs `f`, which begins another program in this process: that has the timers of `setitimer`, and no other.
pub(crate) fn hand_to_next_program(f: impl FnOnce() -> c_int) -> c_int {
    let is_set = |time: &itimerspec| time.it_value.tv_sec != 0 || time.it_value.tv_nsec != 0;
    let of = |interval: usize| made(interval).map(get).filter(is_set);
    let times: [_; N_INTERVAL] = if sees_to_them() { [of(0), of(1)] } else { [None; N_INTERVAL] };
    let set_kernels = |which: c_int, time: itimerval| {
        // SAFETY: the kernel reads times.
        unsafe {
            kernel::enter(libc::SYS_setitimer, [which.into(), at(&raw const time), 0, 0, 0, 0]);
        }
    };
    for (which, time) in WHICH.into_iter().zip(times) {
        if let Some(time) = time {
            set_kernels(which, told(time));
        }
    }
    let result = f();
    for (which, time) in WHICH.into_iter().zip(times) {
        if time.is_some() {
            set_kernels(which, NEVER);
        }
    }
    result
}

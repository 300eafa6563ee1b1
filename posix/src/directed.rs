//! Signals for one thread, and those that a process sends itself.

use libc::{c_int, pid_t, pthread_t, siginfo_t, sigval};

use crate::errno::{fails, zero_or_fails};
use crate::kernel;
use crate::next::call_next;
use crate::owner;
use crate::signal::attendant;
use crate::signal::lock::held;
use crate::signal::own::{Signals, find, own};
use crate::signal::{bit, delivery, is_ours, send};
use crate::thread;

const LAST: c_int = 64;

/// Whether libc lets a program send it to a thread: its own are its own.
fn can_be_sent(signal: c_int) -> bool {
    (0..=LAST).contains(&signal) && !matches!(signal, 32 | 33) && !is_ours(signal)
}

/// What a process does to all its threads.
fn is_for_all(signal: c_int) -> bool {
    matches!(signal, libc::SIGKILL | libc::SIGSTOP)
}

fn own_pid() -> pid_t {
    // SAFETY: asks for a number.
    let pid = unsafe { kernel::enter(libc::SYS_getpid, [0; 6]) };
    pid as pid_t
}

fn send_to_process(signal: c_int) -> c_int {
    // SAFETY: sends a signal to this process.
    let result =
        unsafe { kernel::enter(libc::SYS_kill, [own_pid().into(), signal.into(), 0, 0, 0, 0]) };
    -result as c_int
}

/// Sends a signal to a green thread; `None` if there is none of that number. An error is its number.
pub(crate) fn to_green(
    id: pthread_t,
    signal: c_int,
    code: c_int,
    value: Option<sigval>,
) -> Option<c_int> {
    let info = || match value {
        Some(value) => (delivery::info_with(signal, code, value), true),
        None => (delivery::info(signal, code), false),
    };
    to_green_that(|signals| signals.id() == id as usize, signal, info)
}

/// The same for the one that is such a one; `info` says what to send, and whether it is queued.
fn to_green_that(
    is_it: impl FnMut(&Signals) -> bool,
    signal: c_int,
    info: impl FnOnce() -> (siginfo_t, bool),
) -> Option<c_int> {
    if signal == 0 || is_for_all(signal) {
        let is_there = held(|held| find(held, is_it).is_some());
        return is_there.then(|| if signal == 0 { 0 } else { send_to_process(signal) });
    }
    let (info, is_queued) = info();
    let sent = send(is_it, &info, is_queued)?;
    Some(sent.err().unwrap_or(0))
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: the thread has not been joined, and has not ended detached.
pub unsafe extern "C-unwind" fn pthread_kill(thread: pthread_t, signal: c_int) -> c_int {
    if !can_be_sent(signal) {
        return libc::EINVAL;
    }
    if let Some(error) = to_green(thread, signal, libc::SI_TKILL, None) {
        return error;
    }
    // SAFETY: as the caller promises.
    if unsafe { thread::is_green(thread) } {
        // It has ended.
        return 0;
    }
    // SAFETY: as the caller promises.
    unsafe { call_next!(pthread_kill(pthread_t, c_int) -> c_int, thread, signal) }
}

/// As libc's.
///
/// # Safety
///
/// As for `pthread_kill`.
pub unsafe extern "C-unwind" fn pthread_sigqueue(
    thread: pthread_t,
    signal: c_int,
    value: sigval,
) -> c_int {
    if !can_be_sent(signal) {
        return libc::EINVAL;
    }
    if let Some(error) = to_green(thread, signal, libc::SI_QUEUE, Some(value)) {
        return error;
    }
    // SAFETY: as the caller promises.
    if unsafe { thread::is_green(thread) } {
        // It has ended.
        return 0;
    }
    // SAFETY: as the caller promises.
    unsafe {
        call_next!(pthread_sigqueue(pthread_t, c_int, sigval) -> c_int, thread, signal, value)
    }
}

/// As libc's: by the number that a thread has for itself.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C-unwind" fn tgkill(process: pid_t, thread: pid_t, signal: c_int) -> c_int {
    if owner::is_green(thread) && process == own_pid() {
        return by_number(thread, signal);
    }
    let what = [process.into(), thread.into(), signal.into(), 0, 0, 0];
    // SAFETY: sends a signal.
    unsafe { kernel::call(libc::SYS_tgkill, what) as c_int }
}

/// The system call of that name.
pub(crate) fn tkill(thread: pid_t, signal: c_int) -> c_int {
    if owner::is_green(thread) {
        return by_number(thread, signal);
    }
    // SAFETY: sends a signal.
    unsafe { kernel::call(libc::SYS_tkill, [thread.into(), signal.into(), 0, 0, 0, 0]) as c_int }
}

/// The system call of that name, by which a program says everything itself.
///
/// # Safety
///
/// `info` is null, or points to what is to be sent.
pub(crate) unsafe fn rt_tgsigqueueinfo(
    process: pid_t,
    thread: pid_t,
    signal: c_int,
    info: *const siginfo_t,
) -> c_int {
    if owner::is_green(thread) && process == own_pid() {
        if signal != 0 && !is_for_all(signal) && info.is_null() {
            return fails(libc::EFAULT);
        }
        if !can_be_sent(signal) {
            return fails(libc::EINVAL);
        }
        let info = || {
            // SAFETY: as the caller promises.
            let mut info = unsafe { info.read() };
            info.si_signo = signal;
            (info, true)
        };
        return to_number(thread, signal, info);
    }
    let what = [process.into(), thread.into(), signal.into(), info.expose_provenance() as _, 0, 0];
    // SAFETY: as the caller promises.
    unsafe { kernel::call(libc::SYS_rt_tgsigqueueinfo, what) as c_int }
}

fn by_number(thread: pid_t, signal: c_int) -> c_int {
    if !(0..=LAST).contains(&signal) {
        return fails(libc::EINVAL);
    }
    to_number(thread, signal, || (delivery::info(signal, libc::SI_TKILL), false))
}

/// As [`to_green_that`], to the one of that number.
fn to_number(thread: pid_t, signal: c_int, info: impl FnOnce() -> (siginfo_t, bool)) -> c_int {
    let error = to_green_that(|signals| signals.number() == thread, signal, info);
    zero_or_fails(error.unwrap_or(libc::ESRCH))
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn raise(signal: c_int) -> c_int {
    let Some(signals) = own() else {
        // SAFETY: as the caller promises.
        return unsafe { call_next!(raise(c_int) -> c_int, signal) };
    };
    let error = if can_be_sent(signal) {
        to_green(signals.id() as pthread_t, signal, libc::SI_TKILL, None).unwrap_or(libc::ESRCH)
    } else {
        libc::EINVAL
    };
    zero_or_fails(error)
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn gsignal(signal: c_int) -> c_int {
    // SAFETY: the same function by an older name.
    unsafe { raise(signal) }
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn kill(pid: pid_t, signal: c_int) -> c_int {
    if is_for_green(pid, signal) && to_one(&delivery::info(signal, libc::SI_USER)) {
        return 0;
    }
    // SAFETY: sends a signal.
    let result = unsafe { kernel::call(libc::SYS_kill, [pid.into(), signal.into(), 0, 0, 0, 0]) };
    result as c_int
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C-unwind" fn sigqueue(pid: pid_t, signal: c_int, value: sigval) -> c_int {
    let info = delivery::info_with(signal, libc::SI_QUEUE, value);
    if is_for_green(pid, signal) && to_one(&info) {
        return 0;
    }
    let with = (&raw const info).expose_provenance() as _;
    // SAFETY: sends what is there.
    let result = unsafe {
        kernel::call(libc::SYS_rt_sigqueueinfo, [pid.into(), signal.into(), with, 0, 0, 0])
    };
    result as c_int
}

/// Whether what a green thread sends to its process is for green ones: `main` does not get it.
fn is_for_green(pid: pid_t, signal: c_int) -> bool {
    own().is_some()
        && (1..=LAST).contains(&signal)
        && !is_for_all(signal)
        && attendant::is_blocked_by_main(bit(signal))
        && pid == own_pid()
}

/// Leaves it to the caller, which gets it before it goes on, or else to another thread; whether one has it
/// open or waits for it.
fn to_one(info: &libc::siginfo_t) -> bool {
    let Some(signals) = own() else { return false };
    if signals.mask() & bit(info.si_signo) != 0 {
        let is_left = attendant::hand_on(info);
        if is_left {
            attendant::attend();
        }
        return is_left;
    }
    let is_it = |other: &Signals| std::ptr::eq(other, signals);
    matches!(send(is_it, info, false), Some(Ok(())))
}

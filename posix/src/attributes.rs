//! Calls that change what the kernel keeps for the calling OS thread.
//!
//! A green thread that makes one is bound before (`sylvan::thread::bind`), so that it holds for this
//! thread and for nobody else. What an OS thread hands on to those that it starts the runtime has to
//! hear of, so that threads that are spawned later have it too (`sylvan::thread::change_attributes`):
//!
//! | the call is about | bound | heard of |
//! |---|---|---|
//! | attributes, which new threads inherit: rights, filters, processors, priority, name spaces | yes | yes |
//! | the very OS thread: whom it traces, whose end it hears of, what is counted of it | yes | no |
//! | the process, or somebody else | no | no |
//!
//! If a green thread cannot be bound for want of an OS thread, the call fails with `EAGAIN`. Where green
//! threads share their worker's thread-locals it cannot be bound at all: the call changes the worker,
//! which the thread never leaves.
//!
//! # pthread_self
//!
//! glibc knows a thread by its record, and the kernel by the number in there. A green thread's record has
//! a number that the kernel does not know (`ESRCH`): then the call is made for the calling OS thread,
//! which is what is meant.

use std::ffi::{c_char, c_int, c_long, c_uint, c_ulong, c_void};
use std::io;

use libc::{cpu_set_t, gid_t, pid_t, pthread_t, sched_param, size_t, uid_t};

use crate::comm;
use crate::errno::{errno, fails, set_errno};
use crate::in_place_of_libc;
use crate::next::{Next, next_of};
use crate::numbered::{To, kernels};
use crate::thread::{self, Record, Whose};
use crate::whole;

/// Makes ready for a call that changes the calling OS thread; whether it may be made. Else `errno` says
/// why not.
pub(crate) fn own() -> bool {
    match sylvan::thread::bind() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => {
            set_errno(libc::EAGAIN);
            false
        }
        _ => true,
    }
}

/// Makes a call that changes attributes of the calling OS thread, and fails with a value below zero.
pub(crate) fn change<T: Copy + Into<i64>>(failed: T, call: impl FnOnce() -> T) -> T {
    change_if(call, |result| result.into() >= 0).unwrap_or(failed)
}

/// The same for one of those pthread calls that return the error.
fn change_pthread(call: impl FnOnce() -> c_int) -> c_int {
    change_if(call, |error| error == 0).unwrap_or(libc::EAGAIN)
}

fn change_if<T: Copy>(call: impl FnOnce() -> T, succeeds: impl FnOnce(T) -> bool) -> Option<T> {
    let result = sylvan::thread::change_attributes(call, |result| succeeds(*result));
    if result.is_err() {
        set_errno(libc::EAGAIN);
    }
    result.ok()
}

/// Whether a call that names an OS thread means the calling one.
pub(crate) fn is_own(id: pid_t) -> bool {
    // SAFETY: asks a question.
    id == 0 || id == unsafe { libc::gettid() }
}

fn is_self(thread: pthread_t) -> bool {
    // SAFETY: asks a question.
    thread == unsafe { libc::pthread_self() }
}

/// Of a whole program: whether it is the number that a green thread has for itself, of which the kernel knows
/// nothing.
fn is_own_alone(id: pid_t) -> bool {
    id != 0 && thread::this().is_some() && is_own(id)
}

/// Makes a call that changes something for a thread that is not the caller, unless that is a green one.
fn of_another(id: pid_t, next: impl FnOnce() -> c_int) -> c_int {
    if !whole::is_whole() {
        return next();
    }
    kernels(id, To::Change).map_or_else(fails, |_| next())
}

/// Whom a call is about that names a thread of the program.
enum Whom {
    /// An OS thread: libc knows.
    Libcs,
    /// The caller, of whom libc knows nothing.
    Own(&'static Record),
    /// Another green one.
    Other(&'static Record),
    Nobody,
}

/// Whom a call is about that names a thread of the program.
///
/// # Safety
///
/// As for `thread::of`.
unsafe fn about_thread(thread: pthread_t) -> Whom {
    if !whole::is_whole() {
        return Whom::Libcs;
    }
    // SAFETY: as the caller promises.
    match unsafe { thread::of(thread) } {
        Whose::Ours(record) if thread::this().is_some_and(|this| std::ptr::eq(this, record)) => {
            Whom::Own(record)
        }
        Whose::Ours(record) => Whom::Other(record),
        Whose::Nobodys => Whom::Nobody,
        Whose::Libcs => Whom::Libcs,
    }
}

/// Sets how the calling green thread is scheduled: it is bound.
fn schedule_own(record: &Record, policy: c_int, param: sched_param) -> c_int {
    let error = change_pthread(|| {
        // SAFETY: reads numbers.
        returned(unsafe { libc::sched_setscheduler(0, policy, &raw const param) })
    });
    if error == 0 {
        record.set_scheduling(policy, param.sched_priority);
    }
    error
}

/// The same for another one, which its own OS thread alone could have: nothing that it has not anyway.
fn schedule_other(record: &Record, policy: c_int, priority: c_int) -> c_int {
    if record.scheduling() == (policy, priority) { 0 } else { libc::ENOTSUP }
}

/// What a call returns that says its error by `errno`, as one that returns it.
fn returned(result: c_int) -> c_int {
    if result == -1 { errno() } else { 0 }
}

/// Defines functions of libc's. `next` in a body is libc's own, of the same type.
macro_rules! define {
    ($($(#[$attribute:meta])* fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty |$next:ident| $body:block)+) => {
        $(
            /// As that of libc.
            ///
            /// # Safety
            ///
            /// As that of libc.
            $(#[$attribute])*
            pub unsafe extern "C" fn $name($($argument: $type),*) -> $result {
                static NEXT: Next = next_of!($name);
                let $next = || {
                    type Function = unsafe extern "C" fn($($type),*) -> $result;
                    // SAFETY: libc's function of that name, which has this type.
                    let next = unsafe { std::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
                    // SAFETY: as the caller promises.
                    unsafe { next($($argument),*) }
                };
                $body
            }
        )+
        in_place_of_libc! { $($name),+ }
    };
}

/// What an option of `prctl` is about.
pub(crate) enum About {
    Attributes,
    Own,
    Other,
}

/// Of `prctl(option, argument, …)`.
pub(crate) fn about_prctl(option: c_int, argument: c_ulong) -> About {
    const PR_SET_SPECULATION_CTRL: c_int = 53;
    const PR_SET_IO_FLUSHER: c_int = 57;
    const PR_SCHED_CORE: c_int = 62;
    match option {
        libc::PR_SET_NO_NEW_PRIVS
        | libc::PR_SET_SECCOMP
        | libc::PR_CAPBSET_DROP
        | libc::PR_SET_SECUREBITS
        | libc::PR_SET_KEEPCAPS
        | libc::PR_SET_TIMERSLACK
        | libc::PR_SET_TSC
        | libc::PR_MCE_KILL
        | PR_SET_SPECULATION_CTRL
        | PR_SET_IO_FLUSHER
        | PR_SCHED_CORE => About::Attributes,
        libc::PR_CAP_AMBIENT if argument != libc::PR_CAP_AMBIENT_IS_SET as c_ulong => {
            About::Attributes
        }
        // Forgotten when the OS thread ends.
        libc::PR_SET_PDEATHSIG => About::Own,
        _ => About::Other,
    }
}

/// What is left to do after a `prctl` that is neither about attributes nor about the very OS thread.
///
/// # Safety
///
/// The kernel has been able to use the argument, if it says so.
pub(crate) unsafe fn after_prctl(result: c_long, option: c_int, argument: c_ulong) {
    match option {
        // SAFETY: as the caller promises: a name.
        libc::PR_SET_NAME if result == 0 => unsafe { comm::keep(argument as *const c_char) },
        // SAFETY: as the caller promises: a place for one.
        libc::PR_GET_NAME if result == 0 => unsafe { comm::replace(argument as *mut c_char) },
        _ => {}
    }
}

/// Of a request of `ptrace`: what follows has to come from the same OS thread.
pub(crate) fn begins_to_trace(request: c_uint) -> bool {
    const ATTACH: c_uint = 16;
    const SEIZE: c_uint = 0x4206;
    request == ATTACH || request == SEIZE
}

/// A query of `personality`.
pub(crate) const PERSONALITY_QUERY: c_ulong = 0xffff_ffff;

/// A process or an OS thread, as `setpriority` and `ioprio_set` name what they are about.
pub(crate) const PRIO_PROCESS: c_uint = 0;

define! {
    fn prctl(option: c_int, a: c_ulong, b: c_ulong, c: c_ulong, d: c_ulong) -> c_int |next| {
        match about_prctl(option, a) {
            About::Attributes => change(-1, next),
            About::Own if !own() => -1,
            _ => {
                let result = next();
                // SAFETY: as the caller promises; the kernel has read or written there.
                unsafe { after_prctl(result.into(), option, a) };
                result
            }
        }
    }

    fn capset(header: *mut c_void, data: *const c_void) -> c_int |next| {
        change(-1, next)
    }

    fn unshare(flags: c_int) -> c_int |next| {
        change(-1, next)
    }

    fn setns(fd: c_int, kind: c_int) -> c_int |next| {
        change(-1, next)
    }

    fn personality(persona: c_ulong) -> c_int |next| {
        if persona == PERSONALITY_QUERY { next() } else { change(-1, next) }
    }

    fn setfsuid(uid: uid_t) -> c_int |next| {
        change(-1, next)
    }

    fn setfsgid(gid: gid_t) -> c_int |next| {
        change(-1, next)
    }

    fn sched_setaffinity(id: pid_t, len: size_t, set: *const cpu_set_t) -> c_int |next| {
        if is_own_alone(id) {
            // SAFETY: as the caller promises.
            return unsafe { sched_setaffinity(0, len, set) };
        }
        if is_own(id) { change(-1, next) } else { of_another(id, next) }
    }

    fn sched_setscheduler(id: pid_t, policy: c_int, param: *const sched_param) -> c_int |next| {
        if is_own_alone(id) {
            // SAFETY: as the caller promises.
            return unsafe { sched_setscheduler(0, policy, param) };
        }
        if is_own(id) { change(-1, next) } else { of_another(id, next) }
    }

    fn sched_setparam(id: pid_t, param: *const sched_param) -> c_int |next| {
        if is_own_alone(id) {
            // SAFETY: as the caller promises.
            return unsafe { sched_setparam(0, param) };
        }
        if is_own(id) { change(-1, next) } else { of_another(id, next) }
    }

    fn setpriority(which: c_uint, who: c_uint, priority: c_int) -> c_int |next| {
        if which == PRIO_PROCESS && is_own_alone(who.cast_signed()) {
            // SAFETY: as the caller promises.
            return unsafe { setpriority(which, 0, priority) };
        }
        match who.cast_signed() {
            who if which == PRIO_PROCESS && is_own(who) => change(-1, next),
            who if which == PRIO_PROCESS => of_another(who, next),
            _ => next(),
        }
    }

    fn nice(by: c_int) -> c_int |next| {
        // What it returns may be any number; it fails if `errno` says so.
        let before = errno();
        set_errno(0);
        let now = change_if(next, |now| now != -1 || errno() == 0);
        if errno() == 0 {
            set_errno(before);
        }
        now.unwrap_or(-1)
    }

    fn ptrace(request: c_uint, id: pid_t, address: *mut c_void, data: *mut c_void) -> c_long |next| {
        if begins_to_trace(request) && !own() { -1 } else { next() }
    }

    fn pthread_setaffinity_np(thread: pthread_t, len: size_t, set: *const cpu_set_t) -> c_int |next| {
        // SAFETY: as the caller promises, here and below.
        match unsafe { about_thread(thread) } {
            Whom::Libcs => {}
            Whom::Own(_) => {
                // SAFETY: as above.
                return change_pthread(|| returned(unsafe { libc::sched_setaffinity(0, len, set) }));
            }
            Whom::Other(_) => return libc::ENOTSUP,
            Whom::Nobody => return libc::ESRCH,
        }
        if !is_self(thread) {
            return next();
        }
        change_pthread(|| match next() {
            // SAFETY: as the caller promises, here and below.
            libc::ESRCH => returned(unsafe { libc::sched_setaffinity(0, len, set) }),
            error => error,
        })
    }

    fn pthread_getaffinity_np(thread: pthread_t, len: size_t, set: *mut cpu_set_t) -> c_int |next| {
        // SAFETY: as the caller promises, here and below.
        match unsafe { about_thread(thread) } {
            Whom::Libcs => {}
            // SAFETY: as above.
            Whom::Own(_) => return returned(unsafe { libc::sched_getaffinity(0, len, set) }),
            // What all have that have not said otherwise for themselves.
            Whom::Other(_) => {
                // SAFETY: as above.
                return returned(unsafe { libc::sched_getaffinity(libc::getpid(), len, set) });
            }
            Whom::Nobody => return libc::ESRCH,
        }
        match next() {
            // SAFETY: as above.
            libc::ESRCH if is_self(thread) => returned(unsafe { libc::sched_getaffinity(0, len, set) }),
            error => error,
        }
    }

    fn pthread_setschedparam(thread: pthread_t, policy: c_int, param: *const sched_param) -> c_int |next| {
        // SAFETY: as the caller promises, here and below.
        match unsafe { about_thread(thread) } {
            Whom::Libcs => {}
            // SAFETY: as above.
            Whom::Own(record) => return schedule_own(record, policy, unsafe { *param }),
            Whom::Other(record) => {
                // SAFETY: as above.
                return schedule_other(record, policy, unsafe { (*param).sched_priority });
            }
            Whom::Nobody => return libc::ESRCH,
        }
        if !is_self(thread) {
            return next();
        }
        change_pthread(|| match next() {
            // SAFETY: as above.
            libc::ESRCH => returned(unsafe { libc::sched_setscheduler(0, policy, param) }),
            error => error,
        })
    }

    fn pthread_getschedparam(thread: pthread_t, policy: *mut c_int, param: *mut sched_param) -> c_int |next| {
        // SAFETY: as the caller promises, here and below.
        match unsafe { about_thread(thread) } {
            Whom::Libcs => {}
            Whom::Own(record) | Whom::Other(record) => {
                let (its, priority) = record.scheduling();
                // SAFETY: as above.
                unsafe {
                    *policy = its;
                    (*param).sched_priority = priority;
                }
                return 0;
            }
            Whom::Nobody => return libc::ESRCH,
        }
        match next() {
            // glibc says 1 here, whatever the kernel has said.
            error if error != 0 && is_self(thread) => {
                // SAFETY: as above.
                let found = unsafe { libc::sched_getscheduler(0) };
                // SAFETY: as above.
                if found == -1 || unsafe { libc::sched_getparam(0, param) } == -1 {
                    return errno();
                }
                // SAFETY: as above.
                unsafe { *policy = found };
                0
            }
            error => error,
        }
    }

    fn pthread_setschedprio(thread: pthread_t, priority: c_int) -> c_int |next| {
        // SAFETY: as the caller promises, here and below.
        match unsafe { about_thread(thread) } {
            Whom::Libcs => {}
            Whom::Own(record) => {
                let param = sched_param { sched_priority: priority };
                return schedule_own(record, record.scheduling().0, param);
            }
            Whom::Other(record) => return schedule_other(record, record.scheduling().0, priority),
            Whom::Nobody => return libc::ESRCH,
        }
        if !is_self(thread) {
            return next();
        }
        change_pthread(|| match next() {
            libc::ESRCH => {
                let param = sched_param { sched_priority: priority };
                // SAFETY: reads a number.
                returned(unsafe { libc::sched_setparam(0, &param) })
            }
            error => error,
        })
    }
}

#[cfg(target_arch = "x86_64")]
define! {
    fn ioperm(from: c_ulong, len: c_ulong, on: c_int) -> c_int |next| {
        change(-1, next)
    }

    fn iopl(level: c_int) -> c_int |next| {
        change(-1, next)
    }
}

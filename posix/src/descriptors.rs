//! Descriptors by their numbers: what is closed, replaced or set up past whoever has them.
//!
//! The runtime keeps what it knows of a descriptor under its number (`sylvan::contract::numbers`). So it is told
//! before a number is closed or made to mean another file, and after something was set by it that a
//! call which waits has to go by. Where it knows nothing of the number that takes a look into a table,
//! and the call is libc's.
//!
//! The runtime's own descriptors do not exist for the program. To close one is `EBADF`, as it would be on OS
//! threads, where nothing is open under that number. A call that closes a range passes over them. One whose
//! number the program wants for another file makes way.
//!
//! # In a handler, or between `fork` and `exec`
//!
//! These are called there, and so may be libc's own. All names are looked up when the program starts.
//! In a child nothing is told. A handler may close what the runtime knows nothing of; a descriptor that
//! green threads use it may not, since it may have interrupted whoever holds the lock of its entry.
//!
//! # What does not come by
//!
//! The calls of libc's own functions, `fclose` excepted, and system calls that are made without libc.

use std::ffi::{c_int, c_uint, c_ulong, c_void};
use std::mem;
use std::time::Duration;

use sylvan::contract::io::Interest;
use sylvan::contract::numbers;

use crate::clock::CLOCK_GETTIME;
use crate::errno::{errno, fails, set_errno};
use crate::in_place_of_libc;
use crate::next::Next;
use crate::wait;
use crate::whole::is_whole;

in_place_of_libc! {
    close, close_range, closefrom, dup2, dup3, fclose, fcntl, fcntl64, ioctl, setsockopt,
}

static CLOSE: Next = Next::new(c"close");
static CLOSE_RANGE: Next = Next::new(c"close_range");
static CLOSEFROM: Next = Next::new(c"closefrom");
static DUP: Next = Next::new(c"dup");
static DUP2: Next = Next::new(c"dup2");
static DUP3: Next = Next::new(c"dup3");
static FCLOSE: Next = Next::new(c"fclose");
static FCNTL: Next = Next::new(c"fcntl");
static FCNTL64: Next = Next::new(c"fcntl64");
static IOCTL: Next = Next::new(c"ioctl");
static SETSOCKOPT: Next = Next::new(c"setsockopt");

/// Looks all of them up before the program begins.
#[used]
// SAFETY: a function without arguments, as the entries of the section are.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = {
    extern "C" fn look_up() {
        let all = [
            &CLOSE,
            &CLOSE_RANGE,
            &CLOSEFROM,
            &DUP,
            &DUP2,
            &DUP3,
            &FCLOSE,
            &FCNTL,
            &FCNTL64,
            &IOCTL,
        ];
        all.into_iter().chain([&SETSOCKOPT, &CLOCK_GETTIME]).for_each(|next| _ = next.get());
    }
    look_up
};

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    if !numbers::closing(fd) {
        return fails(libc::EBADF);
    }
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_int) -> c_int = unsafe { mem::transmute(CLOSE.get()) };
    // SAFETY: as the caller promises, here and below.
    unsafe { next(fd) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn fclose(stream: *mut libc::FILE) -> c_int {
    let before = errno();
    // SAFETY: as the caller promises.
    let fd = unsafe { libc::fileno(stream) };
    // There are streams without one, which is no error here.
    set_errno(before);
    // One of the runtime's own can have no stream.
    numbers::closing(fd);
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(*mut libc::FILE) -> c_int =
        unsafe { mem::transmute(FCLOSE.get()) };
    // SAFETY: as above.
    unsafe { next(stream) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn dup2(old: c_int, new: c_int) -> c_int {
    if numbers::is_hidden(old) {
        return fails(libc::EBADF);
    }
    numbers::replacing(new, old);
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_int, c_int) -> c_int = unsafe { mem::transmute(DUP2.get()) };
    // SAFETY: as above.
    duplicated(unsafe { next(old, new) }, old)
}

/// Says that a number is a duplicate of another one now, if it is one.
fn duplicated(new: c_int, of: c_int) -> c_int {
    // The mirror knows its own by other ways.
    if new >= 0 && is_whole() {
        numbers::duplicated(new, of);
    }
    new
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn dup3(old: c_int, new: c_int, flags: c_int) -> c_int {
    if numbers::is_hidden(old) {
        return fails(libc::EBADF);
    }
    if flags & !libc::O_CLOEXEC == 0 {
        numbers::replacing(new, old);
    }
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_int, c_int, c_int) -> c_int =
        unsafe { mem::transmute(DUP3.get()) };
    // SAFETY: as above.
    duplicated(unsafe { next(old, new, flags) }, old)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn dup(old: c_int) -> c_int {
    if numbers::is_hidden(old) {
        return fails(libc::EBADF);
    }
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_int) -> c_int = unsafe { mem::transmute(DUP.get()) };
    // SAFETY: as the caller promises.
    duplicated(unsafe { next(old) }, old)
}

/// As that of libc, which has it since version 2.34.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int {
    const CLOEXEC: c_int = 4;
    let next = CLOSE_RANGE.get();
    if next.is_null() {
        return fails(libc::ENOSYS);
    }
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_uint, c_uint, c_int) -> c_int =
        unsafe { mem::transmute(next) };
    let may_close = flags & CLOEXEC == 0 && first <= last;
    let Some(first) = c_int::try_from(first).ok().filter(|_| may_close) else {
        // SAFETY: as above, here and below.
        return unsafe { next(first, last, flags) };
    };
    let is_endless = c_int::try_from(last).is_err();
    let mut result = 0;
    numbers::closing_range(first, c_int::try_from(last).unwrap_or(c_int::MAX), |from, to| {
        let to = if is_endless && to == c_int::MAX { last } else { to.cast_unsigned() };
        if result == 0 {
            // SAFETY: as above.
            result = unsafe { next(from.cast_unsigned(), to, flags) };
        }
    });
    result
}

/// As that of libc, which has it since version 2.34.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn closefrom(first: c_int) {
    let rest = CLOSEFROM.get();
    numbers::closing_range(first.max(0), c_int::MAX, |from, to| {
        if to == c_int::MAX && !rest.is_null() {
            // SAFETY: libc's function has this type.
            let rest: unsafe extern "C" fn(c_int) = unsafe { mem::transmute(rest) };
            // SAFETY: as the caller promises, here and below.
            return unsafe { rest(from) };
        }
        for number in from..=to {
            // SAFETY: as above.
            unsafe { close(number) };
        }
    });
}

/// As that of libc. What is set of a descriptor counts for calls that wait for it.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    option: c_int,
    value: *const c_void,
    len: libc::socklen_t,
) -> c_int {
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_int, c_int, c_int, *const c_void, libc::socklen_t) -> c_int =
        unsafe { mem::transmute(SETSOCKOPT.get()) };
    // SAFETY: as the caller promises.
    let result = unsafe { next(fd, level, option, value, len) };
    if result == 0 && level == libc::SOL_SOCKET {
        match option {
            // SAFETY: the kernel has read it.
            libc::SO_RCVTIMEO => unsafe { timeout_was_set(fd, Interest::Read, value) },
            // SAFETY: as above.
            libc::SO_SNDTIMEO => unsafe { timeout_was_set(fd, Interest::Write, value) },
            libc::SO_RCVLOWAT => numbers::mark_was_set(fd),
            _ => {}
        }
    }
    result
}

/// # Safety
///
/// There is a `timeval`.
unsafe fn timeout_was_set(fd: c_int, interest: Interest, value: *const c_void) {
    // SAFETY: as the caller promises.
    let time = unsafe { value.cast::<libc::timeval>().read_unaligned() };
    let micros = Duration::from_micros(time.tv_usec.unsigned_abs());
    let timeout = match u64::try_from(time.tv_sec) {
        Ok(secs) => Some(Duration::from_secs(secs) + micros).filter(|timeout| !timeout.is_zero()),
        // The kernel does not wait then.
        Err(_) => Some(Duration::from_micros(1)),
    };
    numbers::timeout_was_set(fd, interest, timeout);
}

// `fcntl` and `ioctl` take one argument more where a request has one. On these architectures it is where
// a third argument always is; where there is none, whatever is there is passed on, which nobody looks at.

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn fcntl(fd: c_int, request: c_int, argument: c_ulong) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { fcntl_by(&FCNTL, fd, request, argument) }
}

/// As that of libc, which has it since version 2.28.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn fcntl64(fd: c_int, request: c_int, argument: c_ulong) -> c_int {
    // SAFETY: as the caller promises.
    unsafe {
        fcntl_by(if FCNTL64.get().is_null() { &FCNTL } else { &FCNTL64 }, fd, request, argument)
    }
}

unsafe fn fcntl_by(next: &Next, fd: c_int, request: c_int, argument: c_ulong) -> c_int {
    if numbers::is_hidden(fd) {
        return fails(libc::EBADF);
    }
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_int, c_int, ...) -> c_int =
        unsafe { mem::transmute(next.get()) };
    if matches!(request, libc::F_SETLKW | libc::F_OFD_SETLKW) && sylvan::is_green() {
        // SAFETY: as the caller promises.
        return wait::section(|| unsafe { next(fd, request, argument) });
    }
    // SAFETY: as the caller promises.
    let result = unsafe { next(fd, request, argument) };
    if result >= 0 && request == libc::F_SETFL {
        numbers::flag_was_set(fd);
    }
    if matches!(request, libc::F_DUPFD | libc::F_DUPFD_CLOEXEC) {
        return duplicated(result, fd);
    }
    result
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn ioctl(fd: c_int, request: c_ulong, argument: c_ulong) -> c_int {
    // SAFETY: libc's function has this type.
    let next: unsafe extern "C" fn(c_int, c_ulong, ...) -> c_int =
        unsafe { mem::transmute(IOCTL.get()) };
    // SAFETY: as the caller promises.
    let result = unsafe { next(fd, request, argument) };
    if result >= 0 && request == libc::FIONBIO {
        numbers::flag_was_set(fd);
    }
    result
}

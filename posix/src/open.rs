//! What opens and closes files, whoever may wait for it.
//!
//! To open may take long: a named pipe waits for its other side, a file may be a server's. So it is a blocking
//! section. Whoever opens says so to the runtime (`sylvan::contract::numbers`): what was known of the number is of an
//! earlier file, which was closed past us. What has just been made and can be waited for is known as such, so
//! that waits for it ask the kernel nothing. Nothing is registered with an event loop before somebody waits.
//!
//! # Streams
//!
//! `FILE`s read and write by libc's inner calls, which do not come by. A green thread that waits in `fgets`
//! holds its OS thread, as in any call that blocks past us: the monitor gives its core to another. It holds
//! the stream's lock meanwhile, which knows its owner by the thread pointer, and so by the green thread.

use std::ffi::{c_char, c_int, c_uint};

use libc::{DIR, FILE, mode_t, sigset_t};
use sylvan::contract::numbers;

use crate::cancel::around;
use crate::errno::{errno, set_errno};
use crate::kind::Kind;
use crate::next::libcs;
use crate::wait::section;

libcs! {
    open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    openat(folder: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int;
    __open_2(path: *const c_char, flags: c_int) -> c_int;
    __openat_2(folder: c_int, path: *const c_char, flags: c_int) -> c_int;
    creat(path: *const c_char, mode: mode_t) -> c_int;
    memfd_create(name: *const c_char, flags: c_uint) -> c_int;
    posix_openpt(flags: c_int) -> c_int;
    mkstemp(template: *mut c_char) -> c_int;
    mkostemp(template: *mut c_char, flags: c_int) -> c_int;
    pipe2(pair: *mut c_int, flags: c_int) -> c_int;
    eventfd(value: c_uint, flags: c_int) -> c_int;
    timerfd_create(clock: c_int, flags: c_int) -> c_int;
    signalfd(fd: c_int, set: *const sigset_t, flags: c_int) -> c_int;
    inotify_init1(flags: c_int) -> c_int;
    epoll_create(size: c_int) -> c_int;
    epoll_create1(flags: c_int) -> c_int;
    fopen(path: *const c_char, mode: *const c_char) -> *mut FILE;
    freopen(path: *const c_char, mode: *const c_char, stream: *mut FILE) -> *mut FILE;
    tmpfile() -> *mut FILE;
    closedir(folder: *mut DIR) -> c_int;
}

/// A number has come in, if there is one.
fn opened(fd: c_int) -> c_int {
    if fd >= 0 {
        numbers::opened(fd);
    }
    fd
}

/// The same for what this process has just made, and which blocks unless `flags` say otherwise.
fn made(fd: c_int, kind: Kind, flags: c_int) -> c_int {
    if fd >= 0 {
        numbers::made(fd, kind as u32);
        if flags & libc::O_NONBLOCK != 0 {
            numbers::flag_was_set(fd);
        }
    }
    fd
}

/// The descriptor of a stream; some have none.
unsafe fn number_of(stream: *mut FILE) -> c_int {
    let before = errno();
    // SAFETY: a stream, as the caller promises.
    let fd = unsafe { libc::fileno(stream) };
    set_errno(before);
    fd
}

macro_rules! openers {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C-unwind" fn $name($($argument: $type),*) -> c_int {
            // SAFETY: as the caller promises.
            around(|| opened(section(|| unsafe { libcs::$name($($argument),*) })))
        }
    )+};
}

// On these architectures files are as large in all of libc's forms. A mode that is not given is whatever is
// in its register, which nobody looks at.
openers! {
    open(path: *const c_char, flags: c_int, mode: mode_t);
    openat(folder: c_int, path: *const c_char, flags: c_int, mode: mode_t);
    __open_2(path: *const c_char, flags: c_int);
    __openat_2(folder: c_int, path: *const c_char, flags: c_int);
    creat(path: *const c_char, mode: mode_t);
    mkstemp(template: *mut c_char);
    mkostemp(template: *mut c_char, flags: c_int);
    memfd_create(name: *const c_char, flags: c_uint);
    posix_openpt(flags: c_int);
}

macro_rules! stream_openers {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C-unwind" fn $name($($argument: $type),*) -> *mut FILE {
            // SAFETY: as the caller promises.
            let stream = section(|| Passed(unsafe { libcs::$name($($argument),*) })).0;
            if !stream.is_null() {
                // SAFETY: it was opened.
                opened(unsafe { number_of(stream) });
            }
            stream
        }
    )+};
}

/// What libc has returned in a section, which is made on the calling thread.
struct Passed<T>(T);

// SAFETY: it does not leave the thread.
unsafe impl<T> Send for Passed<T> {}

stream_openers! {
    fopen(path: *const c_char, mode: *const c_char);
    tmpfile();
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn freopen(
    path: *const c_char,
    mode: *const c_char,
    stream: *mut FILE,
) -> *mut FILE {
    // SAFETY: as the caller promises, here and below.
    numbers::closing(unsafe { number_of(stream) });
    // SAFETY: as above.
    let stream = section(|| Passed(unsafe { libcs::freopen(path, mode, stream) })).0;
    if !stream.is_null() {
        // SAFETY: as above.
        opened(unsafe { number_of(stream) });
    }
    stream
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn closedir(folder: *mut DIR) -> c_int {
    // SAFETY: as the caller promises, here and below.
    numbers::closing(unsafe { libc::dirfd(folder) });
    // SAFETY: as above.
    section(|| unsafe { libcs::closedir(folder) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pipe(pair: *mut c_int) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { pipe2(pair, 0) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pipe2(pair: *mut c_int, flags: c_int) -> c_int {
    // SAFETY: as the caller promises, here and below.
    let result = unsafe { libcs::pipe2(pair, flags) };
    if result == 0 {
        // SAFETY: as above.
        for fd in unsafe { [*pair, *pair.add(1)] } {
            made(fd, Kind::Pipe, flags);
        }
    }
    result
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn eventfd(value: c_uint, flags: c_int) -> c_int {
    // SAFETY: as the caller promises.
    made(unsafe { libcs::eventfd(value, flags) }, Kind::Counter, flags)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn timerfd_create(clock: c_int, flags: c_int) -> c_int {
    // SAFETY: as the caller promises.
    made(unsafe { libcs::timerfd_create(clock, flags) }, Kind::Pipe, flags)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn signalfd(fd: c_int, set: *const sigset_t, flags: c_int) -> c_int {
    // SAFETY: as the caller promises.
    let result = unsafe { libcs::signalfd(fd, set, flags) };
    if fd < 0 { made(result, Kind::Pipe, flags) } else { result }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn inotify_init() -> c_int {
    // SAFETY: as the caller promises.
    unsafe { inotify_init1(0) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn inotify_init1(flags: c_int) -> c_int {
    // SAFETY: as the caller promises.
    made(unsafe { libcs::inotify_init1(flags) }, Kind::Polled, flags)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn epoll_create(size: c_int) -> c_int {
    // SAFETY: as the caller promises.
    made(unsafe { libcs::epoll_create(size) }, Kind::Polled, 0)
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn epoll_create1(flags: c_int) -> c_int {
    // SAFETY: as the caller promises.
    made(unsafe { libcs::epoll_create1(flags) }, Kind::Polled, 0)
}

pub use {
    __open_2 as __open64_2, __openat_2 as __openat64_2, creat as creat64, fopen as fopen64,
    freopen as freopen64, mkostemp as mkostemp64, mkstemp as mkstemp64, open as open64,
    openat as openat64, tmpfile as tmpfile64,
};

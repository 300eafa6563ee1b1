//! Calls that move bytes at a place of a file, or from one descriptor to another.
//!
//! A file's are blocking sections. A call that moves bytes between two descriptors has no form that does not
//! block. A green thread waits until both sides are ready, so that it holds no OS thread while it has
//! nothing to move. Then it makes the call in a section, and is held there while the other side takes the
//! bytes.

use std::ffi::{c_int, c_uint, c_void};
use std::io;

use libc::{iovec, off_t, size_t, ssize_t};
use sylvan::contract::io::{Attempt, Interest};
use sylvan::is_green;

use crate::cancel::around;
use crate::errno::{number_of, set_errno};
use crate::kind::Kind;
use crate::next::libcs;
use crate::transfer::{attempt, check, is_ready, readv, writev};
use crate::wait::section;

libcs! {
    pread(fd: c_int, to: *mut c_void, room: size_t, at: off_t) -> ssize_t;
    pwrite(fd: c_int, from: *const c_void, len: size_t, at: off_t) -> ssize_t;
    preadv(fd: c_int, to: *const iovec, n: c_int, at: off_t) -> ssize_t;
    pwritev(fd: c_int, from: *const iovec, n: c_int, at: off_t) -> ssize_t;
    preadv2(fd: c_int, to: *const iovec, n: c_int, at: off_t, flags: c_int) -> ssize_t;
    pwritev2(fd: c_int, from: *const iovec, n: c_int, at: off_t, flags: c_int) -> ssize_t;
    sendfile(to: c_int, from: c_int, at: *mut off_t, len: size_t) -> ssize_t;
    splice(
        from: c_int, at: *mut off_t, to: c_int, to_at: *mut off_t, len: size_t, flags: c_uint
    ) -> ssize_t;
    tee(from: c_int, to: c_int, len: size_t, flags: c_uint) -> ssize_t;
    copy_file_range(
        from: c_int, at: *mut off_t, to: c_int, to_at: *mut off_t, len: size_t, flags: c_uint
    ) -> ssize_t;
}

/// Calls of files, at a place: blocking sections.
macro_rules! sections {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C-unwind" fn $name($($argument: $type),*) -> ssize_t {
            // SAFETY: as the caller promises.
            around(|| section(|| unsafe { libcs::$name($($argument),*) }))
        }
    )+};
}

sections! {
    pread(fd: c_int, to: *mut c_void, room: size_t, at: off_t);
    pwrite(fd: c_int, from: *const c_void, len: size_t, at: off_t);
    preadv(fd: c_int, to: *const iovec, n: c_int, at: off_t);
    pwritev(fd: c_int, from: *const iovec, n: c_int, at: off_t);
    copy_file_range(
        from: c_int, at: *mut off_t, to: c_int, to_at: *mut off_t, len: size_t, flags: c_uint
    );
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn preadv2(
    fd: c_int,
    to: *const iovec,
    n: c_int,
    at: off_t,
    flags: c_int,
) -> ssize_t {
    if at == -1 && flags == 0 {
        // SAFETY: as the caller promises.
        return unsafe { readv(fd, to, n) };
    }
    // SAFETY: as above.
    section(|| unsafe { libcs::preadv2(fd, to, n, at, flags) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pwritev2(
    fd: c_int,
    from: *const iovec,
    n: c_int,
    at: off_t,
    flags: c_int,
) -> ssize_t {
    if at == -1 && flags == 0 {
        // SAFETY: as the caller promises.
        return unsafe { writev(fd, from, n) };
    }
    // SAFETY: as above.
    section(|| unsafe { libcs::pwritev2(fd, from, n, at, flags) })
}

/// Makes a call between two descriptors, when both sides are ready if it `is_patient`.
fn between(from: c_int, to: c_int, is_patient: bool, make: impl Fn() -> ssize_t) -> ssize_t {
    around(|| {
        if is_green() && is_patient {
            for (fd, interest) in [(from, Interest::Read), (to, Interest::Write)] {
                if Kind::of(fd).is_none_or(|kind| kind == Kind::File) {
                    continue;
                }
                let ready = attempt(fd, interest, |fd, _| match is_ready(fd, interest) {
                    true => Ok(Attempt::Done(())),
                    false => Err(io::ErrorKind::WouldBlock.into()),
                });
                if let Err(error) = ready {
                    set_errno(number_of(&error));
                    return -1;
                }
            }
        }
        section(make)
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn sendfile(
    to: c_int,
    from: c_int,
    at: *mut off_t,
    len: size_t,
) -> ssize_t {
    // SAFETY: as the caller promises.
    between(from, to, true, || unsafe { libcs::sendfile(to, from, at, len) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn splice(
    from: c_int,
    at: *mut off_t,
    to: c_int,
    to_at: *mut off_t,
    len: size_t,
    flags: c_uint,
) -> ssize_t {
    let is_patient = flags & libc::SPLICE_F_NONBLOCK == 0;
    // SAFETY: as the caller promises.
    between(from, to, is_patient, || unsafe { libcs::splice(from, at, to, to_at, len, flags) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn tee(from: c_int, to: c_int, len: size_t, flags: c_uint) -> ssize_t {
    let is_patient = flags & libc::SPLICE_F_NONBLOCK == 0;
    // SAFETY: as the caller promises.
    between(from, to, is_patient, || unsafe { libcs::tee(from, to, len, flags) })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn __pread_chk(
    fd: c_int,
    to: *mut c_void,
    len: size_t,
    at: off_t,
    room: size_t,
) -> ssize_t {
    // SAFETY: as the caller promises.
    unsafe {
        check(len, room);
        pread(fd, to, len, at)
    }
}

pub use {
    __pread_chk as __pread64_chk, pread as pread64, preadv as preadv64, pwrite as pwrite64,
    pwritev as pwritev64, sendfile as sendfile64,
};

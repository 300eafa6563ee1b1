//! `errno`, and the ways in which functions of libc's say their errors.

use std::ffi::c_int;
use std::io;

pub(crate) fn errno() -> c_int {
    // SAFETY: the place is the thread's own.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set_errno(error: c_int) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = error };
}

/// `errno` and -1.
pub(crate) fn fails(error: c_int) -> c_int {
    set_errno(error);
    -1
}

/// 0 if there is no error; else `errno` and -1.
pub(crate) fn zero_or_fails(error: c_int) -> c_int {
    if error == 0 { 0 } else { fails(error) }
}

/// The number of an error.
pub(crate) fn number_of(error: &io::Error) -> c_int {
    error.raw_os_error().unwrap_or_else(|| match error.kind() {
        io::ErrorKind::WouldBlock => libc::EAGAIN,
        io::ErrorKind::Interrupted => libc::EINTR,
        io::ErrorKind::OutOfMemory => libc::ENOMEM,
        io::ErrorKind::InvalidInput => libc::EINVAL,
        _ => libc::EIO,
    })
}

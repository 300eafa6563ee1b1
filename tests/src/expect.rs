//! What tests of sockets expect of a call's answer.

use std::fmt::Debug;
use std::io::{ErrorKind, Read, Result};

/// The call would have had to wait.
///
/// # Panics
///
/// Where it says anything else, or not by the kernel's number.
#[track_caller]
pub fn would_block<T: Debug>(result: Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
}

/// The call has refused an argument, in these words.
///
/// # Panics
///
/// Where it says anything else.
#[track_caller]
pub fn invalid_input<T: Debug>(result: Result<T>, message: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(error.to_string(), message);
}

/// Three bytes and four, which came together, are read one after the other.
///
/// # Panics
///
/// Where a read brings another number of bytes.
#[track_caller]
pub fn two_parts(from: &mut impl Read, buf: &mut [u8]) {
    assert_eq!(from.read(buf).unwrap(), 3);
    assert_eq!(from.read(buf).unwrap(), 4);
}

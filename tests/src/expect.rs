//! What tests of sockets expect of a call's answer.

use std::fmt::Debug;
use std::io::{ErrorKind, Read, Result};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::io::ioctl_fionread;

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

/// Waits until a writer at the other end of a stream waits for room: something has come, and then no more.
///
/// # Panics
///
/// Where the kernel does not say how much there is.
pub fn until_the_writer_waits(stream: &impl AsFd) {
    const LONG_ENOUGH: Duration = Duration::from_millis(100);
    let n_bytes = || ioctl_fionread(stream).expect("a stream");
    let mut before = 0;
    loop {
        let now = n_bytes();
        if now == before && now > 0 {
            return;
        }
        before = now;
        std::thread::sleep(LONG_ENOUGH);
    }
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

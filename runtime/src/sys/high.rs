//! High numbers for the runtime's own descriptors, out of the way of a program that counts on the lowest
//! free ones.

use std::os::fd::{AsFd, IntoRawFd, OwnedFd, RawFd};

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Resource, getrlimit};

/// Beyond this the kernel's own table would have to grow.
const HIGH: u64 = 1024;

/// A duplicate of `fd` under a number in the upper quarter of those that a process has, most often;
/// under any, if none is free there.
pub(crate) fn duplicate(fd: impl AsFd) -> Result<OwnedFd, Errno> {
    duplicate_above(fd, 0)
}

/// The same, and above a number, if one is free there.
fn duplicate_above(fd: impl AsFd, number: RawFd) -> Result<OwnedFd, Errno> {
    let n_allowed = getrlimit(Resource::Nofile).current.unwrap_or(HIGH).min(HIGH);
    let first = i32::try_from(n_allowed / 4 * 3).unwrap_or(0).max(number + 1);
    fcntl_dupfd_cloexec(&fd, first).or_else(|_| fcntl_dupfd_cloexec(&fd, 0))
}

/// Moves `fd` to such a number, if it can.
pub(crate) fn moved_above(fd: OwnedFd, number: RawFd) -> OwnedFd {
    let Ok(moved) = duplicate_above(&fd, number) else { return fd };
    // SAFETY: owned. To drop it would be to call libc's function.
    unsafe { super::file::close(fd.into_raw_fd()) };
    moved
}

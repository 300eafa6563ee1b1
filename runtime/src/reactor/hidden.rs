//! A descriptor of the runtime's own, under a number that the program could close.
//!
//! For the program there is no such descriptor: to close it is `EBADF`, as on OS threads, where the
//! number would not be open (`numbers`). Should the number come to mean another file all the same, that
//! one is left alone.

use std::os::fd::{BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use super::{Interest, Seen, entry};

#[derive(Debug)]
pub(crate) struct Hidden {
    fd: RawFd,
    /// What its entry said when it was hidden.
    seen: Seen,
}

impl Hidden {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        let fd = fd.into_raw_fd();
        Self { fd, seen: entry(fd).hide() }
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: owned, and not -1. Where the program has put another file in its place, it is that one
        // which is asked.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let entry = entry(self.fd);
        if entry.is_ours() && entry.is_still(Interest::Read, self.seen) {
            entry.detach(self.as_fd());
            // SAFETY: owned, and about to be forgotten. Not by libc, whose `close` would see the mark.
            unsafe { rustix::io::close(self.fd) };
        }
    }
}

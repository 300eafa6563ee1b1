//! A descriptor of the runtime's own, under a number that the program could close.
//!
//! For the program there is no such descriptor: to close it is `EBADF`, as on OS threads, where the
//! number would not be open (`numbers`). Should the number come to mean another file all the same, that
//! one is left alone.

use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use super::{Entry, Interest, Origin, Seen, entry};
use crate::sys::{file, high};

/// A descriptor of the caller's own, of which the program knows nothing, until it is dropped.
#[derive(Debug)]
pub struct Hidden {
    fd: RawFd,
    /// What its entry said when it was hidden.
    seen: Seen,
}

impl Hidden {
    /// Takes in a descriptor that the caller has just made; `None` if there is no memory for its entry.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Option<Self> {
        let entry = entry(fd.as_fd())?;
        entry.attach(fd.as_fd(), Origin::Fresh);
        Some(Self::of_attached(fd, entry))
    }

    /// Takes in a duplicate of `fd` that is to be kept for long: under a high number, out of the way of a program
    /// that counts on the lowest free ones. `None` also if there is no descriptor to be had.
    #[must_use]
    pub fn kept(fd: BorrowedFd<'_>) -> Option<Self> {
        Self::new(high::duplicate(fd).ok()?)
    }

    /// Takes in one that has been announced, with its entry.
    pub(super) fn of_attached(fd: OwnedFd, entry: &Entry) -> Self {
        Self { fd: fd.into_raw_fd(), seen: entry.hide() }
    }

    /// The descriptor.
    #[must_use]
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: owned, and not -1. Where the program has put another file in its place, it is that one
        // which is asked.
        unsafe { BorrowedFd::borrow_raw(self.fd) }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let Some(entry) = entry(self.fd) else { return };
        if entry.is_ours() && entry.is_still(Interest::Read, self.seen) {
            entry.detach(self.as_fd());
            // SAFETY: owned, and about to be forgotten. Not by libc, whose `close` would see the mark.
            unsafe { file::close(self.fd) };
        }
    }
}

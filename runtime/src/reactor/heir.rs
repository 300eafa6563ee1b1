//! Files whose numbers are gone, for those who wait for them.
//!
//! Who closes a number that others wait under keeps a descriptor of the file here first. Each of those
//! who wait is told which, goes on with that one, and gives it up when its call has ended; the last one
//! closes it. As in the kernel, where a call that waits holds the file.

use std::os::fd::{AsRawFd, BorrowedFd};

use super::entry::Entry;
use super::{Hidden, entry};
use crate::lock::Lock;
use crate::sys::{file, high};

/// A share in a file that is kept.
#[derive(Debug)]
pub(crate) struct Heir(u32);

struct Kept {
    id: u32,
    fd: Hidden,
    n_shares: u32,
}

struct All {
    last_id: u32,
    kept: Vec<Kept>,
}

/// Few, if any.
static ALL: Lock<All> = Lock::new(All { last_id: 0, kept: Vec::new() });

/// Keeps a descriptor of the file of `fd`, whose entry is `of`; `None` if the process may have no more, or
/// no memory for it.
pub(super) fn keep(fd: BorrowedFd<'_>, of: &Entry) -> Option<Heir> {
    let kept = high::duplicate(fd).ok()?;
    let number = kept.as_raw_fd();
    let its = entry(number)?;
    its.attach_duplicate(number, of, fd.as_raw_fd());
    let fd = Hidden::of_attached(kept, its);
    let mut all = ALL.lock();
    // 0 is none.
    all.last_id = all.last_id.checked_add(1).unwrap_or(1);
    let id = all.last_id;
    all.kept.push(Kept { id, fd, n_shares: 1 });
    Some(Heir(id))
}

/// In a child of a fork: nobody of the parent's goes on here.
///
/// # Safety
///
/// The process has one thread, which is in none of the functions of this module.
pub(super) unsafe fn forget() {
    if ALL.is_free() {
        for kept in ALL.lock().kept.iter() {
            // SAFETY: the child's copy, which nobody has.
            unsafe { file::close(kept.fd.as_fd().as_raw_fd()) };
        }
    }
    // SAFETY: as the caller promises.
    unsafe { ALL.renew(All { last_id: 0, kept: Vec::new() }) };
}

impl Heir {
    /// The share that somebody was told of by its id; `None` for 0.
    pub(super) fn new(id: u32) -> Option<Self> {
        (id != 0).then(|| Self(id))
    }

    /// Makes `n` more shares; the id to be told.
    pub(super) fn share(&self, n: u32) -> u32 {
        self.with(|kept| kept.n_shares += n);
        self.0
    }

    /// The descriptor, for as long as this share lasts.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        let number = self.with(|kept| kept.fd.as_fd().as_raw_fd());
        // SAFETY: open as long as there is a share.
        unsafe { BorrowedFd::borrow_raw(number) }
    }

    fn with<T>(&self, f: impl FnOnce(&mut Kept) -> T) -> T {
        let mut all = ALL.lock();
        let kept = all.kept.iter_mut().find(|kept| kept.id == self.0);
        f(kept.expect("kept while there is a share"))
    }
}

impl Drop for Heir {
    fn drop(&mut self) {
        let mut all = ALL.lock();
        let at = all.kept.iter().position(|kept| kept.id == self.0);
        let at = at.expect("kept while there is a share");
        all.kept[at].n_shares -= 1;
        let last = (all.kept[at].n_shares == 0).then(|| all.kept.swap_remove(at));
        drop(all);
        // Takes the lock of its entry.
        drop(last);
    }
}

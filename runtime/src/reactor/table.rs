//! The table of descriptors, by number: grown in chunks, never moved, never shrunk.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use super::entry::Entry;
use crate::primitive::{AtomicPtr, Ordering};

const CHUNK_LOG2: u32 = 10;
const CHUNK: usize = 1 << CHUNK_LOG2;
/// Chunks for 2^24 descriptors: the kernel's own limit per process is 2^20 unless it is raised.
const N_CHUNKS: usize = 1 << 14;

static CHUNKS: [AtomicPtr<[Entry; CHUNK]>; N_CHUNKS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; N_CHUNKS];

/// What a descriptor's number leads to.
pub(crate) trait Number {
    fn number(&self) -> RawFd;
}

impl Number for RawFd {
    fn number(&self) -> RawFd {
        *self
    }
}

impl Number for BorrowedFd<'_> {
    fn number(&self) -> RawFd {
        self.as_raw_fd()
    }
}

/// The entry of a descriptor.
#[inline]
pub(crate) fn entry(fd: impl Number) -> &'static Entry {
    let number = usize::try_from(fd.number()).expect("descriptors are not negative");
    let chunk = &CHUNKS[number >> CHUNK_LOG2];
    // Acquire pairs with the release in `make`.
    let entries = chunk.load(Ordering::Acquire);
    // SAFETY: null, or a chunk that `make` leaked.
    let entries = unsafe { entries.as_ref() }.unwrap_or_else(|| make(chunk));
    &entries[number % CHUNK]
}

#[cold]
fn make(chunk: &AtomicPtr<[Entry; CHUNK]>) -> &'static [Entry; CHUNK] {
    let entries: Box<[Entry]> = (0..CHUNK).map(|_| Entry::new()).collect();
    let entries: Box<[Entry; CHUNK]> = entries.try_into().ok().expect("of that length");
    let new = Box::into_raw(entries);
    // Release pairs with the acquire in `entry`.
    match chunk.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
        // SAFETY: leaked, here and by whoever was first.
        Ok(_) => unsafe { &*new },
        Err(first) => {
            // SAFETY: nobody else has seen `new`.
            drop(unsafe { Box::from_raw(new) });
            // SAFETY: as above.
            unsafe { &*first }
        }
    }
}

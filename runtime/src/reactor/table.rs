//! The table of descriptors, by number: grown in chunks, never moved, never shrunk.
//!
//! Where there is no memory for a chunk its descriptors have no entry: who would wait is told so, and all
//! else goes on as with a descriptor of which nothing is known.
//!
//! A child of a fork begins a table of its own. Of that of its parent it keeps in view what each entry
//! knows of `O_NONBLOCK` (`flag`), and reads it when it makes a chunk.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use sylvan_sight::table;

use super::entry::Entry;
use crate::primitive::{AtomicPtr, AtomicUsize, Ordering};

const CHUNK_LOG2: u32 = 10;
const CHUNK: usize = 1 << CHUNK_LOG2;
/// Chunks for 2^24 descriptors: the kernel's own limit per process is 2^20 unless it is raised.
const N_CHUNKS: usize = 1 << 14;

/// Where who waits for a descriptor is.
#[cfg(not(sylvan_loom))]
pub(crate) const LAYOUT: table::Entries = table::Entries {
    n_chunks: N_CHUNKS as u64,
    per_chunk: CHUNK as u64,
    stride: size_of::<Entry>() as u64,
    readers: Entry::WAITERS_AT[0] as u64,
    writers: Entry::WAITERS_AT[1] as u64,
};

pub(crate) static CHUNKS: [AtomicPtr<[Entry; CHUNK]>; N_CHUNKS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; N_CHUNKS];

/// The same, of the process that this one was forked off, or of one before that.
static INHERITED: [AtomicPtr<[Entry; CHUNK]>; N_CHUNKS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; N_CHUNKS];

/// Behind the last chunk that there is.
static END: AtomicUsize = AtomicUsize::new(0);

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

/// The entry of a descriptor; `None` if there is no memory for it, or the number is beyond the table.
#[inline]
pub(crate) fn entry(fd: impl Number) -> Option<&'static Entry> {
    let number = usize::try_from(fd.number()).expect("descriptors are not negative");
    let index = number >> CHUNK_LOG2;
    let entries = made(CHUNKS.get(index)?).or_else(|| make(index))?;
    Some(&entries[number % CHUNK])
}

/// The same for who has to have it.
///
/// # Errors
///
/// `ENOMEM`.
#[inline]
pub(crate) fn try_entry(fd: impl Number) -> Result<&'static Entry, Errno> {
    entry(fd).ok_or(Errno::NOMEM)
}

/// The entry of a number of which something is known: to ask takes no memory.
pub(crate) fn known(number: RawFd) -> Option<&'static Entry> {
    let number = usize::try_from(number).ok()?;
    let entries = made(CHUNKS.get(number >> CHUNK_LOG2)?)?;
    Some(&entries[number % CHUNK]).filter(|entry| entry.is_known())
}

/// Calls `f` with each number from `first` to `last` of which something is known.
pub(crate) fn each_known(first: RawFd, last: RawFd, mut f: impl FnMut(RawFd, &'static Entry)) {
    let (first, last) = (first.max(0), last.max(0));
    let chunks = CHUNKS.iter().zip((0..).step_by(CHUNK));
    for (chunk, begin) in chunks.filter(|(_, begin)| *begin <= last) {
        let Some(entries) = made(chunk) else { continue };
        for (entry, number) in entries.iter().zip(begin..) {
            if (first..=last).contains(&number) && entry.is_known() {
                f(number, entry);
            }
        }
    }
}

#[inline]
fn made(chunk: &AtomicPtr<[Entry; CHUNK]>) -> Option<&'static [Entry; CHUNK]> {
    // SAFETY: null, or a chunk that `make` leaked. Acquire pairs with the release in `make`.
    unsafe { chunk.load(Ordering::Acquire).as_ref() }
}

#[cold]
fn make(index: usize) -> Option<&'static [Entry; CHUNK]> {
    let chunk = &CHUNKS[index];
    // SAFETY: null, or a chunk that was leaked, in the process that it is of.
    let inherited = unsafe { INHERITED[index].load(Ordering::Relaxed).as_ref() };
    let new = |at: usize| inherited.map_or_else(Entry::new, |entries| entries[at].inherit());
    let mut entries = Vec::new();
    entries.try_reserve_exact(CHUNK).ok()?;
    entries.extend((0..CHUNK).map(new));
    // For a child of a fork, which sees all that this process has done.
    END.fetch_max(index + 1, Ordering::Relaxed);
    let entries: Box<[Entry; CHUNK]> = entries.try_into().ok().expect("of that length");
    let new = Box::into_raw(entries);
    // Release pairs with the acquire in `made`.
    let there = chunk
        .compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire)
        .map(|_| new)
        .unwrap_or_else(|first| {
            // SAFETY: nobody else has seen `new`.
            drop(unsafe { Box::from_raw(new) });
            first
        });
    // SAFETY: leaked, here or by whoever was first.
    Some(unsafe { &*there })
}

/// In a child of a fork: begins a new table.
pub(super) fn forget() {
    for (chunk, inherited) in CHUNKS.iter().zip(&INHERITED).take(END.load(Ordering::Relaxed)) {
        let entries = chunk.swap(ptr::null_mut(), Ordering::Relaxed);
        if !entries.is_null() {
            inherited.store(entries, Ordering::Relaxed);
        }
    }
}

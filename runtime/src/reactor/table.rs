//! The table of descriptors, by number: grown in chunks, never moved, never shrunk.
//!
//! Where there is no memory for a chunk its descriptors have no entry: who would wait is told so, and all
//! else goes on as with a descriptor of which nothing is known.
//!
//! A child of a fork begins a table of its own. Of that of its parent it keeps in view what each entry
//! knows of `O_NONBLOCK` (`options`), and reads it when it makes a chunk. A number that goes out, or comes in,
//! before there is a chunk for it is *disowned*: what the parent knew of it is not read any more.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::ptr;

use rustix::io::Errno;
use sylvan_sight::table;

use super::entry::Entry;
use crate::lock::Lock;
use crate::primitive::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use crate::sys::thread;
use crate::timer::Bell;

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

/// What there is of the descriptors with neighbouring numbers.
#[repr(C)]
pub(crate) struct Chunk {
    // The first field: those who look from outside find it where the chunk is.
    entries: [Entry; CHUNK],
    /// For those that somebody waits for until a time.
    bells: [Bell; CHUNK],
}

pub(crate) static CHUNKS: [AtomicPtr<Chunk>; N_CHUNKS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; N_CHUNKS];

/// The same, of the process that this one was forked off, or of one before that.
static INHERITED: [AtomicPtr<Chunk>; N_CHUNKS] =
    [const { AtomicPtr::new(ptr::null_mut()) }; N_CHUNKS];

/// Behind the last chunk that there is.
static END: AtomicUsize = AtomicUsize::new(0);

/// The process that has inherited; 0 if none. One that `vfork` has made shares its memory.
static HEIR: AtomicU32 = AtomicU32::new(0);

/// Whoever makes a chunk, or disowns a number. Orders what is read of the parent's chunks.
static MAKING: Lock<()> = Lock::new(());

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
    let chunk = made(CHUNKS.get(index)?).or_else(|| make(index))?;
    Some(&chunk.entries[number % CHUNK])
}

/// The bell of a descriptor that has an entry.
pub(super) fn bell(fd: impl Number) -> Option<&'static Bell> {
    let number = usize::try_from(fd.number()).ok()?;
    Some(&made(CHUNKS.get(number >> CHUNK_LOG2)?)?.bells[number % CHUNK])
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
    let chunk = made(CHUNKS.get(number >> CHUNK_LOG2)?)?;
    Some(&chunk.entries[number % CHUNK]).filter(|entry| entry.is_known())
}

/// As [`known`]; where that is nothing, and the parent knew something, `amend` changes what is to be read of it.
pub(crate) fn known_or(number: RawFd, amend: impl FnOnce(&Entry)) -> Option<&'static Entry> {
    let known = known(number);
    if known.is_none()
        && let Some(inherited) = inherited(number)
    {
        let _making = MAKING.lock();
        // Whoever has made a chunk meanwhile has read it.
        let made = self::known(number);
        if made.is_none() {
            amend(inherited);
        }
        return made;
    }
    known
}

/// As [`known`], of a number that goes out or comes in.
pub(crate) fn known_or_disowned(number: RawFd) -> Option<&'static Entry> {
    known_or(number, Entry::disown)
}

/// As [`entry`], of a number that goes out or comes in.
pub(crate) fn entry_or_disowned(fd: impl Number) -> Option<&'static Entry> {
    let number = fd.number();
    entry(fd).or_else(|| known_or_disowned(number))
}

/// What the parent knew of a number, if this process has no entry for it, and the parent knew anything.
pub(crate) fn inherited(number: RawFd) -> Option<&'static Entry> {
    let number = usize::try_from(number).ok()?;
    let index = number >> CHUNK_LOG2;
    let entry = &made(INHERITED.get(index)?)?.entries[number % CHUNK];
    let is_to_be_read = made(&CHUNKS[index]).is_none() && entry.is_known();
    // The process comes last: it takes a system call.
    Some(entry).filter(|_| is_to_be_read && HEIR.load(Ordering::Relaxed) == thread::process())
}

/// Calls `f` with each number from `first` to `last` of which something is known.
pub(crate) fn each_known(first: RawFd, last: RawFd, mut f: impl FnMut(RawFd, &'static Entry)) {
    let (first, last) = (first.max(0), last.max(0));
    let chunks = CHUNKS.iter().zip((0..).step_by(CHUNK));
    for (chunk, begin) in chunks.filter(|(_, begin)| *begin <= last) {
        let Some(chunk) = made(chunk) else { continue };
        for (entry, number) in chunk.entries.iter().zip(begin..) {
            if (first..=last).contains(&number) && entry.is_known() {
                f(number, entry);
            }
        }
    }
}

/// The numbers from `first` to `last` go out: what the parent knew of them is disowned.
pub(crate) fn disown(first: RawFd, last: RawFd) {
    if HEIR.load(Ordering::Relaxed) != 0 {
        let end = RawFd::try_from(END.load(Ordering::Relaxed) << CHUNK_LOG2).unwrap_or(RawFd::MAX);
        (first.max(0)..=last).take_while(|number| *number < end).for_each(|number| {
            known_or_disowned(number);
        });
    }
}

#[inline]
fn made(chunk: &AtomicPtr<Chunk>) -> Option<&'static Chunk> {
    // SAFETY: null, or a chunk that was leaked, in this process or in one that it was forked off. Acquire pairs
    // with the release in `make`.
    unsafe { chunk.load(Ordering::Acquire).as_ref() }
}

#[cold]
fn make(index: usize) -> Option<&'static Chunk> {
    let chunk = &CHUNKS[index];
    let mut place: Vec<Chunk> = Vec::new();
    place.try_reserve_exact(1).ok()?;
    let _making = MAKING.lock();
    if let Some(chunk) = made(chunk) {
        return Some(chunk);
    }
    let inherited = made(&INHERITED[index]);
    let entry = |at: usize| inherited.map_or_else(Entry::new, |chunk| chunk.entries[at].inherit());
    let new = place.as_mut_ptr();
    for at in 0..CHUNK {
        let number = (index * CHUNK + at) as u32;
        // SAFETY: there is room for one, which is written piece by piece: it is too large for a stack.
        unsafe {
            (&raw mut (*new).entries[at]).write(entry(at));
            (&raw mut (*new).bells[at]).write(Bell::new(number));
        }
    }
    // For a child of a fork, which sees all that this process has done.
    END.fetch_max(index + 1, Ordering::Relaxed);
    // It is there for good.
    mem::forget(place);
    // Release pairs with the acquire in `made`.
    chunk.store(new, Ordering::Release);
    made(chunk)
}

/// In a child of a fork: begins a new table.
///
/// # Safety
///
/// The process has one thread, which is in none of the functions of this module.
pub(super) unsafe fn forget() {
    // SAFETY: as the caller promises.
    unsafe { MAKING.renew(()) };
    HEIR.store(thread::process(), Ordering::Relaxed);
    for (chunk, inherited) in CHUNKS.iter().zip(&INHERITED).take(END.load(Ordering::Relaxed)) {
        let chunk = chunk.swap(ptr::null_mut(), Ordering::Relaxed);
        if !chunk.is_null() {
            inherited.store(chunk, Ordering::Relaxed);
        }
    }
}

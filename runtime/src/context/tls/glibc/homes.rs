//! The OS threads that may be at a green thread's block, and the thread pointers of their own. A signal
//! handler needs them, since it cannot ask the thread pointer where it would otherwise be.
//!
//! A list that only grows, as long as there were such OS threads at a time. An entry is free, or its
//! `os_thread` is the kernel's number of the one that has it, from when that first asks for its home to
//! its end.
//!
//! Only that OS thread looks for its number, itself or in a handler that interrupts it, and it alone
//! writes to its entry. So what it finds there is what it has written, and between threads nothing is
//! ordered but the list. In the child of a fork entries are left whose threads are not there. Their
//! numbers are given out again some day: who asks for an entry takes the one with its number first.
//!
//! No thread-local, lock or allocation is used to look: [`find`] may be called in a handler.

use std::cell::Cell;
use std::iter;
use std::ptr;

use crate::context::thread_pointer;
use crate::primitive::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use crate::sys::thread;

struct Entry {
    /// 0 while it is free.
    os_thread: AtomicU32,
    thread_pointer: AtomicUsize,
    next: *const Entry,
}

static FIRST: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// The entry of the calling OS thread, once it has one.
    static HERE: Cell<Option<&'static Entry>> = const { Cell::new(None) };
}

/// The thread pointer of the calling OS thread, which is at its own block. From now on until it leaves
/// `find` knows it.
pub(super) fn here() -> usize {
    let entry = HERE.get().unwrap_or_else(|| {
        let entry = Entry::take();
        HERE.set(Some(entry));
        entry
    });
    entry.thread_pointer.load(Ordering::Relaxed)
}

/// The calling OS thread ends.
pub(super) fn leave() {
    if let Some(entry) = HERE.take() {
        entry.os_thread.store(0, Ordering::Relaxed);
    }
}

/// That of the calling OS thread, which has been `here` before.
pub(super) fn find() -> Option<usize> {
    let id = thread::id();
    let entry = entries().find(|entry| entry.os_thread.load(Ordering::Relaxed) == id)?;
    Some(entry.thread_pointer.load(Ordering::Relaxed))
}

fn entries() -> impl Iterator<Item = &'static Entry> {
    // SAFETY: here and below: null, or an entry, which is never freed. Acquire pairs with the release in
    // `new`; what follows an entry was there before it.
    let first = unsafe { FIRST.load(Ordering::Acquire).as_ref() };
    // SAFETY: as above.
    iter::successors(first, |entry| unsafe { entry.next.as_ref() })
}

impl Entry {
    /// One for the calling OS thread.
    fn take() -> &'static Self {
        let (id, this) = (thread::id(), thread_pointer::get());
        let left = entries().find(|entry| entry.os_thread.load(Ordering::Relaxed) == id);
        let entry = left.or_else(|| entries().find(|entry| entry.claim(id)));
        let entry = entry.unwrap_or_else(|| Self::add(id));
        entry.thread_pointer.store(this, Ordering::Relaxed);
        entry
    }

    /// Whether it was free, and now is of `id`.
    fn claim(&self, id: u32) -> bool {
        let (taken, not) = (Ordering::Relaxed, Ordering::Relaxed);
        self.os_thread.compare_exchange(0, id, taken, not).is_ok()
    }

    fn add(id: u32) -> &'static Self {
        let entry = Box::leak(Box::new(Self {
            os_thread: AtomicU32::new(id),
            thread_pointer: AtomicUsize::new(0),
            next: ptr::null(),
        }));
        let mut first = FIRST.load(Ordering::Relaxed);
        loop {
            entry.next = first;
            // Release pairs with the acquire in `entries`.
            let (added, not) = (Ordering::Release, Ordering::Relaxed);
            match FIRST.compare_exchange_weak(first, entry, added, not) {
                Ok(_) => return entry,
                Err(now) => first = now,
            }
        }
    }
}

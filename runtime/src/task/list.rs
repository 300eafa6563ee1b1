//! A first-in, first-out list of runnable tasks, linked through the tasks.

use std::mem::offset_of;
use std::ptr::{self, NonNull};

use sylvan_sight::table;

use super::{Header, Runnable};
use crate::primitive::Ordering;

/// Owns the tasks that are in it.
#[derive(Debug)]
pub(crate) struct List {
    head: *mut Header,
    tail: *mut Header,
    len: usize,
}

// SAFETY: a list of `Runnable`s, which are `Send`.
unsafe impl Send for List {}

impl List {
    pub(crate) const LAYOUT: table::List = table::List {
        head: offset_of!(Self, head) as u64,
        len: offset_of!(Self, len) as u64,
        size: size_of::<Self>() as u64,
    };

    pub(crate) const fn new() -> Self {
        Self { head: ptr::null_mut(), tail: ptr::null_mut(), len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push_back(&mut self, task: Runnable) {
        let task = task.into_raw();
        // SAFETY: the list holds the right to run the task, and with it the right to its link.
        unsafe { task.as_ref() }.next.store(ptr::null_mut(), Ordering::Relaxed);
        match NonNull::new(self.tail) {
            // SAFETY: as above, for the task that was last.
            Some(tail) => unsafe { tail.as_ref() }.next.store(task.as_ptr(), Ordering::Relaxed),
            None => self.head = task.as_ptr(),
        }
        self.tail = task.as_ptr();
        self.len += 1;
    }

    pub(crate) fn push_front(&mut self, task: Runnable) {
        let task = task.into_raw();
        // SAFETY: as in `push_back`.
        unsafe { task.as_ref() }.next.store(self.head, Ordering::Relaxed);
        if self.head.is_null() {
            self.tail = task.as_ptr();
        }
        self.head = task.as_ptr();
        self.len += 1;
    }

    pub(crate) fn pop_front(&mut self) -> Option<Runnable> {
        let task = NonNull::new(self.head)?;
        // SAFETY: as in `push_back`.
        self.head = unsafe { task.as_ref() }.next.load(Ordering::Relaxed);
        if self.head.is_null() {
            self.tail = ptr::null_mut();
        }
        self.len -= 1;
        // SAFETY: the list held the right to run the task and gives it away here.
        Some(unsafe { Runnable::from_raw(task) })
    }

    /// Those that are in it, the first one first.
    #[cfg(not(sylvan_loom))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Header> {
        // SAFETY: null, or a task whose right to run is the list's, and that is as long as it is borrowed.
        let at = |task: *mut Header| unsafe { task.as_ref() };
        std::iter::successors(at(self.head), move |task| at(task.next.load(Ordering::Relaxed)))
    }

    /// Moves everything from `other` to the back.
    pub(crate) fn append(&mut self, other: &mut Self) {
        match NonNull::new(self.tail) {
            None => *self = std::mem::replace(other, Self::new()),
            Some(tail) if !other.is_empty() => {
                // SAFETY: as in `push_back`.
                unsafe { tail.as_ref() }.next.store(other.head, Ordering::Relaxed);
                self.tail = other.tail;
                self.len += other.len;
                *other = Self::new();
            }
            Some(_) => {}
        }
    }
}

impl Iterator for List {
    type Item = Runnable;

    fn next(&mut self) -> Option<Runnable> {
        self.pop_front()
    }
}

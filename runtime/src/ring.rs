//! An intrusive circular list: of waiters, of alarms, whatever lies on the stack of who waits.
//!
//! A ring does not own what is linked into it. It sits behind a lock, its elements are reached under
//! that lock alone, and an element leaves the ring before its memory ends; whoever links one in
//! promises both. Linking and unlinking take constant time and no allocation.

use std::marker::PhantomPinned;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use crate::primitive::Cell;

/// The part of an element that a ring uses.
pub(crate) struct Links<T> {
    next: Cell<*const T>,
    prev: Cell<*const T>,
    _pinned: PhantomPinned,
}

impl<T> Links<T> {
    pub(crate) fn new() -> Self {
        Self { next: Cell::new(ptr::null()), prev: Cell::new(ptr::null()), _pinned: PhantomPinned }
    }

    /// Where the pointer to the next element is.
    pub(crate) const NEXT_AT: usize = offset_of!(Self, next);
}

/// What can be linked into a ring.
pub(crate) trait Linked: Sized {
    fn links(&self) -> &Links<Self>;
}

/// A ring, by its first element.
pub(crate) struct Ring<T> {
    first: *const T,
}

// SAFETY: elements are reached under the lock that the ring sits behind; see the module's header.
unsafe impl<T> Send for Ring<T> {}

impl<T: Linked> Ring<T> {
    pub(crate) const fn new() -> Self {
        Self { first: ptr::null() }
    }

    /// The ring whose first element this is; null if it is empty.
    pub(crate) fn at(first: *const T) -> Self {
        Self { first }
    }

    /// What it is found by again: see `at`.
    pub(crate) fn into_first(self) -> *const T {
        self.first
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    pub(crate) fn first(&self) -> Option<NonNull<T>> {
        NonNull::new(self.first.cast_mut())
    }

    /// The element behind `element`, which is in this ring; `None` behind the last.
    pub(crate) fn after(&self, element: &T) -> Option<NonNull<T>> {
        let next = element.links().next.get();
        if ptr::eq(next, self.first) { None } else { NonNull::new(next.cast_mut()) }
    }

    /// How many elements it has: goes through all of them.
    pub(crate) fn len(&self) -> u32 {
        let mut n = 0;
        let mut at = self.first();
        while let Some(element) = at {
            n += 1;
            // SAFETY: elements of a ring are alive, as whoever pushed them promised.
            at = self.after(unsafe { element.as_ref() });
        }
        n
    }

    pub(crate) fn last(&self) -> Option<NonNull<T>> {
        // SAFETY: elements of a ring are alive, as whoever pushed them promised.
        self.first()
            .and_then(|first| NonNull::new(unsafe { first.as_ref() }.links().prev.get().cast_mut()))
    }

    /// The element before `element`, which is in this ring; `None` before the first.
    pub(crate) fn before(&self, element: &T) -> Option<NonNull<T>> {
        if ptr::eq(element, self.first) {
            None
        } else {
            NonNull::new(element.links().prev.get().cast_mut())
        }
    }

    /// Links `element` in as the last one.
    ///
    /// # Safety
    ///
    /// The element is in no ring, and stays where it is until it has been removed.
    pub(crate) unsafe fn push_back(&mut self, element: &T) {
        let links = element.links();
        // SAFETY: elements of a ring are alive, as whoever pushed them promised.
        unsafe {
            match self.first.as_ref() {
                None => {
                    links.next.set(element);
                    links.prev.set(element);
                    self.first = element;
                }
                Some(first) => {
                    let last = &*first.links().prev.get();
                    links.next.set(first);
                    links.prev.set(last);
                    last.links().next.set(element);
                    first.links().prev.set(element);
                }
            }
        }
    }

    /// Links `element` in before `at`, which is in this ring.
    ///
    /// # Safety
    ///
    /// As [`push_back`](Self::push_back).
    pub(crate) unsafe fn insert_before(&mut self, at: &T, element: &T) {
        let links = element.links();
        let before = at.links().prev.get();
        links.next.set(at);
        links.prev.set(before);
        // SAFETY: as in `push_back`.
        unsafe { (*before).links().next.set(element) };
        at.links().prev.set(element);
        if ptr::eq(self.first, at) {
            self.first = element;
        }
    }

    /// Unlinks `element`.
    ///
    /// # Safety
    ///
    /// The element is in this ring.
    pub(crate) unsafe fn remove(&mut self, element: &T) {
        let links = element.links();
        let (next, prev) = (links.next.get(), links.prev.get());
        if ptr::eq(next, element) {
            self.first = ptr::null();
            return;
        }
        // SAFETY: as in `push_back`.
        unsafe {
            (*prev).links().next.set(next);
            (*next).links().prev.set(prev);
        }
        if ptr::eq(self.first, element) {
            self.first = next;
        }
    }

    /// Unlinks the first element.
    pub(crate) fn pop_front(&mut self) -> Option<NonNull<T>> {
        let first = self.first()?;
        // SAFETY: it is in this ring, hence alive.
        unsafe { self.remove(first.as_ref()) };
        Some(first)
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Element {
        n: usize,
        links: Links<Element>,
    }

    impl Linked for Element {
        fn links(&self) -> &Links<Self> {
            &self.links
        }
    }

    fn contents(ring: &Ring<Element>) -> Vec<usize> {
        let mut found = Vec::new();
        let mut at = ring.first();
        while let Some(element) = at {
            // SAFETY: the elements outlive the ring in these tests.
            let element = unsafe { element.as_ref() };
            found.push(element.n);
            at = ring.after(element);
        }
        found
    }

    fn backwards(ring: &Ring<Element>) -> Vec<usize> {
        let mut found = Vec::new();
        let mut at = ring.last();
        while let Some(element) = at {
            // SAFETY: as above.
            let element = unsafe { element.as_ref() };
            found.push(element.n);
            at = ring.before(element);
        }
        found
    }

    proptest! {
        #[test]
        fn a_ring_holds_what_a_vector_holds(steps in prop::collection::vec((any::<bool>(), 0_usize..12, 0_usize..12), 0..60)) {
            let elements: Vec<_> =
                (0..12).map(|n| Box::new(Element { n, links: Links::new() })).collect();
            let mut ring: Ring<Element> = Ring::new();
            let mut model: Vec<usize> = Vec::new();
            for (remove, n, place) in steps {
                match (model.iter().position(|m| *m == n), remove) {
                    (None, true) => {
                        let popped = ring.pop_front();
                        let expected = (!model.is_empty()).then(|| model.remove(0));
                        // SAFETY: as in `contents`.
                        prop_assert_eq!(popped.map(|e| unsafe { e.as_ref() }.n), expected);
                    }
                    (None, false) => {
                        // SAFETY: it is in no ring, and outlives this one.
                        unsafe {
                            match model.get(place) {
                                Some(at) => ring.insert_before(&elements[*at], &elements[n]),
                                None => ring.push_back(&elements[n]),
                            }
                        }
                        model.insert(place.min(model.len()), n);
                    }
                    (Some(at), _) => {
                        // SAFETY: the model says that it is in the ring.
                        unsafe { ring.remove(&elements[n]) };
                        model.remove(at);
                    }
                }
                prop_assert_eq!(contents(&ring), model.clone());
                prop_assert_eq!(backwards(&ring), model.iter().rev().copied().collect::<Vec<_>>());
                prop_assert_eq!(ring.is_empty(), model.is_empty());
            }
        }
    }
}

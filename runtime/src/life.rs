//! A *life* of the runtime: from its start to the end of the process, or to the fork that its child
//! comes from. The child begins a life of its own (`fork`).
//!
//! What belongs to a life is reached through a [`PerLife`], which a child empties. What was there
//! stays where it is, since nobody knows what state it was in, and is never looked at again.

use std::ptr;

use crate::primitive::{AtomicPtr, Ordering};

/// Something that the runtime has one of in each of its lives.
pub(crate) struct PerLife<T>(AtomicPtr<T>);

impl<T: 'static> PerLife<T> {
    #[cfg(not(sylvan_loom))]
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[cfg(sylvan_loom)]
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// That of this life, once there is one.
    #[inline]
    pub(crate) fn get(&self) -> Option<&'static T> {
        // Acquire pairs with the release in `begin`.
        // SAFETY: null, or what `begin` has leaked.
        unsafe { self.0.load(Ordering::Acquire).as_ref() }
    }

    /// This life has one from now on, and did not before.
    pub(crate) fn begin(&self, value: T) {
        debug_assert!(self.get().is_none(), "one for each life");
        // Release pairs with the acquire in `get`.
        self.0.store(Box::into_raw(Box::new(value)), Ordering::Release);
    }

    /// In a child of a fork: a new life has none yet. What its parent had at the fork.
    #[cfg(not(sylvan_loom))]
    pub(crate) fn forget(&self) -> Option<&'static T> {
        let before = self.get();
        self.0.store(ptr::null_mut(), Ordering::Relaxed);
        before
    }
}

/// Each execution that a model tries has its own, and loom drops it.
#[cfg(sylvan_loom)]
impl<T> Drop for PerLife<T> {
    fn drop(&mut self) {
        let value = self.0.load(Ordering::Acquire);
        if !value.is_null() {
            // SAFETY: `begin` has leaked it, and nobody is left who has got it.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}

/// The number of the first life.
pub(crate) const FIRST: u32 = 1;

/// Which life this is, among those of a process and of the forks that it comes from.
#[cfg(not(sylvan_loom))]
mod number {
    use crate::primitive::{AtomicU32, Ordering};

    static NUMBER: AtomicU32 = AtomicU32::new(super::FIRST);

    /// Which life this is, counted from the first process.
    #[inline(always)]
    pub(crate) fn number() -> u32 {
        // It changes where there is one thread.
        NUMBER.load(Ordering::Relaxed)
    }

    /// In a child of a fork: a new life begins.
    pub(crate) fn begin_anew() {
        NUMBER.store(number() + 1, Ordering::Relaxed);
    }
}

#[cfg(not(sylvan_loom))]
pub(crate) use number::{begin_anew, number};

/// Which life this is: models have one.
#[cfg(sylvan_loom)]
pub(crate) fn number() -> u32 {
    FIRST
}

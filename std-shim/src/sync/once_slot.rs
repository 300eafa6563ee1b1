//! The storage of `OnceLock` and `LazyLock`: a value to come, and the `Once` that says whether it
//! is there.
//!
//! The two are one enum, whose tag *is* the word of the [`Once`]:
//!
//! ```text
//!   tag:       INCOMPLETE   RUNNING       POISONED   COMPLETE
//!   contents:  F            in the works  nothing    T
//! ```
//!
//! Seen from outside, while others may look on, it is a word and some room: the word is used
//! through `Once`, and the room through pointers, by whom the word allows. Seen by its owner, when
//! nobody else can look on, it is a plain enum. So the owner needs no `unsafe`, there is no `Drop`
//! to write, and the drop check sees what std's sees: a value that contains a `T`.
//!
//! The owner never meets `RUNNING`, nor the bit for waiting threads. A thread that runs or waits
//! is inside a call on a shared reference, and as long as there is one, there is no owner.
//!
//! # Layout
//!
//! `repr(u32)` lays each variant out as a C struct that starts with the tag. [`Variant`] is that
//! struct, so that a pointer to the enum can be used as one to the variant.

use std::cell::UnsafeCell;

use super::once::{self, Once};

/// What the owner of a slot finds in it.
#[repr(u32)]
pub(super) enum State<T, F> {
    /// What the value is to be made from.
    Incomplete(F) = once::INCOMPLETE,
    /// The attempt to make the value panicked.
    Poisoned = once::POISONED,
    /// The value.
    Complete(T) = once::COMPLETE,
}

/// A variant of `State`, as `repr(u32)` lays it out.
#[repr(C)]
struct Variant<V> {
    tag: u32,
    contents: V,
}

/// A value to come, and the `Once` that says whether it is there.
pub(super) struct Slot<T, F>(UnsafeCell<State<T, F>>);

impl<T, F> Slot<T, F> {
    pub(super) const fn new(state: State<T, F>) -> Self {
        Self(UnsafeCell::new(state))
    }

    /// The `Once` that is the tag.
    #[inline]
    pub(super) fn once(&self) -> &Once {
        let tag = self.0.get().cast::<Once>();
        // SAFETY: the tag is a `u32` at the start, always initialized, in an `UnsafeCell`, and for
        // as long as the slot is shared it is used through this `Once` only.
        unsafe { &*tag }
    }

    /// Where `Incomplete` has its contents.
    #[inline]
    pub(super) fn incomplete(&self) -> *mut F {
        self.contents()
    }

    /// Where `Complete` has its contents.
    #[inline]
    pub(super) fn complete(&self) -> *mut T {
        self.contents()
    }

    #[inline]
    fn contents<V>(&self) -> *mut V {
        let variant = self.0.get().cast::<Variant<V>>();
        // SAFETY: `V` is `T` or `F`, so the enum is large enough for the variant.
        unsafe { &raw mut (*variant).contents }
    }

    /// The value, if it is there.
    #[inline]
    pub(super) fn get(&self) -> Option<&T> {
        if self.once().is_completed() {
            // SAFETY: the `Once` is complete, so the value has been written, which
            // `is_completed` has made visible, and nobody writes while the slot is shared.
            Some(unsafe { &*self.complete() })
        } else {
            None
        }
    }

    #[inline]
    pub(super) fn get_mut(&mut self) -> &mut State<T, F> {
        self.0.get_mut()
    }

    #[inline]
    pub(super) fn into_inner(self) -> State<T, F> {
        self.0.into_inner()
    }
}

//! `OnceLock`: a [`Slot`] whose value comes from whoever is first.
//!
//! A closure that panics leaves no value, and the next one has its turn: poison has no effect.

use std::fmt;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::once_slot::{Slot, State};

/// A cell that is written once, by any thread, and read by all.
///
/// This corresponds to [`std::sync::OnceLock`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::OnceLock;
/// use std_shim::thread;
///
/// static NAME: OnceLock<String> = OnceLock::new();
///
/// assert_eq!(NAME.get(), None);
/// thread::spawn(|| NAME.set("first".to_owned())).join().unwrap().unwrap();
/// assert_eq!(NAME.get_or_init(|| "second".to_owned()), "first");
/// ```
pub struct OnceLock<T> {
    slot: Slot<T, ()>,
}

// SAFETY: a shared cell takes a `T` from one thread and may be dropped by another, which `T: Send`
// allows, and gives out `&T` to all, which `T: Sync` allows. `Slot` writes in one thread at a time.
unsafe impl<T: Sync + Send> Sync for OnceLock<T> {}

impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}
impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// Creates an empty cell.
    ///
    /// This corresponds to [`std::sync::OnceLock::new`].
    #[inline]
    #[must_use]
    pub const fn new() -> OnceLock<T> {
        OnceLock { slot: Slot::new(State::Incomplete(())) }
    }

    /// Returns the value, if it is there. Never waits.
    ///
    /// This corresponds to [`std::sync::OnceLock::get`].
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.slot.get()
    }

    /// Returns the value, if it is there.
    ///
    /// This corresponds to [`std::sync::OnceLock::get_mut`].
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        match self.slot.get_mut() {
            State::Complete(value) => Some(value),
            _ => None,
        }
    }

    /// Waits until the value is there, parking the calling green thread (blocking an ordinary
    /// one).
    ///
    /// This corresponds to [`std::sync::OnceLock::wait`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::OnceLock;
    /// use std_shim::thread;
    ///
    /// let cell = OnceLock::new();
    /// thread::scope(|scope| {
    ///     let waits = scope.spawn(|| *cell.wait());
    ///     cell.set(1).unwrap();
    ///     assert_eq!(waits.join().unwrap(), 1);
    /// });
    /// ```
    #[inline]
    pub fn wait(&self) -> &T {
        self.slot.once().wait_force();
        self.written()
    }

    /// Puts `value` in, unless there is one.
    ///
    /// Waits if another thread is about to put one in.
    ///
    /// This corresponds to [`std::sync::OnceLock::set`].
    ///
    /// # Errors
    ///
    /// If there is a value; the error is `value`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::OnceLock;
    ///
    /// let cell = OnceLock::new();
    /// assert_eq!(cell.set(1), Ok(()));
    /// assert_eq!(cell.set(2), Err(2));
    /// assert_eq!(cell.get(), Some(&1));
    /// ```
    #[inline]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("called once"));
        match value {
            None => Ok(()),
            Some(value) => Err(value),
        }
    }

    /// Returns the value; if there is none, the one that `f` makes.
    ///
    /// Of several threads one runs its closure, and the others wait for it. An `f` that comes back
    /// to the same cell waits for itself, forever.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::sync::OnceLock::get_or_init`].
    ///
    /// # Panics
    ///
    /// If `f` does; the cell is empty then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::OnceLock;
    /// use std_shim::thread;
    ///
    /// let cell = OnceLock::new();
    /// thread::scope(|scope| {
    ///     for n in 0..10 {
    ///         let cell = &cell;
    ///         scope.spawn(move || cell.get_or_init(|| n));
    ///     }
    /// });
    /// // One of them was first.
    /// assert!((0..10).contains(cell.get().unwrap()));
    /// ```
    #[inline]
    pub fn get_or_init<F>(&self, f: F) -> &T
    where
        F: FnOnce() -> T,
    {
        match self.get() {
            Some(value) => value,
            None => self.initialize(f),
        }
    }

    #[cold]
    fn initialize<F>(&self, f: F) -> &T
    where
        F: FnOnce() -> T,
    {
        self.slot.once().call_once_force(|_| {
            let value = f();
            // SAFETY: the `Once` is running, so the room is this closure's alone, and empty.
            unsafe { self.slot.complete().write(value) };
        });
        self.written()
    }

    /// The value, of which the caller knows that it is there.
    #[inline]
    fn written(&self) -> &T {
        self.get().expect("a value has been written")
    }

    /// Returns the value, if it is there, and consumes the cell.
    ///
    /// This corresponds to [`std::sync::OnceLock::into_inner`].
    #[inline]
    pub fn into_inner(self) -> Option<T> {
        match self.slot.into_inner() {
            State::Complete(value) => Some(value),
            _ => None,
        }
    }

    /// Takes the value out, if it is there, and leaves the cell empty.
    ///
    /// This corresponds to [`std::sync::OnceLock::take`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::OnceLock;
    ///
    /// let mut cell = OnceLock::from(1);
    /// assert_eq!(cell.take(), Some(1));
    /// assert_eq!(cell.get(), None);
    /// ```
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        mem::take(self).into_inner()
    }
}

impl<T> Default for OnceLock<T> {
    /// Creates an empty cell, as [`OnceLock::new`] does.
    #[inline]
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => out.field(value),
            None => out.field(&format_args!("<uninit>")),
        };
        out.finish()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    #[inline]
    fn clone(&self) -> OnceLock<T> {
        self.get().cloned().map_or_else(OnceLock::new, OnceLock::from)
    }
}

impl<T> From<T> for OnceLock<T> {
    /// Creates a cell that contains `value`.
    #[inline]
    fn from(value: T) -> Self {
        OnceLock { slot: Slot::new(State::Complete(value)) }
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    /// Compares what is in the cells; empty cells are equal.
    #[inline]
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}

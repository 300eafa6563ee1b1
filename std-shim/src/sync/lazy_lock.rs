//! `LazyLock`: a [`Slot`] that comes with the closure that makes its value.

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::once_slot::{Slot, State};

/// A value that is made when it is first asked for.
///
/// This corresponds to [`std::sync::LazyLock`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::LazyLock;
///
/// static SQUARES: LazyLock<Vec<u32>> = LazyLock::new(|| (0..4).map(|n| n * n).collect());
///
/// assert_eq!(*SQUARES, [0, 1, 4, 9]);
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    slot: Slot<T, F>,
}

// SAFETY: a shared value is made by any thread, from an `F` and into a `T` of another, which
// `F: Send` and `T: Send` allow, and gives out `&T` to all, which `T: Sync` allows. `F` is used by
// one thread, which consumes it.
unsafe impl<T: Sync + Send, F: Send> Sync for LazyLock<T, F> {}

impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// Creates a value that `f` will make.
    ///
    /// This corresponds to [`std::sync::LazyLock::new`].
    #[inline]
    pub const fn new(f: F) -> LazyLock<T, F> {
        LazyLock { slot: Slot::new(State::Incomplete(f)) }
    }

    /// Returns the value, and makes it first if nobody has yet.
    ///
    /// If another thread is making it, waits for that, parking the calling green thread (blocking
    /// an ordinary one).
    ///
    /// This corresponds to [`std::sync::LazyLock::force`].
    ///
    /// # Panics
    ///
    /// If the closure does, or did at an earlier attempt.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::LazyLock;
    ///
    /// let lazy = LazyLock::new(|| 92);
    /// assert_eq!(LazyLock::force(&lazy), &92);
    /// assert_eq!(&*lazy, &92);
    /// ```
    #[inline]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        match this.slot.get() {
            Some(value) => value,
            None => this.make(),
        }
    }

    #[cold]
    fn make(&self) -> &T {
        self.slot.once().call_once_force(|state| {
            if state.is_poisoned() {
                poisoned();
            }
            // SAFETY: the `Once` was incomplete, so the closure is there; it is running now, so
            // the closure is ours alone, and will not be found again.
            let f = unsafe { self.slot.incomplete().read() };
            let value = f();
            // SAFETY: the `Once` is running, so the room is ours alone, and the closure is gone.
            unsafe { self.slot.complete().write(value) };
        });
        self.slot.get().expect("a value has been written")
    }

    /// Returns the value, and makes it first if nobody has yet.
    ///
    /// This corresponds to [`std::sync::LazyLock::force_mut`].
    ///
    /// # Panics
    ///
    /// As [`LazyLock::force`].
    #[inline]
    pub fn force_mut(this: &mut LazyLock<T, F>) -> &mut T {
        let state = this.slot.get_mut();
        if let State::Incomplete(_) = state
            && let State::Incomplete(f) = mem::replace(state, State::Poisoned)
        {
            *state = State::Complete(f());
        }
        match state {
            State::Complete(value) => value,
            _ => poisoned(),
        }
    }
}

impl<T, F> LazyLock<T, F> {
    /// Returns the value, if it has been made.
    ///
    /// This corresponds to [`std::sync::LazyLock::get_mut`].
    #[inline]
    pub fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T> {
        match this.slot.get_mut() {
            State::Complete(value) => Some(value),
            _ => None,
        }
    }

    /// Returns the value, if it has been made. Never waits.
    ///
    /// This corresponds to [`std::sync::LazyLock::get`].
    #[inline]
    pub fn get(this: &LazyLock<T, F>) -> Option<&T> {
        this.slot.get()
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T, F: FnOnce() -> T> DerefMut for LazyLock<T, F> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        LazyLock::force_mut(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    /// Creates a value that will be the default of `T`.
    #[inline]
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

/// In std since 1.96.
impl<T, F> From<T> for LazyLock<T, F> {
    /// Creates a value that is there already.
    #[inline]
    fn from(value: T) -> LazyLock<T, F> {
        LazyLock { slot: Slot::new(State::Complete(value)) }
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_tuple("LazyLock");
        match LazyLock::get(self) {
            Some(value) => out.field(value),
            None => out.field(&format_args!("<uninit>")),
        };
        out.finish()
    }
}

/// Says to the compiler what std's says: what the value or its closure refers to is still there
/// when the `LazyLock` is dropped. The slot drops what it holds by itself.
impl<T, F> Drop for LazyLock<T, F> {
    fn drop(&mut self) {}
}

#[cold]
#[inline(never)]
fn poisoned() -> ! {
    panic!("LazyLock instance has previously been poisoned")
}

//! `RwLock`: a [`RawRwLock`] beside the data it guards, and a flag for poison.
//!
//! Only writers poison the lock: a reader that panics has left the data as it was.

mod guard;
mod raw;

use std::cell::UnsafeCell;
use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub use self::guard::{RwLockReadGuard, RwLockWriteGuard};
use self::raw::RawRwLock;
use super::poison;
use super::{LockResult, TryLockError, TryLockResult};

/// Guards data that many threads may read at once, or one may change.
///
/// A waiting writer goes before readers that come after it. A thread that has the lock and asks
/// for it again may wait for itself, for reading too.
///
/// This corresponds to [`std::sync::RwLock`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::RwLock;
///
/// let price = RwLock::new(5);
/// {
///     let one = price.read().unwrap();
///     let other = price.read().unwrap();
///     assert_eq!(*one + *other, 10);
/// }
/// *price.write().unwrap() += 1;
/// assert_eq!(*price.read().unwrap(), 6);
/// ```
pub struct RwLock<T: ?Sized> {
    raw: RawRwLock,
    poison: poison::Flag,
    data: UnsafeCell<T>,
}

// SAFETY: the lock owns its data and hands it from thread to thread; `T: Send` allows that.
unsafe impl<T: ?Sized + Send> Send for RwLock<T> {}
// SAFETY: a shared lock gives its data to one thread at a time to change, which `T: Send` allows,
// or to several to read, which `T: Sync` allows (`RawRwLock`).
unsafe impl<T: ?Sized + Send + Sync> Sync for RwLock<T> {}

impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

impl<T> RwLock<T> {
    /// Creates an unlocked lock.
    ///
    /// This corresponds to [`std::sync::RwLock::new`].
    #[inline]
    pub const fn new(t: T) -> RwLock<T> {
        RwLock { raw: RawRwLock::new(), poison: poison::Flag::new(), data: UnsafeCell::new(t) }
    }
}

impl<T: ?Sized> RwLock<T> {
    /// Locks for reading, parking the calling green thread (blocking an ordinary one) until it
    /// can.
    ///
    /// This corresponds to [`std::sync::RwLock::read`].
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock held for writing; the error contains the guard.
    ///
    /// # Panics
    ///
    /// If there are some 2^30 readers already.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// let (one, other) = (lock.read().unwrap(), lock.read().unwrap());
    /// assert_eq!(*one, *other);
    /// ```
    #[inline]
    pub fn read(&self) -> LockResult<RwLockReadGuard<'_, T>> {
        self.raw.read();
        // SAFETY: the line above has locked for reading.
        unsafe { RwLockReadGuard::new(self) }
    }

    /// Locks for reading if that is possible at once.
    ///
    /// This corresponds to [`std::sync::RwLock::try_read`].
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if a writer has the lock or somebody waits for it,
    /// [`TryLockError::Poisoned`] with the guard if a thread panicked with the lock held for
    /// writing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{RwLock, TryLockError};
    ///
    /// let lock = RwLock::new(1);
    /// assert_eq!(*lock.try_read().unwrap(), 1);
    /// let _guard = lock.write().unwrap();
    /// assert!(matches!(lock.try_read(), Err(TryLockError::WouldBlock)));
    /// ```
    #[inline]
    pub fn try_read(&self) -> TryLockResult<RwLockReadGuard<'_, T>> {
        if !self.raw.try_read() {
            return Err(TryLockError::WouldBlock);
        }
        // SAFETY: `try_read` has locked for reading.
        Ok(unsafe { RwLockReadGuard::new(self) }?)
    }

    /// Locks for writing, parking the calling green thread (blocking an ordinary one) until it
    /// can.
    ///
    /// This corresponds to [`std::sync::RwLock::write`].
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock held for writing; the error contains the guard.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::RwLock;
    ///
    /// let lock = RwLock::new(1);
    /// *lock.write().unwrap() += 1;
    /// assert_eq!(*lock.read().unwrap(), 2);
    /// ```
    #[inline]
    pub fn write(&self) -> LockResult<RwLockWriteGuard<'_, T>> {
        self.raw.write();
        // SAFETY: the line above has locked for writing.
        unsafe { RwLockWriteGuard::new(self) }
    }

    /// Locks for writing if that is possible at once.
    ///
    /// This corresponds to [`std::sync::RwLock::try_write`].
    ///
    /// # Errors
    ///
    /// [`TryLockError::WouldBlock`] if the lock is held, [`TryLockError::Poisoned`] with the guard
    /// if a thread panicked with the lock held for writing.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{RwLock, TryLockError};
    ///
    /// let lock = RwLock::new(1);
    /// *lock.try_write().unwrap() = 2;
    /// let _guard = lock.read().unwrap();
    /// assert!(matches!(lock.try_write(), Err(TryLockError::WouldBlock)));
    /// ```
    #[inline]
    pub fn try_write(&self) -> TryLockResult<RwLockWriteGuard<'_, T>> {
        if !self.raw.try_write() {
            return Err(TryLockError::WouldBlock);
        }
        // SAFETY: `try_write` has locked for writing.
        Ok(unsafe { RwLockWriteGuard::new(self) }?)
    }

    /// Returns whether a thread panicked with the lock held for writing.
    ///
    /// This corresponds to [`std::sync::RwLock::is_poisoned`].
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// Forgets that a thread panicked with the lock held for writing.
    ///
    /// This corresponds to [`std::sync::RwLock::clear_poison`].
    #[inline]
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// Returns the data, and consumes the lock.
    ///
    /// This corresponds to [`std::sync::RwLock::into_inner`].
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock held for writing; the error contains the data.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::RwLock;
    ///
    /// let lock = RwLock::new(String::from("hello"));
    /// assert_eq!(lock.into_inner().unwrap(), "hello");
    /// ```
    pub fn into_inner(self) -> LockResult<T>
    where
        T: Sized,
    {
        let data = self.data.into_inner();
        self.poison.wrap(data)
    }

    /// Returns the data; the exclusive borrow makes a lock unnecessary.
    ///
    /// This corresponds to [`std::sync::RwLock::get_mut`].
    ///
    /// # Errors
    ///
    /// If a thread panicked with the lock held for writing; the error contains the reference.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::RwLock;
    ///
    /// let mut lock = RwLock::new(1);
    /// *lock.get_mut().unwrap() = 2;
    /// assert_eq!(*lock.read().unwrap(), 2);
    /// ```
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        let data = self.data.get_mut();
        self.poison.wrap(data)
    }
}

impl<T> From<T> for RwLock<T> {
    /// Creates an unlocked lock, as [`RwLock::new`] does.
    fn from(t: T) -> Self {
        RwLock::new(t)
    }
}

impl<T: Default> Default for RwLock<T> {
    /// Creates an unlocked lock around the default of `T`.
    fn default() -> RwLock<T> {
        RwLock::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        match self.try_read() {
            Ok(guard) => out.field("data", &&*guard),
            Err(TryLockError::Poisoned(error)) => out.field("data", &&**error.get_ref()),
            Err(TryLockError::WouldBlock) => out.field("data", &format_args!("<locked>")),
        };
        out.field("poisoned", &self.is_poisoned());
        out.finish_non_exhaustive()
    }
}

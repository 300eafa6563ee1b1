//! The guards of an `RwLock`.
//!
//! A read guard points to the data itself, not to the lock as a whole: so it is covariant in `T`,
//! as a `&T` would be. A write guard may poison and must be invariant, so it refers to the lock.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use super::super::poison;
use super::super::{LockResult, PoisonError};
use super::RwLock;
use super::raw::RawRwLock;

/// Gives access to the data of an [`RwLock`] that is locked for reading, and unlocks it when
/// dropped.
///
/// This corresponds to [`std::sync::RwLockReadGuard`].
#[must_use = "if unused the RwLock will immediately unlock"]
#[clippy::has_significant_drop]
pub struct RwLockReadGuard<'rwlock, T: ?Sized + 'rwlock> {
    // Points into the `RwLock` that contains `raw`, and so is good for `'rwlock`. The lock is held
    // for reading as long as there is the guard. The pointer also makes the guard `!Send`.
    data: NonNull<T>,
    raw: &'rwlock RawRwLock,
}

// SAFETY: a shared guard gives out `&T` only; `T: Sync` allows that.
unsafe impl<T: ?Sized + Sync> Sync for RwLockReadGuard<'_, T> {}

/// Gives access to the data of an [`RwLock`] that is locked for writing, and unlocks it when
/// dropped.
///
/// This corresponds to [`std::sync::RwLockWriteGuard`].
#[must_use = "if unused the RwLock will immediately unlock"]
#[clippy::has_significant_drop]
pub struct RwLockWriteGuard<'rwlock, T: ?Sized + 'rwlock> {
    // Held for writing as long as there is the guard.
    lock: &'rwlock RwLock<T>,
    poison: poison::Guard,
    not_send: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives out `&T` only; `T: Sync` allows that.
unsafe impl<T: ?Sized + Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'rwlock, T: ?Sized> RwLockReadGuard<'rwlock, T> {
    /// # Safety
    ///
    /// The caller has `lock` for reading, and leaves it to the guard to give it up.
    pub(super) unsafe fn new(lock: &'rwlock RwLock<T>) -> LockResult<Self> {
        // SAFETY: the address of a field is not null.
        let data = unsafe { NonNull::new_unchecked(lock.data.get()) };
        lock.poison.wrap(RwLockReadGuard { data, raw: &lock.raw })
    }
}

impl<'rwlock, T: ?Sized> RwLockWriteGuard<'rwlock, T> {
    /// # Safety
    ///
    /// The caller has `lock` for writing, and leaves it to the guard to give it up.
    pub(super) unsafe fn new(lock: &'rwlock RwLock<T>) -> LockResult<Self> {
        let poison = poison::Guard::new();
        lock.poison.wrap(RwLockWriteGuard { lock, poison, not_send: PhantomData })
    }

    /// Turns a lock for writing into one for reading, with no writer in between.
    ///
    /// Readers that wait already get in, ahead of waiting writers. Never waits.
    ///
    /// This corresponds to [`std::sync::RwLockWriteGuard::downgrade`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::{RwLock, RwLockWriteGuard};
    ///
    /// let lock = RwLock::new(1);
    /// let mut guard = lock.write().unwrap();
    /// *guard = 2;
    /// // Others may read from now on, and nobody can have written in between.
    /// let guard = RwLockWriteGuard::downgrade(guard);
    /// assert_eq!((*guard, *lock.read().unwrap()), (2, 2));
    /// ```
    pub fn downgrade(s: Self) -> RwLockReadGuard<'rwlock, T> {
        let lock = s.lock;
        mem::forget(s);
        // SAFETY: the guard held the lock for writing, and is forgotten.
        unsafe { lock.raw.downgrade() };
        // SAFETY: `downgrade` has left us the lock for reading.
        let guard = unsafe { RwLockReadGuard::new(lock) };
        guard.unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: ?Sized> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: `data` is good for `'rwlock`; the lock is held for reading, so nobody has a
        // `&mut T`.
        unsafe { self.data.as_ref() }
    }
}

impl<T: ?Sized> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held for writing, so no other thread refers to the data; `&self`
        // keeps this thread from `deref_mut`.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T: ?Sized> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the lock is held for writing, so no other thread refers to the data; `&mut self`
        // keeps this thread from a second reference.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T: ?Sized> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the guard holds the lock for reading, and is gone after this.
        unsafe { self.raw.read_unlock() }
    }
}

impl<T: ?Sized> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.poison.done(&self.poison);
        // SAFETY: the guard holds the lock for writing, and is gone after this.
        unsafe { self.lock.raw.write_unlock() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

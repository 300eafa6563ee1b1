//! A green lock that its holder may take again.
//!
//! A [`Mutex`], with its holder's id beside it. The holder keeps the mutex's guard here, and how
//! often it has taken the lock; the last to be given back gives the mutex back.
//!
//! # Memory ordering
//!
//! A thread compares the holder's id with its own. Only if it is the holder can it find its own,
//! which it has written itself, and nobody else writes until it has given the lock up. So the id
//! is relaxed; what orders the holders is the mutex.

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::bridge;
use crate::sync::{Mutex, MutexGuard};

/// No thread has this id.
const NOBODY: u64 = 0;

pub(super) struct ReentrantLock {
    mutex: Mutex<()>,
    holder: AtomicU64,
    /// The holder's, and nobody else's.
    held: UnsafeCell<Held>,
}

struct Held {
    guard: Option<MutexGuard<'static, ()>>,
    depth: usize,
}

// SAFETY: `held` is used by the holder alone, and only with the mutex locked; a guard in it goes
// back to the mutex on the thread that locked it.
unsafe impl Sync for ReentrantLock {}

/// One taking of the lock. Stays with the thread that took it.
pub(super) struct ReentrantLockGuard<'a> {
    lock: &'a ReentrantLock,
    not_send: PhantomData<*const ()>,
}

impl ReentrantLock {
    pub(super) const fn new() -> Self {
        Self {
            mutex: Mutex::new(()),
            holder: AtomicU64::new(NOBODY),
            held: UnsafeCell::new(Held { guard: None, depth: 0 }),
        }
    }

    pub(super) fn lock(&'static self) -> ReentrantLockGuard<'static> {
        let caller = bridge::current().id().get();
        let guard = (self.holder.load(Relaxed) != caller)
            .then(|| self.mutex.lock().unwrap_or_else(PoisonError::into_inner));
        // SAFETY: the caller is the holder: it was before, or has locked the mutex just now.
        let held = unsafe { &mut *self.held.get() };
        if guard.is_some() {
            held.guard = guard;
            self.holder.store(caller, Relaxed);
        }
        held.depth += 1;
        ReentrantLockGuard { lock: self, not_send: PhantomData }
    }
}

impl Drop for ReentrantLockGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: whoever has a guard is the holder, and a guard does not change threads.
        let held = unsafe { &mut *self.lock.held.get() };
        held.depth -= 1;
        if held.depth == 0 {
            self.lock.holder.store(NOBODY, Relaxed);
            // Only the value taken out is used from here on: the drop lets the next holder in.
            drop(held.guard.take());
        }
    }
}

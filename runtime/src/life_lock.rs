//! A lock that a child of a fork has new.
//!
//! Some of what green threads share is anywhere in the program, in a `static`, and no fork goes by there. In
//! the child nobody is inside, and what the parent's threads were about to do is nobody's. So the value says
//! which life of the runtime it is of, and who comes first in another one makes it new.

use std::mem;

use crate::life;
use crate::lock::{Guard, Lock};
use crate::primitive::{AtomicU32, Ordering};
use crate::sys;

/// The value of that life is being made.
const RENEWING: u32 = 1 << 31;

pub(crate) struct LifeLock<T> {
    lock: Lock<T>,
    /// The life that the value is of, with `RENEWING` until it is there.
    life: AtomicU32,
    new: fn() -> T,
}

impl<T> LifeLock<T> {
    /// With that value, which is what `new` makes for each later life.
    pub(crate) const fn new(value: T, new: fn() -> T) -> Self {
        Self { lock: Lock::new(value), life: AtomicU32::new(life::FIRST), new }
    }

    pub(crate) fn lock(&self) -> Guard<'_, T> {
        // Acquire pairs with the release in `renew`.
        if self.life.load(Ordering::Acquire) != life::number() {
            self.renew();
        }
        self.lock.lock()
    }

    /// The same, with room for one more in a vector of the value's. Memory is had and given back without the lock:
    /// the allocator is the program's, and may do anything.
    pub(crate) fn lock_with_room<E>(&self, vec: fn(&mut T) -> &mut Vec<E>) -> Guard<'_, T> {
        loop {
            let mut value = self.lock();
            let full = vec(&mut value);
            let n = full.len();
            if n < full.capacity() {
                return value;
            }
            drop(value);
            let mut roomy = Vec::with_capacity(2 * n.max(4));
            let mut value = self.lock();
            let full = vec(&mut value);
            if full.capacity() < roomy.capacity() {
                roomy.append(full);
                mem::swap(full, &mut roomy);
            }
            drop(value);
        }
    }

    /// Makes the value new: it was of another life.
    #[cold]
    fn renew(&self) {
        let now = life::number();
        loop {
            // Acquire as in `lock`.
            let life = self.life.load(Ordering::Acquire);
            let renews = |life| {
                let (new, old) = (Ordering::Relaxed, Ordering::Relaxed);
                self.life.compare_exchange(life, now | RENEWING, new, old).is_ok()
            };
            if life == now {
                return;
            } else if life != now | RENEWING && renews(life) {
                // SAFETY: all others wait here for the new life, and of the old one nobody is left.
                unsafe { self.lock.renew((self.new)()) };
                // Release pairs with the acquire in `lock`.
                self.life.store(now, Ordering::Release);
            } else {
                sys::thread::yield_now();
            }
        }
    }
}

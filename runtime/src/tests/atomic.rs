//! Loom's atomics, and what the protocols need that loom leaves out.
//!
//! # Sequential consistency
//!
//! Loom takes a sequentially consistent access for an acquire or a release, and models the fence
//! alone. What the protocols want of these accesses is one thing: when each of two threads writes
//! and then reads what the other one writes, one of them at least sees the other. So here a
//! sequentially consistent read has a fence before it if its thread has made a sequentially
//! consistent write since its last fence, and that is all. A read after a weaker write gets none,
//! nor does a weaker read after a write, nor a read after a read: the language promises more, and
//! what holds here holds there. The other way round: a fence acquires and releases what a pair of
//! accesses would not, so a model may take for ordered what only a fence orders.
//!
//! # Stores beside exchanges
//!
//! Loom lets a store of one thread come between the two halves of another one's exchange, which
//! nothing real does. Where the two meet the store is one that releases: such a store is an exchange
//! here.
//!
//! # The end of an atomic
//!
//! Where the memory of an atomic ends, every access to it has to come before. Dropping one here says
//! so: a waker that touches a waiter whose frame has ended makes the model fail.

use std::cell::Cell;
use std::fmt;

use crate::primitive::{Ordering, fence};

loom::thread_local! {
    /// Whether the thread has made a sequentially consistent write since its last fence.
    static HAS_WRITTEN: Cell<bool> = Cell::new(false);
}

fn before_read(order: Ordering) {
    if order == Ordering::SeqCst && HAS_WRITTEN.with(|has_written| has_written.replace(false)) {
        fence(Ordering::SeqCst);
    }
}

fn after_write(order: Ordering) {
    if order == Ordering::SeqCst {
        HAS_WRITTEN.with(|has_written| has_written.set(true));
    }
}

macro_rules! atomic {
    ($name:ident $(<$t:ident>)?, $value:ty) => {
        pub struct $name$(<$t>)?(loom::sync::atomic::$name$(<$t>)?);

        impl$(<$t>)? $name$(<$t>)? {
            #[track_caller]
            pub(crate) fn new(value: $value) -> Self {
                Self(loom::sync::atomic::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, order: Ordering) -> $value {
                before_read(order);
                self.0.load(order)
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, order: Ordering) {
                if order == Ordering::Relaxed {
                    self.0.store(value, order);
                } else {
                    self.0.swap(value, order);
                }
                after_write(order);
            }

            #[track_caller]
            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                before_read(order);
                let before = self.0.swap(value, order);
                after_write(order);
                before
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                expected: $value,
                value: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                before_read(success);
                let before = self.0.compare_exchange(expected, value, success, failure)?;
                after_write(success);
                Ok(before)
            }

            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                expected: $value,
                value: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(expected, value, success, failure)
            }
        }

        impl$(<$t>)? fmt::Debug for $name$(<$t>)? {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! fetch {
    ($name:ident, $value:ty: $($fetch:ident),*) => {
        impl $name {
            $(
                #[track_caller]
                pub(crate) fn $fetch(&self, value: $value, order: Ordering) -> $value {
                    before_read(order);
                    let before = self.0.$fetch(value, order);
                        after_write(order);
                    before
                }
            )*
        }
    };
}

macro_rules! ends {
    ($($name:ident $(<$t:ident>)?),*) => {
        $(
            impl$(<$t>)? Drop for $name$(<$t>)? {
                fn drop(&mut self) {
                    if !std::thread::panicking() {
                        self.0.with_mut(|_| ());
                    }
                }
            }
        )*
    };
}

atomic!(AtomicPtr<T>, *mut T);
atomic!(AtomicU8, u8);
atomic!(AtomicU32, u32);
atomic!(AtomicU64, u64);
atomic!(AtomicUsize, usize);

fetch!(AtomicU32, u32: fetch_add, fetch_sub, fetch_or, fetch_and);
fetch!(AtomicUsize, usize: fetch_add, fetch_sub);

ends!(AtomicPtr<T>, AtomicU8, AtomicU32, AtomicU64, AtomicUsize);

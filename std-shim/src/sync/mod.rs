//! Green `std::sync`.
//!
//! Everything here that waits does so in one way: by [`bridge::wait`] on a 32-bit word, until
//! another thread changes the word and calls [`bridge::wake`]. That is a futex in user space. So
//! the types need what std's need with the kernel's futex: a few words, a `const fn new`, no
//! allocation, no registration, nothing to tear down. A green thread that waits gives its worker
//! to the others; an ordinary thread that waits blocks. Both may use the same object at once.
//!
//! Every fast path is one atomic operation and never gets as far as the bridge.
//!
//! | std | here |
//! |---|---|
//! | `Mutex`, `RwLock`, their guards, `Condvar`, `WaitTimeoutResult` | green |
//! | `Once`, `OnceState`, `ONCE_INIT`, `OnceLock`, `LazyLock` | green |
//! | `Barrier`, `BarrierWaitResult` | green |
//! | `mpsc`: channels, their handles and iterators | green |
//! | `PoisonError`, `TryLockError`, `LockResult`, `TryLockResult` | std's own |
//! | errors of `mpsc` | std's own |
//! | `Arc`, `Weak`, `atomic` | std's own: they never wait |
//!
//! The error types are std's own, so that an error from the mirror is one to any code that names
//! std's. The list is explicit: nothing of std that blocks gets through unnoticed.
//!
//! [`bridge::wait`]: crate::bridge::wait
//! [`bridge::wake`]: crate::bridge::wake

mod barrier;
mod condvar;
mod lazy_lock;
pub mod mpsc;
mod mutex;
mod once;
mod once_lock;
mod once_slot;
mod poison;
mod primitive;
mod rwlock;
mod spin;

pub use ::std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};

pub use self::barrier::{Barrier, BarrierWaitResult};
pub use self::condvar::{Condvar, WaitTimeoutResult};
pub use self::lazy_lock::LazyLock;
pub use self::mutex::{Mutex, MutexGuard};
#[expect(deprecated, reason = "std has it, so the mirror has it")]
pub use self::once::ONCE_INIT;
pub use self::once::{Once, OnceState};
pub use self::once_lock::OnceLock;
pub use self::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

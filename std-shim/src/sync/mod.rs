//! Green `std::sync`.

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

pub use ::std::sync::*;

pub use self::barrier::{Barrier, BarrierWaitResult};
pub use self::condvar::{Condvar, WaitTimeoutResult};
pub use self::lazy_lock::LazyLock;
pub use self::mutex::{Mutex, MutexGuard};
pub use self::once::{Once, OnceState};
pub use self::once_lock::OnceLock;
pub use self::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
#[expect(deprecated, reason = "std has it, so the mirror has it")]
pub use self::once::ONCE_INIT;

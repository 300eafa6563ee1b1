//! Green `std::sync`.

mod condvar;
mod mutex;
mod poison;
mod rwlock;
mod spin;

pub use ::std::sync::*;

pub use self::condvar::{Condvar, WaitTimeoutResult};
pub use self::mutex::{Mutex, MutexGuard};
pub use self::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

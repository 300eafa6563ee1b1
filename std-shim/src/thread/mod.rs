//! Green threads behind the names of [`std::thread`].
//!
//! A thread started here is green: a stack of its own, scheduled in user space. Waiting, in
//! whatever way, costs it a switch and no OS thread. What `std::thread` promises holds. A panic
//! ends its own thread and is handed to whoever joins. Names appear in panic messages. `unpark`
//! leaves a token. A scope outlives all it started. The process ends when `main` returns.
//!
//! Everything here may be called from ordinary OS threads too, the main thread included; they
//! block where a green thread parks. A handle says nothing of which kind its thread is: an
//! ordinary thread can `unpark`, join and be joined by green ones.
//!
//! [`thread_local!`](crate::thread_local), [`LocalKey`] and [`panicking`] are std's own: the
//! runtime gives each green thread the storage they live in.
//!
//! ```
//! use std_shim::thread;
//!
//! let adders: Vec<_> = (0..1000).map(|n| thread::spawn(move || n + 1)).collect();
//! let sum: u64 = adders.into_iter().map(|adder| adder.join().unwrap()).sum();
//! assert_eq!(sum, 500_500);
//! ```

mod builder;
mod current;
mod functions;
mod id;
#[allow(unsafe_code, reason = "JoinHandle is Send and Sync whatever it carries")]
mod join_handle;
#[allow(unsafe_code, reason = "a scope starts threads that borrow")]
mod scoped;
#[allow(clippy::module_inception, reason = "std's file of this name holds what this one holds")]
#[allow(unsafe_code, reason = "a reference to the runtime's handle becomes one to the mirror's")]
mod thread;

pub use ::std::thread::{AccessError, LocalKey, Result, available_parallelism, panicking};

pub use self::builder::Builder;
pub use self::current::current;
#[allow(deprecated, reason = "std has them, deprecated")]
pub use self::functions::{park, park_timeout, park_timeout_ms, sleep, sleep_ms, spawn, yield_now};
pub use self::id::ThreadId;
pub use self::join_handle::JoinHandle;
pub use self::scoped::{Scope, ScopedJoinHandle, scope};
pub use self::thread::Thread;

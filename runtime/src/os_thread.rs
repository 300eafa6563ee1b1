//! The OS threads that the runtime starts: its own, and those of threads that are to be OS threads.
//!
//! They are made as every Rust program makes one: by std, which calls libc's `pthread_create`. In a whole
//! program the function of that name starts a green thread. So whoever starts an OS thread says so for
//! the length of the call ([`start`]), in a thread-local; the function of that name asks
//! ([`is_starting`]), and passes such a call on.
//!
//! A green thread may be the one who starts it: then what it says is in its own thread-locals, and goes
//! with it if it parks on the way, as in an allocator of the program's that waits for a lock. What such
//! an allocator starts there is an OS thread, too.

use std::cell::Cell;

thread_local! {
    /// The calling thread is about to start an OS thread.
    static IS_STARTING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is about to start an OS thread for the runtime: then a call of
/// `pthread_create` is to make one.
pub fn is_starting() -> bool {
    IS_STARTING.get()
}

/// Calls `start`, which has std start an OS thread.
pub(crate) fn start<R>(start: impl FnOnce() -> R) -> R {
    let before = IS_STARTING.replace(true);
    let result = start();
    IS_STARTING.set(before);
    result
}

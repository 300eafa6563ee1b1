//! What an OS thread does in the runtime that a signal's handler must not do in its midst.
//!
//! A handler may call `sem_post`, and a system call for a futex, which wake green threads. The kernel runs it wherever
//! it finds the OS thread: maybe in the midst of a wait, or a wake-up, of its own, under a lock that the handler's
//! wake-up needs. So an OS thread says that it is in such a section, and what a handler finds it in it leaves to be
//! done at the section's end.
//!
//! ```text
//!   the OS thread                     a handler on it
//!   depth 0 -> 1                      depth is 0: does it, in a section of its own
//!   ... locks, queues ...             else: leaves it
//!   depth 1 -> 0
//!   does what was left
//! ```
//!
//! All of it is one thread's, so nothing needs to be atomic. A handler comes before the second step of the depth, and
//! then what it leaves is seen after that; or it comes later, and then it finds no section. What is left is one
//! function, for all that handlers have missed.
//!
//! Green threads have none of this. In a whole program their handlers run where they call them; workers have all
//! signals blocked.

use std::cell::Cell;
use std::sync::atomic::{Ordering, compiler_fence};

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    static LEFT: Cell<Option<fn()>> = const { Cell::new(None) };
}

/// Runs `f`, which takes locks of the runtime's, on an OS thread that is no worker's.
#[inline]
pub(crate) fn section<T>(f: impl FnOnce() -> T) -> T {
    DEPTH.set(DEPTH.get() + 1);
    compiler_fence(Ordering::SeqCst);
    let result = f();
    compiler_fence(Ordering::SeqCst);
    let depth = DEPTH.get() - 1;
    DEPTH.set(depth);
    compiler_fence(Ordering::SeqCst);
    if depth == 0
        && let Some(left) = LEFT.take()
    {
        left();
    }
    result
}

/// For what a handler may do: leaves it to the end of the section that the calling OS thread is in; `false` if it is
/// in none.
#[inline]
pub(crate) fn leave(what: fn()) -> bool {
    let is_within = DEPTH.get() != 0;
    if is_within {
        LEFT.set(Some(what));
    }
    is_within
}

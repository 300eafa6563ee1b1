//! Moments in which an OS thread handles no signals.
//!
//! In a whole program a handler may come back here: `sem_post` wakes a thread, `close` detaches a descriptor. Green
//! threads have their signals delivered where they wait, or in the program's code. But an OS thread's are the kernel's,
//! which may interrupt it while it has a lock of the runtime's; the handler would wait for that lock for ever. To
//! block all signals for each wake-up would take two system calls.
//!
//! So whoever calls the kernel's handlers asks here before (`defer`). In a moment it is told to leave the signal pending
//! and blocked; at the end of the moment it is called back to let that in.
//!
//! ```text
//!   the thread                         a handler on it
//!     depth += 1     (begin)             depth > 0: deferred |= signal; it is left pending
//!     ...                                depth = 0: it runs
//!     depth -= 1     (end)
//!     depth = 0, and deferred? let them in
//! ```
//!
//! Both are one thread, so that the order of the program is all that there is; the compiler is to keep it. A handler that
//! runs between the steps of `begin` or `end` leaves the depth as it was. One that comes before the last step down finds
//! a moment, and is found afterwards. One that comes behind it runs; but first it takes what was deferred
//! (`take_deferred`), for what it returns to has that blocked still: it lets that in as it returns.
//!
//! Nobody waits in a moment for more than a lock of the runtime's.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{Ordering, compiler_fence};

use crate::current;

local_pointer! {
    /// How many moments the OS thread is in: a number, not an address. Nobody else's is looked at.
    static DEPTH: u8 as "sylvan_moment_depth";
}

local_pointer! {
    /// Which signals were deferred in it: a mask, not an address.
    static DEFERRED: u8 as "sylvan_moment_deferred";
}

/// Lets deferred signals in on the calling OS thread.
pub type LetIn = fn(u64);

/// None where nobody calls handlers.
static LET_IN: OnceLock<LetIn> = OnceLock::new();

/// A moment of an OS thread; nothing on a green one.
#[derive(Debug)]
pub(crate) struct Moment(bool);

impl Moment {
    #[inline]
    pub(crate) fn begin() -> Self {
        Self::begin_if(current::green().is_none())
    }

    /// The same, for a caller that knows whether it is on an OS thread.
    #[inline]
    pub(crate) fn begin_if(on_os_thread: bool) -> Self {
        if on_os_thread {
            step(1);
        }
        Self(on_os_thread)
    }
}

impl Drop for Moment {
    #[inline]
    fn drop(&mut self) {
        if self.0 {
            end();
        }
    }
}

#[cold]
fn step(by: isize) {
    compiler_fence(Ordering::SeqCst);
    DEPTH.set(ptr::without_provenance(DEPTH.get().addr().wrapping_add_signed(by)));
    compiler_fence(Ordering::SeqCst);
}

#[cold]
fn end() {
    step(-1);
    if DEPTH.get().is_null()
        && let deferred @ 1.. = take_deferred()
        && let Some(let_in) = LET_IN.get()
    {
        let_in(deferred);
    }
}

/// Says who lets in what was deferred. Before there are other threads.
#[cfg(target_os = "linux")]
pub(crate) fn on_end(let_in: LetIn) {
    let _ = LET_IN.set(let_in);
}

/// What was deferred on the calling OS thread: its moment is over, or a handler is about to run there, which lets it in as
/// it returns.
pub(crate) fn take_deferred() -> u64 {
    let deferred = DEFERRED.get().addr() as u64;
    if deferred != 0 {
        DEFERRED.set(ptr::null());
    }
    deferred
}

/// For a handler of these signals on an OS thread: whether they are to wait for the end of a moment, and are noted.
#[cfg(target_os = "linux")]
pub(crate) fn defer(signals: u64) -> bool {
    let is_in_moment = !DEPTH.get().is_null();
    if is_in_moment {
        let deferred = DEFERRED.get().addr() | signals as usize;
        DEFERRED.set(ptr::without_provenance(deferred));
    }
    is_in_moment
}

//! Signal masks: for the layer that stands in for libc's functions.

use std::io;

use crate::Thread;
use crate::moment;
use crate::scheduler::{self, wardrobe};
use crate::sys::signal;

/// From now on each green thread has all signals blocked in the kernel, but for faults and `left_open`, and so
/// have the runtime's OS threads: the caller has its threads' signals delivered itself.
///
/// To be called before the runtime starts.
pub fn cover_all(left_open: u64) {
    wardrobe::cover_all(left_open);
}

/// The mask that OS threads have which are covered.
#[must_use]
pub fn cover() -> u64 {
    signal::cover()
}

/// Whether the caller is a child that shares the memory of the process in which the runtime has started
/// (`vfork`): it changes nothing of that.
#[must_use]
pub fn is_vfork_child() -> bool {
    scheduler::is_vfork_child()
}

pub use crate::moment::LetIn;

/// Has handlers of signals wait while an OS thread is in the midst of something here: whoever calls a handler there asks
/// [`defer`], and `let_in` is called on the thread afterwards, with what was deferred.
///
/// To be called before the runtime starts.
pub fn defer_to(let_in: LetIn) {
    moment::on_end(let_in);
}

/// In a handler on an OS thread that is about to run: what [`defer`] has noted before, and is not to be blocked any more
/// once the handler has returned.
#[must_use]
pub fn take_deferred() -> u64 {
    moment::take_deferred()
}

/// In a handler on an OS thread: whether these signals, a mask, are to wait until the thread is out of the runtime. If so
/// the caller leaves them pending, and blocked.
#[must_use]
pub fn defer(signals: u64) -> bool {
    moment::defer(signals)
}

/// Whether a thread runs or waits for a worker, as far as one can tell: it is neither parked nor in a blocking section.
#[must_use]
pub fn runs(thread: &Thread) -> bool {
    thread.runs()
}

/// Starts an OS thread that has blocked what idle ones have, for the layer that delivers signals.
///
/// # Errors
///
/// Where none can be had.
pub fn start_attendant(attend: fn()) -> io::Result<()> {
    scheduler::start_os_thread("sylvan-signals".into(), attend).map(drop)
}

/// Changes the signal mask of the calling thread, green or not, and returns what it was. A mask has a bit
/// for each signal, the lowest for signal 1; `how` is one of `SIG_BLOCK`, `SIG_UNBLOCK`, `SIG_SETMASK`,
/// and without a `set` nothing changes.
///
/// A green thread's mask goes with it, from one OS thread to the next. Threads that it spawns start with
/// the same.
///
/// # Errors
///
/// `InvalidInput` for another `how`.
///
/// ```
/// # #[cfg(target_os = "linux")] {
/// let usr1 = 1 << (libc::SIGUSR1 - 1);
/// let thread = sylvan::spawn(move || {
///     sylvan::contract::signal::change_mask(libc::SIG_BLOCK, Some(usr1))?;
///     sylvan::yield_now();
///     let child = sylvan::spawn(|| sylvan::contract::signal::change_mask(libc::SIG_BLOCK, None));
///     child.join().unwrap()
/// });
/// assert_eq!(thread.join().unwrap()? & usr1, usr1);
/// assert_eq!(sylvan::contract::signal::change_mask(libc::SIG_BLOCK, None)? & usr1, 0);
/// # }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn change_mask(how: i32, set: Option<u64>) -> io::Result<u64> {
    let before = signal::change(how, set)?;
    if let Some(set) = set {
        let after = match how {
            libc::SIG_BLOCK => before | set,
            libc::SIG_UNBLOCK => before & !set,
            _ => set,
        };
        let after = after & !signal::NEVER;
        if after != before {
            wardrobe::changed(after);
        }
    }
    Ok(before)
}

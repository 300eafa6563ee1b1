//! Signal masks: for the layer that stands in for libc's functions.

use std::io;

use crate::scheduler::wardrobe;
use crate::sys::signal;

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
///     sylvan::signal::change_mask(libc::SIG_BLOCK, Some(usr1))?;
///     sylvan::yield_now();
///     let child = sylvan::spawn(|| sylvan::signal::change_mask(libc::SIG_BLOCK, None));
///     child.join().unwrap()
/// });
/// assert_eq!(thread.join().unwrap()? & usr1, usr1);
/// assert_eq!(sylvan::signal::change_mask(libc::SIG_BLOCK, None)? & usr1, 0);
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

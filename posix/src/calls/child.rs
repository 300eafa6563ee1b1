//! The end of a child.
//!
//! A green thread waits for the end of *one* child as for any descriptor: by one that becomes readable then.
//! That is a pidfd (Linux 5.3), or a queue with a `NOTE_EXIT` in it (macOS, FreeBSD). The kernel's own call
//! then finds the child ended, unless another thread was faster.
//!
//! 1. Ask the kernel, without waiting.
//! 2. Make such a descriptor of the number, and ask once more. If the child is still there, so was its
//!    number all along, and the descriptor is about the child. (A child that another thread has waited for
//!    may leave its number to a stranger.)
//! 3. Wait for the descriptor, and ask a third time.
//! 4. If there is still nothing, the kernel waits itself, in a blocking section.
//!
//! The last step has two uses. One is a child that is on its way out: macOS and FreeBSD tell of the end a moment
//! before the child can be waited for, and macOS makes no descriptor (`ESRCH`) from then on. Then the section
//! is a short one. (On Linux it is a child whose end is another process's first, which traces it.) The other is
//! what no descriptor tells of: that *any* child has ended, that one was stopped, and all children where there
//! are neither pidfds nor queues.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use sylvan::WaitReason;
use sylvan::contract::io::{Hidden, Interest};
use sylvan::contract::{Throttle, watch_exit};

use super::Waits;

/// Forks and executes of this process: each holds an OS thread for as long as the kernel takes, which is
/// work for a processor. One that lasts longer waits: for the child's own code before it executes, or for
/// the program's file.
pub static STARTS: Throttle =
    Throttle::with_patience(Duration::from_millis(20)).shown_as(WaitReason::Child);

/// Waits until `ask` has found a child: that of which `watch` makes a descriptor, if it makes any. `ask` is
/// told whether the kernel is to wait.
///
/// # Errors
///
/// What `ask` says; `Interrupted` where the wait may be.
pub fn wait<T: Send>(
    by: impl Waits,
    watch: impl Fn() -> Option<OwnedFd>,
    mut ask: impl FnMut(bool) -> io::Result<Option<T>> + Send,
) -> io::Result<T> {
    loop {
        if let Some(found) = ask(false)? {
            return Ok(found);
        }
        if let Some(watch) = watch().and_then(Hidden::new) {
            if let Some(found) = ask(false)? {
                return Ok(found);
            }
            match by.ready(watch.as_fd(), Interest::Read, None) {
                Ok(_) => {
                    if let Some(found) = ask(false)? {
                        return Ok(found);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
                // The kernel cannot watch it.
                Err(_) => {}
            }
        }
        if let Some(found) = by.section(|| ask(true))? {
            return Ok(found);
        }
    }
}

/// A descriptor that is readable once the child of this number has ended; `None` if there is none to be had.
#[must_use]
pub fn watch(number: u32) -> Option<OwnedFd> {
    watch_exit(number).ok()
}

//! The end of a child.
//!
//! A pidfd (Linux 5.3) becomes readable when its process has ended, so a green thread waits for the end of
//! *one* child as for any descriptor. The kernel's own call then finds the child ended, unless another thread
//! was faster.
//!
//! 1. Ask the kernel, without waiting.
//! 2. Make a pidfd of the number, and ask once more. If the child is still there, so was its number all
//!    along, and the pidfd is the child's. (A child that another thread has waited for may leave its number
//!    to a stranger.)
//! 3. Wait for the pidfd, close it, and begin again.
//!
//! The kernel tells nobody by a descriptor that *any* child has ended, or that one was stopped; nor where
//! there are no pidfds. Then it waits itself, in a blocking section.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use sylvan::contract::Throttle;
use sylvan::contract::io::{Hidden, Interest};

use super::Waits;

/// Forks and executes of this process: each holds an OS thread for as long as the kernel takes, which is
/// work for a processor. One that lasts longer waits: for the child's own code before it executes, or for
/// the program's file.
pub static STARTS: Throttle = Throttle::with_patience(Duration::from_millis(20));

/// Waits until `ask` has found a child: that of which `pidfd` makes a pidfd, if it makes any. `ask` is told
/// whether the kernel is to wait.
///
/// # Errors
///
/// What `ask` says; `Interrupted` where the wait may be.
pub fn wait<T: Send>(
    by: impl Waits,
    pidfd: impl Fn() -> Option<OwnedFd>,
    mut ask: impl FnMut(bool) -> io::Result<Option<T>> + Send,
) -> io::Result<T> {
    loop {
        if let Some(found) = ask(false)? {
            return Ok(found);
        }
        if let Some(pidfd) = pidfd().and_then(Hidden::new) {
            if let Some(found) = ask(false)? {
                return Ok(found);
            }
            match by.ready(pidfd.as_fd(), Interest::Read, None) {
                Ok(_) => continue,
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

/// A pidfd of the child with this number; `None` where there are none.
#[cfg(target_os = "linux")]
#[must_use]
pub fn pidfd(number: u32) -> Option<OwnedFd> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let number = Pid::from_raw(number.cast_signed())?;
    pidfd_open(number, PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn pidfd(_: u32) -> Option<OwnedFd> {
    None
}

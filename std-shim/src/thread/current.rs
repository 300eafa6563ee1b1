//! Who is calling.

use super::thread::Thread;
use crate::bridge;

/// Returns a handle to the calling thread, be it green or an ordinary one.
///
/// This corresponds to [`std::thread::current`].
///
/// # Examples
///
/// ```
/// use std_shim::thread;
///
/// let green = thread::spawn(|| thread::current().id());
/// let id = green.thread().id();
/// assert_eq!(green.join().unwrap(), id);
/// assert_ne!(thread::current().id(), id);
/// ```
#[must_use]
pub fn current() -> Thread {
    Thread::new(bridge::current())
}

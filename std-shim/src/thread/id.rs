//! Which thread is which.

use std::fmt;

use crate::bridge;

/// Identifies a thread among all of the process's, green and ordinary, for as long as it runs.
///
/// An id is given once: no later thread gets it.
///
/// This corresponds to [`std::thread::ThreadId`].
///
/// # Examples
///
/// ```
/// use std_shim::thread;
///
/// let other = thread::spawn(|| thread::current().id()).join().unwrap();
/// assert_ne!(thread::current().id(), other);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ThreadId(pub(super) bridge::thread::ThreadId);

/// Writes `ThreadId(N)`.
impl fmt::Debug for ThreadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

//! A handle to a thread: its id, its name and its park token.

use std::{fmt, ptr};

use super::id::ThreadId;
use crate::bridge;

/// Stands for a thread, green or ordinary; clones stand for the same one.
///
/// It comes from [`current`](super::current()), [`JoinHandle::thread`](super::JoinHandle::thread)
/// or [`ScopedJoinHandle::thread`](super::ScopedJoinHandle::thread), and does not keep the thread
/// alive.
///
/// This corresponds to [`std::thread::Thread`].
///
/// # Examples
///
/// ```
/// use std_shim::thread;
///
/// let parked = thread::spawn(thread::park);
/// parked.thread().unpark();
/// parked.join().unwrap();
/// ```
#[derive(Clone)]
#[repr(transparent)]
pub struct Thread(bridge::thread::Thread);

impl Thread {
    pub(super) fn new(thread: bridge::thread::Thread) -> Thread {
        Thread(thread)
    }

    /// The mirror's view of the handle that the runtime keeps.
    pub(super) fn from_ref(thread: &bridge::thread::Thread) -> &Thread {
        // SAFETY: `Thread` is `repr(transparent)` over the runtime's handle, so the one reference
        // is valid wherever the other is; the lifetime is the signature's.
        unsafe { &*ptr::from_ref(thread).cast::<Thread>() }
    }

    /// Gives the thread its park token: ends its [`park`](super::park()), or else the next one.
    ///
    /// A token that is there already stays the only one. What the caller did before is visible to
    /// the thread once its `park` has taken the token.
    ///
    /// This corresponds to [`std::thread::Thread::unpark`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// let waits = thread::spawn(thread::park);
    /// waits.thread().unpark();
    /// waits.join().unwrap();
    /// ```
    pub fn unpark(&self) {
        self.0.unpark();
    }

    /// Returns the thread's id.
    ///
    /// This corresponds to [`std::thread::Thread::id`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// let other = thread::spawn(|| thread::current().id());
    /// assert_eq!(other.thread().id(), other.thread().id());
    /// assert_ne!(other.join().unwrap(), thread::current().id());
    /// ```
    #[must_use]
    pub fn id(&self) -> ThreadId {
        ThreadId(self.0.id())
    }

    /// Returns the name that [`Builder::name`](super::Builder::name) gave; the main thread's is
    /// `main`.
    ///
    /// This corresponds to [`std::thread::Thread::name`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// let thread = thread::Builder::new().name("sums".to_owned()).spawn(|| ())?;
    /// assert_eq!(thread.thread().name(), Some("sums"));
    /// assert_eq!(thread::spawn(|| ()).thread().name(), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

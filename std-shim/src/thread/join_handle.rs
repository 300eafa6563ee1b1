//! The right to wait for a thread and to have its result.

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::Result;
use super::thread::Thread;
use crate::bridge;

/// Owns the right to [`join`](Self::join) a thread; dropping it detaches the thread.
///
/// A detached thread runs on, and drops its result itself.
///
/// This corresponds to [`std::thread::JoinHandle`].
///
/// **Differences**: the methods of `JoinHandleExt` panic, for a green thread has no `pthread_t`.
///
/// # Examples
///
/// ```
/// use std_shim::thread;
///
/// let answer = thread::spawn(|| 6 * 7);
/// assert_eq!(answer.join().unwrap(), 42);
///
/// let failure = thread::spawn(|| panic!("no answer")).join().unwrap_err();
/// assert_eq!(failure.downcast_ref(), Some(&"no answer"));
/// ```
pub struct JoinHandle<T> {
    handle: bridge::thread::JoinHandle<T>,
    /// To the compiler, as std's: a place that the thread shares, into which it puts its result.
    result: PhantomData<Arc<UnsafeCell<T>>>,
}

// SAFETY: a handle is made only by a `spawn` that demands `T: Send`, whatever `T` the type may be
// named with, and for such a `T` the runtime's handle is `Send`: see `runtime_handle_is_shared`.
unsafe impl<T> Send for JoinHandle<T> {}
// SAFETY: as above; and through a shared handle nobody reaches the result.
unsafe impl<T> Sync for JoinHandle<T> {}

/// Holds the two implementations above to their reason.
const _: () = {
    const fn both<H: Send + Sync>() {}
    const fn runtime_handle_is_shared<T: Send>() {
        both::<bridge::thread::JoinHandle<T>>();
    }
    runtime_handle_is_shared::<()>();
};

impl<T> JoinHandle<T> {
    pub(super) fn new(handle: bridge::thread::JoinHandle<T>) -> JoinHandle<T> {
        JoinHandle { handle, result: PhantomData }
    }

    /// Returns a handle to the thread itself.
    ///
    /// This corresponds to [`std::thread::JoinHandle::thread`].
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
    #[must_use]
    pub fn thread(&self) -> &Thread {
        Thread::from_ref(self.handle.thread())
    }

    /// Waits for the thread to end, its thread-locals' destructors included, and returns its
    /// result.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it. All the thread did is
    /// visible afterwards.
    ///
    /// This corresponds to [`std::thread::JoinHandle::join`].
    ///
    /// # Errors
    ///
    /// What the thread panicked with.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// assert_eq!(thread::spawn(|| 1 + 1).join().unwrap(), 2);
    ///
    /// let panics = thread::spawn(|| panic!("no"));
    /// assert_eq!(panics.join().unwrap_err().downcast_ref(), Some(&"no"));
    /// ```
    pub fn join(self) -> Result<T> {
        self.handle.join()
    }

    /// Tells whether the thread's closure is done, so that [`join`](Self::join) takes no more
    /// than the time the thread needs to wind up.
    ///
    /// This corresponds to [`std::thread::JoinHandle::is_finished`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::sync::mpsc::channel;
    /// use std_shim::thread;
    ///
    /// let (sender, receiver) = channel::<()>();
    /// let waits = thread::spawn(move || receiver.recv().is_err());
    /// assert!(!waits.is_finished());
    /// drop(sender);
    /// assert!(waits.join().unwrap());
    /// ```
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

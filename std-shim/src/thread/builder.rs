//! What a thread is given before it starts.

use std::{fmt, io};

use super::join_handle::JoinHandle;
use crate::bridge;

/// Configures a new thread: its name and the size of its stack.
///
/// [`spawn`](Self::spawn) and [`spawn_scoped`](Self::spawn_scoped) report a failure to start the
/// thread as an error, where [`thread::spawn`](super::spawn()) and
/// [`Scope::spawn`](super::Scope::spawn) panic.
///
/// This corresponds to [`std::thread::Builder`].
///
/// # Examples
///
/// ```
/// use std_shim::thread;
///
/// let worker = thread::Builder::new()
///     .name("worker".to_owned())
///     .stack_size(64 * 1024)
///     .spawn(|| thread::current().name().map(str::to_owned))?;
/// assert_eq!(worker.join().unwrap().as_deref(), Some("worker"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "must eventually spawn the thread"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}

impl Builder {
    /// Returns a configuration without a name, and with the default stack size.
    ///
    /// This corresponds to [`std::thread::Builder::new`].
    #[allow(clippy::new_without_default, reason = "std's Builder is no Default")]
    pub fn new() -> Builder {
        Builder { name: None, stack_size: None }
    }

    /// Names the thread-to-be. The name appears in panic messages and in [`Thread::name`].
    ///
    /// A name with a NUL in it makes the call that starts the thread panic.
    ///
    /// This corresponds to [`std::thread::Builder::name`].
    ///
    /// [`Thread::name`]: super::Thread::name
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// let named = thread::Builder::new().name("sums".to_owned());
    /// let name = named.spawn(|| thread::current().name().map(str::to_owned))?;
    /// assert_eq!(name.join().unwrap().as_deref(), Some("sums"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn name(mut self, name: String) -> Builder {
        self.name = Some(name);
        self
    }

    /// Sets the size of the stack in bytes; a smaller one than the platform's least is rounded up.
    ///
    /// Without it the size is what `RUST_MIN_STACK` says, or else 2 MiB. The memory is reserved,
    /// not taken: a thread uses what it touches.
    ///
    /// This corresponds to [`std::thread::Builder::stack_size`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// let small = thread::Builder::new().stack_size(64 * 1024);
    /// assert_eq!(small.spawn(|| 1)?.join().unwrap(), 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn stack_size(mut self, size: usize) -> Builder {
        self.stack_size = Some(size);
        self
    }

    /// Starts the thread, green, and returns the handle to join it with.
    ///
    /// The thread may outlive its caller, unless that is the main thread: the process ends with
    /// it. Dropping the handle detaches the thread.
    ///
    /// This corresponds to [`std::thread::Builder::spawn`].
    ///
    /// # Errors
    ///
    /// When there is no memory for the stack.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::thread;
    ///
    /// // An error instead of a panic where there is no room for another thread.
    /// let sum = thread::Builder::new().spawn(|| (1..=10).sum::<i32>())?;
    /// assert_eq!(sum.join().unwrap(), 55);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send + 'static,
        T: Send + 'static,
    {
        Ok(JoinHandle::new(self.into_runtime().spawn(f)?))
    }

    /// Starts the thread, green, whatever `f` and its result borrow.
    ///
    /// This corresponds to [`std::thread::Builder::spawn_unchecked`].
    ///
    /// # Errors
    ///
    /// When there is no memory for the stack.
    ///
    /// # Panics
    ///
    /// If the name contains a NUL.
    ///
    /// # Safety
    ///
    /// What `f` and `T` borrow has to last until the thread has ended and its result is dropped:
    /// the caller joins the handle before the end of any lifetime in `F` or `T`, or sees to it
    /// that there is none but `'static`.
    #[allow(unsafe_code, reason = "the contract is the caller's, as with std")]
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T,
        F: Send,
        T: Send,
    {
        // SAFETY: the caller upholds the same contract.
        Ok(JoinHandle::new(unsafe { self.into_runtime().spawn_unchecked(f) }?))
    }

    /// The same configuration in the runtime's terms.
    #[inline]
    pub(super) fn into_runtime(self) -> bridge::thread::Builder {
        let mut builder = bridge::thread::Builder::new();
        if let Some(name) = self.name {
            builder = builder.name(name);
        }
        if let Some(size) = self.stack_size {
            builder = builder.stack_size(size);
        }
        builder
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            // What std's prints of a wish that cannot be made here, nor in stable std.
            .field("no_hooks", &false)
            .finish()
    }
}

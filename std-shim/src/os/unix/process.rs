//! Processes of Unix.
//!
//! This corresponds to [`std::os::unix::process`]. [`ExitStatusExt`] and the rest are std's own.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;

#[doc(no_inline)]
pub use ::std::os::unix::process::*;

use crate::bridge;
use crate::process::Command;

/// Sets what only a child on Unix has.
///
/// This corresponds to [`std::os::unix::process::CommandExt`].
///
/// **Differences**: it is a trait of the mirror's own, for only std's types can implement std's. A command of
/// std's has to be taken into the mirror for it (`Command::from`): what the methods return is the mirror's.
///
/// ```
/// use std_shim::os::unix::process::CommandExt;
/// use std_shim::process::Command;
///
/// let name = Command::new("sh").arg0("another name").args(["-c", "echo $0"]).output()?;
/// assert_eq!(name.stdout, b"another name\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait CommandExt: sealed::Sealed {
    /// Sets the user that the child runs as.
    ///
    /// This corresponds to [`std::os::unix::process::CommandExt::uid`].
    fn uid(&mut self, id: u32) -> &mut Command;

    /// Sets the group that the child runs as.
    ///
    /// This corresponds to [`std::os::unix::process::CommandExt::gid`].
    fn gid(&mut self, id: u32) -> &mut Command;

    /// Adds a function that runs in the child, between `fork` and `exec`.
    ///
    /// The child may ask to be traced by its parent, or for a signal at its parent's end
    /// (`PR_SET_PDEATHSIG`). Its parent is an OS thread, so a green thread that starts such a command
    /// takes its OS thread for itself, to its end, where it has thread-locals of its own.
    ///
    /// This corresponds to [`std::os::unix::process::CommandExt::pre_exec`].
    ///
    /// # Safety
    ///
    /// In the child of a process with threads only what is safe in a signal handler may be done:
    /// no allocation, no lock. The child has one OS thread, so nothing that parks comes back.
    unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static;

    /// Adds a function that runs in the child, between `fork` and `exec`.
    ///
    /// This corresponds to [`std::os::unix::process::CommandExt::before_exec`], which editions
    /// before 2024 let a program call without `unsafe`.
    ///
    /// # Safety
    ///
    /// As [`pre_exec`](Self::pre_exec).
    #[deprecated(since = "1.37.0", note = "should be unsafe, use `pre_exec` instead")]
    unsafe fn before_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        // SAFETY: the caller upholds the same contract.
        unsafe { self.pre_exec(f) }
    }

    /// Executes the program in this process, in place of all that runs in it; returns only if that
    /// fails.
    ///
    /// This corresponds to [`std::os::unix::process::CommandExt::exec`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::os::unix::process::CommandExt;
    /// use std_shim::process::Command;
    ///
    /// // It returns only if that fails.
    /// let error = Command::new("./no-such-program").exec();
    /// assert_eq!(error.kind(), std_shim::io::ErrorKind::NotFound);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    fn exec(&mut self) -> io::Error;

    /// Sets the name by which the child is called, its argument zero.
    ///
    /// This corresponds to [`std::os::unix::process::CommandExt::arg0`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::os::unix::process::CommandExt;
    /// use std_shim::process::Command;
    ///
    /// let output = Command::new("sh").arg0("other").args(["-c", "echo $0"]).output()?;
    /// assert_eq!(output.stdout, b"other\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn arg0<S>(&mut self, arg: S) -> &mut Command
    where
        S: AsRef<OsStr>;

    /// Sets the child's process group; 0 makes one of its own.
    ///
    /// This corresponds to [`std::os::unix::process::CommandExt::process_group`].
    fn process_group(&mut self, pgroup: i32) -> &mut Command;
}

impl CommandExt for Command {
    fn uid(&mut self, id: u32) -> &mut Command {
        self.with(|plain| plain.uid(id))
    }

    fn gid(&mut self, id: u32) -> &mut Command {
        self.with(|plain| plain.gid(id))
    }

    unsafe fn pre_exec<F>(&mut self, f: F) -> &mut Command
    where
        F: FnMut() -> io::Result<()> + Send + Sync + 'static,
    {
        self.has_code = true;
        // SAFETY: the caller upholds the same contract.
        self.with(|plain| unsafe { plain.pre_exec(f) })
    }

    fn exec(&mut self) -> io::Error {
        bridge::blocking(|| self.plain.exec())
    }

    fn arg0<S>(&mut self, arg: S) -> &mut Command
    where
        S: AsRef<OsStr>,
    {
        self.with(|plain| plain.arg0(arg))
    }

    fn process_group(&mut self, pgroup: i32) -> &mut Command {
        self.with(|plain| plain.process_group(pgroup))
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::process::Command {}
}

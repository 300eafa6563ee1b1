//! A child, and the wait for its end, which stands in [`calls::child`](child).

use std::fmt;
use std::io::{self, Read};
use std::panic::resume_unwind;

use super::{ChildStderr, ChildStdin, ChildStdout, ExitStatus, Output};
use crate::bridge;
use crate::bridge::calls::{Plainly, child};
use crate::os::fd::Attached;
use crate::thread;

/// A process that this one has started.
///
/// Dropped, it leaves the process to itself: somebody has to [`wait`](Self::wait) for it, or it
/// stays in the system's table after its end.
///
/// This corresponds to [`std::process::Child`].
///
/// # Examples
///
/// ```
/// use std_shim::process::Command;
/// use std_shim::thread;
///
/// let sleepers: Vec<_> = (0..20)
///     .map(|_| thread::spawn(|| Command::new("sleep").arg("0.1").spawn()?.wait()))
///     .collect();
/// for sleeper in sleepers {
///     assert!(sleeper.join().unwrap()?.success());
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Child {
    /// Without its pipes: these are in the fields below.
    plain: ::std::process::Child,

    /// The pipe to the child's standard input, if [`Stdio::piped`](super::Stdio::piped) was asked
    /// for.
    ///
    /// This corresponds to `std::process::Child::stdin`.
    pub stdin: Option<ChildStdin>,

    /// The pipe from the child's standard output, if asked for.
    ///
    /// This corresponds to `std::process::Child::stdout`.
    pub stdout: Option<ChildStdout>,

    /// The pipe from the child's standard error, if asked for.
    ///
    /// This corresponds to `std::process::Child::stderr`.
    pub stderr: Option<ChildStderr>,
}

impl Child {
    /// Takes in a child whose pipes are new.
    pub(super) fn fresh(mut plain: ::std::process::Child) -> Child {
        Child {
            stdin: plain.stdin.take().map(|pipe| ChildStdin(Attached::fresh(pipe))),
            stdout: plain.stdout.take().map(|pipe| ChildStdout(Attached::fresh(pipe))),
            stderr: plain.stderr.take().map(|pipe| ChildStderr(Attached::fresh(pipe))),
            plain,
        }
    }

    /// Kills the child (`SIGKILL`). One that has been waited for is dead already: that is no error.
    ///
    /// This corresponds to [`std::process::Child::kill`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let mut child = Command::new("sleep").arg("100").spawn()?;
    /// child.kill()?;
    /// assert!(!child.wait()?.success());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn kill(&mut self) -> io::Result<()> {
        self.plain.kill()
    }

    /// Returns the number of the process.
    ///
    /// This corresponds to [`std::process::Child::id`].
    #[must_use]
    pub fn id(&self) -> u32 {
        self.plain.id()
    }

    /// Closes the pipe to the child's standard input, waits for the child's end, and returns how
    /// it ended. A second call returns the same.
    ///
    /// Parks the calling green thread; an ordinary thread it blocks.
    ///
    /// This corresponds to [`std::process::Child::wait`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: that there is no such child, if `SIGCHLD` is ignored.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let mut child = Command::new("sh").args(["-c", "exit 3"]).spawn()?;
    /// assert_eq!(child.wait()?.code(), Some(3));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        drop(self.stdin.take());
        if !bridge::is_green() {
            return self.plain.wait();
        }
        let id = self.plain.id();
        child::wait(
            Plainly,
            || child::watch(id),
            |waits| {
                if waits {
                    return self.plain.wait().map(Some);
                }
                // As std's `wait`, which is made again.
                loop {
                    match self.plain.try_wait() {
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        other => return other,
                    }
                }
            },
        )
    }

    /// Returns how the child ended, or `None` if it has not.
    ///
    /// This corresponds to [`std::process::Child::try_wait`].
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::Command;
    ///
    /// let mut child = Command::new("sleep").arg("100").spawn()?;
    /// assert!(child.try_wait()?.is_none());
    /// child.kill()?;
    /// child.wait()?;
    /// assert!(child.try_wait()?.is_some());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.plain.try_wait()
    }

    /// Closes the pipe to the child's standard input, reads its output and error to their ends,
    /// and waits for the child's end.
    ///
    /// Parks the calling green thread; an ordinary thread it blocks. To read from two pipes at a
    /// time, a green thread starts another.
    ///
    /// This corresponds to [`std::process::Child::wait_with_output`].
    ///
    /// # Errors
    ///
    /// As [`wait`](Self::wait).
    ///
    /// # Panics
    ///
    /// If a pipe cannot be read, as std's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::process::{Command, Stdio};
    ///
    /// let child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
    /// assert_eq!(child.wait_with_output()?.stdout, b"hello\n");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait_with_output(mut self) -> io::Result<Output> {
        if !bridge::is_green() {
            return ::std::process::Child::from(self).wait_with_output();
        }
        drop(self.stdin.take());
        let (stdout, stderr) = match (self.stdout.take(), self.stderr.take()) {
            (Some(out), Some(err)) => read_both(out, err)?,
            (out, err) => (read_all(out), read_all(err)),
        };
        let status = self.wait()?;
        Ok(Output { status, stdout, stderr })
    }
}

/// All that comes through a pipe, if there is one.
fn read_all(pipe: Option<impl Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

/// All that comes through two pipes, in whatever order.
fn read_both(out: ChildStdout, err: ChildStderr) -> io::Result<(Vec<u8>, Vec<u8>)> {
    thread::scope(|scope| {
        let err = thread::Builder::new().spawn_scoped(scope, || read_all(Some(err)))?;
        let out = read_all(Some(out));
        Ok((out, err.join().unwrap_or_else(|why| resume_unwind(why))))
    })
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .finish_non_exhaustive()
    }
}

/// Beyond std: takes std's type of the same name into the mirror.
impl From<::std::process::Child> for Child {
    fn from(mut plain: ::std::process::Child) -> Child {
        Child {
            stdin: plain.stdin.take().map(Into::into),
            stdout: plain.stdout.take().map(Into::into),
            stderr: plain.stderr.take().map(Into::into),
            plain,
        }
    }
}

/// Beyond std: gives std's type of the same name.
impl From<Child> for ::std::process::Child {
    fn from(child: Child) -> Self {
        let mut plain = child.plain;
        plain.stdin = child.stdin.map(Into::into);
        plain.stdout = child.stdout.map(Into::into);
        plain.stderr = child.stderr.map(Into::into);
        plain
    }
}

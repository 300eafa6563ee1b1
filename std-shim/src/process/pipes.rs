//! The parent's ends of the pipes to and from a child.

use crate::io::transfer;
use crate::os::fd::Attached;

/// The writing end of the pipe to a child's standard input.
///
/// Writing parks the calling green thread until all fits into the pipe; an ordinary thread it
/// blocks. Dropped, it is the end of the file for the child.
///
/// This corresponds to [`std::process::ChildStdin`].
///
/// # Examples
///
/// ```
/// use std_shim::io::Write;
/// use std_shim::process::{Command, Stdio};
///
/// let mut child = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// child.stdin.take().expect("it is piped").write_all(b"two\none\n")?;
/// assert_eq!(child.wait_with_output()?.stdout, b"one\ntwo\n");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStdin(pub(crate) Attached<::std::process::ChildStdin>);

/// The reading end of the pipe from a child's standard output.
///
/// Reading parks the calling green thread until the child has written; an ordinary thread it
/// blocks.
///
/// This corresponds to [`std::process::ChildStdout`].
///
/// # Examples
///
/// ```
/// use std_shim::io;
/// use std_shim::process::{Command, Stdio};
///
/// let mut child = Command::new("echo").arg("hello").stdout(Stdio::piped()).spawn()?;
/// let stdout = child.stdout.take().expect("it is piped");
/// assert_eq!(io::read_to_string(stdout)?, "hello\n");
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStdout(pub(crate) Attached<::std::process::ChildStdout>);

/// The reading end of the pipe from a child's standard error.
///
/// Reading parks the calling green thread until the child has written; an ordinary thread it
/// blocks.
///
/// This corresponds to [`std::process::ChildStderr`].
///
/// # Examples
///
/// ```
/// use std_shim::io;
/// use std_shim::process::{Command, Stdio};
///
/// let mut child = Command::new("sh").args(["-c", "echo no >&2"]).stderr(Stdio::piped()).spawn()?;
/// let stderr = child.stderr.take().expect("it is piped");
/// assert_eq!(io::read_to_string(stderr)?, "no\n");
/// child.wait()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ChildStderr(pub(crate) Attached<::std::process::ChildStderr>);

read_by!(transfer(), ChildStdout);
read_by!(transfer(), ChildStderr);
write_by!(transfer(), ChildStdin);
write_by!(transfer(), &ChildStdin);
debug_as_std!(ChildStdin, ChildStdout, ChildStderr);

//! The parent's ends of the pipes to and from a child.

use crate::io::transfer::{read_by_transfer, write_by_transfer};
use crate::os::fd::Attached;

/// The end that is written of a child's standard input.
///
/// Writing parks the calling green thread until all fits into the pipe; an ordinary thread it
/// blocks. Dropped, it is the end of the file for the child.
///
/// This corresponds to [`std::process::ChildStdin`].
pub struct ChildStdin(pub(crate) Attached<::std::process::ChildStdin>);

/// The end that is read of a child's standard output.
///
/// Reading parks the calling green thread until the child has written; an ordinary thread it
/// blocks.
///
/// This corresponds to [`std::process::ChildStdout`].
pub struct ChildStdout(pub(crate) Attached<::std::process::ChildStdout>);

/// The end that is read of a child's standard error.
///
/// Reading parks the calling green thread until the child has written; an ordinary thread it
/// blocks.
///
/// This corresponds to [`std::process::ChildStderr`].
pub struct ChildStderr(pub(crate) Attached<::std::process::ChildStderr>);

read_by_transfer!(ChildStdout, ChildStderr);
write_by_transfer!(ChildStdin, &ChildStdin);
debug_as_std!(ChildStdin, ChildStdout, ChildStderr);

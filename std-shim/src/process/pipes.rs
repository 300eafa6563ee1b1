//! The parent's ends of the pipes to and from a child.

use crate::io::transfer;
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

read_by!(transfer(), ChildStdout);
read_by!(transfer(), ChildStderr);
write_by!(transfer(), ChildStdin);
write_by!(transfer(), &ChildStdin);
debug_as_std!(ChildStdin, ChildStdout, ChildStderr);

//! What a child's standard streams are.

use super::{ChildStderr, ChildStdin, ChildStdout};
use crate::fs::File;
use crate::io::{PipeReader, PipeWriter, Stderr, Stdout};

/// Says what a standard stream of a child is to be: this process's own, a pipe, nothing, a file.
///
/// Pipes and files convert into it. They are plain blocking descriptors for the child, whatever
/// the mirror did with them before.
///
/// This corresponds to [`std::process::Stdio`].
///
/// # Examples
///
/// ```
/// use std_shim::process::{Command, Stdio};
///
/// let mut echo = Command::new("echo").arg("one two").stdout(Stdio::piped()).spawn()?;
/// let words = Command::new("wc").arg("-w").stdin(echo.stdout.take().unwrap()).output()?;
/// assert_eq!(words.stdout.trim_ascii(), b"2");
/// assert!(echo.wait()?.success());
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Stdio(pub(super) ::std::process::Stdio);

impl Stdio {
    /// Asks for a pipe between this process and the child.
    ///
    /// This corresponds to [`std::process::Stdio::piped`].
    #[must_use]
    pub fn piped() -> Stdio {
        Stdio(::std::process::Stdio::piped())
    }

    /// Asks for the stream that this process has.
    ///
    /// This corresponds to [`std::process::Stdio::inherit`].
    #[must_use]
    pub fn inherit() -> Stdio {
        Stdio(::std::process::Stdio::inherit())
    }

    /// Asks for a stream that is empty, or swallows everything.
    ///
    /// This corresponds to [`std::process::Stdio::null`].
    #[must_use]
    pub fn null() -> Stdio {
        Stdio(::std::process::Stdio::null())
    }
}

plain_conversions! {
    Stdio = ::std::process::Stdio;
}

debug_as_std!(Stdio);

/// The mirror's types, by way of std's, each by a function that gives it; and across: std's into
/// this `Stdio`, the mirror's into std's.
macro_rules! from_streams {
    ($($stream:ty => $std:ty, by $given:expr;)*) => {$(
        impl From<$stream> for Stdio {
            fn from(stream: $stream) -> Stdio {
                Stdio(stream.into())
            }
        }

        /// Beyond std: takes std's type of the same name.
        impl From<$std> for Stdio {
            fn from(stream: $std) -> Stdio {
                Stdio(stream.into())
            }
        }

        /// Beyond std: for a child that std starts.
        impl From<$stream> for ::std::process::Stdio {
            fn from(stream: $stream) -> Self {
                <$std>::into(($given)(stream))
            }
        }
    )*};
}

from_streams! {
    ChildStdin => ::std::process::ChildStdin, by Into::into;
    ChildStdout => ::std::process::ChildStdout, by Into::into;
    ChildStderr => ::std::process::ChildStderr, by Into::into;
    File => ::std::fs::File, by Into::into;
    PipeReader => ::std::io::PipeReader, by Into::into;
    PipeWriter => ::std::io::PipeWriter, by Into::into;
    Stdout => ::std::io::Stdout, by |_| ::std::io::stdout();
    Stderr => ::std::io::Stderr, by |_| ::std::io::stderr();
}

impl From<::std::os::fd::OwnedFd> for Stdio {
    fn from(fd: ::std::os::fd::OwnedFd) -> Stdio {
        Stdio(fd.into())
    }
}

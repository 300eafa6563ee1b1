//! Whether a descriptor is a terminal.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::{Stderr, StderrLock, Stdin, StdinLock, Stdout, StdoutLock};
use crate::fs::File;

/// Tells whether a descriptor is a terminal.
///
/// This corresponds to [`std::io::IsTerminal`].
///
/// **Differences**: it is a trait of the mirror's own, for only std's types can implement std's. They have
/// this one, too.
///
/// ```
/// use std_shim::io::{self, IsTerminal};
///
/// let (reader, _writer) = io::pipe()?;
/// assert!(!std_shim::os::fd::OwnedFd::from(reader).is_terminal());
/// # Ok::<(), io::Error>(())
/// ```
pub trait IsTerminal: sealed::Sealed {
    /// Returns whether this is a terminal; `false` also if that cannot be found out.
    ///
    /// This corresponds to [`std::io::IsTerminal::is_terminal`].
    fn is_terminal(&self) -> bool;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! terminals {
    ($($t:ty),*) => {$(
        impl sealed::Sealed for $t {}

        impl IsTerminal for $t {
            fn is_terminal(&self) -> bool {
                ::std::io::IsTerminal::is_terminal(&self.as_fd())
            }
        }
    )*};
}

terminals!(File, Stdin, StdinLock<'_>, Stdout, StdoutLock<'_>, Stderr, StderrLock<'_>);
terminals!(BorrowedFd<'_>, OwnedFd);
terminals!(::std::fs::File, ::std::io::Stdin, ::std::io::StdinLock<'_>);
terminals!(::std::io::Stdout, ::std::io::StdoutLock<'_>);
terminals!(::std::io::Stderr, ::std::io::StderrLock<'_>);

//! The traits of descriptors, for files, pipes and the standard streams.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use crate::{fs, io, process};

attached_conversions! {
    io::PipeReader = ::std::io::PipeReader;
    io::PipeWriter = ::std::io::PipeWriter;
    process::ChildStdin = ::std::process::ChildStdin;
    process::ChildStdout = ::std::process::ChildStdout;
    process::ChildStderr = ::std::process::ChildStderr;
}

// No call on a file minds what is set on it.
descriptor_traits! {
    as_fd: fs::File = ::std::fs::File;
}

descriptor_traits! {
    lend:
    io::PipeReader = ::std::io::PipeReader;
    io::PipeWriter = ::std::io::PipeWriter;
    process::ChildStdin = ::std::process::ChildStdin;
    process::ChildStdout = ::std::process::ChildStdout;
    process::ChildStderr = ::std::process::ChildStderr;
}

from_raw_fd! {
    fs::File = ::std::fs::File;
    io::PipeReader = ::std::io::PipeReader;
    io::PipeWriter = ::std::io::PipeWriter;
    process::Stdio = ::std::process::Stdio;
}

/// The standard streams and their locks, which own no descriptor but have one, named here by its
/// constant in libc.
macro_rules! standard_streams {
    ($($stream:ty = $number:expr;)*) => {$(
        impl AsFd for $stream {
            #[inline]
            fn as_fd(&self) -> BorrowedFd<'_> {
                // SAFETY: as std, which hands it out for `'static`: the standard descriptors are
                // never closed.
                unsafe { BorrowedFd::borrow_raw($number) }
            }
        }

        impl AsRawFd for $stream {
            #[inline]
            fn as_raw_fd(&self) -> RawFd {
                $number
            }
        }
    )*};
}

standard_streams! {
    io::Stdin = libc::STDIN_FILENO;
    io::StdinLock<'_> = libc::STDIN_FILENO;
    io::Stdout = libc::STDOUT_FILENO;
    io::StdoutLock<'_> = libc::STDOUT_FILENO;
    io::Stderr = libc::STDERR_FILENO;
    io::StderrLock<'_> = libc::STDERR_FILENO;
}

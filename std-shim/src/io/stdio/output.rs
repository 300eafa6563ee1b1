//! Standard output and error: real std's buffers behind green locks.

use std::fmt;
use std::io::{self, IoSlice, Write};
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::reentrant::{ReentrantLock, ReentrantLockGuard};
use crate::bridge;

static STDOUT: ReentrantLock = ReentrantLock::new();
static STDERR: ReentrantLock = ReentrantLock::new();

/// Returns a handle to standard output.
///
/// This corresponds to [`std::io::stdout`].
///
/// # Examples
///
/// ```
/// use std_shim::io::{self, Write};
///
/// let mut out = io::stdout().lock();
/// writeln!(out, "a line")?;
/// writeln!(out, "and the next, with nothing between them")?;
/// # Ok::<(), io::Error>(())
/// ```
#[must_use]
pub fn stdout() -> Stdout {
    Stdout(())
}

/// Returns a handle to standard error.
///
/// This corresponds to [`std::io::stderr`].
///
/// # Examples
///
/// ```
/// use std_shim::io::{self, Write};
///
/// io::stderr().write_all(b"a word to whoever looks\n")?;
/// # Ok::<(), io::Error>(())
/// ```
#[must_use]
pub fn stderr() -> Stderr {
    Stderr(())
}

/// Stands for the standard output of the process.
///
/// Its buffer, written out line by line, is real std's, and so shared with `println!`. Writing is a
/// blocking section.
///
/// This corresponds to [`std::io::Stdout`].
///
/// **Differences**: a lock does not keep out a bare `println!`; see [the module](crate::io).
///
/// # Examples
///
/// ```
/// use std_shim::io::{self, Write};
///
/// io::stdout().write_all(b"hello\n")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Stdout(());

/// A lock on standard output: while it is held, nobody else writes there through the mirror.
///
/// This corresponds to [`std::io::StdoutLock`].
///
/// # Examples
///
/// ```
/// use std_shim::io::{self, Write};
///
/// let mut output = io::stdout().lock();
/// writeln!(output, "two lines that")?;
/// writeln!(output, "stay together")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "if unused stdout will immediately unlock"]
pub struct StdoutLock<'a> {
    _guard: ReentrantLockGuard<'a>,
}

/// Stands for the standard error of the process, which has no buffer.
///
/// Writing is a blocking section.
///
/// This corresponds to [`std::io::Stderr`].
///
/// **Differences**: a lock does not keep out a bare `eprintln!`; see [the module](crate::io). What
/// one `write!` says is written by one call of the kernel, not by one for each piece.
///
/// # Examples
///
/// ```
/// use std_shim::io::{self, Write};
///
/// io::stderr().write_all(b"hello\n")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Stderr(());

/// A lock on standard error: while it is held, nobody else writes there through the mirror.
///
/// This corresponds to [`std::io::StderrLock`].
#[must_use = "if unused stderr will immediately unlock"]
pub struct StderrLock<'a> {
    _guard: ReentrantLockGuard<'a>,
}

impl Stdout {
    /// Locks standard output until the guard is dropped. The holder may lock it again.
    ///
    /// Parks the calling green thread while another thread has the lock.
    ///
    /// This corresponds to [`std::io::Stdout::lock`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::io::{self, Write};
    ///
    /// let mut output = io::stdout().lock();
    /// writeln!(output, "two lines that")?;
    /// writeln!(output, "stay together")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn lock(&self) -> StdoutLock<'static> {
        StdoutLock { _guard: STDOUT.lock() }
    }
}

impl Stderr {
    /// Locks standard error until the guard is dropped. The holder may lock it again.
    ///
    /// Parks the calling green thread while another thread has the lock.
    ///
    /// This corresponds to [`std::io::Stderr::lock`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::io::{self, Write};
    ///
    /// let mut errors = io::stderr().lock();
    /// writeln!(errors, "two lines that")?;
    /// writeln!(errors, "stay together")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn lock(&self) -> StderrLock<'static> {
        StderrLock { _guard: STDERR.lock() }
    }
}

/// Implements [`Write`] for a handle by way of its lock, and for the lock by way of real std's
/// handle.
macro_rules! standard_output {
    ($handle:ident, $lock:ident, $real:path) => {
        impl Write for $lock<'_> {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                bridge::blocking(|| $real().write(buf))
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                bridge::blocking(|| $real().write_vectored(bufs))
            }

            fn flush(&mut self) -> io::Result<()> {
                bridge::blocking(|| $real().flush())
            }

            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                bridge::blocking(|| $real().write_all(buf))
            }

            /// What the arguments say is put together before, since they may park; so real std's
            /// lock is held once for all of it.
            fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> io::Result<()> {
                let mut text = Vec::new();
                let formatted = text.write_fmt(args);
                self.write_all(&text).and(formatted)
            }
        }

        impl Write for &$handle {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.lock().write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                self.lock().write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                self.lock().flush()
            }

            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                self.lock().write_all(buf)
            }

            fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> io::Result<()> {
                self.lock().write_fmt(args)
            }
        }

        impl Write for $handle {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                (&*self).write(buf)
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                (&*self).write_vectored(bufs)
            }

            fn flush(&mut self) -> io::Result<()> {
                (&*self).flush()
            }

            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                (&*self).write_all(buf)
            }

            fn write_fmt(&mut self, args: fmt::Arguments<'_>) -> io::Result<()> {
                (&*self).write_fmt(args)
            }
        }

        impl fmt::Debug for $handle {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle)).finish_non_exhaustive()
            }
        }

        impl fmt::Debug for $lock<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($lock)).finish_non_exhaustive()
            }
        }

        impl UnwindSafe for $lock<'_> {}
        impl RefUnwindSafe for $lock<'_> {}
    };
}

standard_output!(Stdout, StdoutLock, ::std::io::stdout);
standard_output!(Stderr, StderrLock, ::std::io::stderr);

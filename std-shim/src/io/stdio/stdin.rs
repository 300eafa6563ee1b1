//! Standard input: one buffer for the process, behind a green lock.

use std::fmt;
use std::io::{self, BufRead, BufReader, IoSliceMut, Lines, Read};
use std::os::fd::AsFd;
use std::sync::PoisonError;

use crate::bridge;
use crate::io::transfer;
use crate::sync::{LazyLock, Mutex, MutexGuard};

static BUFFER: LazyLock<Mutex<BufReader<Raw>>> = LazyLock::new(|| Mutex::new(BufReader::new(Raw)));

/// The descriptor itself. A closed one reads as an empty file, as in std.
struct Raw;

impl Raw {
    /// Makes one call on the descriptor.
    fn read_by(
        &self,
        read: impl FnOnce(std::os::fd::BorrowedFd<'_>) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let stdin = ::std::io::stdin();
        let result = read(stdin.as_fd());
        // The number may mean another file by the next call: `dup2` tells nobody.
        bridge::io::release(stdin.as_fd());
        match result {
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(0),
            other => other,
        }
    }
}

impl Read for Raw {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.read_by(|fd| transfer::read(fd, buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.read_by(|fd| transfer::read_vectored(fd, bufs))
    }
}

/// Returns a handle to standard input.
///
/// This corresponds to [`std::io::stdin`].
///
/// # Examples
///
/// ```no_run
/// use std_shim::io;
///
/// for line in io::stdin().lines() {
///     println!("{}", line?.to_uppercase());
/// }
/// # Ok::<(), io::Error>(())
/// ```
#[must_use]
pub fn stdin() -> Stdin {
    Stdin(&BUFFER)
}

/// Stands for the standard input of the process.
///
/// All handles share one buffer. Each call locks it; [`lock`](Self::lock) does so for several.
/// Reading parks the calling green thread until there is input; an ordinary thread it blocks.
///
/// This corresponds to [`std::io::Stdin`].
///
/// **Differences**: its buffer is the mirror's. A crate that has not been moved over reads through real std's:
/// read the input through one of the two.
///
/// # Examples
///
/// ```no_run
/// use std_shim::io;
///
/// let mut line = String::new();
/// io::stdin().read_line(&mut line)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Stdin(&'static Mutex<BufReader<Raw>>);

/// A lock on standard input, with access to its buffer: while it is held, nobody else reads there
/// through the mirror.
///
/// This corresponds to [`std::io::StdinLock`].
#[must_use = "if unused stdin will immediately unlock"]
pub struct StdinLock<'a>(MutexGuard<'a, BufReader<Raw>>);

impl Stdin {
    /// Locks standard input until the guard is dropped.
    ///
    /// Parks the calling green thread while another thread has the lock.
    ///
    /// This corresponds to [`std::io::Stdin::lock`].
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std_shim::io::{self, BufRead};
    ///
    /// for line in io::stdin().lock().lines() {
    ///     println!("{}", line?.len());
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn lock(&self) -> StdinLock<'static> {
        StdinLock(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads up to the next newline, which is included, and appends that to `buf`.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::io::Stdin::read_line`].
    ///
    /// # Errors
    ///
    /// As [`BufRead::read_line`]: `InvalidData` for what is not UTF-8.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// use std_shim::io;
    ///
    /// let mut line = String::new();
    /// io::stdin().read_line(&mut line)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn read_line(&self, buf: &mut String) -> io::Result<usize> {
        self.lock().read_line(buf)
    }

    /// Locks standard input for good and returns its lines.
    ///
    /// This corresponds to [`std::io::Stdin::lines`].
    #[must_use = "`self` will be dropped if the result is not used"]
    pub fn lines(self) -> Lines<StdinLock<'static>> {
        self.lock().lines()
    }
}

/// Implements [`Read`] by way of what comes after `self`.
macro_rules! read_by_way_of {
    ($($reader:ty [$($way:tt)*])*) => {$(
        impl Read for $reader {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self $($way)*.read(buf)
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self $($way)*.read_vectored(bufs)
            }

            fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
                self $($way)*.read_to_end(buf)
            }

            fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
                self $($way)*.read_to_string(buf)
            }

            fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
                self $($way)*.read_exact(buf)
            }
        }
    )*};
}

read_by_way_of! {
    StdinLock<'_> [.0]
    Stdin [.lock()]
    &Stdin [.lock()]
}

impl BufRead for StdinLock<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }

    fn read_until(&mut self, byte: u8, buf: &mut Vec<u8>) -> io::Result<usize> {
        self.0.read_until(byte, buf)
    }

    fn read_line(&mut self, buf: &mut String) -> io::Result<usize> {
        self.0.read_line(buf)
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stdin").finish_non_exhaustive()
    }
}

impl fmt::Debug for StdinLock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdinLock").finish_non_exhaustive()
    }
}

//! Files that the runtime reads and writes itself: not std's, whose calls a whole program has otherwise.

use std::io::{self, Read, Write};
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::path::Arg;

/// Closes a descriptor of the runtime's own. A program that closes numbers that it does not know may have been first:
/// that is no error.
///
/// # Safety
///
/// It is owned, and not used any more.
pub(crate) unsafe fn close(number: RawFd) {
    // SAFETY: as the caller promises.
    let _ = unsafe { rustix::io::try_close(number) };
}

/// An open file.
#[derive(Debug)]
pub(crate) struct File(ManuallyDrop<OwnedFd>);

impl File {
    /// For reading.
    pub(crate) fn open(path: impl Arg) -> io::Result<Self> {
        Self::with(path, OFlags::RDONLY)
    }

    /// For writing: a new one, or an old one from its begin on.
    pub(crate) fn create(path: impl Arg) -> io::Result<Self> {
        Self::with(path, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)
    }

    /// For writing: a new one, or an old one from its end on.
    pub(crate) fn append(path: impl Arg) -> io::Result<Self> {
        Self::with(path, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND)
    }

    fn with(path: impl Arg, flags: OFlags) -> io::Result<Self> {
        let mode = Mode::from_raw_mode(0o644);
        Ok(rustix::fs::open(path, flags | OFlags::CLOEXEC, mode)?.into())
    }
}

impl From<OwnedFd> for File {
    fn from(fd: OwnedFd) -> Self {
        Self(ManuallyDrop::new(fd))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // SAFETY: it is not used again.
        let file = unsafe { ManuallyDrop::take(&mut self.0) };
        // SAFETY: owned. To drop it would be to call libc's function.
        unsafe { close(file.into_raw_fd()) };
    }
}

impl Read for File {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0.as_fd(), into)?)
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0.as_fd(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Standard error, straight to the descriptor: without a lock, without an allocation.
#[derive(Debug)]
pub(crate) struct Stderr;

impl Stderr {
    fn descriptor() -> BorrowedFd<'static> {
        // SAFETY: it is standard error by convention; if it is closed, the calls fail.
        unsafe { BorrowedFd::borrow_raw(2) }
    }

    /// Writes all, and waits where there is no room: also where the program has made it one that would not.
    pub(crate) fn write_patiently(mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    poll(
                        &mut [PollFd::from_borrowed_fd(Self::descriptor(), PollFlags::OUT)],
                        None,
                    )?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(Self::descriptor(), bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use std::os::fd::AsRawFd;

    use rustix::io::fcntl_dupfd_cloexec;

    use super::*;

    #[test]
    fn a_file_whose_number_the_program_has_closed_is_dropped_in_silence() {
        let file = File::open("/dev/null").unwrap();
        // A number that no other test gets.
        let file = File::from(fcntl_dupfd_cloexec(file.0.as_fd(), 777).unwrap());
        let number = file.0.as_raw_fd();
        // SAFETY: as a program that closes all numbers does; nobody else has opened this one.
        unsafe { close(number) };
        drop(file);
    }
}

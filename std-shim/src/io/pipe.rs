//! A pipe within the process, or to a child.

use std::io;

use super::transfer;
use crate::os::fd::Attached;

/// Makes a pipe: what is written to one end is read from the other.
///
/// This corresponds to [`std::io::pipe`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `EMFILE`.
///
/// # Examples
///
/// ```
/// use std_shim::io::{self, Read, Write};
/// use std_shim::thread;
///
/// let (mut reader, mut writer) = io::pipe()?;
/// // Far more than a pipe holds: the writer parks until the reader has made room.
/// let writing = thread::spawn(move || writer.write_all(&[b'.'; 1_000_000]));
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text.len(), 1_000_000);
/// writing.join().unwrap()?;
/// # Ok::<(), io::Error>(())
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = ::std::io::pipe()?;
    Ok((PipeReader(Attached::fresh(reader)), PipeWriter(Attached::fresh(writer))))
}

/// The reading end of a pipe.
///
/// Reading parks the calling green thread until somebody has written, or until the last writer is
/// gone, which is the end of the file; an ordinary thread it blocks.
///
/// This corresponds to [`std::io::PipeReader`].
///
/// # Examples
///
/// ```
/// use std_shim::io::{self, Read, Write};
///
/// let (mut reader, mut writer) = io::pipe()?;
/// writer.write_all(b"hello")?;
/// // The end comes once the last writer is gone.
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct PipeReader(pub(crate) Attached<::std::io::PipeReader>);

/// The writing end of a pipe.
///
/// Writing parks the calling green thread until all fits in; an ordinary thread it blocks. Once the
/// last reader is gone the error is `BrokenPipe`.
///
/// This corresponds to [`std::io::PipeWriter`].
///
/// # Examples
///
/// ```
/// use std_shim::io::{self, Write};
///
/// let (reader, mut writer) = io::pipe()?;
/// let mut clone = writer.try_clone()?;
/// writer.write_all(b"hello, ")?;
/// clone.write_all(b"world")?;
/// drop((writer, clone));
/// assert_eq!(io::read_to_string(reader)?, "hello, world");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct PipeWriter(pub(crate) Attached<::std::io::PipeWriter>);

impl PipeReader {
    /// Makes a second handle of this end.
    ///
    /// This corresponds to [`std::io::PipeReader::try_clone`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `EMFILE`.
    pub fn try_clone(&self) -> io::Result<PipeReader> {
        self.0.try_clone(::std::io::PipeReader::try_clone).map(Self)
    }
}

impl PipeWriter {
    /// Makes a second handle of this end.
    ///
    /// This corresponds to [`std::io::PipeWriter::try_clone`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `EMFILE`.
    pub fn try_clone(&self) -> io::Result<PipeWriter> {
        self.0.try_clone(::std::io::PipeWriter::try_clone).map(Self)
    }
}

read_by!(transfer(), PipeReader);
read_by!(transfer(), &PipeReader);
write_by!(transfer(), PipeWriter);
write_by!(transfer(), &PipeWriter);
debug_as_std!(PipeReader, PipeWriter);

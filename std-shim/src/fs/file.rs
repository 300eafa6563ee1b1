//! An open file.

use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{FileTimes, Metadata, OpenOptions, Permissions, TryLockError};
use crate::bridge::blocking;

/// A file that is open, to be read, written or both.
///
/// Each call is a blocking section. Dropped, the file is closed.
///
/// This corresponds to [`std::fs::File`].
///
/// **Differences**: an `Arc<File>` reads and writes as `&*file`, not by itself.
///
/// # Examples
///
/// ```
/// use std_shim::fs::{self, File};
/// use std_shim::io::{self, Read, Write};
///
/// # let directory = std::env::temp_dir().join(format!("std-shim-file-{}", std::process::id()));
/// # fs::create_dir(&directory)?;
/// let path = directory.join("notes");
/// File::create(&path)?.write_all(b"one line\n")?;
///
/// let mut notes = String::new();
/// File::open(&path)?.read_to_string(&mut notes)?;
/// assert_eq!(notes, "one line\n");
/// # fs::remove_dir_all(&directory)?;
/// # Ok::<(), io::Error>(())
/// ```
pub struct File(pub(crate) ::std::fs::File);

plain_conversions! {
    File = ::std::fs::File;
}

debug_as_std!(File);

impl File {
    /// Opens a file to be read.
    ///
    /// This corresponds to [`std::fs::File::open`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `NotFound`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::fs::File;
    /// use std_shim::io::Read;
    ///
    /// let mut text = String::new();
    /// File::open("/dev/null")?.read_to_string(&mut text)?;
    /// assert_eq!(text, "");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<File> {
        let path = path.as_ref();
        blocking(|| ::std::fs::File::open(path)).map(File)
    }

    /// Opens a file to be written, made if there is none and emptied if there is one.
    ///
    /// This corresponds to [`std::fs::File::create`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `PermissionDenied`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("fs-file-create-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::fs::{self, File};
    /// use std_shim::io::Write;
    ///
    /// let path = folder.join("greeting");
    /// let mut file = File::create(&path)?;
    /// file.write_all(b"hello")?;
    /// assert_eq!(fs::read(&path)?, b"hello");
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<File> {
        let path = path.as_ref();
        blocking(|| ::std::fs::File::create(path)).map(File)
    }

    /// Creates a new file, to be read and written.
    ///
    /// This corresponds to [`std::fs::File::create_new`].
    ///
    /// # Errors
    ///
    /// `AlreadyExists` if there is such a file; else any error that the kernel reports.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("fs-file-create_new-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::fs::File;
    /// use std_shim::io::ErrorKind;
    ///
    /// let path = folder.join("greeting");
    /// let _file = File::create_new(&path)?;
    /// assert_eq!(File::create_new(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        let path = path.as_ref();
        blocking(|| ::std::fs::File::create_new(path)).map(File)
    }

    /// Returns options to open a file with.
    ///
    /// This corresponds to [`std::fs::File::options`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("fs-file-options-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::fs::{self, File};
    /// use std_shim::io::Write;
    ///
    /// let path = folder.join("log");
    /// for line in ["one\n", "two\n"] {
    ///     let mut log = File::options().append(true).create(true).open(&path)?;
    ///     log.write_all(line.as_bytes())?;
    /// }
    /// assert_eq!(fs::read_to_string(&path)?, "one\ntwo\n");
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Waits until the file and its metadata are on the disk.
    ///
    /// This corresponds to [`std::fs::File::sync_all`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, of earlier writes too.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("fs-file-sync_all-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::fs::File;
    /// use std_shim::io::Write;
    ///
    /// let mut file = File::create(folder.join("greeting"))?;
    /// file.write_all(b"hello")?;
    /// file.sync_all()?;
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn sync_all(&self) -> io::Result<()> {
        blocking(|| self.0.sync_all())
    }

    /// Waits until the file's contents are on the disk.
    ///
    /// This corresponds to [`std::fs::File::sync_data`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, of earlier writes too.
    pub fn sync_data(&self) -> io::Result<()> {
        blocking(|| self.0.sync_data())
    }

    /// Takes the exclusive lock of the file; waits until nobody else has it locked.
    ///
    /// The wait is a blocking section: each green thread that waits here takes an OS thread.
    ///
    /// This corresponds to [`std::fs::File::lock`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("fs-file-lock-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::fs::{File, TryLockError};
    ///
    /// let path = folder.join("locked");
    /// let (one, other) = (File::create(&path)?, File::open(&path)?);
    /// one.lock()?;
    /// assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
    /// one.unlock()?;
    /// other.lock()?;
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn lock(&self) -> io::Result<()> {
        blocking(|| self.0.lock())
    }

    /// Takes a shared lock of the file; waits as [`lock`](Self::lock) does.
    ///
    /// This corresponds to [`std::fs::File::lock_shared`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn lock_shared(&self) -> io::Result<()> {
        blocking(|| self.0.lock_shared())
    }

    /// Takes the exclusive lock of the file, if nobody has it locked.
    ///
    /// This corresponds to [`std::fs::File::try_lock`].
    ///
    /// # Errors
    ///
    /// `WouldBlock` if somebody has; else what the kernel says.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        blocking(|| self.0.try_lock())
    }

    /// Takes a shared lock of the file, if nobody has the exclusive one.
    ///
    /// This corresponds to [`std::fs::File::try_lock_shared`].
    ///
    /// # Errors
    ///
    /// `WouldBlock` if somebody has; else what the kernel says.
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        blocking(|| self.0.try_lock_shared())
    }

    /// Releases the locks that were taken by this handle.
    ///
    /// This corresponds to [`std::fs::File::unlock`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn unlock(&self) -> io::Result<()> {
        blocking(|| self.0.unlock())
    }

    /// Truncates the file to `size` bytes, or extends it by zeros.
    ///
    /// This corresponds to [`std::fs::File::set_len`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the file is not open for writing, or the size too large.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("fs-file-set_len-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::fs::File;
    ///
    /// let file = File::create(folder.join("zeros"))?;
    /// file.set_len(100)?;
    /// assert_eq!(file.metadata()?.len(), 100);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        blocking(|| self.0.set_len(size))
    }

    /// Returns the metadata of the file.
    ///
    /// This corresponds to [`std::fs::File::metadata`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::fs::File;
    ///
    /// assert!(!File::open("/dev/null")?.metadata()?.is_dir());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn metadata(&self) -> io::Result<Metadata> {
        blocking(|| self.0.metadata())
    }

    /// Makes a second handle of the open file, which shares its position, flags and locks.
    ///
    /// This corresponds to [`std::fs::File::try_clone`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `EMFILE`.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("fs-file-try_clone-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::fs::{self, File};
    /// use std_shim::io::Write;
    ///
    /// let path = folder.join("greeting");
    /// let mut file = File::create(&path)?;
    /// let mut clone = file.try_clone()?;
    /// file.write_all(b"hello, ")?;
    /// // Both have one position.
    /// clone.write_all(b"world")?;
    /// assert_eq!(fs::read(&path)?, b"hello, world");
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn try_clone(&self) -> io::Result<File> {
        blocking(|| self.0.try_clone()).map(File)
    }

    /// Sets the permissions of the file.
    ///
    /// This corresponds to [`std::fs::File::set_permissions`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        blocking(|| self.0.set_permissions(perm))
    }

    /// Sets when the file was read and written last.
    ///
    /// This corresponds to [`std::fs::File::set_times`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn set_times(&self, times: FileTimes) -> io::Result<()> {
        blocking(|| self.0.set_times(times))
    }

    /// Sets when the file was written last.
    ///
    /// This corresponds to [`std::fs::File::set_modified`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        blocking(|| self.0.set_modified(time))
    }
}

/// Implements reading, writing and seeking by way of the std file that `&self.0` is.
macro_rules! read_write_and_seek {
    ($($file:ty),*) => {$(
        impl Read for $file {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                blocking(|| (&self.0).read(buf))
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                blocking(|| (&self.0).read_vectored(bufs))
            }

            fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
                blocking(|| (&self.0).read_to_end(buf))
            }

            fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
                blocking(|| (&self.0).read_to_string(buf))
            }
        }

        impl Write for $file {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                blocking(|| (&self.0).write(buf))
            }

            fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
                blocking(|| (&self.0).write_vectored(bufs))
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        impl Seek for $file {
            fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
                blocking(|| (&self.0).seek(pos))
            }
        }
    )*};
}

read_write_and_seek!(File, &File);

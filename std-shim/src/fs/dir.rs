//! Directories: making them, and going through what is in them.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::{FileType, Metadata};
use crate::bridge::blocking;

/// Says how a directory is to be made, and makes it.
///
/// This corresponds to [`std::fs::DirBuilder`].
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-dir-DirBuilder-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs::{self, DirBuilder};
///
/// let path = folder.join("a/b");
/// DirBuilder::new().recursive(true).create(&path)?;
/// assert!(fs::metadata(&path)?.is_dir());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct DirBuilder(pub(crate) ::std::fs::DirBuilder);

/// Goes through the entries of a directory, in no particular order.
///
/// Comes from [`read_dir`](super::read_dir). Each step is a blocking section.
///
/// This corresponds to [`std::fs::ReadDir`].
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-dir-ReadDir-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// for name in ["a", "b"] {
///     fs::write(folder.join(name), name)?;
/// }
/// assert_eq!(fs::read_dir(&folder)?.count(), 2);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct ReadDir(pub(super) ::std::fs::ReadDir);

/// What [`ReadDir`] finds: a file, a directory, or something else with a name.
///
/// This corresponds to [`std::fs::DirEntry`].
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-dir-DirEntry-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// fs::create_dir(folder.join("inner"))?;
/// let entry = fs::read_dir(&folder)?.next().expect("an entry")?;
/// assert_eq!(entry.file_name(), "inner");
/// assert!(entry.file_type()?.is_dir());
/// assert_eq!(entry.path(), folder.join("inner"));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct DirEntry(pub(crate) ::std::fs::DirEntry);

plain_conversions! {
    DirBuilder = ::std::fs::DirBuilder;
    DirEntry = ::std::fs::DirEntry;
    ReadDir = ::std::fs::ReadDir;
}

debug_as_std!(DirBuilder, DirEntry, ReadDir);

impl DirBuilder {
    /// Returns a builder that makes one directory, with the default mode.
    ///
    /// This corresponds to [`std::fs::DirBuilder::new`].
    #[allow(clippy::new_without_default, reason = "std's DirBuilder is no Default")]
    #[must_use]
    pub fn new() -> DirBuilder {
        DirBuilder(::std::fs::DirBuilder::new())
    }

    /// Sets whether missing parents are made, too. A directory that exists already is no error then.
    ///
    /// This corresponds to [`std::fs::DirBuilder::recursive`].
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.0.recursive(recursive);
        self
    }

    /// Makes the directory.
    ///
    /// This corresponds to [`std::fs::DirBuilder::create`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `AlreadyExists`.
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let path = path.as_ref();
        blocking(|| self.0.create(path))
    }
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        Some(blocking(|| self.0.next())?.map(DirEntry))
    }
}

impl DirEntry {
    /// Returns the path: that of the directory, and the name.
    ///
    /// This corresponds to [`std::fs::DirEntry::path`].
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.path()
    }

    /// Returns the metadata of the entry; of a symbolic link itself, not of where it leads.
    ///
    /// This corresponds to [`std::fs::DirEntry::metadata`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn metadata(&self) -> io::Result<Metadata> {
        blocking(|| self.0.metadata())
    }

    /// Returns what kind of file the entry is; a symbolic link is one.
    ///
    /// This corresponds to [`std::fs::DirEntry::file_type`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn file_type(&self) -> io::Result<FileType> {
        blocking(|| self.0.file_type())
    }

    /// Returns the name.
    ///
    /// This corresponds to [`std::fs::DirEntry::file_name`].
    #[must_use]
    pub fn file_name(&self) -> OsString {
        self.0.file_name()
    }
}

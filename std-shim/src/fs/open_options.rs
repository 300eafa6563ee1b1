//! How a file is to be opened.

use std::io;
use std::path::Path;

use super::File;
use crate::bridge::blocking;

/// Says how a file is to be opened, and opens it.
///
/// This corresponds to [`std::fs::OpenOptions`].
///
/// # Examples
///
/// ```
/// use std_shim::fs::OpenOptions;
/// use std_shim::io::ErrorKind;
///
/// let missing = OpenOptions::new().read(true).open("no such file").unwrap_err();
/// assert_eq!(missing.kind(), ErrorKind::NotFound);
/// ```
#[derive(Clone)]
pub struct OpenOptions(pub(crate) ::std::fs::OpenOptions);

plain_conversions! {
    OpenOptions = ::std::fs::OpenOptions;
}

debug_as_std!(OpenOptions);

impl OpenOptions {
    /// Returns options that are all `false`.
    ///
    /// This corresponds to [`std::fs::OpenOptions::new`].
    #[allow(clippy::new_without_default, reason = "std's OpenOptions is no Default")]
    #[must_use]
    pub fn new() -> Self {
        OpenOptions(::std::fs::OpenOptions::new())
    }

    /// Sets whether the file is to be read.
    ///
    /// This corresponds to [`std::fs::OpenOptions::read`].
    pub fn read(&mut self, read: bool) -> &mut Self {
        self.0.read(read);
        self
    }

    /// Sets whether the file is to be written.
    ///
    /// This corresponds to [`std::fs::OpenOptions::write`].
    pub fn write(&mut self, write: bool) -> &mut Self {
        self.0.write(write);
        self
    }

    /// Sets whether each write goes to the end of the file.
    ///
    /// This corresponds to [`std::fs::OpenOptions::append`].
    pub fn append(&mut self, append: bool) -> &mut Self {
        self.0.append(append);
        self
    }

    /// Sets whether the file is to be emptied.
    ///
    /// This corresponds to [`std::fs::OpenOptions::truncate`].
    pub fn truncate(&mut self, truncate: bool) -> &mut Self {
        self.0.truncate(truncate);
        self
    }

    /// Sets whether the file is to be made if there is none.
    ///
    /// This corresponds to [`std::fs::OpenOptions::create`].
    pub fn create(&mut self, create: bool) -> &mut Self {
        self.0.create(create);
        self
    }

    /// Sets whether the file has to be a new one.
    ///
    /// This corresponds to [`std::fs::OpenOptions::create_new`].
    pub fn create_new(&mut self, create_new: bool) -> &mut Self {
        self.0.create_new(create_new);
        self
    }

    /// Opens the file at `path`.
    ///
    /// This corresponds to [`std::fs::OpenOptions::open`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `InvalidInput` for options that do not go together.
    pub fn open<P: AsRef<Path>>(&self, path: P) -> io::Result<File> {
        let path = path.as_ref();
        blocking(|| self.0.open(path)).map(File)
    }
}

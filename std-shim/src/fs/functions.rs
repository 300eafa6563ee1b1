//! Functions that take a path. Each is a blocking section.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Metadata, Permissions, ReadDir};
use crate::bridge::blocking;

/// Reads a whole file.
///
/// This corresponds to [`std::fs::read`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// use std_shim::{fs, thread};
///
/// let reader = thread::spawn(|| fs::read("/dev/null"));
/// assert_eq!(reader.join().unwrap()?, b"");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read<P: AsRef<Path>>(path: P) -> io::Result<Vec<u8>> {
    let path = path.as_ref();
    blocking(|| fs::read(path))
}

/// Reads a whole file that is UTF-8.
///
/// This corresponds to [`std::fs::read_to_string`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `InvalidData`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-read_to_string-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let path = folder.join("greeting");
/// fs::write(&path, "hello")?;
/// assert_eq!(fs::read_to_string(&path)?, "hello");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_to_string<P: AsRef<Path>>(path: P) -> io::Result<String> {
    let path = path.as_ref();
    blocking(|| fs::read_to_string(path))
}

/// Writes a whole file, made if there is none and emptied if there is one.
///
/// This corresponds to [`std::fs::write`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `PermissionDenied`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-write-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let path = folder.join("greeting");
/// fs::write(&path, "hello")?;
/// fs::write(&path, b"bye")?;
/// assert_eq!(fs::read(&path)?, b"bye");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    let (path, contents) = (path.as_ref(), contents.as_ref());
    blocking(|| fs::write(path, contents))
}

/// Removes a file.
///
/// This corresponds to [`std::fs::remove_file`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-remove_file-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let path = folder.join("greeting");
/// fs::write(&path, "hello")?;
/// fs::remove_file(&path)?;
/// assert!(!fs::exists(&path)?);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn remove_file<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    blocking(|| fs::remove_file(path))
}

/// Returns the metadata of a file; of a symbolic link, that of where it leads.
///
/// This corresponds to [`std::fs::metadata`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// use std_shim::fs;
///
/// assert!(fs::metadata(".")?.is_dir());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let path = path.as_ref();
    blocking(|| fs::metadata(path))
}

/// Returns the metadata of a file; of a symbolic link, its own.
///
/// This corresponds to [`std::fs::symlink_metadata`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-symlink_metadata-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
/// use std_shim::os::unix::fs::symlink;
///
/// let link = folder.join("link");
/// symlink(".", &link)?;
/// assert!(fs::symlink_metadata(&link)?.is_symlink());
/// assert!(fs::metadata(&link)?.is_dir());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn symlink_metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let path = path.as_ref();
    blocking(|| fs::symlink_metadata(path))
}

/// Gives a file or a directory another path, in place of what is there.
///
/// This corresponds to [`std::fs::rename`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-rename-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let (old, new) = (folder.join("old"), folder.join("new"));
/// fs::write(&old, "hello")?;
/// fs::rename(&old, &new)?;
/// assert_eq!(fs::read(&new)?, b"hello");
/// assert!(!fs::exists(&old)?);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn rename<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    blocking(|| fs::rename(from, to))
}

/// Copies the contents and the permissions of a file, and returns how many bytes these were.
///
/// This corresponds to [`std::fs::copy`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-copy-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let (from, to) = (folder.join("from"), folder.join("to"));
/// fs::write(&from, "hello")?;
/// assert_eq!(fs::copy(&from, &to)?, 5);
/// assert_eq!(fs::read(&to)?, b"hello");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn copy<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<u64> {
    let (from, to) = (from.as_ref(), to.as_ref());
    blocking(|| fs::copy(from, to))
}

/// Makes a hard link at `link`: another name of the file at `original`.
///
/// This corresponds to [`std::fs::hard_link`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `AlreadyExists`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-hard_link-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let (one, other) = (folder.join("one"), folder.join("other"));
/// fs::write(&one, "hello")?;
/// fs::hard_link(&one, &other)?;
/// fs::remove_file(&one)?;
/// assert_eq!(fs::read(&other)?, b"hello");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn hard_link<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    blocking(|| fs::hard_link(original, link))
}

/// Makes a symbolic link at `link` that leads to `original`.
///
/// This corresponds to [`std::fs::soft_link`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `AlreadyExists`.
#[deprecated(since = "1.1.0", note = "replaced by `std::os::unix::fs::symlink`")]
#[allow(deprecated, reason = "std has it, deprecated")]
pub fn soft_link<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    blocking(|| fs::soft_link(original, link))
}

/// Returns where a symbolic link leads.
///
/// This corresponds to [`std::fs::read_link`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `InvalidInput`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-read_link-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
/// use std_shim::os::unix::fs::symlink;
/// use std_shim::path::Path;
///
/// let link = folder.join("link");
/// symlink("target", &link)?;
/// assert_eq!(fs::read_link(&link)?, Path::new("target"));
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_link<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref();
    blocking(|| fs::read_link(path))
}

/// Returns the absolute path, with no symbolic link in it.
///
/// This corresponds to [`std::fs::canonicalize`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// use std_shim::{env, fs};
///
/// assert_eq!(fs::canonicalize(".")?, fs::canonicalize(env::current_dir()?)?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn canonicalize<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref();
    blocking(|| fs::canonicalize(path))
}

/// Makes a directory.
///
/// This corresponds to [`std::fs::create_dir`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `AlreadyExists`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-create_dir-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
/// use std_shim::io::ErrorKind;
///
/// let path = folder.join("new");
/// fs::create_dir(&path)?;
/// assert_eq!(fs::create_dir(&path).unwrap_err().kind(), ErrorKind::AlreadyExists);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn create_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    blocking(|| fs::create_dir(path))
}

/// Makes a directory, and its parents where they are missing.
///
/// This corresponds to [`std::fs::create_dir_all`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `PermissionDenied`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-create_dir_all-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let path = folder.join("a/b/c");
/// fs::create_dir_all(&path)?;
/// fs::create_dir_all(&path)?;
/// assert!(fs::metadata(&path)?.is_dir());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn create_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    blocking(|| fs::create_dir_all(path))
}

/// Removes an empty directory.
///
/// This corresponds to [`std::fs::remove_dir`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `DirectoryNotEmpty`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-remove_dir-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let path = folder.join("new");
/// fs::create_dir(&path)?;
/// fs::remove_dir(&path)?;
/// assert!(!fs::exists(&path)?);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn remove_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    blocking(|| fs::remove_dir(path))
}

/// Removes a directory with all that is in it; follows no symbolic link.
///
/// This corresponds to [`std::fs::remove_dir_all`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-remove_dir_all-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let path = folder.join("a");
/// fs::create_dir_all(path.join("b/c"))?;
/// fs::remove_dir_all(&path)?;
/// assert!(!fs::exists(&path)?);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn remove_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    blocking(|| fs::remove_dir_all(path))
}

/// Returns the entries of a directory, without `.` and `..`.
///
/// This corresponds to [`std::fs::read_dir`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-read_dir-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// fs::write(folder.join("one"), "")?;
/// fs::write(folder.join("two"), "")?;
/// let mut names = Vec::new();
/// for entry in fs::read_dir(&folder)? {
///     names.push(entry?.file_name());
/// }
/// names.sort();
/// assert_eq!(names, ["one", "two"]);
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    let path = path.as_ref();
    blocking(|| fs::read_dir(path)).map(ReadDir)
}

/// Sets the permissions of a file.
///
/// This corresponds to [`std::fs::set_permissions`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `NotFound`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("fs-functions-set_permissions-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
///
/// let path = folder.join("greeting");
/// fs::write(&path, "hello")?;
/// let mut permissions = fs::metadata(&path)?.permissions();
/// permissions.set_readonly(true);
/// fs::set_permissions(&path, permissions)?;
/// assert!(fs::metadata(&path)?.permissions().readonly());
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn set_permissions<P: AsRef<Path>>(path: P, perm: Permissions) -> io::Result<()> {
    let path = path.as_ref();
    blocking(|| fs::set_permissions(path, perm))
}

/// Returns whether there is something at `path`. A symbolic link that leads nowhere does not count.
///
/// This corresponds to [`std::fs::exists`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `PermissionDenied`.
///
/// # Examples
///
/// ```
/// use std_shim::fs;
///
/// assert!(fs::exists(".")?);
/// assert!(!fs::exists("./no-such-file")?);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn exists<P: AsRef<Path>>(path: P) -> io::Result<bool> {
    let path = path.as_ref();
    blocking(|| fs::exists(path))
}

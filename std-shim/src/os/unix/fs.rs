//! Files of Unix.
//!
//! This corresponds to [`std::os::unix::fs`]. The traits are std's own, and the mirror's types
//! implement them; the functions are blocking sections.
//!
//! ```
//! use std_shim::fs::File;
//! use std_shim::os::unix::fs::FileExt;
//!
//! let mut start = [0; 2];
//! File::open("/dev/zero")?.read_exact_at(&mut start, 10)?;
//! assert_eq!(start, [0, 0]);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs;
use std::path::Path;

#[doc(no_inline)]
pub use ::std::os::unix::fs::*;

use crate::bridge::blocking;
use crate::fs::{DirBuilder, DirEntry, File, OpenOptions};

/// Makes a symbolic link at `link` that leads to `original`.
///
/// This corresponds to [`std::os::unix::fs::symlink`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `AlreadyExists`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("os-unix-fs-symlink-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
/// use std_shim::os::unix::fs::symlink;
///
/// fs::write(folder.join("greeting"), "hello")?;
/// symlink("greeting", folder.join("link"))?;
/// assert_eq!(fs::read(folder.join("link"))?, b"hello");
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    blocking(|| fs::symlink(original, link))
}

/// Sets the owner and the group of a file; `None` leaves one as it is.
///
/// This corresponds to [`std::os::unix::fs::chown`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `PermissionDenied`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("os-unix-fs-chown-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::os::unix::fs::{MetadataExt, chown};
/// use std_shim::fs;
///
/// let path = folder.join("greeting");
/// fs::write(&path, "hello")?;
/// let group = fs::metadata(&path)?.gid();
/// chown(&path, None, Some(group))?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn chown<P: AsRef<Path>>(dir: P, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let dir = dir.as_ref();
    blocking(|| fs::chown(dir, uid, gid))
}

/// Sets the owner and the group of an open file; `None` leaves one as it is.
///
/// This corresponds to [`std::os::unix::fs::fchown`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `PermissionDenied`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("os-unix-fs-fchown-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs::File;
/// use std_shim::os::unix::fs::{MetadataExt, fchown};
///
/// let file = File::create(folder.join("greeting"))?;
/// let group = file.metadata()?.gid();
/// fchown(&file, None, Some(group))?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn fchown<F: AsFd>(fd: F, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let fd = fd.as_fd();
    blocking(|| fs::fchown(fd, uid, gid))
}

/// Sets the owner and the group of a file, or of a symbolic link itself.
///
/// This corresponds to [`std::os::unix::fs::lchown`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `PermissionDenied`.
///
/// # Examples
///
/// ```
/// # let folder = std::env::temp_dir();
/// # let folder = folder.join(format!("os-unix-fs-lchown-{}", std::process::id()));
/// # std::fs::create_dir_all(&folder)?;
/// use std_shim::fs;
/// use std_shim::os::unix::fs::{MetadataExt, lchown, symlink};
///
/// let link = folder.join("link");
/// symlink("target", &link)?;
/// let group = fs::symlink_metadata(&link)?.gid();
/// lchown(&link, None, Some(group))?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn lchown<P: AsRef<Path>>(dir: P, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let dir = dir.as_ref();
    blocking(|| fs::lchown(dir, uid, gid))
}

/// Makes a directory the root of this process's file system.
///
/// This corresponds to [`std::os::unix::fs::chroot`].
///
/// # Errors
///
/// Any error that the kernel reports, such as `PermissionDenied`.
///
/// # Examples
///
/// ```no_run
/// use std_shim::env;
/// use std_shim::os::unix::fs::chroot;
///
/// chroot("/sandbox")?;
/// env::set_current_dir("/")?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn chroot<P: AsRef<Path>>(dir: P) -> io::Result<()> {
    let dir = dir.as_ref();
    blocking(|| fs::chroot(dir))
}

impl FileExt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        blocking(|| self.0.read_at(buf, offset))
    }

    fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
        blocking(|| self.0.write_at(buf, offset))
    }
}

impl OpenOptionsExt for OpenOptions {
    fn mode(&mut self, mode: u32) -> &mut Self {
        self.0.mode(mode);
        self
    }

    fn custom_flags(&mut self, flags: i32) -> &mut Self {
        self.0.custom_flags(flags);
        self
    }
}

impl DirBuilderExt for DirBuilder {
    fn mode(&mut self, mode: u32) -> &mut Self {
        self.0.mode(mode);
        self
    }
}

impl DirEntryExt for DirEntry {
    fn ino(&self) -> u64 {
        self.0.ino()
    }
}

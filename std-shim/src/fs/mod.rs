//! Files and directories. A green thread that uses them holds up no other.
//!
//! This corresponds to [`std::fs`]. A file gives no notice of when it could be read, so every call
//! that asks the kernel for something is a blocking section. The OS thread waits for the disk, and
//! its green threads go on elsewhere meanwhile. What only says something about a file
//! ([`Metadata`], [`Permissions`], [`FileType`], [`FileTimes`]) is std's own.
//!
//! **Differences**: std's `Arc<File>` reads and writes by itself, and nobody but std can implement
//! that for an `Arc`; the mirror's does by `&*file`. The methods of [`Path`](std::path::Path) that
//! ask the file system are real std's: they hold up the OS thread, and `Path::read_dir` returns
//! real std's type. The functions here do the same, green.

mod dir;
mod file;
mod functions;
mod open_options;

#[doc(no_inline)]
pub use ::std::fs::{FileTimes, FileType, Metadata, Permissions, TryLockError};

pub use self::dir::{DirBuilder, DirEntry, ReadDir};
pub use self::file::File;
#[allow(deprecated, reason = "std has it, deprecated")]
pub use self::functions::{
    canonicalize, copy, create_dir, create_dir_all, exists, hard_link, metadata, read, read_dir,
    read_link, read_to_string, remove_dir, remove_dir_all, remove_file, rename, set_permissions,
    soft_link, symlink_metadata, write,
};
pub use self::open_options::OpenOptions;

//! The extension traits of Unix, for a glob import.
//!
//! This corresponds to `std::os::unix::prelude`.

#[doc(no_inline)]
pub use super::ffi::{OsStrExt, OsStringExt};
#[doc(no_inline)]
pub use super::fs::{
    DirEntryExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt,
};
#[doc(no_inline)]
pub use super::io::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
#[doc(no_inline)]
pub use super::process::{CommandExt, ExitStatusExt};
#[doc(no_inline)]
pub use super::thread::JoinHandleExt;

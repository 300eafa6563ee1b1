//! Owned and borrowed descriptors.
//!
//! This corresponds to [`std::os::fd`] and is the same: the types and the traits are std's own,
//! and the green types implement them. A descriptor that goes out (`into_raw_fd`, `OwnedFd::from`)
//! is a plain blocking one, whatever the runtime did with it before. One that comes in
//! (`from_raw_fd`, `From<OwnedFd>`) may have any flags and any duplicates.
//!
//! Beyond std, each green type converts from and into std's type of the same name.

#[macro_use]
mod traits;

mod attached;
mod net;
mod stdio;

#[doc(no_inline)]
pub use ::std::os::fd::*;

pub(crate) use attached::Attached;

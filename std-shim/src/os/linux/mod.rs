//! What belongs to Linux.
//!
//! This corresponds to [`std::os::linux`] and is the same, but for
//! [`net::TcpStreamExt`].

pub mod net;

pub use ::std::os::linux::*;

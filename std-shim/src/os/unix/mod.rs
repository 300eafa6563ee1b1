//! What belongs to Unix.
//!
//! This corresponds to [`std::os::unix`] and is the same, but for the sockets of [`net`], which
//! are green.

pub mod net;

pub use ::std::os::unix::*;

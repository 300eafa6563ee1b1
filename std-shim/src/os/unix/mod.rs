//! What belongs to Unix.
//!
//! This corresponds to [`std::os::unix`] and is the same, but for the sockets of [`net`] and the
//! functions of [`mod@fs`], which are green, and for [`process::CommandExt`], which only types of
//! std can implement and which has a twin here.

pub mod fs;
pub mod net;
pub mod prelude;
pub mod process;
pub mod thread;

pub use ::std::os::unix::*;

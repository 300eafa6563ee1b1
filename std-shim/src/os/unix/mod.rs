//! What belongs to Unix.
//!
//! This corresponds to [`std::os::unix`] and is the same, with two exceptions. The sockets of
//! [`net`] and the functions of [`mod@fs`] are green. [`process::CommandExt`], which only types
//! of std can implement, has a twin here.

pub mod fs;
pub mod net;
pub mod prelude;
pub mod process;
pub mod thread;

pub use ::std::os::unix::*;

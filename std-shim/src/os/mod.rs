//! What belongs to one operating system.
//!
//! This corresponds to [`std::os`] and is the same, with two exceptions. The sockets of
//! [`unix::net`] and the functions of [`unix::fs`] are green. The traits of std that only std's
//! own types can implement ([`unix::process::CommandExt`], `os::linux::net::TcpStreamExt`) have a
//! twin here.

pub mod fd;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod unix;

pub use ::std::os::*;

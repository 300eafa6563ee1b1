//! Sockets of this host. A green thread that waits for one holds up no other.
//!
//! This corresponds to [`std::os::unix::net`]. [`UnixStream`], [`UnixListener`], [`UnixDatagram`]
//! and [`Incoming`] are green; [`SocketAddr`] is std's own.

mod addr;
mod datagram;
mod listener;
mod stream;

#[doc(no_inline)]
pub use ::std::os::unix::net::SocketAddr;

pub use self::datagram::UnixDatagram;
pub use self::listener::{Incoming, UnixListener};
pub use self::stream::UnixStream;

//! Sockets of Linux.
//!
//! This corresponds to [`std::os::linux::net`].

use std::io;

#[doc(no_inline)]
pub use ::std::os::linux::net::SocketAddrExt;

use crate::net::TcpStream;

/// Reads and sets what only TCP on Linux has.
///
/// This corresponds to [`std::os::linux::net::TcpStreamExt`].
///
/// **Differences**: it is a trait of the mirror's own, for only std's types can implement std's. std's
/// `TcpStream` has this one, too.
///
/// ```
/// use std_shim::net::{TcpListener, TcpStream};
/// use std_shim::os::linux::net::TcpStreamExt;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let stream = TcpStream::connect(listener.local_addr()?)?;
/// stream.set_quickack(true)?;
/// assert!(stream.quickack()?);
/// # Ok(())
/// # }
/// ```
pub trait TcpStreamExt: sealed::Sealed {
    /// Sets whether data is acknowledged at once (`TCP_QUICKACK`).
    ///
    /// This corresponds to [`std::os::linux::net::TcpStreamExt::set_quickack`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    fn set_quickack(&self, quickack: bool) -> io::Result<()>;

    /// Returns whether data is acknowledged at once (`TCP_QUICKACK`).
    ///
    /// This corresponds to [`std::os::linux::net::TcpStreamExt::quickack`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    fn quickack(&self) -> io::Result<bool>;
}

impl TcpStreamExt for TcpStream {
    fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        ::std::os::linux::net::TcpStreamExt::set_quickack(&*self.0, quickack)
    }

    fn quickack(&self) -> io::Result<bool> {
        ::std::os::linux::net::TcpStreamExt::quickack(&*self.0)
    }
}

impl TcpStreamExt for ::std::net::TcpStream {
    fn set_quickack(&self, quickack: bool) -> io::Result<()> {
        ::std::os::linux::net::TcpStreamExt::set_quickack(self, quickack)
    }

    fn quickack(&self) -> io::Result<bool> {
        ::std::os::linux::net::TcpStreamExt::quickack(self)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::net::TcpStream {}
    impl Sealed for ::std::net::TcpStream {}
}

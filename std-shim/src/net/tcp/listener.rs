//! Where TCP connections come in.

use std::io;
use std::iter::FusedIterator;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use crate::bridge::attempt_accept;
use crate::net::socket_addr::each_addr;
use crate::net::{TcpStream, ToSocketAddrs};
use crate::os::fd::Attached;

/// How many connections may wait to be accepted; the kernel caps it (`net.core.somaxconn`).
///
/// With std's 128, a thousand clients that connect at once lose handshakes and wait seconds for
/// the next try.
const BACKLOG: i32 = 4096;

/// A socket that accepts TCP connections.
///
/// This corresponds to [`std::net::TcpListener`]. Accepting parks the calling green thread until
/// somebody connects; an ordinary thread it blocks. Dropping the listener closes it.
///
/// ```
/// use std_shim::net::{TcpListener, TcpStream};
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (_stream, from) = listener.accept()?;
/// assert_eq!(from, client.local_addr()?);
/// # Ok(())
/// # }
/// ```
pub struct TcpListener(pub(crate) Attached<::std::net::TcpListener>);

impl TcpListener {
    /// Listens at the first of the addresses that can be had; port 0 asks for any free port.
    ///
    /// This corresponds to [`std::net::TcpListener::bind`].
    ///
    /// **Differences**: up to 4,096 connections may wait to be accepted, where std allows 128.
    ///
    /// # Errors
    ///
    /// The error of the last address if none can be had; `InvalidInput` if there is no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::{SocketAddr, TcpListener};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// assert_ne!(listener.local_addr()?.port(), 0);
    ///
    /// // The first address that can be had.
    /// let addresses = [SocketAddr::from(([127, 0, 0, 1], 0)), SocketAddr::from(([127, 0, 0, 1], 443))];
    /// let _listener = TcpListener::bind(&addresses[..])?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        let listener = each_addr(addr, ::std::net::TcpListener::bind)?;
        rustix::net::listen(&listener, BACKLOG)?;
        Ok(Self(Attached::fresh(listener)))
    }

    socket_methods! { std::net::TcpListener:
        local_addr;
        try_clone;
        set_ttl;
        ttl;
        take_error;
        /// # Examples
        ///
        /// ```
        /// use std_shim::io::ErrorKind;
        /// use std_shim::net::TcpListener;
        ///
        /// let listener = TcpListener::bind("127.0.0.1:0")?;
        /// listener.set_nonblocking(true)?;
        /// assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        /// # Ok::<(), std::io::Error>(())
        /// ```
        set_nonblocking;
    }

    /// Accepts a connection.
    ///
    /// This corresponds to [`std::net::TcpListener::accept`]. Parks the calling green thread until
    /// there is one.
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `EMFILE`. The listener stays usable.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::{TcpListener, TcpStream};
    /// use std_shim::thread;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// let client = thread::spawn(move || TcpStream::connect(address)?.local_addr());
    /// let (_stream, from) = listener.accept()?;
    /// assert_eq!(from, client.join().unwrap()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let accept = |fd: BorrowedFd<'_>| {
            Attached::at(fd, |listener: &::std::net::TcpListener| listener.accept())
        };
        let (stream, from) = attempt_accept(self.0.as_fd(), accept)?;
        Ok((TcpStream(self.0.accepted(stream)), from))
    }

    /// Returns an iterator that accepts connections for ever.
    ///
    /// This corresponds to [`std::net::TcpListener::incoming`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::io::{self, Write};
    /// use std_shim::net::{TcpListener, TcpStream};
    /// use std_shim::thread;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// thread::spawn(move || {
    ///     for stream in listener.incoming() {
    ///         stream.unwrap().write_all(b"hello").unwrap();
    ///     }
    /// });
    /// for _ in 0..3 {
    ///     assert_eq!(io::read_to_string(TcpStream::connect(address)?)?, "hello");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Sets whether only IPv6 connects here (`IPV6_V6ONLY`).
    ///
    /// This corresponds to [`std::net::TcpListener::set_only_v6`].
    ///
    /// # Errors
    ///
    /// `InvalidInput`, since the listener has its address already.
    #[deprecated(since = "0.1.0", note = "this option can only be set before the socket is bound")]
    pub fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        #[allow(deprecated, reason = "the twin of this function")]
        self.0.set_only_v6(only_v6)
    }

    /// Returns whether only IPv6 connects here.
    ///
    /// This corresponds to [`std::net::TcpListener::only_v6`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    #[deprecated(since = "0.1.0", note = "this option can only be set before the socket is bound")]
    pub fn only_v6(&self) -> io::Result<bool> {
        #[allow(deprecated, reason = "the twin of this function")]
        self.0.only_v6()
    }
}

debug_as_std!(TcpListener);

/// An iterator that accepts connections for ever: it never returns `None`.
///
/// This corresponds to [`std::net::Incoming`]; [`TcpListener::incoming`] makes it.
#[derive(Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}

//! The two ends of a TCP connection; who connects on a green thread does so in `connect`.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::RecvFlags;

use crate::bridge::calls::Kind;
use crate::bridge::is_green;
use crate::net::ToSocketAddrs;
use crate::net::connect;
use crate::net::socket_addr::each_addr;
use crate::net::transfer;
use crate::os::fd::Attached;

/// A connection over TCP.
///
/// This corresponds to [`std::net::TcpStream`]. Reading and writing park the calling green thread
/// until the peer has sent or made room; an ordinary thread they block.
///
/// ```
/// use std::io::{Read, Write};
/// use std_shim::net::{TcpListener, TcpStream};
/// use std_shim::thread;
///
/// # fn main() -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let addr = listener.local_addr()?;
/// let client = thread::spawn(move || TcpStream::connect(addr)?.write_all(b"hello"));
///
/// let (mut stream, _) = listener.accept()?;
/// let mut text = String::new();
/// stream.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # client.join().unwrap()
/// # }
/// ```
pub struct TcpStream(pub(crate) Attached<::std::net::TcpStream>);

impl TcpStream {
    /// Connects to the first of the addresses that accepts.
    ///
    /// This corresponds to [`std::net::TcpStream::connect`]. Parks the calling green thread until
    /// the peer has answered.
    ///
    /// # Errors
    ///
    /// The error of the last address if none accepts; `InvalidInput` if there is no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// assert_eq!(TcpStream::connect(address)?.peer_addr()?, address);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        if is_green() {
            each_addr(addr, |addr| connect::connect(&addr, None))
        } else {
            each_addr(addr, ::std::net::TcpStream::connect).map(Self::fresh)
        }
    }

    /// Connects to one address, if that takes no longer than `timeout`.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::net::TcpStream::connect_timeout`].
    ///
    /// # Errors
    ///
    /// `TimedOut` if the peer has not answered in time; `InvalidInput` if `timeout` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::{TcpListener, TcpStream};
    /// use std_shim::time::Duration;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let stream = TcpStream::connect_timeout(&listener.local_addr()?, Duration::from_secs(5))?;
    /// assert_eq!(stream.peer_addr()?, listener.local_addr()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        // With no time at all std returns at once, as it must here.
        if is_green() && !timeout.is_zero() {
            connect::connect(addr, Some(timeout))
        } else {
            ::std::net::TcpStream::connect_timeout(addr, timeout).map(Self::fresh)
        }
    }

    pub(super) fn fresh(stream: ::std::net::TcpStream) -> Self {
        Self(Attached::fresh(stream))
    }

    socket_methods! { std::net::TcpStream:
        peer_addr;
        local_addr;
        /// # Examples
        ///
        /// ```
        /// use std_shim::io::{self, Write};
        /// use std_shim::net::{Shutdown, TcpListener, TcpStream};
        /// use std_shim::thread;
        ///
        /// let listener = TcpListener::bind("127.0.0.1:0")?;
        /// let mut client = TcpStream::connect(listener.local_addr()?)?;
        /// // One thread reads while another one writes.
        /// let reader = client.try_clone()?;
        /// let reads = thread::spawn(move || io::read_to_string(reader));
        /// let (mut server, _) = listener.accept()?;
        /// client.write_all(b"hello")?;
        /// client.shutdown(Shutdown::Write)?;
        /// io::copy(&mut server.try_clone()?, &mut server)?;
        /// drop(server);
        /// assert_eq!(reads.join().unwrap()?, "hello");
        /// # Ok::<(), std::io::Error>(())
        /// ```
        try_clone;
        /// # Examples
        ///
        /// ```
        /// use std_shim::io::{ErrorKind, Read};
        /// use std_shim::net::{TcpListener, TcpStream};
        /// use std_shim::time::Duration;
        ///
        /// let listener = TcpListener::bind("127.0.0.1:0")?;
        /// let mut client = TcpStream::connect(listener.local_addr()?)?;
        /// client.set_read_timeout(Some(Duration::from_millis(5)))?;
        /// assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        /// # Ok::<(), std::io::Error>(())
        /// ```
        set_read_timeout;
        set_write_timeout;
        read_timeout;
        write_timeout;
        set_ttl;
        ttl;
        take_error;
        /// # Examples
        ///
        /// ```
        /// use std_shim::io::{ErrorKind, Read};
        /// use std_shim::net::{TcpListener, TcpStream};
        ///
        /// let listener = TcpListener::bind("127.0.0.1:0")?;
        /// let mut client = TcpStream::connect(listener.local_addr()?)?;
        /// client.set_nonblocking(true)?;
        /// assert_eq!(client.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        /// # Ok::<(), std::io::Error>(())
        /// ```
        set_nonblocking;
    }

    /// Ends reading, writing or both; whoever waits for what is ended returns.
    ///
    /// This corresponds to [`std::net::TcpStream::shutdown`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: `NotConnected` once the connection is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::io;
    /// use std_shim::net::{Shutdown, TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// let (server, _) = listener.accept()?;
    /// client.shutdown(Shutdown::Write)?;
    /// assert_eq!(io::read_to_string(server)?, "");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// Reads without removing anything: the next read returns the same bytes.
    ///
    /// This corresponds to [`std::net::TcpStream::peek`]. Parks the calling green thread until
    /// there is something.
    ///
    /// # Errors
    ///
    /// As a read.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::io::{Read, Write};
    /// use std_shim::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (mut server, _) = listener.accept()?;
    /// client.write_all(b"x")?;
    /// let mut byte = [0];
    /// assert_eq!(server.peek(&mut byte)?, 1);
    /// // It is still there.
    /// assert_eq!(server.read(&mut byte)?, 1);
    /// assert_eq!(&byte, b"x");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        transfer::recv(self.0.as_fd(), buf, RecvFlags::PEEK)
    }

    /// Sets whether small segments are sent without delay (`TCP_NODELAY`).
    ///
    /// This corresponds to [`std::net::TcpStream::set_nodelay`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let client = TcpStream::connect(listener.local_addr()?)?;
    /// client.set_nodelay(true)?;
    /// assert!(client.nodelay()?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.set_nodelay(nodelay)
    }

    /// Returns whether small segments are sent without delay.
    ///
    /// This corresponds to [`std::net::TcpStream::nodelay`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.nodelay()
    }
}

read_by!(transfer(|| Kind::Tcp), TcpStream);
read_by!(transfer(|| Kind::Tcp), &TcpStream);
write_by!(transfer(|| Kind::Tcp), TcpStream);
write_by!(transfer(|| Kind::Tcp), &TcpStream);
debug_as_std!(TcpStream);

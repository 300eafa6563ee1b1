//! The two ends of a TCP connection; who connects on a green thread does so in `connect`.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::net::RecvFlags;

use crate::bridge::calls::Kind;
use crate::bridge::{self, Interest, is_green};
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

    /// Returns the address of the other end.
    ///
    /// This corresponds to [`std::net::TcpStream::peer_addr`].
    ///
    /// # Errors
    ///
    /// What the kernel says: `NotConnected` once the connection is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Returns the address of this end.
    ///
    /// This corresponds to [`std::net::TcpStream::local_addr`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Ends reading, writing or both; whoever waits for what is ended returns.
    ///
    /// This corresponds to [`std::net::TcpStream::shutdown`].
    ///
    /// # Errors
    ///
    /// What the kernel says: `NotConnected` once the connection is gone.
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

    /// Makes a second handle of this connection, with the same timeouts and blocking mode.
    ///
    /// This corresponds to [`std::net::TcpStream::try_clone`].
    ///
    /// # Errors
    ///
    /// What the kernel says: no more descriptors, say.
    ///
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
    pub fn try_clone(&self) -> io::Result<TcpStream> {
        self.0.try_clone(::std::net::TcpStream::try_clone).map(Self)
    }

    /// Sets how long a read may wait.
    ///
    /// This corresponds to [`std::net::TcpStream::set_read_timeout`]. A read that waited so long
    /// returns `WouldBlock`.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the duration is zero.
    ///
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
    pub fn set_read_timeout(&self, dur: Option<Duration>) -> io::Result<()> {
        bridge::io::set_timeout(self.0.as_fd(), Interest::Read, dur)
    }

    /// Sets how long a write may wait.
    ///
    /// This corresponds to [`std::net::TcpStream::set_write_timeout`]. A write that waited so long
    /// returns what it could write, or `WouldBlock` if that is nothing.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the duration is zero.
    pub fn set_write_timeout(&self, dur: Option<Duration>) -> io::Result<()> {
        bridge::io::set_timeout(self.0.as_fd(), Interest::Write, dur)
    }

    /// Returns how long a read may wait.
    ///
    /// This corresponds to [`std::net::TcpStream::read_timeout`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.read_timeout()
    }

    /// Returns how long a write may wait.
    ///
    /// This corresponds to [`std::net::TcpStream::write_timeout`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.write_timeout()
    }

    /// Reads without taking: the next read brings the same bytes again.
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
    /// What the kernel says.
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
    /// What the kernel says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.nodelay()
    }

    /// Sets how many hops a packet may take (`IP_TTL`).
    ///
    /// This corresponds to [`std::net::TcpStream::set_ttl`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.set_ttl(ttl)
    }

    /// Returns how many hops a packet may take.
    ///
    /// This corresponds to [`std::net::TcpStream::ttl`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.ttl()
    }

    /// Takes the pending error of the socket, if there is one.
    ///
    /// This corresponds to [`std::net::TcpStream::take_error`].
    ///
    /// # Errors
    ///
    /// What the kernel says of the question itself.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// Sets whether calls return `WouldBlock` where they would wait.
    ///
    /// This corresponds to [`std::net::TcpStream::set_nonblocking`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
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
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        bridge::io::set_nonblocking(self.0.as_fd(), nonblocking)
    }
}

read_by!(transfer(|| Kind::Tcp), TcpStream);
read_by!(transfer(|| Kind::Tcp), &TcpStream);
write_by!(transfer(|| Kind::Tcp), TcpStream);
write_by!(transfer(|| Kind::Tcp), &TcpStream);
debug_as_std!(TcpStream);

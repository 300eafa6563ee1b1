//! The two ends of a connection within the host.
//!
//! On a green thread a connect is tried without blocking. The kernel takes it at once or says
//! `EAGAIN`, after which no event tells when to try again. Then a blocking section waits.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::AddressFamily;

use super::addr::for_kernel;
use crate::bridge::calls::Kind;
use crate::bridge::{self, Interest, blocking, is_green};
use crate::net::{begin_connect, nonblocking_socket, transfer};
use crate::os::fd::Attached;

/// A connection within this host.
///
/// This corresponds to [`std::os::unix::net::UnixStream`]. Reading and writing park the calling
/// green thread until the peer has sent or made room; an ordinary thread they block.
///
/// ```
/// use std::io::{Read, Write};
/// use std_shim::os::unix::net::UnixStream;
///
/// # fn main() -> std::io::Result<()> {
/// let (mut near, mut far) = UnixStream::pair()?;
/// near.write_all(b"hello")?;
/// drop(near);
///
/// let mut text = String::new();
/// far.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # Ok(())
/// # }
/// ```
pub struct UnixStream(pub(crate) Attached<net::UnixStream>);

impl UnixStream {
    /// Connects to the listener at `path`.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::connect`]. Where the queue of the
    /// listener is full the calling green thread waits in a blocking section, because the kernel
    /// has no event for this.
    ///
    /// # Errors
    ///
    /// What the kernel says; `InvalidInput` for a path that no socket can have.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-stream-connect-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::io::ErrorKind;
    /// use std_shim::os::unix::net::{UnixListener, UnixStream};
    ///
    /// let path = folder.join("socket");
    /// assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
    /// let _listener = UnixListener::bind(&path)?;
    /// UnixStream::connect(&path)?;
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        Self::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Connects to the listener at `socket_addr`.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::connect_addr`]; as
    /// [`connect`](Self::connect) otherwise.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-stream-connect_addr-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::os::unix::net::{SocketAddr, UnixListener, UnixStream};
    ///
    /// let address = SocketAddr::from_pathname(folder.join("socket"))?;
    /// let _listener = UnixListener::bind_addr(&address)?;
    /// UnixStream::connect_addr(&address)?;
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect_addr(socket_addr: &SocketAddr) -> io::Result<UnixStream> {
        if !is_green() {
            return net::UnixStream::connect_addr(socket_addr).map(Self::fresh);
        }
        let addr = for_kernel(socket_addr)?;
        let stream = net::UnixStream::from(nonblocking_socket(AddressFamily::UNIX)?);
        let connected = begin_connect(&stream, &addr);
        ioctl_fionbio(&stream, false)?;
        match connected {
            Err(Errno::AGAIN) => blocking(|| begin_connect(&stream, &addr))?,
            connected => connected?,
        }
        Ok(Self::fresh(stream))
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::pair`].
    ///
    /// # Errors
    ///
    /// What the kernel says: no more descriptors, say.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::io::{self, Write};
    /// use std_shim::os::unix::net::UnixStream;
    ///
    /// let (mut one, other) = UnixStream::pair()?;
    /// one.write_all(b"hello")?;
    /// drop(one);
    /// assert_eq!(io::read_to_string(other)?, "hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        net::UnixStream::pair().map(|(near, far)| (Self::fresh(near), Self::fresh(far)))
    }

    pub(super) fn fresh(stream: net::UnixStream) -> Self {
        Self(Attached::fresh(stream))
    }

    /// Makes a second handle of this connection, with the same timeouts and blocking mode.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::try_clone`].
    ///
    /// # Errors
    ///
    /// What the kernel says: no more descriptors, say.
    pub fn try_clone(&self) -> io::Result<UnixStream> {
        self.0.try_clone(net::UnixStream::try_clone).map(Self)
    }

    /// Returns the address of this end.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::local_addr`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Returns the address of the other end.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::peer_addr`].
    ///
    /// # Errors
    ///
    /// `NotConnected` if there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.peer_addr()
    }

    /// Sets how long a read may wait before it returns `WouldBlock`.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::set_read_timeout`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the duration is zero.
    pub fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        bridge::io::set_timeout(self.0.as_fd(), Interest::Read, timeout)
    }

    /// Sets how long a write may wait before it returns `WouldBlock`.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::set_write_timeout`].
    ///
    /// # Errors
    ///
    /// `InvalidInput` if the duration is zero.
    pub fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        bridge::io::set_timeout(self.0.as_fd(), Interest::Write, timeout)
    }

    /// Returns how long a read may wait.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::read_timeout`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.read_timeout()
    }

    /// Returns how long a write may wait.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::write_timeout`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.0.write_timeout()
    }

    /// Sets whether calls return `WouldBlock` where they would wait.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::set_nonblocking`].
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        bridge::io::set_nonblocking(self.0.as_fd(), nonblocking)
    }

    /// Takes the pending error of the socket, if there is one.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::take_error`].
    ///
    /// # Errors
    ///
    /// What the kernel says of the question itself.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.0.take_error()
    }

    /// Ends reading, writing or both; whoever waits for what is ended returns.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::shutdown`].
    ///
    /// # Errors
    ///
    /// What the kernel says: `NotConnected` if there is no peer.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)?;
        if how != Shutdown::Read {
            bridge::io::writing_is_over(self.0.as_fd());
        }
        Ok(())
    }
}

read_by!(transfer(|| Kind::Unix), UnixStream);
read_by!(transfer(|| Kind::Unix), &UnixStream);
write_by!(transfer(|| Kind::Unix), UnixStream);
write_by!(transfer(|| Kind::Unix), &UnixStream);
debug_as_std!(UnixStream);

//! The two ends of a connection within the host.
//!
//! On a green thread a connect is tried without blocking. The kernel takes it at once or says
//! `EAGAIN`, after which no event tells when to try again. Then a blocking section waits.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::io::{Errno, ioctl_fionbio};
use rustix::net::AddressFamily;

use super::addr::for_kernel;
use crate::bridge::calls::Kind;
use crate::bridge::{self, blocking, is_green};
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
    /// Any error that the kernel reports; `InvalidInput` for a path that no socket can have.
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
    /// Any error that the kernel reports.
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
    /// Any error that the kernel reports, such as `EMFILE`.
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

    socket_methods! { std::os::unix::net::UnixStream:
        try_clone;
        local_addr;
        peer_addr;
        set_read_timeout;
        set_write_timeout;
        read_timeout;
        write_timeout;
        set_nonblocking;
        take_error;
    }

    /// Ends reading, writing or both; whoever waits for what is ended returns.
    ///
    /// This corresponds to [`std::os::unix::net::UnixStream::shutdown`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: `NotConnected` if there is no peer.
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

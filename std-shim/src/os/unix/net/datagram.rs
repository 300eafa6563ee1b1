//! Datagrams within the host.
//!
//! A datagram for a receiver whose queue is full waits. If the receiver is the peer the socket
//! turns writable once there is room, so a green thread parks. For any other receiver the socket
//! counts as writable all the time: then a blocking section waits.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{RecvFlags, SendFlags};

use super::addr::{for_kernel, from_kernel};
use crate::bridge::{blocking, is_green};
use crate::net::transfer;
use crate::os::fd::Attached;

/// A socket that sends and receives datagrams within this host.
///
/// This corresponds to [`std::os::unix::net::UnixDatagram`]. Receiving parks the calling green
/// thread until a datagram is there, sending until there is room for it; an ordinary thread they
/// block.
///
/// ```
/// use std_shim::os::unix::net::UnixDatagram;
///
/// # fn main() -> std::io::Result<()> {
/// let (near, far) = UnixDatagram::pair()?;
/// near.send(b"hello")?;
///
/// let mut buf = [0; 16];
/// let n = far.recv(&mut buf)?;
/// assert_eq!(&buf[..n], b"hello");
/// # Ok(())
/// # }
/// ```
pub struct UnixDatagram(pub(crate) Attached<net::UnixDatagram>);

impl UnixDatagram {
    /// Binds to `path`, where it makes a socket file.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::bind`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: `AddrInUse` if the file exists; `InvalidInput` for a path that no
    /// socket can have.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-datagram-bind-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::os::unix::net::UnixDatagram;
    ///
    /// let path = folder.join("socket");
    /// let socket = UnixDatagram::bind(&path)?;
    /// UnixDatagram::unbound()?.send_to(b"hello", &path)?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(socket.recv(&mut buffer)?, 5);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        net::UnixDatagram::bind(path).map(Self::fresh)
    }

    /// Binds to `socket_addr`.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::bind_addr`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: `AddrInUse` if somebody has the address.
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixDatagram> {
        net::UnixDatagram::bind_addr(socket_addr).map(Self::fresh)
    }

    /// Makes a socket without an address.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::unbound`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `EMFILE`.
    pub fn unbound() -> io::Result<UnixDatagram> {
        net::UnixDatagram::unbound().map(Self::fresh)
    }

    /// Makes two sockets that are connected to each other.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::pair`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `EMFILE`.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::os::unix::net::UnixDatagram;
    ///
    /// let (one, other) = UnixDatagram::pair()?;
    /// one.send(b"hello")?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(other.recv(&mut buffer)?, 5);
    /// assert_eq!(&buffer[..5], b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        net::UnixDatagram::pair().map(|(near, far)| (Self::fresh(near), Self::fresh(far)))
    }

    fn fresh(socket: net::UnixDatagram) -> Self {
        Self(Attached::fresh(socket))
    }

    /// Makes the socket at `path` the peer, to which [`send`](Self::send) sends.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::connect`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `InvalidInput` for a path that no socket can have.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.0.connect(path)
    }

    /// Makes the socket at `socket_addr` the peer, to which [`send`](Self::send) sends.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::connect_addr`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn connect_addr(&self, socket_addr: &SocketAddr) -> io::Result<()> {
        self.0.connect_addr(socket_addr)
    }

    /// Receives a datagram and the address of its sender; what does not fit into `buf` is lost.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::recv_from`].
    ///
    /// **Differences**: a sender whose path has no room for the NUL at its end, which no Rust
    /// program binds, appears as unnamed.
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `WouldBlock` when the read timeout has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-datagram-recv_from-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::os::unix::net::UnixDatagram;
    ///
    /// let (one, other) = (folder.join("one"), folder.join("other"));
    /// let sender = UnixDatagram::bind(&one)?;
    /// let receiver = UnixDatagram::bind(&other)?;
    /// sender.send_to(b"hello", &other)?;
    /// let mut buffer = [0; 10];
    /// let (n, from) = receiver.recv_from(&mut buffer)?;
    /// assert_eq!((n, from.as_pathname()), (5, Some(&*one)));
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (n, from) = transfer::recv_from(self.0.as_fd(), buf, RecvFlags::empty())?;
        Ok((n, from_kernel(from)?))
    }

    /// Receives a datagram; what does not fit into `buf` is lost.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::recv`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `WouldBlock` when the read timeout has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::os::unix::net::UnixDatagram;
    ///
    /// let (one, other) = UnixDatagram::pair()?;
    /// one.send(b"hello")?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(other.recv(&mut buffer)?, 5);
    /// assert_eq!(&buffer[..5], b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        transfer::recv(self.0.as_fd(), buf, RecvFlags::empty())
    }

    /// Sends a datagram to the socket at `path`.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::send_to`]. Where the queue of the
    /// receiver is full the calling green thread waits in a blocking section, because the kernel
    /// has an event for this only if the sender is connected.
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `InvalidInput` for a path that no socket can have.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-datagram-send_to-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::os::unix::net::UnixDatagram;
    ///
    /// let path = folder.join("socket");
    /// let _receiver = UnixDatagram::bind(&path)?;
    /// assert_eq!(UnixDatagram::unbound()?.send_to(b"hello", &path)?, 5);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.send_to_addr(buf, &SocketAddr::from_pathname(path)?)
    }

    /// Sends a datagram to the socket at `socket_addr`.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::send_to_addr`]; as
    /// [`send_to`](Self::send_to) otherwise.
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-datagram-send_to_addr-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::os::unix::net::{SocketAddr, UnixDatagram};
    ///
    /// let address = SocketAddr::from_pathname(folder.join("socket"))?;
    /// let _receiver = UnixDatagram::bind_addr(&address)?;
    /// assert_eq!(UnixDatagram::unbound()?.send_to_addr(b"hello", &address)?, 5);
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_to_addr(&self, buf: &[u8], socket_addr: &SocketAddr) -> io::Result<usize> {
        if !is_green() {
            return self.0.send_to_addr(buf, socket_addr);
        }
        let (fd, to) = (self.0.as_fd(), for_kernel(socket_addr)?);
        let send = |flags| {
            retry_on_intr(|| rustix::net::sendto(fd, buf, flags | transfer::NO_SIGNAL, &to))
        };
        match send(SendFlags::DONTWAIT) {
            Err(Errno::AGAIN) => Ok(blocking(|| send(SendFlags::empty()))?),
            sent => Ok(sent?),
        }
    }

    /// Sends a datagram to the peer.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::os::unix::net::UnixDatagram::send`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: `NotConnected` if there is no peer; `WouldBlock` when the write
    /// timeout has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::os::unix::net::UnixDatagram;
    ///
    /// let (one, _other) = UnixDatagram::pair()?;
    /// assert_eq!(one.send(b"hello")?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        transfer::send(self.0.as_fd(), buf)
    }

    socket_methods! { std::os::unix::net::UnixDatagram:
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
    /// This corresponds to [`std::os::unix::net::UnixDatagram::shutdown`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: `NotConnected` if there is no peer.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }
}

debug_as_std!(UnixDatagram);

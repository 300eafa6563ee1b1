//! UDP. What does not wait is std's; what waits is in `transfer`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::AsFd;

use rustix::net::{RecvFlags, SocketAddrAny};

use super::ToSocketAddrs;
use super::connect::{for_kernel, from_kernel};
use super::socket_addr::each_addr;
use super::transfer;
use crate::os::fd::Attached;

/// A socket that sends and receives datagrams.
///
/// This corresponds to [`std::net::UdpSocket`]. Receiving parks the calling green thread until a
/// datagram is there, sending until there is room for it; an ordinary thread they block.
///
/// ```
/// use std_shim::net::UdpSocket;
///
/// # fn main() -> std::io::Result<()> {
/// let receiver = UdpSocket::bind("127.0.0.1:0")?;
/// let sender = UdpSocket::bind("127.0.0.1:0")?;
/// sender.send_to(b"hello", receiver.local_addr()?)?;
///
/// let mut buf = [0; 16];
/// let (n, from) = receiver.recv_from(&mut buf)?;
/// assert_eq!((&buf[..n], from), (&b"hello"[..], sender.local_addr()?));
/// # Ok(())
/// # }
/// ```
pub struct UdpSocket(pub(crate) Attached<::std::net::UdpSocket>);

impl UdpSocket {
    /// Binds to the first of the addresses that can be had; port 0 asks for any free port.
    ///
    /// This corresponds to [`std::net::UdpSocket::bind`].
    ///
    /// # Errors
    ///
    /// The error of the last address if none can be had; `InvalidInput` if there is no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::UdpSocket;
    ///
    /// let socket = UdpSocket::bind("127.0.0.1:0")?;
    /// assert_ne!(socket.local_addr()?.port(), 0);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        each_addr(addr, ::std::net::UdpSocket::bind).map(|socket| Self(Attached::fresh(socket)))
    }

    /// Receives a datagram and the address of its sender; what does not fit into `buf` is lost.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::net::UdpSocket::recv_from`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `WouldBlock` when the read timeout has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// one.send_to(b"hello", other.local_addr()?)?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(other.recv_from(&mut buffer)?, (5, one.local_addr()?));
    /// assert_eq!(&buffer[..5], b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (n, from) = transfer::recv_from(self.0.as_fd(), buf, RecvFlags::empty())?;
        Ok((n, sender(from)?))
    }

    /// Receives as [`recv_from`](Self::recv_from), but leaves the datagram in the queue.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::net::UdpSocket::peek_from`].
    ///
    /// # Errors
    ///
    /// As [`recv_from`](Self::recv_from).
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// one.send_to(b"hello", other.local_addr()?)?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(other.peek_from(&mut buffer)?, (5, one.local_addr()?));
    /// // It is still there.
    /// assert_eq!(other.recv_from(&mut buffer)?, (5, one.local_addr()?));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let (n, from) = transfer::recv_from(self.0.as_fd(), buf, RecvFlags::PEEK)?;
        Ok((n, sender(from)?))
    }

    /// Sends a datagram to the first of the addresses.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::net::UdpSocket::send_to`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `InvalidInput` if there is no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// assert_eq!(one.send_to(b"hello", other.local_addr()?)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        match addr.to_socket_addrs()?.next() {
            Some(addr) => transfer::send_to(self.0.as_fd(), buf, &for_kernel(&addr)),
            // std's own error, which it returns before any system call.
            None => self.0.send_to(buf, &[][..]),
        }
    }

    /// Makes `addr` the peer: the only one to send to, and to receive from.
    ///
    /// This corresponds to [`std::net::UdpSocket::connect`].
    ///
    /// # Errors
    ///
    /// The error of the last address if none will do; `InvalidInput` if there is no address.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// one.connect(other.local_addr()?)?;
    /// one.send(b"hello")?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(other.recv(&mut buffer)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        each_addr(addr, |addr| self.0.connect(addr))
    }

    /// Sends a datagram to the peer.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::net::UdpSocket::send`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `WouldBlock` when the write timeout has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// one.connect(other.local_addr()?)?;
    /// assert_eq!(one.send(b"hello")?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        transfer::send(self.0.as_fd(), buf)
    }

    /// Receives a datagram of the peer; what does not fit into `buf` is lost.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::net::UdpSocket::recv`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports; `WouldBlock` when the read timeout has passed.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// other.connect(one.local_addr()?)?;
    /// one.send_to(b"hello", other.local_addr()?)?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(other.recv(&mut buffer)?, 5);
    /// assert_eq!(&buffer[..5], b"hello");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        transfer::recv(self.0.as_fd(), buf, RecvFlags::empty())
    }

    /// Receives as [`recv`](Self::recv), but leaves the datagram in the queue.
    ///
    /// Parks the calling green thread; from an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::net::UdpSocket::peek`].
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::UdpSocket;
    ///
    /// let (one, other) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    /// other.connect(one.local_addr()?)?;
    /// one.send_to(b"hello", other.local_addr()?)?;
    /// let mut buffer = [0; 10];
    /// assert_eq!(other.peek(&mut buffer)?, 5);
    /// // It is still there.
    /// assert_eq!(other.recv(&mut buffer)?, 5);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        transfer::recv(self.0.as_fd(), buf, RecvFlags::PEEK)
    }

    socket_methods! { std::net::UdpSocket:
        peer_addr;
        local_addr;
        try_clone;
        /// # Examples
        ///
        /// ```
        /// use std_shim::io::ErrorKind;
        /// use std_shim::net::UdpSocket;
        /// use std_shim::time::Duration;
        ///
        /// let socket = UdpSocket::bind("127.0.0.1:0")?;
        /// socket.set_read_timeout(Some(Duration::from_millis(5)))?;
        /// assert_eq!(socket.recv(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        /// # Ok::<(), std::io::Error>(())
        /// ```
        set_read_timeout;
        set_write_timeout;
        read_timeout;
        write_timeout;
        set_ttl;
        ttl;
        take_error;
        set_nonblocking;
    }

    /// Sets whether it may send to a broadcast address (`SO_BROADCAST`).
    ///
    /// This corresponds to [`std::net::UdpSocket::set_broadcast`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.0.set_broadcast(broadcast)
    }

    /// Returns whether it may send to a broadcast address.
    ///
    /// This corresponds to [`std::net::UdpSocket::broadcast`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.0.broadcast()
    }

    /// Sets whether what it sends to IPv4 groups comes back to this host.
    ///
    /// This corresponds to [`std::net::UdpSocket::set_multicast_loop_v4`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> io::Result<()> {
        self.0.set_multicast_loop_v4(multicast_loop_v4)
    }

    /// Returns whether what it sends to IPv4 groups comes back to this host.
    ///
    /// This corresponds to [`std::net::UdpSocket::multicast_loop_v4`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.0.multicast_loop_v4()
    }

    /// Sets how many hops a packet to an IPv4 group may take.
    ///
    /// This corresponds to [`std::net::UdpSocket::set_multicast_ttl_v4`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> io::Result<()> {
        self.0.set_multicast_ttl_v4(multicast_ttl_v4)
    }

    /// Returns how many hops a packet to an IPv4 group may take.
    ///
    /// This corresponds to [`std::net::UdpSocket::multicast_ttl_v4`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.0.multicast_ttl_v4()
    }

    /// Sets whether what it sends to IPv6 groups comes back to this host.
    ///
    /// This corresponds to [`std::net::UdpSocket::set_multicast_loop_v6`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> io::Result<()> {
        self.0.set_multicast_loop_v6(multicast_loop_v6)
    }

    /// Returns whether what it sends to IPv6 groups comes back to this host.
    ///
    /// This corresponds to [`std::net::UdpSocket::multicast_loop_v6`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.0.multicast_loop_v6()
    }

    /// Joins an IPv4 group on the interface that has the address `interface`.
    ///
    /// This corresponds to [`std::net::UdpSocket::join_multicast_v4`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.0.join_multicast_v4(multiaddr, interface)
    }

    /// Joins an IPv6 group on the interface with the index `interface`; 0 is any.
    ///
    /// This corresponds to [`std::net::UdpSocket::join_multicast_v6`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.join_multicast_v6(multiaddr, interface)
    }

    /// Leaves an IPv4 group on the interface that has the address `interface`.
    ///
    /// This corresponds to [`std::net::UdpSocket::leave_multicast_v4`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.0.leave_multicast_v4(multiaddr, interface)
    }

    /// Leaves an IPv6 group on the interface with the index `interface`; 0 is any.
    ///
    /// This corresponds to [`std::net::UdpSocket::leave_multicast_v6`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.leave_multicast_v6(multiaddr, interface)
    }
}

debug_as_std!(UdpSocket);

/// The address of a sender; the error is std's for a descriptor that is no internet socket.
fn sender(from: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    from.and_then(|from| SocketAddr::try_from(from).ok())
        .map(from_kernel)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "invalid argument"))
}

//! Connecting from a green thread.
//!
//! The socket is made non-blocking, `connect` started, and the thread parked until the socket is
//! writable. Then the socket has either its peer or an error. It is made a blocking one again, as
//! std's is, before the caller has it.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::{Errno, ioctl_fionbio, retry_on_intr};
use rustix::net::addr::SocketAddrArg;
use rustix::net::{AddressFamily, SocketType};

use super::TcpStream;
use crate::bridge::calls::{Plainly, socket as calls};
use crate::os::fd::Attached;

/// Connects over TCP, within `timeout` if there is one.
pub(super) fn connect(addr: &SocketAddr, timeout: Option<Duration>) -> io::Result<TcpStream> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let stream = TcpStream(Attached::fresh(nonblocking_socket(family)?.into()));
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    calls::connect(Plainly, stream.0.as_fd(), deadline, || {
        Ok(begin_connect(&*stream.0, &for_kernel(addr))?)
    })
    .map_err(|error| {
        if calls::is_under_way(&error) {
            return io::Error::new(io::ErrorKind::TimedOut, "connection timed out");
        }
        error
    })?;
    ioctl_fionbio(&*stream.0, false)?;
    Ok(stream)
}

/// Makes the call, whatever signals come: as std, until it says how far the connection is.
pub(crate) fn begin_connect(socket: impl AsFd, addr: &impl SocketAddrArg) -> Result<(), Errno> {
    match retry_on_intr(|| rustix::net::connect(&socket, addr)) {
        Err(Errno::ISCONN) => Ok(()),
        begun => begun,
    }
}

/// Makes a stream socket with the flags and options that std's have, but non-blocking.
pub(crate) fn nonblocking_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    #[cfg(not(target_vendor = "apple"))]
    let socket = {
        use rustix::net::SocketFlags;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::socket_with(family, SocketType::STREAM, flags, None)?
    };
    #[cfg(target_vendor = "apple")]
    let socket = {
        let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
        rustix::io::ioctl_fioclex(&socket)?;
        ioctl_fionbio(&socket, true)?;
        socket
    };
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
    Ok(socket)
}

/// Turns `addr` into what rustix passes on as std would.
///
/// std leaves the flow information as it is, rustix swaps it into network byte order and back: a
/// second swap undoes the first.
pub(super) fn for_kernel(addr: &SocketAddr) -> SocketAddr {
    swap_flowinfo(*addr)
}

/// Turns what rustix makes of the kernel's address into what std would.
pub(super) fn from_kernel(addr: SocketAddr) -> SocketAddr {
    swap_flowinfo(addr)
}

fn swap_flowinfo(mut addr: SocketAddr) -> SocketAddr {
    if let SocketAddr::V6(v6) = &mut addr {
        v6.set_flowinfo(v6.flowinfo().to_be());
    }
    addr
}

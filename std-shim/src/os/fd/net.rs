//! The traits of descriptors, for the sockets.

use crate::{net, os};

macro_rules! sockets {
    ($($types:tt)*) => {
        attached_conversions! { $($types)* }
        descriptor_traits! { lend: $($types)* }
        from_raw_fd! { $($types)* }
    };
}

sockets! {
    net::TcpStream = ::std::net::TcpStream;
    net::TcpListener = ::std::net::TcpListener;
    net::UdpSocket = ::std::net::UdpSocket;
    os::unix::net::UnixStream = ::std::os::unix::net::UnixStream;
    os::unix::net::UnixListener = ::std::os::unix::net::UnixListener;
    os::unix::net::UnixDatagram = ::std::os::unix::net::UnixDatagram;
}

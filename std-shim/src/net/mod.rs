//! Sockets of the internet protocols. A green thread that waits for one holds up no other.
//!
//! This corresponds to [`std::net`]. [`TcpListener`], [`TcpStream`], [`UdpSocket`] and
//! [`Incoming`] are green; [`ToSocketAddrs`] looks names up without holding anybody up; addresses
//! and the rest are std's own.
//!
//! | type | what is different from std |
//! |---|---|
//! | [`TcpListener`] | its queue holds 4,096 connections that nobody has accepted, not 128 |
//! | all | a call that waits parks a green thread; an ordinary thread it blocks, as in std |

mod connect;
mod socket_addr;
mod tcp;
pub(crate) mod transfer;
mod udp;

#[doc(no_inline)]
pub use ::std::net::{
    AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6,
};

pub use self::socket_addr::ToSocketAddrs;
pub use self::tcp::{Incoming, TcpListener, TcpStream};
pub use self::udp::UdpSocket;

pub(crate) use self::connect::{begin_connect, nonblocking_socket};

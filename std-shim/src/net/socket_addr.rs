//! Names and addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::{iter, option, slice, vec};

use crate::bridge::calls;

/// Converts to socket addresses, by a look-up where there is a name.
///
/// This corresponds to [`std::net::ToSocketAddrs`] and is implemented for the same types.
/// Addresses and numeric strings are converted on the spot; what is neither an address nor a name with a
/// port is an error on the spot. Names go to the resolver of the system, in a section that holds up no other
/// green thread. Green threads that look up the same name at the same time share one look-up. A name that is
/// in `/etc/hosts` is taken from there, if that is certain to be what the resolver says.
///
/// **Differences**: it is a trait of the mirror's own. A type that implements std's alone, in a crate that
/// has not been moved over, is no address here.
///
/// ```
/// use std_shim::net::{SocketAddr, ToSocketAddrs};
///
/// # fn main() -> std::io::Result<()> {
/// let mut addrs = "127.0.0.1:443".to_socket_addrs()?;
/// assert_eq!(addrs.next(), Some(SocketAddr::from(([127, 0, 0, 1], 443))));
/// assert_eq!(addrs.next(), None);
/// # Ok(())
/// # }
/// ```
pub trait ToSocketAddrs {
    /// The addresses, one after the other.
    type Iter: Iterator<Item = SocketAddr>;

    /// Converts to addresses; there may be none.
    ///
    /// This corresponds to [`std::net::ToSocketAddrs::to_socket_addrs`]. A look-up parks the
    /// calling green thread; an ordinary thread it blocks.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a string that is no address and no name with a port; what the resolver
    /// says of a name.
    ///
    /// # Examples
    ///
    /// ```
    /// use std_shim::net::ToSocketAddrs;
    ///
    /// let address = "127.0.0.1:80".to_socket_addrs()?.next().unwrap();
    /// assert_eq!(address.port(), 80);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn to_socket_addrs(&self) -> io::Result<Self::Iter>;
}

/// For types whose conversion is immediate: std's own does it.
macro_rules! converted_by_std {
    ($($addr:ty),*) => {$(
        impl ToSocketAddrs for $addr {
            type Iter = option::IntoIter<SocketAddr>;

            fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
                ::std::net::ToSocketAddrs::to_socket_addrs(self)
            }
        }
    )*};
}

converted_by_std! {
    SocketAddr, SocketAddrV4, SocketAddrV6, (IpAddr, u16), (Ipv4Addr, u16), (Ipv6Addr, u16)
}

impl ToSocketAddrs for (&str, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, self.1)].into_iter()),
            Err(_) if is_name(self.0) => look_up(self.0, self.1),
            Err(_) => ::std::net::ToSocketAddrs::to_socket_addrs(self),
        }
    }
}

impl ToSocketAddrs for (String, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (&*self.0, self.1).to_socket_addrs()
    }
}

impl ToSocketAddrs for str {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        if let Ok(addr) = self.parse() {
            return Ok(vec![addr].into_iter());
        }
        match name_and_port(self) {
            Some((host, port)) => look_up(host, port),
            None => ::std::net::ToSocketAddrs::to_socket_addrs(self),
        }
    }
}

/// Whether std asks the resolver about it, and does not refuse it on the spot.
fn is_name(host: &str) -> bool {
    !host.contains('\0')
}

/// What std asks the resolver about, if it does not refuse it on the spot.
fn name_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    is_name(host).then_some((host, port.parse().ok()?))
}

/// The addresses of a name.
fn look_up(host: &str, port: u16) -> io::Result<vec::IntoIter<SocketAddr>> {
    let ask = || Ok(::std::net::ToSocketAddrs::to_socket_addrs(&(host, 0))?.collect());
    Ok(calls::look_up::addresses(host, port, ask)?.into_iter())
}

impl ToSocketAddrs for String {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (**self).to_socket_addrs()
    }
}

impl<'a> ToSocketAddrs for &'a [SocketAddr] {
    type Iter = iter::Cloned<slice::Iter<'a, SocketAddr>>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        Ok(self.iter().cloned())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    type Iter = T::Iter;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (**self).to_socket_addrs()
    }
}

/// Tries `f` with each address until it succeeds, else returns the last error.
pub(super) fn each_addr<A: ToSocketAddrs, T>(
    addr: A,
    mut f: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last_error = None;
    for addr in addr.to_socket_addrs()? {
        match f(addr) {
            Ok(done) => return Ok(done),
            Err(error) => last_error = Some(error),
        }
    }
    Err(last_error.unwrap_or_else(no_address))
}

/// The error for no address at all: std's own, which it returns before any system call.
fn no_address() -> io::Error {
    let nowhere: &[SocketAddr] = &[];
    ::std::net::UdpSocket::bind(nowhere).expect_err("no address to bind to")
}

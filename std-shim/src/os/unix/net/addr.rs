//! Between std's addresses, which the caller sees, and rustix's, which the kernel does.

use std::ffi::OsStr;
use std::io;
#[cfg(target_os = "linux")]
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrAny, SocketAddrUnix};

/// The address as the kernel is to have it; to the unnamed nothing goes.
pub(super) fn for_kernel(addr: &SocketAddr) -> io::Result<SocketAddrUnix> {
    #[cfg(target_os = "linux")]
    if let Some(name) = addr.as_abstract_name() {
        return Ok(SocketAddrUnix::new_abstract_name(name)?);
    }
    match addr.as_pathname() {
        Some(path) => Ok(SocketAddrUnix::new(path)?),
        None => Err(Errno::INVAL.into()),
    }
}

/// The address of a sender; `None` is one that never bound.
///
/// A path that fills the kernel's structure to the last byte, without the NUL at its end, can be
/// bound in other languages; std makes no address of one, so its owner appears as unnamed.
pub(super) fn from_kernel(addr: Option<SocketAddrAny>) -> io::Result<SocketAddr> {
    let unnamed = || SocketAddr::from_pathname("");
    let Some(addr) = addr else { return unnamed() };
    if addr.address_family() != AddressFamily::UNIX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "file descriptor did not correspond to a Unix socket",
        ));
    }
    if addr.addr_len() as usize > size_of::<libc::sockaddr_un>() {
        return unnamed();
    }
    let addr = SocketAddrUnix::try_from(addr)?;
    #[cfg(target_os = "linux")]
    if let Some(name) = addr.abstract_name() {
        return SocketAddr::from_abstract_name(name);
    }
    match addr.path_bytes() {
        Some(path) => SocketAddr::from_pathname(OsStr::from_bytes(path)),
        None => unnamed(),
    }
}

//! The traits of descriptors, for the sockets.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

use super::Attached;
use crate::{net, os};

macro_rules! descriptor_traits {
    ($($green:ty = $plain:ty;)*) => {$(
        impl AsFd for $green {
            #[inline]
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $green {
            #[inline]
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }

        impl FromRawFd for $green {
            unsafe fn from_raw_fd(fd: RawFd) -> Self {
                // SAFETY: the caller owns `fd` and gives it away, as this function's contract says.
                let plain = unsafe { <$plain>::from_raw_fd(fd) };
                Self(Attached::adopted(plain))
            }
        }

        impl IntoRawFd for $green {
            fn into_raw_fd(self) -> RawFd {
                self.0.into_inner().into_raw_fd()
            }
        }

        impl From<OwnedFd> for $green {
            fn from(fd: OwnedFd) -> Self {
                Self(Attached::adopted(fd.into()))
            }
        }

        impl From<$green> for OwnedFd {
            fn from(green: $green) -> Self {
                green.0.into_inner().into()
            }
        }

        /// Beyond std: takes std's type of the same name into the mirror.
        impl From<$plain> for $green {
            fn from(plain: $plain) -> Self {
                Self(Attached::adopted(plain))
            }
        }

        /// Beyond std: gives std's type of the same name.
        impl From<$green> for $plain {
            fn from(green: $green) -> Self {
                green.0.into_inner()
            }
        }
    )*};
}

descriptor_traits! {
    net::TcpStream = ::std::net::TcpStream;
    net::TcpListener = ::std::net::TcpListener;
    net::UdpSocket = ::std::net::UdpSocket;
    os::unix::net::UnixStream = ::std::os::unix::net::UnixStream;
    os::unix::net::UnixListener = ::std::os::unix::net::UnixListener;
    os::unix::net::UnixDatagram = ::std::os::unix::net::UnixDatagram;
}

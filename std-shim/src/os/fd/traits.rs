//! What every type has that owns a descriptor, once it converts from and into std's own type.

/// Puts the runtime's care ([`Attached`](super::Attached)) between a type and std's own.
macro_rules! attached_conversions {
    ($($green:ty = $plain:ty;)*) => {$(
        /// Beyond std: takes std's type of the same name into the mirror.
        impl From<$plain> for $green {
            fn from(plain: $plain) -> Self {
                Self($crate::os::fd::Attached::adopted(plain))
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

/// The traits of [`std::os::fd`] that every owner of a descriptor has, if `$lend` tells of it what
/// the program is to have.
macro_rules! descriptor_traits {
    ($lend:ident: $($green:ty = $plain:ty;)*) => {$(
        impl ::std::os::fd::AsFd for $green {
            #[inline]
            fn as_fd(&self) -> ::std::os::fd::BorrowedFd<'_> {
                self.0.$lend()
            }
        }

        impl ::std::os::fd::AsRawFd for $green {
            #[inline]
            fn as_raw_fd(&self) -> ::std::os::fd::RawFd {
                self.0.$lend().as_raw_fd()
            }
        }

        impl ::std::os::fd::IntoRawFd for $green {
            fn into_raw_fd(self) -> ::std::os::fd::RawFd {
                <$plain>::from(self).into_raw_fd()
            }
        }

        impl From<::std::os::fd::OwnedFd> for $green {
            fn from(fd: ::std::os::fd::OwnedFd) -> Self {
                <$plain>::from(fd).into()
            }
        }

        impl From<$green> for ::std::os::fd::OwnedFd {
            fn from(green: $green) -> Self {
                <$plain>::from(green).into()
            }
        }
    )*};
}

/// [`std::os::fd::FromRawFd`], which most of them have.
macro_rules! from_raw_fd {
    ($($green:ty = $plain:ty;)*) => {$(
        impl ::std::os::fd::FromRawFd for $green {
            unsafe fn from_raw_fd(fd: ::std::os::fd::RawFd) -> Self {
                // SAFETY: the caller owns `fd` and gives it away, as this function's contract says.
                unsafe { <$plain>::from_raw_fd(fd) }.into()
            }
        }
    )*};
}

//! What a type that wraps std's type of the same name passes on, macro by macro.

/// `Debug` that writes what std's type writes.
macro_rules! debug_as_std {
    ($($green:ty),* $(,)?) => {$(
        impl ::std::fmt::Debug for $green {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

/// Conversions from and into std's type of the same name.
macro_rules! plain_conversions {
    ($($green:ty = $plain:ty;)*) => {$(
        /// Beyond std: takes std's type of the same name into the mirror.
        impl From<$plain> for $green {
            fn from(plain: $plain) -> Self {
                Self(plain)
            }
        }

        /// Beyond std: gives std's type of the same name.
        impl From<$green> for $plain {
            fn from(green: $green) -> Self {
                green.0
            }
        }
    )*};
}

/// `Read`, by the calls of a module, with what these take beside the descriptor and the buffers.
macro_rules! read_by {
    ($($module:ident)::+ ($($with:expr)?), $end:ty) => {
        impl ::std::io::Read for $end {
            #[inline]
            fn read(&mut self, buf: &mut [u8]) -> ::std::io::Result<usize> {
                $($module)::+::read(::std::os::fd::AsFd::as_fd(&*self.0), $($with,)? buf)
            }

            fn read_vectored(
                &mut self,
                bufs: &mut [::std::io::IoSliceMut<'_>],
            ) -> ::std::io::Result<usize> {
                $($module)::+::read_vectored(::std::os::fd::AsFd::as_fd(&*self.0), $($with,)? bufs)
            }
        }
    };
}

/// `Write`, likewise.
macro_rules! write_by {
    ($($module:ident)::+ ($($with:expr)?), $end:ty) => {
        impl ::std::io::Write for $end {
            #[inline]
            fn write(&mut self, buf: &[u8]) -> ::std::io::Result<usize> {
                $($module)::+::write(::std::os::fd::AsFd::as_fd(&*self.0), $($with,)? buf)
            }

            fn write_vectored(
                &mut self,
                bufs: &[::std::io::IoSlice<'_>],
            ) -> ::std::io::Result<usize> {
                $($module)::+::write_vectored(::std::os::fd::AsFd::as_fd(&*self.0), $($with,)? bufs)
            }

            #[inline]
            fn flush(&mut self) -> ::std::io::Result<()> {
                Ok(())
            }
        }
    };
}

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

/// Methods that several sockets have, by their names, of a type that wraps std's: inside its `impl`. What stands
/// above a name is added to the method's documentation.
macro_rules! socket_methods {
    ($std:ty: $($(#[$more:meta])* $name:ident;)+) => {
        $(socket_method! { $name $std, $(#[$more])* })+
    };
}

/// One of them.
macro_rules! socket_method {
    (local_addr $std:ty, $($more:tt)*) => {
        /// Returns the address of this end.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::local_addr`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports.
        ///
        $($more)*
        pub fn local_addr(&self) -> ::std::io::Result<SocketAddr> {
            self.0.local_addr()
        }
    };
    (peer_addr $std:ty, $($more:tt)*) => {
        /// Returns the address of the other end.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::peer_addr`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports: `NotConnected` if there is none, or none any more.
        ///
        $($more)*
        pub fn peer_addr(&self) -> ::std::io::Result<SocketAddr> {
            self.0.peer_addr()
        }
    };
    (try_clone $std:ty, $($more:tt)*) => {
        /// Makes a second handle of this socket, with the same timeouts and blocking mode.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::try_clone`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports, such as `EMFILE`.
        ///
        $($more)*
        pub fn try_clone(&self) -> ::std::io::Result<Self> {
            self.0.try_clone(<$std>::try_clone).map(Self)
        }
    };
    (set_read_timeout $std:ty, $($more:tt)*) => {
        /// Sets how long a call that reads, or receives, may wait before it returns `WouldBlock`.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::set_read_timeout`].")]
        ///
        /// # Errors
        ///
        /// `InvalidInput` if the duration is zero.
        ///
        $($more)*
        pub fn set_read_timeout(&self, timeout: Option<::std::time::Duration>) -> ::std::io::Result<()> {
            $crate::bridge::io::set_timeout(::std::os::fd::AsFd::as_fd(&*self.0), $crate::bridge::Interest::Read, timeout)
        }
    };
    (set_write_timeout $std:ty, $($more:tt)*) => {
        /// Sets how long a call that writes, or sends, may wait before it returns `WouldBlock`.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::set_write_timeout`].")]
        ///
        /// # Errors
        ///
        /// `InvalidInput` if the duration is zero.
        ///
        $($more)*
        pub fn set_write_timeout(&self, timeout: Option<::std::time::Duration>) -> ::std::io::Result<()> {
            $crate::bridge::io::set_timeout(::std::os::fd::AsFd::as_fd(&*self.0), $crate::bridge::Interest::Write, timeout)
        }
    };
    (read_timeout $std:ty, $($more:tt)*) => {
        /// Returns how long a call that reads, or receives, may wait.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::read_timeout`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports.
        ///
        $($more)*
        pub fn read_timeout(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
            self.0.read_timeout()
        }
    };
    (write_timeout $std:ty, $($more:tt)*) => {
        /// Returns how long a call that writes, or sends, may wait.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::write_timeout`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports.
        ///
        $($more)*
        pub fn write_timeout(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
            self.0.write_timeout()
        }
    };
    (set_ttl $std:ty, $($more:tt)*) => {
        /// Sets how many hops a packet may take (`IP_TTL`).
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::set_ttl`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports.
        ///
        $($more)*
        pub fn set_ttl(&self, ttl: u32) -> ::std::io::Result<()> {
            self.0.set_ttl(ttl)
        }
    };
    (ttl $std:ty, $($more:tt)*) => {
        /// Returns how many hops a packet may take.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::ttl`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports.
        ///
        $($more)*
        pub fn ttl(&self) -> ::std::io::Result<u32> {
            self.0.ttl()
        }
    };
    (take_error $std:ty, $($more:tt)*) => {
        /// Takes the pending error of the socket, if there is one.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::take_error`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports of the call itself.
        ///
        $($more)*
        pub fn take_error(&self) -> ::std::io::Result<Option<::std::io::Error>> {
            self.0.take_error()
        }
    };
    (set_nonblocking $std:ty, $($more:tt)*) => {
        /// Sets whether calls return `WouldBlock` where they would wait.
        ///
        #[doc = concat!("This corresponds to [`", stringify!($std), "::set_nonblocking`].")]
        ///
        /// # Errors
        ///
        /// Any error that the kernel reports.
        ///
        $($more)*
        pub fn set_nonblocking(&self, nonblocking: bool) -> ::std::io::Result<()> {
            $crate::bridge::io::set_nonblocking(::std::os::fd::AsFd::as_fd(&*self.0), nonblocking)
        }
    };
}

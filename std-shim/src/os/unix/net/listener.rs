//! Where connections from within the host come in.

use std::io::{self, ErrorKind::WouldBlock};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{self, SocketAddr};
use std::path::Path;

use rustix::io::Errno;

use super::UnixStream;
use crate::bridge::attempt_accept;
use crate::bridge::calls::transfer::is_over;
use crate::os::fd::Attached;

/// A socket that accepts connections from within this host.
///
/// This corresponds to [`std::os::unix::net::UnixListener`]. Accepting parks the calling green
/// thread until somebody connects; an ordinary thread it blocks.
///
/// ```
/// use std_shim::os::unix::net::{UnixListener, UnixStream};
///
/// # fn main() -> std::io::Result<()> {
/// let path = std::env::temp_dir().join(format!("example-{}.sock", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let _client = UnixStream::connect(&path)?;
/// let (_stream, from) = listener.accept()?;
/// assert!(from.is_unnamed());
/// std::fs::remove_file(&path)
/// # }
/// ```
pub struct UnixListener(pub(crate) Attached<net::UnixListener>);

impl UnixListener {
    /// Listens at `path`, where it makes a socket file.
    ///
    /// This corresponds to [`std::os::unix::net::UnixListener::bind`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: `AddrInUse` if the file exists; `InvalidInput` for a path that no
    /// socket can have.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-listener-bind-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::io::{self, Write};
    /// use std_shim::os::unix::net::{UnixListener, UnixStream};
    ///
    /// let path = folder.join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// let client = UnixStream::connect(&path)?;
    /// let (mut server, _) = listener.accept()?;
    /// server.write_all(b"hello")?;
    /// drop(server);
    /// assert_eq!(io::read_to_string(client)?, "hello");
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        net::UnixListener::bind(path).map(Self::fresh)
    }

    /// Listens at `socket_addr`.
    ///
    /// This corresponds to [`std::os::unix::net::UnixListener::bind_addr`].
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports: `AddrInUse` if somebody has the address.
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixListener> {
        net::UnixListener::bind_addr(socket_addr).map(Self::fresh)
    }

    fn fresh(listener: net::UnixListener) -> Self {
        Self(Attached::fresh(listener))
    }

    /// Accepts a connection.
    ///
    /// This corresponds to [`std::os::unix::net::UnixListener::accept`]. Parks the calling green
    /// thread until there is one.
    ///
    /// # Errors
    ///
    /// Any error that the kernel reports, such as `EMFILE`. The listener stays usable.
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-listener-accept-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::os::unix::net::{UnixListener, UnixStream};
    /// use std_shim::thread;
    ///
    /// let path = folder.join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// let client = thread::spawn(move || UnixStream::connect(path).map(drop));
    /// let (_stream, from) = listener.accept()?;
    /// assert!(from.is_unnamed());
    /// client.join().unwrap()?;
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let mut asked = false;
        let accept = |fd: BorrowedFd<'_>| {
            match Attached::at(fd, |listener: &net::UnixListener| listener.accept()) {
                // What the call says that blocks.
                Err(error) if error.kind() == WouldBlock && is_over(fd, &mut asked) => {
                    Err(Errno::INVAL.into())
                }
                accepted => accepted,
            }
        };
        let (stream, from) = attempt_accept(self.0.as_fd(), accept)?;
        Ok((UnixStream(self.0.accepted(stream)), from))
    }

    socket_methods! { std::os::unix::net::UnixListener:
        try_clone;
        local_addr;
        set_nonblocking;
        take_error;
    }

    /// Returns an iterator that accepts connections for ever.
    ///
    /// This corresponds to [`std::os::unix::net::UnixListener::incoming`].
    ///
    /// # Examples
    ///
    /// ```
    /// # let folder = std::env::temp_dir();
    /// # let folder = folder.join(format!("os-unix-net-listener-incoming-{}", std::process::id()));
    /// # std::fs::create_dir_all(&folder)?;
    /// use std_shim::io::{self, Write};
    /// use std_shim::os::unix::net::{UnixListener, UnixStream};
    /// use std_shim::thread;
    ///
    /// let path = folder.join("socket");
    /// let listener = UnixListener::bind(&path)?;
    /// thread::spawn(move || {
    ///     for stream in listener.incoming() {
    ///         stream.unwrap().write_all(b"hello").unwrap();
    ///     }
    /// });
    /// for _ in 0..3 {
    ///     assert_eq!(io::read_to_string(UnixStream::connect(&path)?)?, "hello");
    /// }
    /// # std::fs::remove_dir_all(&folder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }
}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}

debug_as_std!(UnixListener);

/// An iterator that accepts connections for ever: it never returns `None`.
///
/// This corresponds to [`std::os::unix::net::Incoming`]; [`UnixListener::incoming`] makes it.
#[derive(Debug)]
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

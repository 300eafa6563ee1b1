//! A mirror of little, in which little is as in std: what `parity.rs` is tried on.

#![allow(dead_code)]

pub use std::{clone, fmt, mem, os, thread};

pub mod fs {
    use std::io;
    use std::path::Path;

    /// Asks for more than std does.
    pub fn read<P: AsRef<Path> + Send>(_: P) -> io::Result<Vec<u8>> {
        unimplemented!()
    }

    /// Is as std's.
    pub fn rename<P: AsRef<Path>, Q: AsRef<Path>>(_: P, _: Q) -> io::Result<()> {
        unimplemented!()
    }

    /// Returns std's type, and not the one here.
    pub use std::fs::read_dir;

    #[derive(Debug)]
    pub struct ReadDir(std::fs::ReadDir);
}

pub mod io {
    pub use std::io::*;

    /// Asks for more than std does.
    pub trait IsTerminal {
        fn is_terminal(&self) -> bool;
        fn more(&self);
    }
}

pub mod net {
    pub use std::net::*;

    /// Is as std's.
    pub trait ToSocketAddrs {
        type Iter: Iterator<Item = SocketAddr>;

        fn to_socket_addrs(&self) -> std::io::Result<Self::Iter>;
    }
}

pub mod sync {
    use std::cell::Cell;
    use std::fmt;
    pub use std::sync::*;

    /// Is not `Sync`.
    pub struct Barrier(Cell<u8>);

    impl Barrier {
        /// Is not `const`, and may go unused.
        pub fn new(_: usize) -> Self {
            unimplemented!()
        }

        /// Returns nothing.
        pub fn wait(&self) {}
    }

    impl fmt::Debug for Barrier {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            unimplemented!()
        }
    }

    /// Is not covariant.
    pub struct OnceLock<T>(Cell<Option<T>>, fn(T));

    impl<T> OnceLock<T> {
        /// Is as std's.
        #[must_use]
        pub const fn new() -> Self {
            unimplemented!()
        }

        /// Has another lifetime.
        pub fn get(&self) -> Option<&'static T> {
            unimplemented!()
        }
    }

    /// Asks for less than std does.
    impl<T> fmt::Debug for OnceLock<T> {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            unimplemented!()
        }
    }
}

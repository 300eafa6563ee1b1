//! Folders and ports for one run.

use std::fs::{self, Permissions};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that is removed with what is in it.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Makes one, which anybody may use.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn new(name: &str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let nth = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("programs-{}-{nth}-{name}", process::id()));
        fs::create_dir(&path).expect("a folder");
        fs::set_permissions(&path, Permissions::from_mode(0o1777)).expect("its mode");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file in it; returns where it is.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// An address of the loopback where nobody listens.
///
/// The kernel gives such ports to nobody by itself, each process begins at another one, and none is handed
/// out twice.
///
/// # Panics
///
/// If there is none.
pub fn free_address() -> SocketAddr {
    static HANDED_OUT: AtomicUsize = AtomicUsize::new(0);
    const FIRST: usize = 20_000;
    const N_PORTS: usize = 12_000;
    let begin = process::id() as usize * 16;
    loop {
        let nth = HANDED_OUT.fetch_add(1, Ordering::Relaxed);
        assert!(nth < N_PORTS, "no port is free");
        let port = FIRST + (begin + nth) % N_PORTS;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port as u16)) {
            return listener.local_addr().expect("an address");
        }
    }
}

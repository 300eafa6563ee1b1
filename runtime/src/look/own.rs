//! This process, as who looks sees it: its own memory, read by the kernel, which says so where nothing is mapped any
//! more; and what the kernel says of it.

use std::io::{self, Read};
use std::time::Duration;

use rustix::fs::{Dir, Mode, OFlags};
use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{self, AddressFamily, SocketFlags, SocketType};
use sylvan_sight::hash::HashMap;
use sylvan_sight::memory::{Batched, Piece, vectors};
use sylvan_sight::procfs::Procfs;
use sylvan_sight::sock_diag;

use crate::primitive::AtomicU32;
use crate::sys::file::File;
use crate::sys::{futex, kernel, thread, time};

/// This process.
pub(super) struct Own;

/// Where the kernel says that of the process. What it says of memory and descriptors, which threads share, is empty
/// at the process itself, that is its first thread, once that has ended.
fn path(name: &str) -> String {
    let is_shared = ["maps", "fd"].iter().any(|shared| name.starts_with(shared));
    let whose = if is_shared { "thread-self" } else { "self" };
    format!("/proc/{whose}/{name}")
}

impl Batched for Own {
    fn read_batch(&self, pieces: &mut [Piece<'_>]) -> io::Result<usize> {
        let [ours, theirs] = vectors(pieces);
        // By this thread's number: the first one's means nothing once that has ended.
        let (n, process) = (ours.len(), thread::id() as usize);
        let (ours, theirs) =
            (ours.as_ptr().expose_provenance(), theirs.as_ptr().expose_provenance());
        // SAFETY: what is written to is borrowed uniquely for the call; the kernel looks at the rest.
        unsafe { kernel::call(libc::SYS_process_vm_readv, [process, ours, n, theirs, n, 0]) }
    }

    fn wait(&self, moment: Duration) {
        // Nobody wakes this word.
        futex::wait(&AtomicU32::new(0), 0, Some(moment));
    }
}

impl Procfs for Own {
    fn open(&self, name: &str) -> Option<Box<dyn Read>> {
        Some(Box::new(File::open(path(name)).ok()?))
    }

    fn link(&self, name: &str) -> Option<String> {
        let link = rustix::fs::readlink(path(name), Vec::new()).ok()?;
        Some(link.to_string_lossy().into_owned())
    }

    fn numbers(&self, folder: &str) -> Vec<u32> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path(folder), flags, Mode::empty());
        let entries = folder.and_then(Dir::new).into_iter().flatten().map_while(Result::ok);
        entries.filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok()).collect()
    }

    fn unix_peers(&self) -> HashMap<u64, u64> {
        let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
        let mut peers = HashMap::default();
        // Where the kernel says nothing, nothing is known.
        let _ = net::socket_with(family, kind, SocketFlags::CLOEXEC, Some(SOCK_DIAG))
            .map_err(io::Error::from)
            .and_then(|socket| sock_diag::ask(File::from(socket), &mut peers));
        peers
    }

    fn now_ns(&self) -> Option<u64> {
        Some(time::monotonic_ns())
    }
}

//! This process, as who looks sees it: its own memory, read by the kernel, which says so where nothing is mapped any
//! more; and what the kernel says of it.

use std::io::{self, Read};

use rustix::fs::{Dir, Mode, OFlags};
use sylvan_sight::memory::{Batched, Piece, vectors};
use sylvan_sight::procfs::Procfs;

use crate::sys::file::File;
use crate::sys::{kernel, thread, time};

/// This process.
pub(super) struct Own;

impl Batched for Own {
    fn read_batch(&self, pieces: &mut [Piece<'_>]) -> io::Result<usize> {
        let [ours, theirs] = vectors(pieces);
        let (n, process) = (ours.len(), thread::process() as usize);
        let (ours, theirs) =
            (ours.as_ptr().expose_provenance(), theirs.as_ptr().expose_provenance());
        // SAFETY: what is written to is borrowed uniquely for the call; the kernel looks at the rest.
        unsafe { kernel::call(libc::SYS_process_vm_readv, [process, ours, n, theirs, n, 0]) }
    }
}

impl Procfs for Own {
    fn open(&self, name: &str) -> Option<Box<dyn Read>> {
        Some(Box::new(File::open(format!("/proc/self/{name}")).ok()?))
    }

    fn link(&self, name: &str) -> Option<String> {
        let link = rustix::fs::readlink(format!("/proc/self/{name}"), Vec::new()).ok()?;
        Some(link.to_string_lossy().into_owned())
    }

    fn os_threads(&self) -> Vec<u32> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let tasks = rustix::fs::open(c"/proc/self/task", flags, Mode::empty()).and_then(Dir::new);
        let tasks = tasks.into_iter().flatten().map_while(Result::ok);
        tasks.filter_map(|task| task.file_name().to_str().ok()?.parse().ok()).collect()
    }

    fn now_ns(&self) -> Option<u64> {
        Some(time::monotonic_ns())
    }
}

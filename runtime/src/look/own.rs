//! This process, as who looks sees it: its own memory, read by the kernel, which says so where nothing is mapped any
//! more; and what the kernel says of it.

use std::io::{self, Read};

use libc::iovec;
use rustix::fs::{Dir, Mode, OFlags};
use sylvan_sight::memory::{Piece, read_in_batches};
use sylvan_sight::procfs::Procfs;
use sylvan_sight::{Memory, Unreadable};

use crate::sys::file::File;
use crate::sys::{kernel, thread, time};

/// Pieces that the kernel takes in a call.
const PIECES_MAX: usize = 1024;

/// This process.
pub(super) struct Own;

impl Own {
    /// Reads up to [`PIECES_MAX`] pieces, each as a whole; how many bytes of them, from the first on.
    pub(super) fn read_raw(&self, pieces: &mut [Piece<'_>]) -> io::Result<usize> {
        let theirs = pieces.iter().map(|piece| iovec {
            iov_base: piece.at as usize as *mut libc::c_void,
            iov_len: piece.into.len(),
        });
        let theirs: Vec<_> = theirs.collect();
        let ours = pieces.iter_mut().map(|piece| iovec {
            iov_base: piece.into.as_mut_ptr().cast(),
            iov_len: piece.into.len(),
        });
        let ours: Vec<_> = ours.collect();
        let (n, process) = (ours.len(), thread::process() as usize);
        let (ours, theirs) =
            (ours.as_ptr().expose_provenance(), theirs.as_ptr().expose_provenance());
        // SAFETY: what is written to is borrowed uniquely for the call; the kernel looks at the rest.
        unsafe { kernel::call(libc::SYS_process_vm_readv, [process, ours, n, theirs, n, 0]) }
    }
}

impl Memory for Own {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let len = into.len();
        match self.read_raw(&mut [Piece { at, into }]) {
            Ok(n) if n == len => Ok(()),
            _ => Err(Unreadable { at }),
        }
    }

    fn read_many(&self, pieces: &mut [Piece<'_>]) -> Vec<bool> {
        read_in_batches(pieces, PIECES_MAX, |batch| self.read_raw(batch).unwrap_or(0))
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

//! A process that is there, running or not: its memory by `process_vm_readv`, and what `/proc` says.

use std::fs;
use std::io;
use std::thread;
use std::time::Duration;

use sylvan_sight::Unreadable;
use sylvan_sight::memory::{Batched, Piece, vectors};
use sylvan_sight::procfs::Mapping;

use super::{Reason, Refusal};

#[derive(Debug)]
pub(super) struct Live {
    pub(super) pid: u32,
    /// The thread of it by whose number the kernel tells of it: the first one, as long as that is there.
    pub(super) by: u32,
    pub(super) mappings: Vec<Mapping>,
}

impl Live {
    pub(super) fn open(pid: u32) -> Result<Self, Refusal> {
        let whose = || format!("process {pid}");
        let mut live = Self::open_by(pid, pid).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Reason::NoRight.with(whose()),
            _ => Reason::NoProcess.with(whose()),
        })?;
        // So it is where the first thread has ended, and others go on.
        if live.mappings.is_empty() {
            let has_any = |it: &Self| !it.mappings.is_empty();
            let by_another = |by| Self::open_by(pid, by).ok().filter(has_any);
            live = os_threads(pid).find_map(by_another).unwrap_or(live);
        }
        // So it is of one that has ended and that nobody has waited for, of the kernel's own, and for a moment of
        // one that begins.
        let Some(first) = live.mappings.first() else {
            let reason = if live.is_dead() { Reason::NoProcess } else { Reason::NoRuntime };
            return Err(reason.with(whose()));
        };
        let mut byte = [0];
        match live.read_batch(&mut [Piece { at: first.start, into: &mut byte }]) {
            Err(error) => Err(live.refusal(&error)),
            Ok(_) => Ok(live),
        }
    }

    fn open_by(pid: u32, by: u32) -> io::Result<Self> {
        let maps = fs::read_to_string(format!("/proc/{by}/maps"))?;
        Ok(Self { pid, by, mappings: maps.lines().filter_map(Mapping::parse).collect() })
    }

    fn is_dead(&self) -> bool {
        self.state().is_none_or(|state| matches!(state, 'Z' | 'X'))
    }

    /// What the kernel says that it does.
    pub(super) fn state(&self) -> Option<char> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.by)).ok()?;
        stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next())
    }

    fn refusal(&self, error: &io::Error) -> Refusal {
        let whose = format!("process {}", self.pid);
        match error.kind() {
            io::ErrorKind::PermissionDenied => Reason::NoRight.with(whose),
            _ if error.raw_os_error() == Some(libc::ESRCH) => Reason::NoProcess.with(whose),
            _ => Reason::Unreadable.with(format!("{whose}: {error}")),
        }
    }

    pub(super) fn unreadable(&self, error: Unreadable) -> Refusal {
        if self.is_dead() {
            return Reason::NoProcess.with(format!("process {}", self.pid));
        }
        Reason::Unreadable.with(format!("process {}: {error}", self.pid))
    }
}

/// The numbers of the OS threads of a process.
pub(super) fn os_threads(pid: u32) -> impl Iterator<Item = u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks.filter_map(|task| task.file_name().to_str()?.parse().ok())
}

impl Batched for Live {
    fn read_batch(&self, pieces: &mut [Piece<'_>]) -> io::Result<usize> {
        let [local, remote] = vectors(pieces);
        let n = local.len() as libc::c_ulong;
        // SAFETY: the local pieces are borrowed uniquely for the call; the kernel looks at the others.
        let n = unsafe {
            libc::process_vm_readv(self.by.cast_signed(), local.as_ptr(), n, remote.as_ptr(), n, 0)
        };
        usize::try_from(n).map_err(|_| io::Error::last_os_error())
    }

    fn wait(&self, moment: Duration) {
        thread::sleep(moment);
    }
}

#[cfg(test)]
mod tests {
    use sylvan_sight::Memory;

    use super::*;

    #[test]
    fn what_cannot_be_read_keeps_nothing_from_being_read_that_can() {
        let pid = std::process::id();
        let live = Live { pid, by: pid, mappings: Vec::new() };
        let word = 7_u64;
        let at = (&raw const word).addr() as u64;
        let mut bytes = vec![[0_u8; 8]; 3 * Live::PIECES_MAX];
        let places = [at, 8, at].into_iter().cycle();
        let mut pieces: Vec<_> =
            places.zip(&mut bytes).map(|(at, into)| Piece { at, into }).collect();
        let are_read = live.read_many(&mut pieces);
        assert!(are_read.iter().enumerate().all(|(i, is_read)| *is_read == (i % 3 != 1)));
        assert_eq!(are_read.len(), bytes.len());
        assert!(bytes.iter().step_by(3).all(|bytes| u64::from_ne_bytes(*bytes) == 7));
    }
}

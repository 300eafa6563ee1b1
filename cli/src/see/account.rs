//! What is known of a runtime and its threads, for whoever shows it.

use std::fs;
use std::ops::Range;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sylvan_sight::memory::Memory;
use sylvan_sight::threads::{self, State, Thread, Worker};
use sylvan_sight::waits::{self, Wait};
use sylvan_sight::{Reason, Unreadable};

use super::files::Files;
use super::{Call, Process, Runtime};

/// All of it.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) workers: Vec<Worker>,
    /// In the order of their numbers.
    pub(crate) rows: Vec<Row>,
    /// Circles of threads that wait for each other, by their places among these.
    pub(crate) circles: Vec<Vec<usize>>,
}

/// A thread, with what it waits for.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) thread: Thread,
    pub(crate) wait: Wait,
    /// The descriptor in words.
    pub(crate) file: Option<String>,
    /// How long it waits yet, at most.
    pub(crate) left: Option<Duration>,
    /// In a blocking section: the call that its OS thread is in.
    pub(crate) call: Option<String>,
}

impl Account {
    pub(crate) fn of(process: &Process, runtime: &Runtime) -> Result<Self, Unreadable> {
        let table = &runtime.table;
        let threads = threads::threads(process, table)?;
        let mut waits = waits::waits(process, table, &threads)?;
        waits::find_holders(process, &threads, &mut waits, |thread| live(process, thread));
        let circles = waits::circles(&threads, &waits);
        let descriptors = || waits.iter().filter_map(|wait| wait.descriptor);
        let files = process.pid().map(|pid| Files::of(pid, descriptors()));
        let now_ns = match process.pid() {
            Some(_) => Some(now_ns().saturating_sub(process.word(table.roots.clock_base_ns)?)),
            None => None,
        };
        let rows = threads.into_iter().zip(waits).map(|(thread, wait)| {
            let file = wait.descriptor.map(|descriptor| match &files {
                Some(files) => files.words(descriptor, thread.reason),
                None => {
                    format!("descriptor {descriptor}, {}", thread.reason.map_or("", Reason::text))
                }
            });
            let left = wait.deadline_ns.zip(now_ns);
            let left = left.map(|(end, now)| Duration::from_nanos(end.saturating_sub(now)));
            let call = match thread.state {
                State::Blocking | State::Bound => {
                    thread.os_thread.and_then(|of| process.call(of)).map(|call| name(process, call))
                }
                _ => None,
            };
            Row { thread, wait, file, left, call }
        });
        let workers = threads::workers(process, table)?;
        Ok(Self { workers, rows: rows.collect(), circles })
    }

    fn by_id(&self, id: u64) -> Option<&Thread> {
        let at = self.rows.binary_search_by_key(&id, |row| row.thread.id).ok()?;
        Some(&self.rows[at].thread)
    }

    /// How a thread is called: its name, if it has one, and its number.
    pub(crate) fn who(&self, id: u64) -> String {
        match self.by_id(id).and_then(|thread| thread.name.as_deref()) {
            Some(name) => format!("'{name}' ({id})"),
            None => id.to_string(),
        }
    }

    /// What a thread waits for, in words.
    pub(crate) fn words(&self, row: &Row) -> String {
        let Row { thread, wait, file, left, call } = row;
        let Some(reason) = thread.reason else { return call.clone().unwrap_or_default() };
        let mut words = match (file, wait.joins, wait.address) {
            (Some(file), ..) => file.clone(),
            (_, Some(joined), _) => format!("join of {}", self.who(joined)),
            (.., Some(address)) => format!("{} {address:#x}", reason.text()),
            _ => reason.text().to_owned(),
        };
        if !wait.holders.is_empty() {
            let holders: Vec<_> = wait.holders.iter().map(|id| self.who(*id)).collect();
            words += &format!(", most likely held by {}", holders.join(" or "));
        }
        if let Some(left) = left {
            words += &format!(", {:.1} s left", left.as_secs_f64());
        }
        words
    }

    /// A circle, in words.
    pub(crate) fn circle(&self, circle: &[usize]) -> String {
        let rows: Vec<_> = circle.iter().map(|at| &self.rows[*at]).collect();
        let waits_for = |row: &Row| match (row.wait.joins, row.wait.address) {
            (Some(joined), _) => format!("waits for the end of {}", self.who(joined)),
            (None, address) => format!("waits for {:#x}", address.unwrap_or(0)),
        };
        // Who waits for this one says what it holds.
        let line = |(at, row): (usize, &&Row)| {
            let before = rows[(at + rows.len() - 1) % rows.len()];
            let holds = before.wait.address.filter(|_| before.wait.joins.is_none());
            let holds = holds.map(|lock| format!("holds {lock:#x} and ")).unwrap_or_default();
            format!("{} {holds}{}", self.who(row.thread.id), waits_for(row))
        };
        let lines: Vec<_> = rows.iter().enumerate().map(line).collect();
        let how_sure =
            if rows.iter().all(|row| row.wait.joins.is_some()) { "" } else { "most likely a " };
        format!("{how_sure}deadlock: {}", lines.join("; "))
    }
}

/// A call that blocks, in words.
fn name(process: &Process, call: Call) -> String {
    let file = || {
        let link = format!("/proc/{}/fd/{}", process.pid().unwrap_or(0), call.first);
        fs::read_link(link).map_or_else(|_| String::new(), |link| format!(" {}", link.display()))
    };
    match call.number {
        libc::SYS_read | libc::SYS_readv | libc::SYS_pread64 => format!("read{}", file()),
        libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 => format!("write{}", file()),
        libc::SYS_fsync | libc::SYS_fdatasync => format!("sync{}", file()),
        libc::SYS_flock | libc::SYS_fcntl => format!("lock{}", file()),
        libc::SYS_openat => "open of a file".to_owned(),
        libc::SYS_wait4 | libc::SYS_waitid => format!("child {}", call.first.cast_signed()),
        libc::SYS_nanosleep | libc::SYS_clock_nanosleep => "sleep of its OS thread".to_owned(),
        libc::SYS_futex => "lock or condition of its OS thread".to_owned(),
        libc::SYS_ppoll => "descriptors, by its OS thread".to_owned(),
        other => format!("system call {other}"),
    }
}

/// What the kernel's clock says that never jumps.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}

/// The part of a thread's stack that is in use: from where its registers are saved, or from where its OS thread
/// has called the kernel. Of one that computes, the part in which what it has longest lies.
fn live(process: &Process, thread: &Thread) -> Option<Range<u64>> {
    const OLDEST: u64 = 16 << 10;
    let stack = thread.stack.clone()?;
    let called =
        || Some(process.call(thread.os_thread?)?.stack_pointer).filter(|at| stack.contains(at));
    let from = match thread.state {
        State::NotStarted => return None,
        _ => thread.stack_pointer.or_else(called),
    };
    let from = from.unwrap_or(stack.end.saturating_sub(OLDEST).max(stack.start));
    Some(from & !7..stack.end)
}

//! Who holds a worker for how long: for those who have asked to be told (`SYLVAN_WARN_BLOCKING`).
//!
//! A worker enters its run in a list when it begins and takes it out when it ends. The monitor looks
//! through the list every 10 ms and tells, once, of each run that lasts longer than the limit. In the
//! end the worker tells how long it was in all. The list goes by runs, not by cores: a run that has
//! lost its core holds an OS thread all the same, and a loop without an end is told of, too.
//!
//! A blocking section does not count, for it is how a thread says that it blocks: a run that leaves
//! one counts anew from there. Nor is a run told of that merely waits for a processor (`beside`).
//!
//! # Where it is
//!
//! What is said of the place is the OS thread, and the system call if it waits in one. More would take
//! a signal, whose handler unwinds the stack: but a signal ends a `usleep` early, and an unwinder may
//! wait for a lock that the interrupted thread holds. A debugger that is attached to the OS thread
//! shows the green thread's stack.

use std::fmt;
use std::ptr;
use std::time::{Duration, Instant};

use super::beside::COMPUTES_FOR_LONG;
use super::usage::Usage;
use crate::lock::Lock;
use crate::report;
use crate::sys::thread;
use crate::task::Header;

pub(super) struct Watch {
    limit: Duration,
    /// The runs that are going on.
    runs: Lock<Vec<Run>>,
}

struct Run {
    /// Alive while it is in the list: its worker holds the right to run it.
    task: *const Header,
    os_thread: u32,
    /// When it began, or left its last blocking section.
    begin: Instant,
    /// It is in a blocking section.
    in_section: bool,
    /// What its OS thread had used of a processor when the monitor first saw it after `begin`.
    first: Option<Usage>,
    /// Somebody was told.
    told: bool,
}

// SAFETY: the pointer is followed under the list's lock alone, while the task is alive, and only to
// what never changes.
unsafe impl Send for Run {}

/// What the OS thread of a long run does.
enum Doing {
    Computes,
    Waits(Option<u32>),
    /// Nobody can tell.
    Something,
}

impl Watch {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, runs: Lock::new(Vec::new()) }
    }

    /// A run of `task` begins.
    pub(super) fn begin(&self, task: &Header, os_thread: u32) {
        let (task, begin) = (ptr::from_ref(task), Instant::now());
        let run = Run { task, os_thread, begin, in_section: false, first: None, told: false };
        self.runs.lock().push(run);
    }

    /// The run of `task` ends.
    // Never inlined: see the one rule of `context`.
    #[inline(never)]
    pub(super) fn end(&self, task: &Header) {
        let mut runs = self.runs.lock();
        let Some(at) = runs.iter().position(|run| ptr::eq(run.task, task)) else {
            // Forgotten.
            return;
        };
        let run = runs.swap_remove(at);
        drop(runs);
        if run.told {
            let (thread, lasted) = (Thread(task), run.begin.elapsed().as_millis());
            report::say(format_args!("sylvan: {thread} held its worker for {lasted} ms in all\n"));
        }
    }

    /// The run of `task` holds its worker for good, as it has asked to.
    pub(super) fn forget(&self, task: &Header) {
        self.runs.lock().retain(|run| !ptr::eq(run.task, task));
    }

    /// In a child of a fork: nobody is in a run.
    ///
    /// # Safety
    ///
    /// The process has one thread, which is in none of these functions.
    pub(super) unsafe fn forget_all(&self) {
        // SAFETY: as the caller promises.
        unsafe { self.runs.renew(Vec::new()) };
    }

    /// A blocking section of `task` begins.
    pub(super) fn begin_section(&self, task: &Header) {
        self.change(task, |run| run.in_section = true);
    }

    /// It is over, and so the run counts anew. It may have begun in an earlier run, that its function has ended by
    /// a wait.
    pub(super) fn end_section(&self, task: &Header) {
        self.change(task, |run| {
            (run.in_section, run.begin) = (false, Instant::now());
            (run.first, run.told) = (None, false);
        });
    }

    fn change(&self, task: &Header, change: impl FnOnce(&mut Run)) {
        let mut runs = self.runs.lock();
        // There is none of a thread that was bound meanwhile.
        if let Some(run) = runs.iter_mut().find(|run| ptr::eq(run.task, task)) {
            change(run);
        }
    }

    /// For the monitor: tells of the runs that last too long. Whether any run is going on.
    pub(super) fn look(&self, now: Instant) -> bool {
        let mut lines = Vec::new();
        let mut runs = self.runs.lock();
        let any = !runs.is_empty();
        for run in runs.iter_mut().filter(|run| !run.in_section && !run.told) {
            let lasted = now.saturating_duration_since(run.begin);
            let Some(doing) = run.look(now).filter(|_| lasted >= self.limit) else { continue };
            run.told = true;
            // SAFETY: it is in the list, whose lock is held.
            let thread = Thread(unsafe { &*run.task });
            let (lasted, os_thread) = (lasted.as_millis(), run.os_thread);
            lines.push(format!(
                "sylvan: {thread} has held its worker for {lasted} ms so far, {doing} \
                 (OS thread {os_thread}; see SYLVAN_WARN_BLOCKING)\n"
            ));
        }
        // Whoever reads them may be slow.
        drop(runs);
        lines.iter().for_each(|line| report::say(format_args!("{line}")));
        any
    }
}

impl Run {
    /// What its OS thread does; `None` if it waits for a processor.
    fn look(&mut self, now: Instant) -> Option<Doing> {
        let usage = Usage::of(self.os_thread, now);
        let Some(used) = usage.since(*self.first.get_or_insert(usage)) else {
            return Some(Doing::Something);
        };
        if thread::waits(self.os_thread) == Some(true) {
            Some(Doing::Waits(thread::system_call(self.os_thread)))
        } else {
            (used >= COMPUTES_FOR_LONG).then_some(Doing::Computes)
        }
    }
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Computes => f.write_str("computing"),
            Self::Waits(Some(number)) => write!(f, "waiting in system call {number}"),
            Self::Waits(None) => f.write_str("waiting in the kernel"),
            Self::Something => f.write_str("doing something"),
        }
    }
}

/// A task as the warnings name it.
struct Thread<'a>(&'a Header);

impl fmt::Display for Thread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.name().unwrap_or("<unnamed>");
        // The line has room for so much.
        write!(f, "thread '{name:.100}' ({})", self.0.id.get())
    }
}

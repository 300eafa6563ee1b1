//! What is known of a runtime and its threads, in words: what `sylvan ps` says of a process from outside, and what
//! the process says of itself.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use crate::channels;
use crate::deadlock::{self, Deadlocks};
use crate::details;
use crate::files::Files;
use crate::holders;
use crate::memory::Unreadable;
use crate::owners::{self, Owner, Who};
use crate::procfs::{Call, Procfs};
use crate::reason::Reason;
use crate::shown::{self, shown};
use crate::state_word;
use crate::table::Table;
use crate::threads::{self, State, Thread, Worker};
use crate::waits::Wait;

/// Of several threads in words, so many are named.
const NAMED_MAX: usize = 4;

/// All of it.
#[derive(Debug)]
pub struct Account {
    /// The cores and their workers.
    pub workers: Vec<Worker>,
    /// The threads, in the order of their numbers.
    pub rows: Vec<Row>,
    /// Threads that wait for ever.
    pub deadlocks: Deadlocks,
    /// The OS thread that the process has begun with.
    main: Option<u32>,
}

/// A thread, with what it waits for.
#[derive(Debug)]
pub struct Row {
    /// The thread.
    pub thread: Thread,
    /// What it waits for.
    pub wait: Wait,
    /// The descriptors in words.
    pub file: Option<String>,
    /// For how long it has waited: if it is runnable for a worker, if it is parked for who wakes it; for a lock since it
    /// came for that, also if it was woken in vain.
    pub waited: Option<Duration>,
    /// How long it waits yet, at most.
    pub left: Option<Duration>,
    /// If an OS thread runs it, also in a blocking section: the call in which that one waits.
    pub call: Option<String>,
}

impl Account {
    /// That of the runtime with this table.
    ///
    /// # Errors
    ///
    /// If what all hangs on cannot be read.
    pub fn of(process: &dyn Procfs, table: &Table) -> Result<Self, Unreadable> {
        let (threads, mut waits) = owners::look(process, table)?;
        let now_ns = match process.now_ns() {
            Some(now_ns) => Some(now_ns.saturating_sub(process.word(table.roots.clock_base_ns)?)),
            None => None,
        };
        holders::find(process, now_ns, &threads, &mut waits);
        channels::find(process, table, &threads, &mut waits.of_threads);
        details::find(process, details::of_threads(&threads, &mut waits.of_threads));
        let deadlocks = Deadlocks::of(process, table, &threads, &waits);
        let waits = waits.of_threads;
        let files = Files::of(process, waits.iter().flat_map(|wait| &wait.descriptors));
        let rows = threads.into_iter().zip(waits).map(|(thread, wait)| {
            let file = (!wait.descriptors.is_empty()).then(|| files.words(&wait.descriptors));
            let waited = now_ns.and_then(|now_ns| match wait.since_ns {
                Some(begin_ns) => Some(Duration::from_nanos(now_ns.saturating_sub(begin_ns))),
                None => state_word::age(thread.state_word, now_ns),
            });
            let left = wait.deadline_ns.zip(now_ns);
            let left = left.map(|(end, now)| Duration::from_nanos(end.saturating_sub(now)));
            let call = call_of(process, &thread).map(|call| name(process, call));
            Row { thread, wait, file, waited, left, call }
        });
        let workers = threads::workers(process, table)?;
        let main = process.text("stat").and_then(|stat| stat.split(' ').next()?.parse().ok());
        Ok(Self { workers, rows: rows.collect(), deadlocks, main })
    }

    /// All of it as text: a line on the process, which is called `whose`, and its runtime, which is in `object`;
    /// one for each circle; and a table of the threads.
    #[must_use]
    pub fn list(&self, whose: &str, object: &Path) -> String {
        let mut text = String::new();
        let (n, n_workers, object) = (self.rows.len(), self.workers.len(), object.display());
        let _ =
            writeln!(text, "{whose}: {n} green threads, {n_workers} workers (runtime in {object})");
        for circle in &self.deadlocks.circles {
            let _ = writeln!(text, "{}", deadlock::words(circle, |who| self.who(who)));
        }
        for orphan in &self.deadlocks.orphans {
            let _ = writeln!(text, "{}", orphan.words(|who| self.who(who)));
        }
        let _ = writeln!(
            text,
            "{:>8}  {:<20}  {:<12}  {:>4}  WAITS FOR",
            "ID", "NAME", "STATE", "CORE"
        );
        for row in &self.rows {
            let Thread { id, name, state, core, .. } = &row.thread;
            let name = shown::cell(name.as_deref().unwrap_or("-"), shown::NAME);
            let core = core.map_or("-".to_owned(), |core| core.to_string());
            let (state, words) = (state.text(), self.words(row));
            let line = format!("{id:>8}  {name}  {state:<12}  {core:>4}  {words}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// The thread of this number.
    #[must_use]
    pub fn row(&self, id: u64) -> Option<&Row> {
        let at = self.rows.binary_search_by_key(&id, |row| row.thread.id).ok()?;
        Some(&self.rows[at])
    }

    /// How a thread is called.
    #[must_use]
    pub fn who(&self, who: Who) -> String {
        called(who, self.main, |id| self.row(id).map(|row| &row.thread))
    }

    /// What a thread waits for, and for how long, in words.
    #[must_use]
    pub fn words(&self, row: &Row) -> String {
        let Row { thread, wait, file, waited, left, call } = row;
        if thread.reason.is_none() {
            // It waits for milliseconds, most often.
            let for_worker =
                |waited: &Duration| format!("a worker, for {:.3} s", waited.as_secs_f64());
            return waited.as_ref().map(for_worker).or(call.clone()).unwrap_or_default();
        }
        let mut words = match file {
            Some(file) => shown(file).into_owned(),
            None => waits_for(thread.reason, wait, |who| self.who(who)),
        };
        let holder = |who: Who| match who {
            Who::Thread(id) if id == thread.id => "itself".to_owned(),
            who => self.who(who),
        };
        if let Some(owner) = wait.owner {
            words += &match owner {
                Owner::Lives(who) => format!(", held by {}", holder(who)),
                Owner::Ended(Some(who)) => format!(", held by {}, which has ended", holder(who)),
                Owner::Ended(None) => ", held by a thread that has ended".to_owned(),
            };
        } else if !wait.holders.is_empty() {
            let named = wait.holders.iter().take(NAMED_MAX);
            let mut holders: Vec<_> = named.map(|who| holder(*who)).collect();
            match wait.n_holders.saturating_sub(holders.len()) {
                0 => {}
                1 => holders.push("another one".to_owned()),
                rest => holders.push(format!("one of {rest} others")),
            }
            let how_sure = if wait.is_in_doubt { "perhaps" } else { "most likely" };
            words += &format!(", {how_sure} held by {}", holders.join(" or "));
        } else if let Some(n) = wait.is_left_with {
            let who = if n > 1 { "one that waits for it" } else { "itself" };
            words += &format!(", perhaps held by {who} or by one that has ended");
        }
        if let Some(waited) = waited {
            words += &format!(", for {:.1} s", waited.as_secs_f64());
        }
        if let Some(left) = left {
            words += &format!(", {:.1} s left", left.as_secs_f64());
        }
        words
    }
}

/// What a parked thread waits for, in words, but for a descriptor; by how threads are called.
pub fn waits_for(reason: Option<Reason>, wait: &Wait, name: impl Fn(Who) -> String) -> String {
    if let Some(n) = wait.n_in_scope {
        let threads = if n == 1 { "thread" } else { "threads" };
        let found = wait.scope.len();
        let mut names: Vec<_> = wait.scope.iter().take(NAMED_MAX).map(|who| name(*who)).collect();
        let rest = found.max(n as usize) - names.len();
        if rest > 0 && !names.is_empty() {
            names.push(format!("{rest} more"));
        }
        let colon = match found {
            0 => "",
            _ if wait.known_scope().is_empty() => " of ",
            _ => ": ",
        };
        return format!("scope, {n} {threads}{colon}{}", names.join(", "));
    }
    match (wait.joins, reason) {
        (Some(joined), _) => format!("join of {}", name(Who::Thread(joined))),
        (None, Some(reason)) => details::words(reason, wait.address, wait.detail),
        (None, None) => String::new(),
    }
}

/// How a thread is called, in a process whose first OS thread is `main`: by its name, if it has one, and its number.
pub fn called<'a>(
    who: Who,
    main: Option<u32>,
    by_id: impl FnOnce(u64) -> Option<&'a Thread>,
) -> String {
    match who {
        Who::Thread(id) => shown::thread(by_id(id).and_then(|thread| thread.name.as_deref()), id),
        Who::OsThread(os_thread) if Some(os_thread) == main => {
            format!("main (OS thread {os_thread})")
        }
        Who::OsThread(os_thread) => format!("OS thread {os_thread}"),
    }
}

/// The call of the kernel in which a thread waits, and its OS thread with it. It was made on the stack of the thread:
/// its OS thread may have gone on to another one meanwhile.
fn call_of(process: &dyn Procfs, thread: &Thread) -> Option<Call> {
    let (State::Running | State::Blocking | State::Bound) = thread.state else { return None };
    let call = process.call(thread.os_thread?)?;
    let is_its = thread.stack.as_ref().is_none_or(|stack| stack.contains(&call.stack_pointer));
    is_its.then_some(call)
}

/// A call that blocks, in words.
#[cfg(target_os = "linux")]
fn name(process: &dyn Procfs, call: Call) -> String {
    let [first, second, third, _, fifth, _] = call.arguments;
    let file = || {
        let link = process.link(&format!("fd/{first}"));
        link.map(|link| format!(" {link}")).unwrap_or_default()
    };
    // `pause` of some libraries' is a poll of nothing, and so is a sleep of some programs'.
    let descriptors = |n: u64, has_end: bool| {
        let what = match (n, has_end) {
            (0, false) => SIGNAL,
            (0, true) => SLEEP,
            _ => "descriptors, by its OS thread",
        };
        what.to_owned()
    };
    #[cfg(target_arch = "x86_64")]
    match call.number {
        libc::SYS_poll => return descriptors(second, (third as libc::c_int) >= 0),
        libc::SYS_select => return descriptors(first, fifth != 0),
        libc::SYS_epoll_wait => return format!("event loop {first}, by its OS thread"),
        libc::SYS_pause => return SIGNAL.to_owned(),
        libc::SYS_open => return "open of a file".to_owned(),
        _ => {}
    }
    match call.number {
        libc::SYS_read | libc::SYS_readv | libc::SYS_pread64 => format!("read{}", file()),
        libc::SYS_write | libc::SYS_writev | libc::SYS_pwrite64 => format!("write{}", file()),
        libc::SYS_fsync | libc::SYS_fdatasync => format!("sync{}", file()),
        libc::SYS_flock | libc::SYS_fcntl => format!("lock{}", file()),
        libc::SYS_openat => "open of a file".to_owned(),
        libc::SYS_wait4 => child(first),
        // By a descriptor, or those of a group.
        libc::SYS_waitid if first as libc::idtype_t != libc::P_PID => "a child".to_owned(),
        libc::SYS_waitid => child(second),
        libc::SYS_nanosleep | libc::SYS_clock_nanosleep => SLEEP.to_owned(),
        libc::SYS_futex => "lock or condition of its OS thread".to_owned(),
        // One that a signal or a debugger has stopped.
        libc::SYS_restart_syscall => "sleep, or wait with a limit, of its OS thread".to_owned(),
        libc::SYS_recvfrom | libc::SYS_recvmsg | libc::SYS_recvmmsg => format!("receive{}", file()),
        libc::SYS_sendto | libc::SYS_sendmsg | libc::SYS_sendmmsg => format!("send{}", file()),
        libc::SYS_accept | libc::SYS_accept4 => format!("accept{}", file()),
        libc::SYS_connect => format!("connect{}", file()),
        libc::SYS_ppoll => descriptors(second, third != 0),
        libc::SYS_pselect6 => descriptors(first, fifth != 0),
        libc::SYS_epoll_pwait => format!("event loop {first}, by its OS thread"),
        libc::SYS_rt_sigtimedwait | libc::SYS_rt_sigsuspend => SIGNAL.to_owned(),
        libc::SYS_semop | libc::SYS_semtimedop => "semaphore of System V".to_owned(),
        libc::SYS_msgrcv | libc::SYS_msgsnd => "queue of System V".to_owned(),
        libc::SYS_mq_timedreceive | libc::SYS_mq_timedsend => format!("message queue{}", file()),
        other => format!("system call {other}"),
    }
}

/// The child of this number, or one of several.
#[cfg(target_os = "linux")]
fn child(number: u64) -> String {
    match number as libc::pid_t {
        pid @ 1.. => format!("child {pid}"),
        _ => "a child".to_owned(),
    }
}

/// What a wait for a signal is called.
#[cfg(target_os = "linux")]
const SIGNAL: &str = "a signal, by its OS thread";

/// What a wait for nothing but a time is called.
#[cfg(target_os = "linux")]
const SLEEP: &str = "sleep of its OS thread";

/// A call that blocks, in words.
#[cfg(not(target_os = "linux"))]
fn name(_: &dyn Procfs, call: Call) -> String {
    format!("system call {}", call.number)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::memory::Memory;

    /// A process of which nothing is known.
    struct Unknown;

    impl Memory for Unknown {
        fn read(&self, at: u64, _: &mut [u8]) -> Result<(), Unreadable> {
            Err(Unreadable { at })
        }
    }

    impl Procfs for Unknown {
        fn open(&self, _: &str) -> Option<Box<dyn Read>> {
            None
        }

        fn link(&self, _: &str) -> Option<String> {
            None
        }

        fn now_ns(&self) -> Option<u64> {
            None
        }

        fn numbers(&self, _: &str) -> Vec<u32> {
            Vec::new()
        }
    }

    #[test]
    fn threads_of_a_scope_are_told_as_far_as_it_is_known_which_they_are() {
        let told = |found: u64, n| {
            let scope = (1..=found).map(Who::Thread).collect();
            let wait = Wait { scope, n_in_scope: Some(n), ..Wait::default() };
            let name = |who| format!("{who:?}").replace("Thread", "");
            (waits_for(Some(Reason::Scope), &wait, name), wait.known_scope().len())
        };
        assert_eq!(told(0, 1), ("scope, 1 thread".to_owned(), 0));
        assert_eq!(told(1, 1), ("scope, 1 thread: (1)".to_owned(), 1));
        assert_eq!(told(2, 3), ("scope, 3 threads: (1), (2), 1 more".to_owned(), 2));
        assert_eq!(told(6, 6), ("scope, 6 threads: (1), (2), (3), (4), 2 more".to_owned(), 6));
        // One of those has it from what was there before.
        assert_eq!(told(2, 1), ("scope, 1 thread of (1), (2)".to_owned(), 0));
        let of_six = "scope, 5 threads of (1), (2), (3), (4), 2 more";
        assert_eq!(told(6, 5), (of_six.to_owned(), 0));
    }

    #[test]
    fn a_call_is_told_by_what_it_waits_for() {
        let told = |number, arguments| {
            let call = Call { number, arguments, stack_pointer: 0 };
            name(&Unknown, call)
        };
        let (signal, sleep) = ("a signal, by its OS thread", "sleep of its OS thread");
        assert_eq!(told(libc::SYS_ppoll, [0; 6]), signal);
        assert_eq!(told(libc::SYS_ppoll, [0, 0, 0x7ff0, 0, 0, 0]), sleep);
        assert_eq!(told(libc::SYS_ppoll, [0x7ff0, 2, 0, 0, 0, 0]), "descriptors, by its OS thread");
        assert_eq!(told(libc::SYS_pselect6, [0; 6]), signal);
        assert_eq!(told(libc::SYS_pselect6, [0, 0, 0, 0, 0x7ff0, 0]), sleep);
        assert_eq!(told(libc::SYS_semtimedop, [0; 6]), "semaphore of System V");
        assert_eq!(told(libc::SYS_wait4, [4711, 0, 0, 0, 0, 0]), "child 4711");
        assert_eq!(told(libc::SYS_wait4, [u64::from(u32::MAX), 0, 0, 0, 0, 0]), "a child");
        assert_eq!(told(libc::SYS_waitid, [libc::P_PID.into(), 4711, 0, 0, 0, 0]), "child 4711");
        assert_eq!(told(libc::SYS_waitid, [libc::P_ALL.into(), 0, 0, 0, 0, 0]), "a child");
    }
}

//! Deadlocks that the process tells of itself (`SYLVAN_DEADLOCK=warn` or `abort`), on standard error.
//!
//! An OS thread looks every half second, and uses a processor for no more than a fiftieth of the time. There are no false alarms: what
//! is told is proved.
//!
//! - *A circle*: each waits for a lock that the next one has, or for its end, and nobody else can end these waits
//!   (`sylvan_sight::deadlock`). Two looks have found it, with the same waits. Owners are noted for this (`owners`);
//!   of a lock whose owner is not known, as one that is held by readers, nothing is told.
//! - *All wait*: between two looks no OS thread of the process has used a processor, but the one that looks, by the
//!   kernel's account; so the second look has seen all threads as they were at one moment. Each green thread is
//!   parked, and neither at a descriptor nor until some time. Each OS thread that is not the runtime's waits for a
//!   wake-up by the runtime, until it comes. And no signal has a handler that could wake anybody.
//!
//! Each is told once.

use std::collections::BTreeMap;
use std::time::Duration;

use sylvan_sight::account::{called, waits_for};
use sylvan_sight::deadlock::{self, Deadlocks, Edge, Look, Orphan};
use sylvan_sight::hash::HashSet;
use sylvan_sight::procfs::is_of_runtime;
use sylvan_sight::table::Table;
use sylvan_sight::threads::{State, Thread};
use sylvan_sight::waits::{OsWait, Wait};
use sylvan_sight::{Procfs, Who};

use super::list::table;
use super::own::Own;
use super::reaction::Reaction;
use crate::at_signal;
use crate::primitive::AtomicU32;
use crate::report;
use crate::sys::file::Stderr;
use crate::sys::{futex, signal, thread};

/// From one look to the next.
const PERIOD: Duration = Duration::from_millis(500);
/// A look has used a processor for this part of the time until the next, at most.
const SHARE: u32 = 50;

/// Threads that are named where all wait.
const NAMED_MAX: usize = 16;

/// For how long each OS thread of the process has used a processor, but the one that looks.
type Used = BTreeMap<u32, u64>;

/// What is told once.
#[derive(PartialEq, Eq, Hash)]
enum Told {
    Circle(Vec<Edge>),
    /// The lock, and who has it.
    Orphan(u64, Option<Who>),
}

struct Watch {
    reaction: Reaction,
    table: Table,
    /// What the last look has found.
    deadlocks: Deadlocks,
    used: Option<Used>,
    /// What was told.
    told: HashSet<Told>,
    has_told_of_all: bool,
}

/// Looks for deadlocks, and tells of them.
pub(super) fn watch(reaction: Reaction) {
    let table = match table() {
        Ok(table) => table,
        Err(error) => {
            return report::say(format_args!("sylvan: nobody looks for deadlocks: {error}\n"));
        }
    };
    let (deadlocks, told) = (Deadlocks::default(), HashSet::default());
    let mut watch = Watch { reaction, table, deadlocks, used: None, told, has_told_of_all: false };
    loop {
        let before_ns = thread::own_processor_time_ns();
        watch.look();
        let used_ns = thread::own_processor_time_ns().saturating_sub(before_ns);
        let pause = PERIOD.max(Duration::from_nanos(used_ns) * SHARE);
        // Nobody wakes this word.
        futex::wait(&AtomicU32::new(0), 0, Some(pause));
    }
}

impl Watch {
    fn look(&mut self) {
        // What cannot be read now may be next time.
        let Ok(mut look) = deadlock::look(&Own, &self.table) else { return };
        let mut said = Vec::new();
        for circle in &look.deadlocks.circles {
            let is_proved = self.deadlocks.circles.contains(circle);
            if is_proved && self.told.insert(Told::Circle(circle.clone())) {
                said.push(deadlock::words(circle, |who| name(&look, who)));
            }
        }
        for orphan in &look.deadlocks.orphans {
            let is_proved = self.deadlocks.orphans.iter().any(|before| is_same(before, orphan));
            if is_proved && self.told.insert(Told::Orphan(orphan.lock, orphan.owner)) {
                said.push(orphan.words(|who| name(&look, who)));
            }
        }
        let is_named = look.deadlocks != Deadlocks::default();
        let used = if is_named { None } else { self.used_if_all_wait(&look) };
        if used.is_some() && used == self.used && !self.has_told_of_all {
            self.has_told_of_all = true;
            said.push(self.all_wait(&mut look));
        }
        self.deadlocks = look.deadlocks;
        self.used = used;
        for words in &said {
            let _ = Stderr.write_patiently(format!("sylvan: {words}\n").as_bytes());
        }
        if matches!(self.reaction, Reaction::Abort) && !said.is_empty() {
            report::fatal(format_args!("a deadlock"));
        }
    }

    /// The processor times, if all wait and nothing outside can wake any.
    fn used_if_all_wait(&self, look: &Look) -> Option<Used> {
        let waits = |(thread, wait): (&Thread, &Wait)| {
            let is_for_others = thread.reason.is_some_and(|reason| !reason.is_event());
            let is_open = wait.descriptors.is_empty() && wait.deadline_ns.is_none();
            thread.state == State::Parked && is_for_others && is_open
        };
        let mut threads = look.threads.iter().zip(&look.waits.of_threads);
        if look.threads.is_empty() || !threads.all(waits) || any_handler()? {
            return None;
        }
        let me = thread::id();
        let mut used = Used::new();
        for os_thread in Own.os_threads().into_iter().filter(|it| *it != me) {
            let waits = match name_of_runtime(os_thread) {
                // It wakes threads at signals without handlers (`sigwait`).
                Some(name) => name != "sylvan-signals",
                None => look.waits.of_os_thread(&Own, &self.table, os_thread).is_some(),
            };
            if !waits {
                return None;
            }
            used.insert(os_thread, thread::ran_and_waited_ns(os_thread)?.0);
        }
        Some(used)
    }

    /// That all wait, in words: `main` and other OS threads first.
    fn all_wait(&self, look: &mut Look) -> String {
        let os_threads = look.name_channels(&Own, &self.table);
        let name = |who| name(look, who);
        let of_os_threads = os_threads.iter().map(|(os_thread, OsWait { reason, wait, .. })| {
            (Who::OsThread(*os_thread), *reason, wait)
        });
        let threads = look.threads.iter().zip(&look.waits.of_threads);
        let of_threads =
            threads.map(|(thread, wait)| (Who::Thread(thread.id), thread.reason, wait));
        let line =
            |(who, reason, wait)| format!("{} at {}", name(who), waits_for(reason, wait, name));
        let n = os_threads.len() + look.threads.len();
        let lines: Vec<_> = of_os_threads.chain(of_threads).take(NAMED_MAX).map(line).collect();
        let rest = n - lines.len();
        let rest = if rest > 0 { format!("; and {rest} more") } else { String::new() };
        format!(
            "deadlock: all {n} threads wait for each other, and nothing outside can wake any: {}{rest}",
            lines.join("; ")
        )
    }
}

/// Whether somebody has waited for the lock all the time, who has found it with the same thread.
fn is_same(before: &Orphan, now: &Orphan) -> bool {
    let of_both = |waiter| before.waiters.contains(waiter);
    (before.lock, before.owner) == (now.lock, now.owner) && now.waiters.iter().any(of_both)
}

/// How a thread is called.
fn name(look: &Look, who: Who) -> String {
    let by_id = |id| look.threads.iter().find(|thread| thread.id == id);
    called(who, Some(thread::process()), by_id)
}

/// The name of an OS thread, if it is one that the runtime has started.
fn name_of_runtime(os_thread: u32) -> Option<String> {
    Own.name_of(os_thread).filter(|name| is_of_runtime(name))
}

/// Whether a signal has a handler that is not the runtime's, std's or libc's; `None` where nobody can tell.
fn any_handler() -> Option<bool> {
    const FAULTS: u64 = 1 << (libc::SIGSEGV - 1) | 1 << (libc::SIGBUS - 1);
    const OF_LIBC: u64 = 1 << 31 | 1 << 32;
    let status = Own.text("status")?;
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"))?;
    let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
    let of_layer = signal::ALL & !signal::cover();
    Some(caught & !(FAULTS | OF_LIBC | of_layer | at_signal::attended()) != 0)
}

//! Who most likely has a lock, where that is not noted.
//!
//! Who has one has a guard, which leads to it, most often on its stack. So the live parts of stacks are searched for
//! the addresses of locks that somebody waits for: those of green threads, and of the program's OS threads that are
//! in the kernel. A thread may have such an address for another reason, so the answer is a likely one. Most of all
//! `main`, which has made what all share: so OS threads come into question where no green thread does.

use std::ops::Range;

use crate::hash::{HashMap, HashSet};
use crate::owners::Who;
use crate::procfs::{Call, Procfs, bounds, is_of_runtime};
use crate::reason::Reason;
use crate::threads::{Record, State, Thread};
use crate::waits::{Wait, Waits};

/// From a word of a lock down to where the lock begins.
const BEFORE: u64 = 16;
/// So much of a stack is searched.
const MOST: u64 = 256 << 10;

/// Finds them, and says so in `waits`.
pub(crate) fn find(process: &dyn Procfs, threads: &[Thread], waits: &mut Waits) {
    let lock_of = |thread: &Thread, wait: &Wait| {
        let is_lock = matches!(thread.reason, Some(Reason::Mutex | Reason::RwLock | Reason::Once));
        wait.address.filter(|_| is_lock && wait.owner.is_none())
    };
    let mut waiters: HashMap<u64, HashSet<Who>> = HashMap::default();
    for (thread, wait) in threads.iter().zip(&waits.of_threads) {
        if let Some(lock) = lock_of(thread, wait) {
            waiters.entry(lock).or_default().insert(Who::Thread(thread.id));
        }
    }
    if waiters.is_empty() {
        return;
    }
    let mut stacks: Vec<_> = threads
        .iter()
        .filter_map(|thread| Some((Who::Thread(thread.id), live(process, thread)?)))
        .collect();
    for (os_thread, stack) in os_stacks(process, threads) {
        let who = Who::OsThread(os_thread);
        if let Some(wait) = waits.of_os_thread(process, os_thread) {
            waiters.entry(wait.address).or_default().insert(who);
        }
        stacks.push((who, stack));
    }
    let mut locks: Vec<_> = waiters.keys().copied().collect();
    locks.sort_unstable();
    let mut holders: HashMap<u64, Vec<Who>> = HashMap::default();
    for (who, stack) in stacks {
        let bytes = read(process, stack);
        for word in Record(&bytes).words(0, bytes.len() as u64) {
            let from = locks.partition_point(|lock| *lock < word);
            for lock in locks[from..].iter().take_while(|lock| **lock <= word + BEFORE) {
                let found = holders.entry(*lock).or_default();
                if !waiters[lock].contains(&who) && !found.contains(&who) {
                    found.push(who);
                }
            }
        }
    }
    for found in holders.values_mut() {
        if found.iter().any(|who| matches!(who, Who::Thread(_))) {
            found.retain(|who| matches!(who, Who::Thread(_)));
        }
    }
    for (thread, wait) in threads.iter().zip(&mut waits.of_threads) {
        if let Some(lock) = lock_of(thread, wait) {
            wait.holders = holders.get(&lock).cloned().unwrap_or_default();
        }
    }
}

/// As much of a stack as is searched.
fn read(process: &dyn Procfs, stack: Range<u64>) -> Vec<u8> {
    let len = stack.end.saturating_sub(stack.start).min(MOST);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    if process.read(stack.start, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// The part of a thread's stack that is in use: from where its registers are saved, or from where its OS thread
/// has called the kernel. Of one that computes, the part in which what it has longest lies.
fn live(process: &dyn Procfs, thread: &Thread) -> Option<Range<u64>> {
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

/// The same of the OS threads that are in the kernel, but for the runtime's, which have no locks of the program's,
/// and for those that run green threads.
fn os_stacks(process: &dyn Procfs, threads: &[Thread]) -> Vec<(u32, Range<u64>)> {
    let maps = process.text("maps").unwrap_or_default();
    let mapping = |at: u64| maps.lines().filter_map(bounds).find(|bounds| bounds.contains(&at));
    let is_green = |at: u64| {
        threads.iter().any(|thread| thread.stack.as_ref().is_some_and(|it| it.contains(&at)))
    };
    let stack = |os_thread: u32| {
        let name = process.name_of(os_thread)?;
        let Call { stack_pointer: at, .. } = process.call(os_thread)?;
        let is_other = !is_of_runtime(&name) && !is_green(at);
        Some((os_thread, at & !7..mapping(at).filter(|_| is_other)?.end))
    };
    process.os_threads().into_iter().filter_map(stack).collect()
}

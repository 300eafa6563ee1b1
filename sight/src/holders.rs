//! Who most likely has a lock, where that is not noted, or is a thread of a scope.
//!
//! Who has one has a guard, which leads to it, most often on its stack. So the live parts of stacks are searched for
//! the addresses of locks that somebody waits for: those of green threads, and of the program's OS threads that are
//! in the kernel.
//!
//! # What such an address says
//!
//! - A guard leads to where the lock begins. What leads to before that, as an `Arc` does, is no guard.
//! - Who waits for the lock has its address for that. So it is no sign that it has the lock itself, but where it has a
//!   pointer to the data beside it, as a guard of who reads has.
//! - A thread may have the address for another reason, most of all `main`, which has made what all share. So OS threads
//!   come into question where no green thread does, and with them who waits.
//! - If all stacks were searched, and nobody else has the address, then perhaps it is who waits that has the lock, or a
//!   thread that has ended; but of a wait that has just begun this is not said, for the lock may have been passed on
//!   meanwhile.
//! - An optimized program may know where a lock is by another address: by that of what the lock is in, or, of a static,
//!   by its code alone. So this is no more than perhaps so.
//!
//! So the answer is a likely one.
//!
//! # Threads of a scope
//!
//! A scope that waits for its threads waits at their number. Each has a reference to what that is in, an `Arc`, from its
//! beginning to its end, and nobody else has one but the scope.

use std::ops::Range;

use crate::copies::Record;
use crate::hash::{HashMap, HashSet};
use crate::owners::Who;
use crate::procfs::{Call, Procfs, bounds, is_of_runtime};
use crate::reason::Reason;
use crate::threads::{State, Thread};
use crate::waits::{Wait, Waits};

/// From where a lock begins to where its second word is, at which writers wait.
const SECOND: u64 = 4;
/// From where a lock begins to where its data does, at most: further on may be another lock.
const DATA_MAX: u64 = 16;
/// From what an `Arc` leads to to where its value is.
const VALUE: u64 = 16;
/// So long somebody has waited who may wait for nobody else.
const LONG_NS: u64 = 500_000_000;
/// So much of a stack is searched.
const MOST: u64 = 256 << 10;
/// Of those who may have a lock so many are told: where a thousand wait for what a thousand know, each wait has a list.
const TOLD_MAX: usize = 16;

/// Whose addresses lead to a lock.
#[derive(Default)]
struct Found {
    /// To the lock.
    lock: HashSet<Who>,
    /// To the lock, and beside it to its data.
    data: HashSet<Who>,
}

/// Those who have the address of a lock, beside who waits for it.
struct Others {
    /// Some of them.
    first: Vec<Who>,
    n: usize,
}

/// Finds them, and says so in `waits`; `now_ns` is by the runtime's clock, if it is known.
pub(crate) fn find(
    process: &dyn Procfs,
    now_ns: Option<u64>,
    threads: &[Thread],
    waits: &mut Waits,
) {
    let mut waiters: HashMap<u64, HashSet<Who>> = HashMap::default();
    for (thread, wait) in threads.iter().zip(&waits.of_threads) {
        if let Some(lock) = lock_of(thread.reason, wait) {
            waiters.entry(lock).or_default().insert(Who::Thread(thread.id));
        }
    }
    let at_condition: HashSet<u64> = threads
        .iter()
        .filter(|thread| thread.reason == Some(Reason::Condvar))
        .map(|thread| thread.id)
        .collect();
    let of_threads = threads.iter().map(|thread| thread.reason).zip(&waits.of_threads);
    let of_os_threads = waits.os_words.values().map(|it| (it.reason, &it.wait));
    let all = of_threads.chain(of_os_threads);
    let mut wanted: Vec<_> = all
        .filter_map(|(reason, wait)| lock_of(reason, wait).or_else(|| scope_of(reason, wait)))
        .collect();
    if wanted.is_empty() {
        return;
    }
    let green = threads.iter().filter(|thread| thread.state != State::NotStarted);
    let mut stacks: Vec<_> =
        green.map(|thread| (Who::Thread(thread.id), live(process, thread))).collect();
    // By the word at which each waits.
    let mut os_threads = HashMap::default();
    for (os_thread, stack) in os_stacks(process, threads) {
        let who = Who::OsThread(os_thread);
        let word = process.call(os_thread).and_then(Call::futex_for_ever);
        if let Some((word, it)) = word.and_then(|word| Some((word, waits.os_words.get(&word)?))) {
            os_threads.insert(word, os_thread);
            if let Some(lock) = it.wait.address {
                waiters.entry(lock).or_default().insert(who);
            }
        }
        stacks.push((who, stack));
    }
    let is_all = stacks.iter().all(|(_, stack)| matches!(stack, Live::All(_)))
        && stacks.iter().any(|(who, _)| matches!(who, Who::OsThread(_)));
    wanted.sort_unstable();
    wanted.dedup();
    let mut found: HashMap<u64, Found> = HashMap::default();
    for (who, stack) in stacks {
        let bytes = read(process, stack);
        search(&bytes, &wanted, |lock, is_with_data| {
            let found = found.entry(lock).or_default();
            found.lock.insert(who);
            if is_with_data {
                found.data.insert(who);
            }
        });
    }
    let none = Found::default();
    // Many wait for one lock.
    let mut others: HashMap<u64, Others> = HashMap::default();
    let of_threads = threads.iter().zip(&mut waits.of_threads);
    let of_threads = of_threads.map(|(it, wait)| (Some(Who::Thread(it.id)), it.reason, wait));
    let of_os_threads = waits.os_words.iter_mut().map(|(word, it)| {
        (os_threads.get(word).map(|it| Who::OsThread(*it)), it.reason, &mut it.wait)
    });
    for (me, reason, wait) in of_threads.chain(of_os_threads) {
        if let Some(scope) = scope_of(reason, wait) {
            let others = |who: &&Who| matches!(who, Who::Thread(_)) && Some(**who) != me;
            let found = found.get(&scope).unwrap_or(&none);
            wait.scope = found.lock.iter().filter(others).copied().collect();
            wait.scope.sort_unstable();
        }
        let (Some(lock), Some(me)) = (lock_of(reason, wait), me) else { continue };
        let found = found.get(&lock).unwrap_or(&none);
        // Readers and writers of one lock wait at its two words.
        let words = [Some(lock), lock.checked_sub(SECOND), lock.checked_add(SECOND)];
        let waiters = || words.iter().flatten().filter_map(|word| waiters.get(word));
        // Green threads before OS threads, and those that wait at a condition last: that has given its lock up.
        let rank = |who: &Who| match who {
            Who::Thread(id) => usize::from(at_condition.contains(id)),
            Who::OsThread(_) => 2,
        };
        let Others { first, n } = others.entry(lock).or_insert_with(|| {
            let waits = |who: &Who| waiters().any(|it| it.contains(who));
            let mut all: Vec<_> = found.lock.iter().copied().filter(|who| !waits(who)).collect();
            let best = all.iter().map(rank).min();
            all.retain(|who| Some(rank(who)) == best);
            all.sort_unstable();
            let n = all.len();
            all.truncate(TOLD_MAX);
            Others { first: all, n }
        });
        (wait.holders, wait.n_holders) = (first.clone(), *n);
        let reads = reason == Some(Reason::RwLock) && found.data.contains(&me);
        let by_os_thread = matches!(wait.holders[..], [Who::OsThread(_), ..]);
        // An OS thread has the address, as one has that has made the lock; what a guard has that it has given up may
        // still be on its stack.
        wait.is_in_doubt = by_os_thread || reads && wait.holders.is_empty();
        let waited_ns = wait.since_ns.and_then(|since_ns| now_ns?.checked_sub(since_ns));
        let is_left = is_all && waited_ns.is_some_and(|waited_ns| waited_ns >= LONG_NS);
        let n_waiters = waiters().map(HashSet::len).sum();
        wait.is_left_with = (wait.holders.is_empty() && is_left).then_some(n_waiters);
        if reads || by_os_thread {
            wait.holders.push(me);
            wait.n_holders += 1;
        }
    }
}

/// The lock that somebody waits for, of which it is not known who has it.
fn lock_of(reason: Option<Reason>, wait: &Wait) -> Option<u64> {
    let is_lock = matches!(reason, Some(Reason::Mutex | Reason::RwLock | Reason::Once));
    wait.address.filter(|_| is_lock && wait.owner.is_none())
}

/// What the threads of a scope have that somebody waits for, of which it is not known which these are.
fn scope_of(reason: Option<Reason>, wait: &Wait) -> Option<u64> {
    let is_scope = reason == Some(Reason::Scope) && !wait.is_scope_noted;
    wait.address.filter(|_| is_scope).map(|at| at.wrapping_sub(VALUE))
}

/// Searches a stack for what leads to locks, whose addresses are in order: each that is found, and whether what is
/// beside it leads to the data of the lock.
fn search(bytes: &[u8], locks: &[u64], mut each: impl FnMut(u64, bool)) {
    let words = || Record(bytes).words(0, bytes.len() as u64);
    let leads_to_data = |word: u64, start: u64| {
        word.checked_sub(start).is_some_and(|at| (SECOND + 1..=DATA_MAX).contains(&at))
    };
    let before = std::iter::once(0).chain(words());
    let after = words().skip(1).chain(std::iter::once(0));
    for ((before, word), after) in before.zip(words()).zip(after) {
        let from = locks.partition_point(|lock| *lock < word);
        let second = word.wrapping_add(SECOND);
        for lock in locks[from..].iter().take_while(|lock| **lock <= second) {
            if *lock == word || *lock == second {
                each(*lock, leads_to_data(before, word) || leads_to_data(after, word));
            }
        }
    }
}

/// The part of a stack that is in use.
enum Live {
    All(Range<u64>),
    /// A part of that, in which what the thread has longest lies.
    Oldest(Range<u64>),
    /// It is not known.
    None,
}

/// As much of a stack as is searched.
fn read(process: &dyn Procfs, stack: Live) -> Vec<u8> {
    let (Live::All(stack) | Live::Oldest(stack)) = stack else { return Vec::new() };
    let len = stack.end.saturating_sub(stack.start).min(MOST);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    if process.read(stack.start, &mut bytes).is_err() {
        bytes.clear();
    }
    bytes
}

/// That of a thread: from where its registers are saved, or from where its OS thread has called the kernel. Of one that
/// computes it is not known.
fn live(process: &dyn Procfs, thread: &Thread) -> Live {
    const OLDEST: u64 = 16 << 10;
    let Some(stack) = thread.stack.clone() else { return Live::None };
    let called =
        || Some(process.call(thread.os_thread?)?.stack_pointer).filter(|at| stack.contains(at));
    match thread.stack_pointer.or_else(called) {
        Some(from) if stack.end - from <= MOST => Live::All(from & !7..stack.end),
        Some(from) => Live::Oldest(from & !7..stack.end),
        None => Live::Oldest(stack.end.saturating_sub(OLDEST).max(stack.start) & !7..stack.end),
    }
}

/// The same of the OS threads, as far as they are in the kernel, but for the runtime's, which have no locks of the
/// program's, and for those that run green threads.
fn os_stacks(process: &dyn Procfs, threads: &[Thread]) -> Vec<(u32, Live)> {
    let maps = process.text("maps").unwrap_or_default();
    let mapping = |at: u64| maps.lines().filter_map(bounds).find(|bounds| bounds.contains(&at));
    let is_green = |at: u64| {
        threads.iter().any(|thread| thread.stack.as_ref().is_some_and(|it| it.contains(&at)))
    };
    let stack = |os_thread: u32| {
        if is_of_runtime(&process.name_of(os_thread)?) {
            return None;
        }
        let live = match process.call(os_thread) {
            Some(Call { stack_pointer: at, .. }) if is_green(at) => return None,
            Some(Call { stack_pointer: at, .. }) => {
                mapping(at).map_or(Live::None, |mapping| Live::All(at & !7..mapping.end))
            }
            None => Live::None,
        };
        Some((os_thread, live))
    };
    process.os_threads().into_iter().filter_map(stack).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_to_a_lock_is_its_beginning_and_what_leads_to_its_data_is_said() {
        const READ: u64 = 0x1000;
        const WRITTEN: u64 = 0x2004;
        let words = [READ - 16, 7, READ, 9, READ + 16, READ, 3, WRITTEN - SECOND, WRITTEN + 8];
        let bytes: Vec<_> = words.iter().flat_map(|word: &u64| word.to_ne_bytes()).collect();
        let mut found = Vec::new();
        search(&bytes, &[READ, WRITTEN], |lock, is_with_data| found.push((lock, is_with_data)));
        assert_eq!(found, [(READ, false), (READ, true), (WRITTEN, true)]);
        search(&bytes[..16], &[READ, WRITTEN], |_, _| panic!("an `Arc` is no guard"));
    }
}

//! What parked threads wait for.
//!
//! Who waits lies on its stack and hangs in a ring: of the queue of an address, of a descriptor, of a slot of the
//! wheel of deadlines. All rings are followed at the same time, a step of each by one read of many pieces. Of who
//! joins a thread, that thread's task says it; in a whole program threads are joined at an address.

use crate::copies::{Copies, Record};
use crate::details::Detail;
use crate::hash::{HashMap, HashSet};
use crate::memory::{Memory, Unreadable};
use crate::owners::{Owner, Who};
use crate::procfs::Procfs;
use crate::reason::Reason;
use crate::table::{self, Table};
use crate::threads::{State, Thread};

/// As many elements of rings are looked at.
const ELEMENTS_MAX: usize = 1 << 24;

/// What a waiter says of its time that does not wait for its turn.
const NO_TURN: u64 = u64::MAX;

/// What a waiter says of its deadline that has none.
const FOR_EVER: u64 = u64::MAX;

/// What a thread waits for, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// Descriptors: one most often, several of a poll, in the order of their numbers.
    pub descriptors: Vec<Wanted>,
    /// A word, by its address: of a lock, most often.
    pub address: Option<u64>,
    /// Since when, by the runtime's clock: of a lock alone.
    pub since_ns: Option<u64>,
    /// Until when at most, by the runtime's clock.
    pub deadline_ns: Option<u64>,
    /// The end of the thread of this number.
    pub joins: Option<u64>,
    /// Whether the wait may end before that, by a cancellation.
    pub may_be_cancelled: bool,
    /// Where the lock says who has it.
    pub(crate) owner_at: Option<u64>,
    /// Who has the lock, where that was noted, or the lock says it.
    pub owner: Option<Owner>,
    /// Else those who most likely have it, one of them; of many the first. None: nobody was found.
    pub holders: Vec<Who>,
    /// And how many there are.
    pub n_holders: usize,
    /// Whether it is in doubt that it is one of them: an OS thread that may have made the lock, or who waits.
    pub is_in_doubt: bool,
    /// Where nobody else is seen to have it: how many wait for it, one of whom has it, or a thread that has ended.
    pub is_left_with: Option<usize>,
    /// Of a scope that waits for its threads: some of them, as far as that was noted, or is likely. More than there are
    /// have what leads to it on their stacks: then it is not known which are its own.
    pub scope: Vec<Who>,
    /// Whether it was.
    pub is_scope_noted: bool,
    /// And how many there are.
    pub n_in_scope: Option<u32>,
    /// What memory says of it.
    pub detail: Option<Detail>,
    /// What is the same as long as it is the same wait, at an address or for an end.
    pub begun: u64,
}

/// A descriptor that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its number.
    pub descriptor: u32,
    /// To read there.
    pub reads: bool,
    /// To write there.
    pub writes: bool,
}

impl Wait {
    /// Threads of the scope that waits, where it is known which threads are.
    #[must_use]
    pub fn known_scope(&self) -> &[Who] {
        let is_known = self.n_in_scope.is_none_or(|n| self.scope.len() <= n as usize);
        if is_known { &self.scope } else { &[] }
    }
}

impl Wanted {
    /// Adds a direction of a descriptor to others.
    fn join(self, others: &mut Vec<Self>) {
        match others.binary_search_by_key(&self.descriptor, |it| it.descriptor) {
            Ok(at) => {
                others[at].reads |= self.reads;
                others[at].writes |= self.writes;
            }
            Err(at) => others.insert(at, self),
        }
    }
}

/// What an OS thread waits for, without a deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsWait {
    /// Why it waits.
    pub reason: Option<Reason>,
    /// For what.
    pub wait: Wait,
    /// Where its sleeper is, if it waits by one.
    pub(crate) sleeper: Option<u64>,
}

/// What all wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// Green threads, in their order.
    pub of_threads: Vec<Wait>,
    /// OS threads, by the word at which each waits in the kernel.
    pub(crate) os_words: HashMap<u64, OsWait>,
}

impl Waits {
    /// What an OS thread waits for, if it waits in a way that only another thread ends, by the runtime.
    pub fn of_os_thread<P: Procfs + ?Sized>(
        &self,
        process: &P,
        table: &Table,
        os_thread: u32,
    ) -> Option<OsWait> {
        let word = process.call(os_thread)?.futex_for_ever()?;
        if let Some(wait) = self.os_words.get(&word) {
            return Some(wait.clone());
        }
        let layout = &table.sleeper;
        let sleeper = word.wrapping_sub(layout.os_word);
        let copies = Copies::read(process, &[sleeper], layout.tag + 4);
        let it = copies.iter().flatten().next()?;
        let [reason, tag @ ..] = it.half(layout.tag).to_le_bytes();
        let is_sleeper = it.word(layout.task) == 0 && tag == table::SLEEPER.to_le_bytes()[1..];
        let wait = Wait { begun: word, ..Wait::default() };
        is_sleeper.then(|| OsWait { reason: Reason::of(reason), wait, sleeper: Some(sleeper) })
    }

    /// The same of all OS threads.
    pub(crate) fn of_os_threads<P: Procfs + ?Sized>(
        &self,
        process: &P,
        table: &Table,
    ) -> Vec<(u32, OsWait)> {
        let waits = |os_thread| Some((os_thread, self.of_os_thread(process, table, os_thread)?));
        process.os_threads().into_iter().filter_map(waits).collect()
    }
}

/// What each of these threads waits for, in their order.
///
/// # Errors
///
/// If what the rings hang on cannot be read.
pub fn waits<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    threads: &[Thread],
) -> Result<Waits, Unreadable> {
    let of_task: HashMap<_, _> =
        threads.iter().enumerate().map(|(index, thread)| (thread.task, index)).collect();
    let mut waits = vec![Wait::default(); threads.len()];
    let mut os_words = HashMap::default();
    let parked = |task: u64| {
        let index = *of_task.get(&task)?;
        (threads[index].state == State::Parked).then_some(index)
    };
    let descriptors = descriptors(memory, table)?;
    let layout = &table.entry_waiter;
    follow(memory, descriptors, layout.next, layout.size, |wanted, _, waiter| {
        if let Some(index) = parked(waiter.word(layout.task)) {
            wanted.join(&mut waits[index].descriptors);
            waits[index].deadline_ns = Some(waiter.word(layout.deadline_ns))
                .filter(|deadline_ns| *deadline_ns != FOR_EVER);
        }
    });
    let joined_at: HashMap<_, _> =
        threads.iter().filter_map(|thread| Some((thread.joined_at?, thread.id))).collect();
    let layout = &table.waiter;
    follow(memory, buckets(memory, table)?, layout.next, layout.size, |(), at, waiter| {
        let (address, task) = (waiter.word(layout.address), waiter.word(layout.task));
        let since_ns = waiter.word(layout.since_ns);
        let begun = if since_ns == NO_TURN { at } else { since_ns };
        let owner_above = u64::from(waiter.byte(layout.owner_above));
        let owner_at = (owner_above != 0).then(|| address.wrapping_add(owner_above));
        let joins = joined_at.get(&address).copied();
        if task == 0 {
            let (address, may_be_cancelled) = (Some(address), joins.is_some());
            let since_ns = Some(since_ns).filter(|since_ns| *since_ns != NO_TURN);
            let wait = Wait {
                address,
                since_ns,
                joins,
                may_be_cancelled,
                owner_at,
                begun,
                ..Wait::default()
            };
            let reason = Reason::of(waiter.byte(layout.reason));
            os_words
                .insert(at.wrapping_add(layout.os_word), OsWait { reason, wait, sleeper: None });
        } else if let Some(index) = parked(task) {
            waits[index].address = Some(address);
            waits[index].joins = joins;
            waits[index].may_be_cancelled = joins.is_some();
            waits[index].owner_at = owner_at;
            waits[index].since_ns = Some(since_ns).filter(|since_ns| *since_ns != NO_TURN);
            waits[index].begun = begun;
        }
    });
    let layout = &table.alarm;
    follow(memory, slots(memory, table)?, layout.next, layout.size, |(), _, alarm| {
        if let Some(index) = parked(alarm.word(layout.task)) {
            waits[index].deadline_ns = Some(alarm.word(layout.deadline_ns));
        }
    });
    let mut stacks: Vec<_> = threads
        .iter()
        .enumerate()
        .filter_map(|(index, thread)| Some((thread.stack.clone()?, index)))
        .collect();
    stacks.sort_by_key(|(stack, _)| stack.start);
    for thread in threads {
        let Some(joiner) = thread.joiner else { continue };
        let after = stacks.partition_point(|(stack, _)| stack.start <= joiner);
        let before = after.checked_sub(1).map(|at| &stacks[at]);
        if let Some((_, index)) = before.filter(|(stack, _)| stack.contains(&joiner)) {
            if threads[*index].reason == Some(Reason::Join) {
                waits[*index].joins = Some(thread.id);
                waits[*index].begun = joiner;
            }
        } else {
            let wait = Wait { joins: Some(thread.id), begun: joiner, ..Wait::default() };
            let (reason, sleeper) = (Some(Reason::Join), Some(joiner));
            let word = joiner.wrapping_add(table.sleeper.os_word);
            os_words.insert(word, OsWait { reason, wait, sleeper });
        }
    }
    Ok(Waits { of_threads: waits, os_words })
}

/// Follows rings by their first elements, each with what is told of all of its elements. Where a ring changes
/// meanwhile the way may lead on elsewhere, and never back to the first: so it ends where it has been before.
fn follow<M: Memory + ?Sized, T: Copy>(
    memory: &M,
    firsts: Vec<(T, u64)>,
    next_at: u64,
    size: u64,
    mut each: impl FnMut(T, u64, Record<'_>),
) {
    let mut front = firsts;
    let mut seen: HashSet<_> = front.iter().map(|(_, first)| *first).collect();
    while !front.is_empty() && seen.len() < ELEMENTS_MAX {
        let places: Vec<_> = front.iter().map(|(_, at)| *at).collect();
        let copies = Copies::read(memory, &places, size);
        let mut further = Vec::new();
        for ((tag, at), element) in front.iter().zip(copies.iter()) {
            let Some(element) = element else { continue };
            each(*tag, *at, element);
            let next = element.word(next_at);
            if next != 0 && seen.insert(next) {
                further.push((*tag, next));
            }
        }
        front = further;
    }
}

/// The rings of descriptors.
fn descriptors<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
) -> Result<Vec<(Wanted, u64)>, Unreadable> {
    let layout = &table.entries;
    let mut chunks = vec![0; usize::try_from(layout.n_chunks).unwrap_or(0) * size_of::<u64>()];
    memory.read(table.roots.entries, &mut chunks)?;
    let mut rings = Vec::new();
    for (chunk, index) in Record(&chunks).words(0, chunks.len() as u64).zip(0_u64..) {
        if chunk == 0 {
            continue;
        }
        let copies = Copies::read(memory, &[chunk], layout.per_chunk * layout.stride);
        let Some(entries) = copies.iter().flatten().next() else { continue };
        for i in 0..layout.per_chunk {
            let descriptor = (index * layout.per_chunk + i) as u32;
            for (side, reads) in [(layout.readers, true), (layout.writers, false)] {
                let first = entries.word(i * layout.stride + side);
                if first != 0 {
                    rings.push((Wanted { descriptor, reads, writes: !reads }, first));
                }
            }
        }
    }
    Ok(rings)
}

/// The rings of addresses.
fn buckets<M: Memory + ?Sized>(memory: &M, table: &Table) -> Result<Vec<((), u64)>, Unreadable> {
    let layout = &table.buckets;
    let mut bytes = vec![0; usize::try_from(layout.n * layout.stride).unwrap_or(0)];
    memory.read(table.roots.buckets, &mut bytes)?;
    let first = |i| Record(&bytes).word(i * layout.stride + layout.first);
    Ok((0..layout.n).map(first).filter(|first| *first != 0).map(|first| ((), first)).collect())
}

/// The rings of deadlines.
fn slots<M: Memory + ?Sized>(memory: &M, table: &Table) -> Result<Vec<((), u64)>, Unreadable> {
    let layout = &table.timers;
    let mut rings = Vec::new();
    let shards = memory.word(table.roots.timers)?;
    if shards == 0 {
        return Ok(rings);
    }
    let (start, n) = (memory.word(shards)?, memory.word(shards.wrapping_add(8))?);
    let place = |i: u64| start.wrapping_add(i * layout.stride);
    let places: Vec<_> = (0..n.min(1 << 16)).map(place).collect();
    for shard in Copies::read(memory, &places, layout.stride).iter().flatten() {
        for level in (0..layout.n_levels).map(|i| layout.levels + i * layout.level_stride) {
            let slots = layout.n_slots * size_of::<u64>() as u64;
            let firsts = shard.words(level + layout.slots, slots).filter(|first| *first != 0);
            rings.extend(firsts.map(|first| ((), first)));
        }
    }
    Ok(rings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Copied;

    #[test]
    fn a_ring_that_changes_under_ones_eyes_is_not_followed_for_ever() {
        // The first leads into a ring in which it is not.
        let bytes = [8_u64, 16, 8].map(u64::to_ne_bytes).concat();
        let mut seen = Vec::new();
        let memory = Copied { start: 0, bytes };
        follow(&memory, vec![((), 0)], 0, 8, |(), _, element| seen.push(element.word(0)));
        assert_eq!(seen, [8, 16, 8]);
    }
}

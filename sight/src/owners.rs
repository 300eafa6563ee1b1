//! Who has a lock, where that is certain: because the lock says so, or the runtime has noted it.
//!
//! # Locks that say it
//!
//! A lock of libc's has the number in it by which libc knows its owner, as that has taken it, and until it gives it
//! up; of a reader-writer lock it is the writer's. Who waits says where it is ([`Waiter`](crate::table::Waiter)). A
//! green thread has its number on its stack, an OS thread has the kernel's.
//!
//! # What is noted
//!
//! Other locks do not know. Where somebody wants to hear of deadlocks the runtime notes their owners: in a place for
//! each of many locks, a word that says which lock it is and who has it.
//!
//! ```text
//!   address of a lock, without its two lowest bits: 46 bits -- times an odd number --> 16 bits: which place
//!                                                                                      30 bits: the tag
//!   place: | tag, 30 bits | of an OS thread, 1 bit | number of the thread, 33 bits |
//! ```
//!
//! No two locks have the same place and the same tag. Where two have the same place, the last that was taken is
//! known, and of the other one nothing is: never a wrong thread.
//!
//! In the place of a thread's task it is noted of which scope the thread is: by the address of the word that the scope
//! waits at, without its two lowest bits, and of that the lowest 33.

use crate::copies::Copies;
use crate::hash::{HashMap, HashSet};
use crate::memory::{Memory, Unreadable};
use crate::procfs::Procfs;
use crate::reason::Reason;
use crate::table::Table;
use crate::threads::{self, Thread};
use crate::waits::{self, Wait, Waits};

/// How many places there are.
pub const N_PLACES: usize = 1 << 16;

const KEY_BITS: u32 = 46;
const TAG_BITS: u32 = KEY_BITS - N_PLACES.ilog2();
const WHO_BITS: u32 = 64 - TAG_BITS;
const OS_THREAD: u64 = 1 << (WHO_BITS - 1);

/// A thread, green or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The green thread of this number.
    Thread(u64),
    /// The OS thread of this number.
    OsThread(u32),
}

/// Who has a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A thread that is there.
    Lives(Who),
    /// One that has ended with the lock, if it is known which: nobody is left who could give it up.
    Ended(Option<Who>),
}

/// A place, and the tag of a lock there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Which one.
    pub index: usize,
    tag: u64,
}

impl Place {
    /// That of the lock at an address; none of one beyond what user space has on most machines.
    #[must_use]
    #[inline]
    pub const fn of(address: u64) -> Option<Self> {
        /// Odd, so that no two keys become one.
        const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
        let key = address >> 2;
        if key >> KEY_BITS != 0 {
            return None;
        }
        let mixed = key.wrapping_mul(MIX) & ((1 << KEY_BITS) - 1);
        Some(Self { index: (mixed >> TAG_BITS) as usize, tag: mixed & ((1 << TAG_BITS) - 1) })
    }

    /// What the place says when this one has the lock; 0, which is nobody, for one with too high a number.
    #[must_use]
    #[inline]
    pub const fn word(self, who: Who) -> u64 {
        let who = match who {
            Who::Thread(id) if id < OS_THREAD => id,
            Who::Thread(_) => return 0,
            Who::OsThread(id) => OS_THREAD | id as u64,
        };
        self.tag << WHO_BITS | who
    }

    /// What the place of a task says when its thread is of the scope with a word at this address.
    #[must_use]
    #[inline]
    pub const fn of_scope(self, scope: u64) -> u64 {
        self.tag << WHO_BITS | scope >> 2 & (OS_THREAD - 1)
    }

    /// Whether the place speaks of this lock.
    #[must_use]
    #[inline]
    pub const fn is_of(self, word: u64) -> bool {
        word != 0 && word >> WHO_BITS == self.tag
    }

    /// Who has the lock, if the place speaks of it.
    #[must_use]
    pub const fn who(self, word: u64) -> Option<Who> {
        let who = word & ((1 << WHO_BITS) - 1);
        match (self.is_of(word), who & OS_THREAD) {
            (false, _) => None,
            (true, 0) => Some(Who::Thread(who)),
            (true, _) => Some(Who::OsThread(who as u32)),
        }
    }
}

/// The threads, and what they wait for, with who has the locks among that.
///
/// # Errors
///
/// If what all hangs on cannot be read.
pub(crate) fn look<P: Procfs + ?Sized>(
    process: &P,
    table: &Table,
) -> Result<(Vec<Thread>, Waits), Unreadable> {
    let n_spawned = threads::n_spawned(process, table)?;
    let threads = threads::threads(process, table)?;
    let mut waits = waits::waits(process, table, &threads)?;
    find(process, table, n_spawned, &threads, &mut waits);
    find_scopes(process, table, &threads, &mut waits);
    Ok((threads, waits))
}

/// What the lowest bits of a word of the mirror's reader-writer lock are while somebody writes; the two above say that
/// somebody waits.
pub const WRITTEN: u32 = (1 << 30) - 1;

/// Looks up who has the locks that threads wait for, and says so in `waits`. The threads are those that there were
/// once so many were spawned, or later.
fn find<P: Procfs + ?Sized>(
    process: &P,
    table: &Table,
    n_spawned: u64,
    threads: &[Thread],
    waits: &mut Waits,
) {
    let wanted = |reason: Option<Reason>, wait| {
        let Wait { address, owner_at, owner, .. }: &mut Wait = wait;
        let at = (*address)?;
        let locks = match reason? {
            Reason::Mutex | Reason::Once => [Some(at), None],
            // Writers wait at the second word of a lock of the mirror's.
            Reason::RwLock => [Some(at), Some(at.wrapping_sub(4))],
            _ => return None,
        };
        Some((locks, *owner_at, owner))
    };
    let of_threads = threads.iter().map(|thread| thread.reason).zip(&mut waits.of_threads);
    let of_os_threads = waits.os_words.values_mut().map(|it| (it.reason, &mut it.wait));
    let all = of_threads.chain(of_os_threads);
    let mut wanted: Vec<_> = all.filter_map(|(reason, wait)| wanted(reason, wait)).collect();
    if wanted.is_empty() {
        return;
    }
    let there = There::read(process, n_spawned, threads);
    let noted = noted(process, table, wanted.iter().flat_map(|(locks, ..)| *locks).flatten());
    let places = wanted.iter().filter_map(|(_, owner_at, _)| *owner_at);
    let said = said(process, table, &there, threads, places);
    for (locks, owner_at, owner) in &mut wanted {
        **owner = match owner_at {
            Some(owner_at) => said.get(owner_at).copied(),
            None => {
                let noted = locks.iter().flatten().find_map(|lock| noted.get(lock).copied());
                noted.map(|who| there.owner(who))
            }
        };
    }
}

/// Looks up for which threads scopes wait, and says so in `waits`.
fn find_scopes<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    threads: &[Thread],
    waits: &mut Waits,
) {
    let of_threads = threads.iter().map(|thread| thread.reason).zip(&mut waits.of_threads);
    let of_os_threads = waits.os_words.values_mut().map(|it| (it.reason, &mut it.wait));
    let scopes = of_threads.chain(of_os_threads).filter(|it| it.0 == Some(Reason::Scope));
    let scopes: Vec<_> = scopes.filter_map(|(_, wait)| wait.address.map(|at| (at, wait))).collect();
    if scopes.is_empty() {
        return;
    }
    let at: Vec<_> = scopes.iter().map(|(at, _)| *at).collect();
    let numbers = Copies::read(memory, &at, size_of::<u32>() as u64);
    let notes = Notes::of(memory, table);
    let mut noted: HashMap<u64, Vec<Who>> = HashMap::default();
    if let Some(notes) = &notes {
        let places = threads.iter().filter_map(|it| Some((it.id, Place::of(it.task)?)));
        let (ids, places): (Vec<_>, Vec<_>) = places.unzip();
        let words = notes.read(memory, &places);
        for ((id, place), word) in ids.into_iter().zip(places).zip(words) {
            if place.is_of(word) {
                noted.entry(word & (OS_THREAD - 1)).or_default().push(Who::Thread(id));
            }
        }
    }
    for ((at, wait), n) in scopes.into_iter().zip(numbers.iter()) {
        let key = at >> 2 & (OS_THREAD - 1);
        wait.scope = noted.get(&key).cloned().unwrap_or_default();
        wait.is_scope_noted = notes.is_some();
        wait.n_in_scope = n.map(|n| n.half(0));
    }
}

/// The places in which something is noted.
struct Notes(u64);

impl Notes {
    fn of<M: Memory + ?Sized>(memory: &M, table: &Table) -> Option<Self> {
        let at = memory.word(table.roots.owners).ok().filter(|at| *at != 0)?;
        memory.word(at).ok().filter(|places| *places != 0).map(Self)
    }

    /// What these places say; 0 where that cannot be read.
    fn read<M: Memory + ?Sized>(&self, memory: &M, places: &[Place]) -> Vec<u64> {
        let at = |place: &Place| self.0.wrapping_add((place.index * size_of::<u64>()) as u64);
        let at: Vec<_> = places.iter().map(at).collect();
        let words = Copies::read(memory, &at, size_of::<u64>() as u64);
        words.iter().map(|word| word.map_or(0, |word| word.word(0))).collect()
    }
}

/// The threads that there are.
struct There {
    green: HashSet<u64>,
    n_spawned: u64,
    /// None where it is not known.
    os_threads: HashSet<u32>,
}

impl There {
    fn read<P: Procfs + ?Sized>(process: &P, n_spawned: u64, threads: &[Thread]) -> Self {
        let green = threads.iter().map(|thread| thread.id).collect();
        Self { green, n_spawned, os_threads: process.os_threads().into_iter().collect() }
    }

    fn owner(&self, who: Who) -> Owner {
        let has_ended = match who {
            Who::Thread(id) => id < self.n_spawned && !self.green.contains(&id),
            Who::OsThread(id) => !self.os_threads.is_empty() && !self.os_threads.contains(&id),
        };
        if has_ended { Owner::Ended(Some(who)) } else { Owner::Lives(who) }
    }
}

/// Who has locks that say it, by where they do.
fn said<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    there: &There,
    threads: &[Thread],
    places: impl Iterator<Item = u64>,
) -> HashMap<u64, Owner> {
    /// No OS thread has this number, or one above it.
    const OF_GREEN: u32 = 1 << 22;
    let numbers = |places: &[u64]| {
        let copies = Copies::read(memory, places, size_of::<u32>() as u64);
        copies.iter().map(|it| it.map_or(0, |it| it.half(0))).collect::<Vec<_>>()
    };
    let places: Vec<_> = places.collect();
    let below = memory.word(table.roots.number_below).unwrap_or(0);
    if places.is_empty() || below == 0 {
        return HashMap::default();
    }
    let place = |it: &Thread| Some((it.id, it.stack.as_ref()?.end.wrapping_sub(below)));
    let started = threads.iter().filter_map(place);
    let (ids, stacks): (Vec<_>, Vec<_>) = started.unzip();
    let green: HashMap<_, _> = numbers(&stacks).into_iter().zip(ids).collect();
    let owners = numbers(&places);
    // A thread that was spawned meanwhile may have a number that is not among these.
    let are_all = threads::n_spawned(memory, table) == Ok(there.n_spawned);
    let who = |number: u32| match green.get(&number) {
        _ if number == 0 => None,
        Some(id) => Some(Owner::Lives(Who::Thread(*id))),
        None if number < OF_GREEN => Some(there.owner(Who::OsThread(number))),
        None => are_all.then_some(Owner::Ended(None)),
    };
    let owners = owners.into_iter().map(who);
    places.iter().zip(owners).filter_map(|(at, owner)| Some((*at, owner?))).collect()
}

/// Who has these locks, as far as it was noted.
fn noted<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    locks: impl Iterator<Item = u64>,
) -> HashMap<u64, Who> {
    let Some(notes) = Notes::of(memory, table) else { return HashMap::default() };
    let locks = locks.filter_map(|lock| Some((lock, Place::of(lock)?)));
    let (addresses, places): (Vec<_>, Vec<_>) = locks.unzip();
    let words = notes.read(memory, &places);
    // What is noted of a lock whose guard was forgotten may be of one that lay there before. Readers note nothing.
    let states = Copies::read(memory, &addresses, size_of::<u32>() as u64);
    let is_read = |state: u32| state > WRITTEN && state & WRITTEN != WRITTEN;
    let are_read = states.iter().map(|state| state.is_some_and(|state| is_read(state.half(0))));
    let owners = places.iter().zip(words).map(|(place, word)| place.who(word));
    let owners = owners.zip(are_read).map(|(owner, is_read)| owner.filter(|_| !is_read));
    addresses.iter().copied().zip(owners).filter_map(|(lock, who)| Some((lock, who?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::HashSet;

    #[test]
    fn a_place_says_who_has_its_lock_and_nothing_of_others() {
        let (lock, other) = (Place::of(0x7fff_1234_5670).unwrap(), Place::of(0x1000).unwrap());
        for who in [Who::Thread(1), Who::Thread(u64::from(u32::MAX)), Who::OsThread(4_194_304)] {
            assert_eq!(lock.who(lock.word(who)), Some(who));
            assert_eq!(other.who(lock.word(who)), None);
        }
        assert_eq!(lock.who(0), None);
        assert_eq!(lock.word(Who::Thread(1 << 33)), 0);
        assert_eq!(Place::of(1 << 48), None);
    }

    #[test]
    fn no_two_locks_look_alike() {
        let start = 0x7f3c_0000_0000_u64;
        let mut places: Vec<_> = (0..1_000_000)
            .map(|i| Place::of(start + 4 * i).unwrap())
            .map(|place| (place.index, place.tag))
            .collect();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 1_000_000);
        let used: HashSet<_> = places.iter().map(|(index, _)| index).collect();
        assert!(used.len() > N_PLACES / 2, "they are spread: {}", used.len());
    }
}

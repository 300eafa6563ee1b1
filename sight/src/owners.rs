//! Who has a lock, as the runtime notes it where somebody wants to hear of deadlocks: a place for each of many
//! locks, a word that says which lock it is and who has it.
//!
//! ```text
//!   address of a lock, without its two lowest bits: 46 bits -- times an odd number --> 16 bits: which place
//!                                                                                      30 bits: the tag
//!   place: | tag, 30 bits | of an OS thread, 1 bit | number of the thread, 33 bits |
//! ```
//!
//! No two locks have the same place and the same tag. Where two have the same place, the last that was taken is
//! known, and of the other one nothing is: never a wrong thread.

use crate::hash::HashMap;
use crate::memory::Memory;
use crate::reason::Reason;
use crate::table::Table;
use crate::threads::{Copies, Record, Thread};
use crate::waits::Wait;

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

/// Looks up who has the locks that threads wait for, and says so in `waits`.
pub(crate) fn find<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    threads: &[Thread],
    waits: &mut [Wait],
) {
    let locks = threads.iter().zip(&*waits).enumerate().flat_map(|(at, (thread, wait))| {
        locks(thread.reason, wait.address).map(move |lock| (at, lock))
    });
    let locks: Vec<_> = locks.collect();
    let owners = of(memory, table, locks.iter().map(|(_, lock)| *lock));
    for (at, lock) in locks {
        if let Some(owner) = owners.get(&lock) {
            waits[at].owner = Some(*owner);
        }
    }
}

/// Where a lock may begin at one of whose words somebody waits: writers wait at the second one of theirs.
fn locks(reason: Option<Reason>, address: Option<u64>) -> impl Iterator<Item = u64> {
    let (first, second) = match (reason, address) {
        (Some(Reason::Mutex | Reason::Once), Some(at)) => (Some(at), None),
        (Some(Reason::RwLock), Some(at)) => (Some(at), at.checked_sub(4)),
        _ => (None, None),
    };
    first.into_iter().chain(second)
}

/// Who has these locks, as far as it was noted.
pub(crate) fn of<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    locks: impl Iterator<Item = u64>,
) -> HashMap<u64, Who> {
    let places = match memory.word(table.roots.owners) {
        Ok(at) if at != 0 => memory.word(at).unwrap_or(0),
        _ => 0,
    };
    if places == 0 {
        return HashMap::default();
    }
    let locks: Vec<_> = locks.filter_map(|lock| Some((lock, Place::of(lock)?))).collect();
    let at = |place: &Place| places + (place.index * size_of::<u64>()) as u64;
    let places: Vec<_> = locks.iter().map(|(_, place)| at(place)).collect();
    let words = Copies::read(memory, &places, size_of::<u64>() as u64);
    let owner = |((lock, place), word): (&(u64, Place), Option<Record<'_>>)| {
        Some((*lock, place.who(word?.word(0))?))
    };
    locks.iter().zip(words.iter()).filter_map(owner).collect()
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

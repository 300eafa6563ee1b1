//! A wheel of bells, which never move: a bell rings in the slot that it was put into.
//!
//! Level `n` has 512 slots of 2^19 · 4^n ns (0.52 ms at level 0). A bell goes to the finest level whose slots
//! reach that far, and rings when its slot is over. So it is late by a slot at most: by half a millisecond, or
//! by a 127th of the time that it was set for.
//!
//! A bell that is set for more than the last level reaches, five hours, rings early. So may one that is set
//! while its level is behind. Whoever hears it looks at the clock.

use crate::ring::{Linked, Links, Ring};

use super::Bell;

/// The finest slot: a bell rings no later than this, or than a 127th of the time that it is set for.
pub(super) const SLOT_NS_LOG2: u32 = 19;
const FACTOR_LOG2: u32 = 2;
const N_SLOTS: usize = 512;
const N_LEVELS: usize = 9;
const WORDS: usize = N_SLOTS / 64;

pub(super) struct Coarse {
    first: Option<Next>,
    // A page each: not on the stack of who makes them.
    levels: Box<[Level]>,
}

struct Level {
    /// Slots up to this tick of the level are empty.
    passed: u64,
    /// A bit for each slot that is not empty.
    occupied: [u64; WORDS],
    slots: [Ring<Bell>; N_SLOTS],
}

/// A slot that is not empty, and when it is over.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Next {
    at_ns: u64,
    slot: u16,
}

impl Linked for Bell {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Coarse {
    pub(super) fn new() -> Self {
        let slots = || [const { Ring::new() }; N_SLOTS];
        let level = |_| Level { passed: 0, occupied: [0; WORDS], slots: slots() };
        Self { first: None, levels: (0..N_LEVELS).map(level).collect() }
    }

    /// When the first bell rings.
    #[inline]
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.first.map(|first| first.at_ns)
    }

    /// Puts in a bell that is in no wheel; when it rings.
    pub(super) fn insert(&mut self, bell: &Bell, at_ns: u64, now_ns: u64) -> u64 {
        let at_ns = at_ns.max(now_ns);
        let shift = |level: usize| SLOT_NS_LOG2 + FACTOR_LOG2 * level as u32;
        let tick = |level| at_ns.div_ceil(1 << shift(level));
        let reaches = |level: &usize| tick(*level) - (now_ns >> shift(*level)) < N_SLOTS as u64;
        let index = (0..N_LEVELS).find(reaches).unwrap_or(N_LEVELS - 1);
        let level = &mut self.levels[index];
        let now = now_ns >> shift(index);
        level.passed = level.first().map_or(now, |first| now.min(first - 1)).max(level.passed);
        let tick = tick(index).clamp(level.passed + 1, level.passed + N_SLOTS as u64 - 1);
        let slot = tick as usize % N_SLOTS;
        level.occupied[slot / 64] |= 1 << (slot % 64);
        // SAFETY: the caller's promises: it is in no wheel, and stays in place until it has been taken out.
        unsafe { level.slots[slot].push_back(bell) };
        let next = Next { at_ns: tick << shift(index), slot: (index * N_SLOTS + slot) as u16 };
        bell.slot.set(next.slot);
        self.first = Some(self.first.map_or(next, |first| first.min(next)));
        next.at_ns
    }

    /// Takes out a bell that is in this wheel.
    pub(super) fn remove(&mut self, bell: &Bell) {
        let slot = usize::from(bell.slot.get());
        // SAFETY: in this wheel, hence in the slot that `insert` recorded.
        unsafe { self.levels[slot / N_SLOTS].slots[slot % N_SLOTS].remove(bell) };
        self.note_taken(slot);
    }

    /// Takes out a bell that rings by now.
    pub(super) fn take_due(&mut self, now_ns: u64) -> Option<&'static Bell> {
        let first = self.first.filter(|first| first.at_ns <= now_ns)?;
        let slot = usize::from(first.slot);
        let bell = self.levels[slot / N_SLOTS].slots[slot % N_SLOTS].pop_front()?;
        self.note_taken(slot);
        // SAFETY: bells are never freed.
        Some(unsafe { bell.as_ref() })
    }

    /// A bell was taken out of a slot.
    fn note_taken(&mut self, index: usize) {
        let (level, slot) = (&mut self.levels[index / N_SLOTS], index % N_SLOTS);
        if !level.slots[slot].is_empty() {
            return;
        }
        level.occupied[slot / 64] &= !(1 << (slot % 64));
        let next = |(index, level): (usize, &Level)| {
            let tick = level.first()?;
            let slot = (index * N_SLOTS + tick as usize % N_SLOTS) as u16;
            Some(Next { at_ns: tick << (SLOT_NS_LOG2 + FACTOR_LOG2 * index as u32), slot })
        };
        self.first = self.levels.iter().enumerate().filter_map(next).min();
    }
}

impl Level {
    /// The tick of the first slot that is not empty.
    fn first(&self) -> Option<u64> {
        let start = self.passed + 1;
        let (word, bit) = ((start / 64) as usize % WORDS, start % 64);
        let ahead = self.occupied[word] >> bit;
        if ahead != 0 {
            return Some(start + u64::from(ahead.trailing_zeros()));
        }
        // The last one is the first once more, for what is behind the bit there.
        (1..=WORDS).find_map(|i| {
            let bits = self.occupied[(word + i) % WORDS];
            let tick = start - bit + 64 * i as u64 + u64::from(bits.trailing_zeros());
            (bits != 0).then_some(tick)
        })
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Step {
        /// Sets a bell for this far ahead.
        Set(u64),
        /// Takes out one of those that are set.
        Remove(usize),
        /// Time goes on, and what is due is taken out; or some of it.
        Advance(u64, usize),
    }

    fn distance() -> impl Strategy<Value = u64> {
        // Of every order of magnitude, up to a day.
        (0_u32..47, any::<u64>()).prop_map(|(bits, n)| n & ((1 << bits) - 1))
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => distance().prop_map(Step::Set),
            1 => any::<usize>().prop_map(Step::Remove),
            3 => (distance(), 0_usize..8).prop_map(|(by, most)| Step::Advance(by, most)),
        ]
    }

    proptest! {
        /// The wheel against a sorted map of when each bell is to ring, as it has said.
        #[test]
        fn each_bell_rings_when_it_has_said_which_is_late_by_little(
            start in distance(),
            steps in prop::collection::vec(step(), 1..80),
        ) {
            let mut now = start;
            let mut wheel = Coarse::new();
            let mut set: BTreeMap<u32, (&Bell, u64)> = BTreeMap::new();
            for (number, step) in (0_u32..).zip(steps) {
                match step {
                    Step::Set(ahead) => {
                        let bell: &Bell = Box::leak(Box::new(Bell::new(number)));
                        let rings_ns = wheel.insert(bell, now + ahead, now);
                        let late = rings_ns.saturating_sub(now + ahead);
                        prop_assert!(late <= super::super::lateness_ns(ahead + ahead / 64));
                        set.insert(number, (bell, rings_ns));
                    }
                    Step::Remove(which) if !set.is_empty() => {
                        let number = *set.keys().nth(which % set.len()).unwrap();
                        wheel.remove(set.remove(&number).unwrap().0);
                    }
                    Step::Remove(_) => {}
                    Step::Advance(by, most) => {
                        now += by;
                        for _ in 0..most {
                            let Some(bell) = wheel.take_due(now) else { break };
                            let (_, rings_ns) = set.remove(&bell.number).unwrap();
                            prop_assert!(rings_ns <= now, "rang early");
                        }
                    }
                }
                let first = set.values().map(|(_, rings_ns)| *rings_ns).min();
                prop_assert_eq!(wheel.next_ns(), first);
            }
        }
    }
}

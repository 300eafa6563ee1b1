//! A hierarchical timing wheel of intrusive lists.
//!
//! Time is counted in ticks of 2^14 ns (16.4 µs): a deadline is rounded up to the next one, less
//! than the slack that the kernel allows itself. Level `n` has 64 slots of 64^n ticks:
//!
//! | level | a slot | all slots |
//! |---|---|---|
//! | 0 | 16.4 µs | 1.05 ms |
//! | 1 | 1.05 ms | 67 ms |
//! | 2 | 67 ms | 4.3 s |
//! | 3 | 4.3 s | 4.6 min |
//! | 4 | 4.6 min | 4.9 h |
//! | 5 | 4.9 h | 13 days |
//! | 6 | 13 days | 2.3 years |
//! | 7 | 2.3 years | 146 years |
//!
//! An alarm goes to the level of the highest digit, to base 64, in which its tick differs from the
//! present one. When the present reaches a slot of a higher level, its alarms move down.
//!
//! An alarm whose time has passed already is due at the next tick; one beyond the last level waits
//! in its last slot and is put back from there.

use std::mem::offset_of;

use sylvan_sight::table;

use super::Alarm;
use crate::ring::Ring;

const TICK_NS_LOG2: u32 = 14;
const SLOTS_LOG2: u32 = 6;
const N_SLOTS: usize = 1 << SLOTS_LOG2;
const N_LEVELS: usize = 8;
/// Ticks that the levels cover together.
const SPAN: u64 = 1 << (SLOTS_LOG2 * N_LEVELS as u32);

/// How many alarms of a slot to look at for the exact deadline to sleep until. Each lies on the stack of a thread that
/// sleeps, in no cache: a look at one takes as long as much else that a sleep does. With more the core sleeps until the
/// slot begins, which for a deadline far ahead is one wake-up in vain in many seconds.
const EXACT_UP_TO: usize = 4;

pub(super) struct Wheel {
    /// Everything before this tick has been seen to.
    present: u64,
    /// Alarms in all: most often there are none, and then no level need be looked at.
    n_alarms: usize,
    levels: [Level; N_LEVELS],
}

struct Level {
    /// A bit for each slot that is not empty.
    occupied: u64,
    slots: [Ring<Alarm>; N_SLOTS],
}

/// The start of the next slot that is not empty.
struct Next {
    level: usize,
    slot: usize,
    tick: u64,
}

impl Wheel {
    /// Where the slots are, of a wheel at `start` in each piece of `stride` bytes.
    pub(super) const fn layout(stride: usize, start: usize) -> table::Timers {
        table::Timers {
            stride: stride as u64,
            levels: (start + offset_of!(Self, levels)) as u64,
            n_levels: N_LEVELS as u64,
            level_stride: size_of::<Level>() as u64,
            occupied: offset_of!(Level, occupied) as u64,
            slots: offset_of!(Level, slots) as u64,
            n_slots: N_SLOTS as u64,
        }
    }

    pub(super) fn new(now_ns: u64) -> Self {
        let level = || Level { occupied: 0, slots: [const { Ring::new() }; N_SLOTS] };
        let levels = std::array::from_fn(|_| level());
        Self { present: now_ns >> TICK_NS_LOG2, n_alarms: 0, levels }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.n_alarms == 0
    }

    pub(super) fn insert(&mut self, alarm: &Alarm) {
        let due = due_tick(alarm).max(self.present + 1);
        // A tick beyond the span would alias one within it.
        let due = due.min(self.present + SPAN - 1);
        let differing = (self.present ^ due) | (N_SLOTS as u64 - 1);
        let level = ((differing.ilog2() / SLOTS_LOG2) as usize).min(N_LEVELS - 1);
        let slot = slot_of(due, level);
        alarm.slot.set((level * N_SLOTS + slot) as u16);
        self.n_alarms += 1;
        let level = &mut self.levels[level];
        level.occupied |= 1 << slot;
        // SAFETY: the alarm is in no slot, and stays in place until it has been taken out.
        unsafe { level.slots[slot].push_back(alarm) };
    }

    /// Takes out `alarm`, which is in this wheel.
    pub(super) fn remove(&mut self, alarm: &Alarm) {
        self.n_alarms -= 1;
        let index = usize::from(alarm.slot.get());
        let level = &mut self.levels[index / N_SLOTS];
        let slot = index % N_SLOTS;
        // SAFETY: in this wheel, hence in the slot that `insert` recorded.
        unsafe { level.slots[slot].remove(alarm) };
        if level.slots[slot].is_empty() {
            level.occupied &= !(1 << slot);
        }
    }

    /// Moves on to `now_ns` and takes out every alarm that is due by then, tick by tick.
    #[inline]
    pub(super) fn advance(&mut self, now_ns: u64, on_due: impl FnMut(&Alarm)) {
        let now = now_ns >> TICK_NS_LOG2;
        if !self.is_empty() {
            self.take_due(now, on_due);
        }
        self.present = self.present.max(now);
    }

    /// Takes out every alarm that is due by the tick `now`.
    #[inline(never)]
    fn take_due(&mut self, now: u64, mut on_due: impl FnMut(&Alarm)) {
        while let Some(next) = self.next()
            && next.tick <= now
        {
            self.present = next.tick;
            let level = &mut self.levels[next.level];
            level.occupied &= !(1 << next.slot);
            let mut alarms = std::mem::replace(&mut level.slots[next.slot], Ring::new());
            while let Some(alarm) = alarms.pop_front() {
                self.n_alarms -= 1;
                // SAFETY: alarms in a wheel are alive; nobody has heard of this one yet.
                let alarm = unsafe { alarm.as_ref() };
                if due_tick(alarm) <= self.present {
                    on_due(alarm);
                } else {
                    self.insert(alarm);
                }
            }
        }
    }

    /// When the next alarm is due, or an earlier time when there are many to choose from.
    pub(super) fn next_deadline_ns(&self) -> Option<u64> {
        let next = self.next()?;
        let alarms = &self.levels[next.level].slots[next.slot];
        let mut at = alarms.first();
        let mut earliest = u64::MAX;
        for _ in 0..EXACT_UP_TO {
            let Some(alarm) = at else {
                return Some(earliest.max(next.tick).saturating_mul(1 << TICK_NS_LOG2));
            };
            // SAFETY: as in `advance`.
            let alarm = unsafe { alarm.as_ref() };
            earliest = earliest.min(due_tick(alarm));
            at = alarms.after(alarm);
        }
        Some(next.tick << TICK_NS_LOG2)
    }

    #[inline]
    fn next(&self) -> Option<Next> {
        if self.is_empty() {
            return None;
        }
        self.levels.iter().enumerate().find_map(|(level, state)| {
            if state.occupied == 0 {
                return None;
            }
            let present = slot_of(self.present, level);
            // The slot after the present one comes first, the present one itself last: at level 0 it
            // is empty, further up it is a full turn away.
            let ahead =
                state.occupied.rotate_right(present as u32 + 1).trailing_zeros() as usize + 1;
            let slot = (present + ahead) % N_SLOTS;
            let slot_ticks_log2 = SLOTS_LOG2 * level as u32;
            let tick = ((self.present >> slot_ticks_log2) + ahead as u64) << slot_ticks_log2;
            Some(Next { level, slot, tick })
        })
    }
}

/// The first tick at which the deadline has passed.
fn due_tick(alarm: &Alarm) -> u64 {
    alarm.deadline_ns.div_ceil(1 << TICK_NS_LOG2)
}

fn slot_of(tick: u64, level: usize) -> usize {
    (tick >> (SLOTS_LOG2 * level as u32)) as usize % N_SLOTS
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::ptr;

    #[derive(Clone, Debug)]
    enum Step {
        /// An alarm this far ahead.
        Insert(u64),
        /// Cancels one of those that are set.
        Cancel(usize),
        /// Time goes on.
        Advance(u64),
    }

    fn distance() -> impl Strategy<Value = u64> {
        // Of every order of magnitude, up to some years.
        (0_u32..58, any::<u64>()).prop_map(|(bits, n)| n & ((1 << bits) - 1))
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => distance().prop_map(Step::Insert),
            1 => any::<usize>().prop_map(Step::Cancel),
            2 => distance().prop_map(Step::Advance),
        ]
    }

    proptest! {
        /// The wheel against a sorted map: what rings, and when, and what to sleep until.
        #[test]
        fn an_alarm_rings_within_a_tick_after_its_deadline_and_never_before(
            start in distance(),
            steps in prop::collection::vec(step(), 1..80),
        ) {
            let mut now = start;
            let mut wheel = Wheel::new(now);
            let mut alarms: BTreeMap<u64, Box<Alarm>> = BTreeMap::new();
            let mut n = 0_u64;
            for step in steps {
                match step {
                    Step::Insert(ahead) => {
                        let alarm = Box::new(Alarm::for_task(ptr::null(), now.saturating_add(ahead)));
                        wheel.insert(&alarm);
                        alarms.insert(n, alarm);
                        n += 1;
                    }
                    Step::Cancel(which) if !alarms.is_empty() => {
                        let key = *alarms.keys().nth(which % alarms.len()).unwrap();
                        wheel.remove(&alarms.remove(&key).unwrap());
                    }
                    Step::Cancel(_) => {}
                    Step::Advance(by) => {
                        now = now.saturating_add(by).min(u64::MAX >> 2);
                        let mut rung = Vec::new();
                        wheel.advance(now, |alarm| rung.push(ptr::from_ref(alarm)));
                        for alarm in &rung {
                            // SAFETY: `alarms` keeps it until the line below the loop.
                            let deadline_ns = unsafe { &**alarm }.deadline_ns;
                            prop_assert!(deadline_ns <= now, "rang early");
                        }
                        alarms.retain(|_, alarm| !rung.contains(&ptr::from_ref(&**alarm)));
                        for alarm in alarms.values() {
                            let late = now.saturating_sub(alarm.deadline_ns);
                            prop_assert!(late < 1 << TICK_NS_LOG2, "is {late} ns late");
                        }
                    }
                }
                match (wheel.next_deadline_ns(), alarms.values().map(|a| a.deadline_ns).min()) {
                    (None, None) => prop_assert!(wheel.is_empty()),
                    (Some(next), Some(first)) => {
                        // Not later than a tick after the first deadline: nothing is overslept. An
                        // alarm that was late when set is due at the next tick.
                        let first = first.max(now);
                        prop_assert!(next <= first.saturating_add(2 << TICK_NS_LOG2));
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }

    #[test]
    fn alarms_of_one_tick_ring_in_the_order_they_were_set() {
        let mut wheel = Wheel::new(0);
        let alarms: Vec<_> =
            (0..4).map(|_| Box::new(Alarm::for_task(ptr::null(), 1_000_000))).collect();
        alarms.iter().for_each(|alarm| wheel.insert(alarm));
        let mut rung = Vec::new();
        wheel.advance(2_000_000, |alarm| rung.push(ptr::from_ref(alarm)));
        assert_eq!(rung, alarms.iter().map(|alarm| ptr::from_ref(&**alarm)).collect::<Vec<_>>());
    }
}

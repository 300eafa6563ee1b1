//! Blocking sections, as the monitor looks for them.
//!
//! While the monitor looks by itself a section tells nobody, so a short one costs two stores. But each
//! look takes some 10 µs from whoever has the processor. So the next look comes as soon as the last
//! ones give reason to:
//!
//! | the look has found | the next one comes |
//! |---|---|
//! | one that was new at the look before: it lasts | after 20 µs, since others of its kind often follow |
//! | a new one | after 20 µs, to see whether it lasts; if not, short ones are no reason to hurry |
//! | nothing new, or the second new one in a row | after twice the time of before, a millisecond at most |
//! | none, after a millisecond | when a section begins: from now on it tells (`pace`) |
//!
//! Where none of the last looks has found one that lasts, the longest time is more than a millisecond: twice as long
//! after 32 of them, up to 8 ms; and sections tell only after as many looks in a row that have found none. A server
//! whose sections are files in memory would otherwise wake its monitor a few hundred times a second, and one with
//! many processes has as many monitors.
//!
//! A section whose OS thread waits for a processor does not count as one that lasts, though its core is taken all the
//! same: where others want the processors, too, any may be interrupted in one.
//!
//! A core is taken from a section that lasts if anything waits for the core, and after a millisecond
//! in any case, so that the monitor comes to rest. So one that blocks holds up the rest for some 40 µs
//! if it is the first one, or if sections last. If others come to wait later, it is twice as long as
//! it was alone. Beside many short ones it is a millisecond at most, and the first one that lasts after a hundred that
//! did not 8 ms. Where all of its kind last it has handed its core off before (`habit`).
//! Whose section has lost its core goes on without one, to the end of its run, if there is a place (`apart`).

use std::mem;
use std::time::{Duration, Instant};

use super::Scheduler;
use super::core::Core;
use super::limit::{self, Purpose};
use super::owner::Sighting;
use super::usage::Usage;

const SHORTEST: Duration = Duration::from_micros(20);
const LONGEST: Duration = Duration::from_millis(1);

/// Looks without a section that lasts, after which the longest time between two of them doubles; and how long it is
/// in the end.
const LOOKS: u32 = 32;
const LONGEST_OF_ALL: Duration = Duration::from_millis(8);

/// What the monitor knows of the sections of all cores.
pub(super) struct Sections {
    known: Vec<Option<Section>>,
    backoff: Backoff,
}

#[derive(Clone, Copy)]
struct Section {
    seen: Sighting,
    /// When it was first seen.
    since: Instant,
    /// What its OS thread had used of a processor then.
    usage: Usage,
    is_new: bool,
}

/// What a look has found, in the order of how soon it wants another.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Ord, PartialOrd)]
enum Found {
    Nothing,
    /// Known for more than one look.
    Old,
    New,
    /// New at the look before.
    Lasting,
}

impl Sections {
    pub(super) fn new(n_cores: usize) -> Self {
        Self { known: vec![None; n_cores], backoff: Backoff::new() }
    }

    /// Takes the cores whose sections last; when to look again, `None` if sections are to tell.
    pub(super) fn look(&mut self, scheduler: &'static Scheduler, now: Instant) -> Option<Duration> {
        let mut found = Found::Nothing;
        for (core, known) in scheduler.cores.iter().zip(&mut self.known) {
            let Some(seen) = core.owner.look().filter(|seen| seen.doing.is_blocking()) else {
                *known = None;
                continue;
            };
            let Some(section) = known.as_mut().filter(|known| known.seen.is_same_section(seen))
            else {
                let usage = Usage::of(core.worker(), now);
                *known = Some(Section { seen, since: now, usage, is_new: true });
                found = found.max(Found::New);
                continue;
            };
            let was_new = mem::take(&mut section.is_new);
            let lasts = now - section.since;
            let is_lasting = was_new && !section.waits_for_processor(core, now);
            found = found.max(if is_lasting { Found::Lasting } else { Found::Old });
            if lasts >= LONGEST || scheduler.is_awaited(core) {
                let is_long = lasts >= limit::LONG;
                let purpose = if is_long { Purpose::BlocksForLong } else { Purpose::Blocks };
                scheduler.spares.preempt(core, seen, purpose);
            }
        }
        scheduler.spares.provide();
        self.backoff.after(found)
    }

    /// A section has told: how long it is until the next look.
    pub(super) fn told(&mut self) -> Duration {
        self.backoff.told()
    }
}

impl Section {
    /// Whether it would be over if its OS thread had a processor: that has had one for less than half of the time.
    fn waits_for_processor(&self, core: &Core, now: Instant) -> bool {
        let computes = Usage::of(core.worker(), now).is_busy_since(self.usage);
        // The question that costs most comes last.
        !computes && core.worker_waits() == Some(false)
    }
}

/// How long it is until the next look.
struct Backoff {
    period: Duration,
    /// The longest that may be.
    longest: Duration,
    /// Looks since a section has lasted, or since the longest time was changed.
    n_short: u32,
    /// Looks in a row that have found none.
    n_none: u32,
    /// The next look is to see whether a new section lasts.
    probes: bool,
}

impl Backoff {
    fn new() -> Self {
        Self { period: LONGEST, longest: LONGEST, n_short: 0, n_none: 0, probes: false }
    }

    /// The time from a look that has found this to the next.
    fn after(&mut self, found: Found) -> Option<Duration> {
        let probed = mem::take(&mut self.probes);
        if found == Found::Lasting {
            (self.period, self.longest, self.n_short) = (SHORTEST, LONGEST, 0);
            return Some(self.period);
        }
        self.n_short += 1;
        if self.n_short == LOOKS {
            (self.longest, self.n_short) = ((2 * self.longest).min(LONGEST_OF_ALL), 0);
        }
        match found {
            Found::New if !probed => {
                self.probes = true;
                return Some(SHORTEST);
            }
            Found::Nothing if !probed && self.period == self.longest => {
                self.n_none += 1;
                if self.n_none >= self.patience() {
                    self.n_none = 0;
                    return None;
                }
            }
            _ => (self.period, self.n_none) = ((2 * self.period).min(self.longest), 0),
        }
        Some(self.period)
    }

    /// How many looks have to find nothing before sections are to tell: to tell costs them more than the looks do.
    fn patience(&self) -> u32 {
        (self.longest.as_millis() / LONGEST.as_millis()) as u32
    }

    /// Others may follow: there is a look after a millisecond, however short this one was. Where they have been short
    /// for long there is none at once.
    fn told(&mut self) -> Duration {
        if self.longest > LONGEST {
            return self.longest;
        }
        self.period = self.period.min(LONGEST / 2);
        Duration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Microseconds until the next look after each that finds this; 0 if sections are to tell.
    fn after(backoff: &mut Backoff, found: &[Found]) -> Vec<u128> {
        found.iter().map(|&found| backoff.after(found).map_or(0, |time| time.as_micros())).collect()
    }

    #[test]
    fn nothing_is_looked_for_before_the_first_section_tells() {
        assert_eq!(after(&mut Backoff::new(), &[Found::Nothing; 2]), [0, 0]);
    }

    #[test]
    fn a_short_section_has_one_more_look() {
        let mut backoff = Backoff::new();
        backoff.told();
        assert_eq!(after(&mut backoff, &[Found::Nothing; 2]), [1_000, 0]);
    }

    #[test]
    fn a_new_section_is_looked_at_again_at_once_and_only_once() {
        let mut backoff = Backoff::new();
        backoff.told();
        assert_eq!(after(&mut backoff, &[Found::New; 4]), [20, 1_000, 20, 1_000]);
    }

    #[test]
    fn a_new_section_that_is_over_at_once_is_no_reason_to_stop() {
        let found = [Found::New, Found::Nothing, Found::Nothing];
        assert_eq!(after(&mut Backoff::new(), &found), [20, 1_000, 0]);
    }

    #[test]
    fn sections_that_last_are_looked_for_often_until_there_are_no_more() {
        let mut backoff = Backoff::new();
        backoff.told();
        assert_eq!(after(&mut backoff, &[Found::New, Found::Lasting]), [20, 20]);
        assert_eq!(after(&mut backoff, &[Found::Old, Found::Nothing, Found::New]), [40, 80, 20]);
        assert_eq!(after(&mut backoff, &[Found::Lasting]), [20]);
        let quiet = after(&mut backoff, &[Found::Nothing; 7]);
        assert_eq!(quiet, [40, 80, 160, 320, 640, 1_000, 0]);
    }

    #[test]
    fn where_sections_are_short_for_long_there_are_few_looks_until_one_lasts() {
        let mut backoff = Backoff::new();
        backoff.told();
        for _ in 0..2 * LOOKS {
            after(&mut backoff, &[Found::New, Found::Nothing]);
        }
        let longest = LONGEST_OF_ALL.as_micros();
        assert_eq!(after(&mut backoff, &[Found::New; 4]), [20, longest, 20, longest]);
        assert_eq!(backoff.told(), LONGEST_OF_ALL);
        assert_eq!(
            after(&mut backoff, &[Found::Nothing; 8]),
            [[longest; 7].as_slice(), &[0]].concat()
        );
        assert_eq!(after(&mut backoff, &[Found::New, Found::Lasting]), [20, 20]);
        assert_eq!(backoff.told(), Duration::ZERO);
    }
}

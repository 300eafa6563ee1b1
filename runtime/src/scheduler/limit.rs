//! How many OS threads there may be, and which of them count.
//!
//! The limit (`SYLVAN_MAX_THREADS`) keeps short calls that block from taking an OS thread each, and
//! those that compute from being more than is of use. It is none for what blocks for long: a thread
//! that waits for somebody else, who waits for an OS thread, would wait for ever. So:
//!
//! | an OS thread | counts |
//! |---|---|
//! | has a core, computes, or is idle | yes |
//! | has blocked for less than 20 ms | yes |
//! | has blocked for longer, without a core | no |
//!
//! While fewer than the limit are there none is counted. When one is refused the monitor makes a
//! *survey*, every 20 ms for as long as some are refused: it asks the kernel about each thread. One
//! that has not used a processor since the last survey, and waits for something else, has blocked for
//! long. There is *room* for as many as the limit exceeds those that count; the next survey sees what
//! has become of them.
//!
//! # Who may exceed the limit
//!
//! - Whoever finds room, by the survey.
//! - Whoever is to take a core from what has blocked for 20 ms, room or not. So a core stands still
//!   for 20 ms and some looks at most, however many of the others compute.
//!
//! # How fast they come
//!
//! Those who block fill the room at the pace of the monitor's looks, and two surveys later they do not
//! count any more. Where they are many, a quarter of them is more room than a low limit leaves: so
//! thousands come within a second or two, whatever the limit.
//!
//! # Why all of it ends
//!
//! Each thread beyond the limit came for something that blocked. What has ended leaves its thread
//! idle; idle threads are used before new ones are made; and above the limit an idle one ends after a
//! tenth of a second (`spare`).
//!
//! # When the kernel refuses
//!
//! No thread is asked for in the next 10 ms. Cores stay with their workers, and functions that block
//! queue up, until others come back; what is done if none does is in `spare`.

use std::time::{Duration, Instant};

use super::Scheduler;
use crate::sys::thread;

/// What has blocked for so long does not count.
pub(super) const LONG: Duration = Duration::from_millis(20);

/// How long no thread is asked for after the kernel has refused one.
const REFUSED: Duration = Duration::from_millis(10);

/// What a thread is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Purpose {
    /// To take a core from a run that computes.
    Computes,
    /// To take a core from what blocks, or to run something that does.
    Blocks,
    /// To take a core from what has blocked for long.
    BlocksForLong,
}

pub(super) struct Limit {
    max: usize,
    n_threads: usize,
    /// How many more there may be, according to the last survey.
    room: usize,
    /// One was refused since the last survey.
    is_met: bool,
    /// When the kernel may be asked again.
    barred_until: Option<Instant>,
}

impl Limit {
    /// `n_threads` are there already.
    pub(super) fn new(n_threads: usize, max: usize) -> Self {
        Self { max, n_threads, room: 0, is_met: false, barred_until: None }
    }

    pub(super) fn max(&self) -> usize {
        self.max
    }

    pub(super) fn n_threads(&self) -> usize {
        self.n_threads
    }

    /// Counts one more, if it may be started.
    #[must_use]
    pub(super) fn admit(&mut self, purpose: Purpose) -> bool {
        if self.barred_until.is_some_and(|time| Instant::now() < time) {
            self.is_met = true;
            return false;
        }
        if self.n_threads >= self.max {
            if self.room > 0 {
                self.room -= 1;
            } else if purpose != Purpose::BlocksForLong {
                self.is_met = true;
                return false;
            }
        }
        self.add();
        true
    }

    /// Counts one more that is started in any case.
    pub(super) fn add(&mut self) {
        self.n_threads += 1;
    }

    /// One has ended.
    pub(super) fn remove(&mut self) {
        self.n_threads -= 1;
    }

    /// The kernel has refused one that was counted.
    pub(super) fn bar(&mut self) {
        self.remove();
        self.is_met = true;
        self.barred_until = Some(Instant::now() + REFUSED);
    }

    /// Whether the kernel has refused the last one.
    pub(super) fn is_barred(&self) -> bool {
        self.barred_until.is_some()
    }

    /// One has started.
    pub(super) fn unbar(&mut self) {
        self.barred_until = None;
    }

    /// Whether one was refused since the last survey.
    pub(super) fn is_met(&self) -> bool {
        self.is_met
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.n_threads > self.max
    }

    /// A survey has found that so many do not count.
    pub(super) fn survey(&mut self, n_uncounted: usize) {
        let n_counted = self.n_threads.saturating_sub(n_uncounted);
        self.room = self.max.max(n_uncounted / 4).saturating_sub(n_counted);
        self.is_met = false;
    }
}

/// The monitor's own: what it knows of the threads from the last survey.
pub(super) struct Survey {
    /// By their numbers.
    known: Vec<Known>,
    next: Option<Instant>,
}

#[derive(Clone, Copy)]
struct Known {
    id: u32,
    processor_ns: Option<u64>,
    blocks: bool,
}

impl Survey {
    pub(super) fn new() -> Self {
        Self { known: Vec::new(), next: None }
    }

    /// Whether it is time for one, where one is needed.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.next.is_none_or(|time| now >= time)
    }

    /// Asks about the threads with these numbers; how many of them do not count.
    pub(super) fn count(
        &mut self,
        scheduler: &Scheduler,
        mut threads: Vec<u32>,
        now: Instant,
    ) -> usize {
        threads.sort_unstable();
        self.next = Some(now + LONG);
        let ask = |id| {
            let before = self.known.binary_search_by_key(&id, |known| known.id);
            let before = before.ok().map(|at| self.known[at]);
            let processor_ns = thread::processor_time_ns(id);
            let is_quiet = before.is_some_and(|before| before.processor_ns == processor_ns);
            // The question that costs most comes last, and once.
            let blocked = before.is_some_and(|before| before.blocks);
            let blocks = is_quiet && (blocked || thread::waits(id).unwrap_or(true));
            Known { id, processor_ns, blocks }
        };
        self.known = threads.into_iter().map(ask).collect();
        // Where the system tells nothing all numbers are zero, and all are taken to block.
        let has_core = |id| id != 0 && scheduler.cores.iter().any(|core| core.worker() == id);
        self.known.iter().filter(|known| known.blocks && !has_core(known.id)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many may be started for this.
    fn admitted(limit: &mut Limit, purpose: Purpose) -> usize {
        (0..10_000).take_while(|_| limit.admit(purpose)).count()
    }

    #[test]
    fn below_the_limit_all_are_admitted() {
        let mut limit = Limit::new(2, 10);
        assert_eq!(admitted(&mut limit, Purpose::Computes), 8);
        assert!(limit.is_met() && !limit.is_exceeded());
        limit.remove();
        assert_eq!(admitted(&mut limit, Purpose::Blocks), 1);
    }

    #[test]
    fn those_that_have_blocked_for_long_leave_room_for_as_many() {
        let mut limit = Limit::new(2, 10);
        assert_eq!(admitted(&mut limit, Purpose::Blocks), 8);
        limit.survey(8);
        assert!(!limit.is_met());
        assert_eq!(admitted(&mut limit, Purpose::Computes), 8);
        limit.survey(8);
        assert_eq!(admitted(&mut limit, Purpose::Computes), 0);
        assert_eq!(admitted(&mut limit, Purpose::Blocks), 0);
    }

    #[test]
    fn beside_any_number_that_compute_a_core_is_taken_from_what_blocks_for_long() {
        let mut limit = Limit::new(2, 4);
        assert_eq!(admitted(&mut limit, Purpose::Computes), 2);
        limit.survey(0);
        assert!(!limit.admit(Purpose::Blocks));
        assert!(limit.admit(Purpose::BlocksForLong));
        assert!(limit.is_exceeded());
    }

    #[test]
    fn thousands_need_few_surveys_whatever_the_limit() {
        for (max, most) in [(512, 12), (3, 60)] {
            let mut limit = Limit::new(2, max);
            let mut n_surveys = 0;
            while limit.n_threads() < 5_000 {
                let _ = admitted(&mut limit, Purpose::Blocks);
                limit.survey(limit.n_threads() - 2);
                n_surveys += 1;
            }
            assert!(n_surveys <= most, "{n_surveys} for {max}");
        }
    }

    #[test]
    fn after_a_refusal_the_kernel_is_left_alone_for_a_while() {
        let mut limit = Limit::new(2, 10);
        assert!(limit.admit(Purpose::Blocks));
        limit.bar();
        assert!(limit.is_met() && limit.is_barred() && limit.n_threads() == 2);
        assert!(!limit.admit(Purpose::BlocksForLong));
        limit.barred_until = Some(Instant::now());
        assert!(limit.admit(Purpose::Blocks));
    }
}

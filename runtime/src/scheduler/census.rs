//! What the workers have done, period by period, for `crowd` to say how many cores may be awake.
//!
//! For each OS thread the kernel tells how long it has run, and how long it has waited for a processor
//! while it could have run. The lease of a core tells the number of its runs. A core that has got
//! another worker since the last count says nothing in this period. Where the kernel does not tell
//! nothing is ever concluded, and all cores may be awake.
//!
//! A period with few runs is a longer one: what is compared is the number of runs, and that of a few dozen differs
//! by more from one period to the next than what a core more or less makes of it. So it is with each of the
//! processes of a server that has many. Not where runs are few because they are long: that is told at once.

use std::mem;
use std::time::{Duration, Instant};

use super::core::Core;
use super::crowd::{Crowd, Period};
use super::owner::Sighting;
use super::{Scheduler, TlsMode};
use crate::sys::{processors, thread};

const PERIOD: Duration = Duration::from_millis(20);

/// Runs that a period has at least, unless it is as long as so many.
const RUNS: u64 = 400;
const PERIODS: u32 = 15;

/// Cores for which a period is that long. More make it longer, so that counting takes no more of the
/// time: some microseconds each.
const CORES: u32 = 8;

pub(super) struct Census {
    crowd: Crowd,
    /// Whether there is anything to decide.
    decides: bool,
    /// When the period began, if one has.
    begin: Option<Instant>,
    /// When to look next whether it is over.
    next: Option<Instant>,
    length: Duration,
    /// What was known of each core's worker then.
    before: Vec<Option<Count>>,
    /// The same at the last look.
    counted: Vec<Option<Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    seen: Sighting,
    worker: u32,
    ran_ns: u64,
    waited_ns: u64,
}

impl Count {
    fn take(core: &Core) -> Option<Self> {
        let (seen, worker) = (core.owner.look()?, core.worker());
        let (ran_ns, waited_ns) = thread::ran_and_waited_ns(worker)?;
        Some(Self { seen, worker, ran_ns, waited_ns })
    }
}

impl Census {
    pub(super) fn new(scheduler: &Scheduler) -> Self {
        let n_cores = scheduler.cores.len();
        let length = PERIOD * (n_cores as u32 / CORES).max(1);
        Self {
            crowd: Crowd::new(n_cores),
            decides: n_cores > 1 && scheduler.tls_mode() == TlsMode::Own,
            begin: None,
            next: None,
            length,
            before: vec![None; n_cores],
            counted: vec![None; n_cores],
        }
    }

    /// Says how many cores may be awake, if a period is over.
    pub(super) fn look(&mut self, scheduler: &Scheduler, now: Instant) {
        if !self.decides || self.next.is_some_and(|next| now < next) {
            return;
        }
        self.next = Some(now + self.length);
        let length = self.begin.map(|begin| now - begin);
        let mut period = Period { length: length.unwrap_or_default(), ..Period::default() };
        let mut tells = false;
        for ((core, before), counted) in
            scheduler.cores.iter().zip(&self.before).zip(&mut self.counted)
        {
            let count = Count::take(core);
            *counted = count;
            if let (Some(before), Some(count)) = (*before, count)
                && before.worker == count.worker
                && let Some(n_runs) = count.seen.runs_since(before.seen)
            {
                tells = true;
                let ran_ns = count.ran_ns.saturating_sub(before.ran_ns);
                period.ran_ns += ran_ns;
                period.waited_ns += count.waited_ns.saturating_sub(before.waited_ns);
                period.n_runs += n_runs;
                period.n_active += usize::from(20 * u128::from(ran_ns) > period.length.as_nanos());
            }
        }
        let may_be_longer = length.is_some_and(|length| length < PERIODS * self.length);
        if tells && may_be_longer && period.n_runs < RUNS && !period.has_long_runs() {
            return;
        }
        self.begin = Some(now);
        mem::swap(&mut self.before, &mut self.counted);
        if tells && length.is_some() {
            let allowed = self.crowd.observe(period, now, processors::idled);
            scheduler.idle.allow(allowed);
        }
    }

    /// Nobody looks for a while, since nothing runs: the next look begins another period.
    pub(super) fn interrupt(&mut self) {
        (self.begin, self.next) = (None, None);
    }
}

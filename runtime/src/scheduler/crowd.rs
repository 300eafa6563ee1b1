//! How many cores may be awake, where the machine has fewer processors to give than there are cores.
//!
//! Where other programs want the processors too, a second worker that is awake does not mean more work
//! done. The two get in each other's way: they sleep and wake thousands of times a second, and take
//! each other's tasks, whose data is in the other processor's caches. One worker that stays awake does
//! as much, or more. So the monitor looks at how long the workers, while they could run, had to wait
//! for a processor. When that is a good part of their time, it tries with one core less. What becomes
//! of a core that is one too many is in `idle`.
//!
//! ```text
//!         the workers wait for long        they wait less, and do as much
//!   FREE -----------------------> TRIAL ---------------------------------> FEWER
//!    ^ ^                            |                                       |   ^
//!    | |      they do not:          |              after a while: one more  |   | they wait again, and
//!    | +----------------------------+                                       v   | do no more than before:
//!    |        no trial for a while                                         PROBE  the while doubles
//!    |                     all cores are allowed again                      |
//!    +----------------------------------------------------------------------+
//!                                               else: another one
//! ```
//!
//! How much they do is told by the number of runs. The waiting alone is not enough to go by. Beside
//! programs that compute all the time the workers wait as well, but there each of them gets its share
//! of the processors, and with one worker less the program gets less.
//!
//! Nor is the number of runs, where a processor stands idle while there are fewer cores. The worker that is left has
//! one to itself then, and another one could have that. Clients of a database on two processors are answered so:
//! one worker does as much as two at first do, and two do half as much again once the kernel has brought each together
//! with its clients. So there is no trial while they have only begun to wait. And a machine that is seen to idle is no
//! crowd: all cores are allowed, and for a while, which doubles, there is no trial.
//!
//! Where runs are long all cores are allowed at once: a task that waits behind another one waits for
//! long then. It is only short runs of which one worker has done as many before another one has
//! woken up.

use std::time::{Duration, Instant};

/// The part of their time that workers wait for a processor at which there are too many of them.
const CROWDED: f64 = 0.15;

/// Crowded periods in a row after which there is a trial.
const LASTING: u32 = 12;

/// Runs that are short, on average.
const SHORT_NS: u64 = 50_000;

/// The part of a processor below which nothing is concluded.
const BUSY: f64 = 0.2;

/// By how much the number of runs may differ from what it was and count as the same.
const TOLERANCE: f64 = 0.05;

/// For how long one core less is allowed, at first and at most.
const FEWER: Duration = Duration::from_millis(250);
const FEWER_MAX: Duration = Duration::from_secs(4);

/// How many processors idle on average where there is no crowd, and for how long no trial follows then, at first and
/// at most.
const IDLE: f64 = 0.25;
const SPARED: Duration = Duration::from_secs(4);
const SPARED_MAX: Duration = Duration::from_secs(32);

/// For how long no trial follows one that has made no difference, at first and at most.
const IN_VAIN: Duration = Duration::from_secs(2);
const IN_VAIN_MAX: Duration = Duration::from_secs(16);

/// What the workers did in some period.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Period {
    pub(super) length: Duration,
    /// For how long they ran, all of them, and for how long they waited for a processor.
    pub(super) ran_ns: u64,
    pub(super) waited_ns: u64,
    pub(super) n_runs: u64,
    /// Workers that did anything worth speaking of.
    pub(super) n_active: usize,
}

impl Period {
    /// The part of their time that the workers have waited; 0 where there was not enough of it.
    fn waiting(&self) -> f64 {
        let wanted_ns = (self.ran_ns + self.waited_ns) as f64;
        let enough_ns = BUSY * self.length.as_nanos() as f64;
        if wanted_ns < enough_ns { 0.0 } else { self.waited_ns as f64 / wanted_ns }
    }

    pub(super) fn has_long_runs(&self) -> bool {
        let busy = self.ran_ns as f64 >= BUSY * self.length.as_nanos() as f64;
        busy && self.ran_ns > self.n_runs * SHORT_NS
    }

    fn runs_per_second(&self) -> f64 {
        self.n_runs as f64 / self.length.as_secs_f64()
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// All cores, and in how many periods in a row the workers have waited so.
    Free(u32),
    /// Fewer cores since the last period.
    Begun(Before),
    /// The same, but what was under way then is over.
    Trial(Before),
    /// Fewer cores, for a while.
    Fewer(While),
    /// More cores since the last period.
    Probe(Before),
}

/// The period before a change, and how many cores were allowed in it.
#[derive(Clone, Copy, Debug)]
struct Before {
    period: Period,
    allowed: usize,
}

/// How long fewer cores are allowed, and for how long processors had idled at its beginning, if anybody can tell.
/// Whether they have since is looked at at `look`, and at the end.
#[derive(Clone, Copy, Debug)]
struct While {
    begin: Instant,
    look: Instant,
    end: Instant,
    idled: Option<Duration>,
}

impl While {
    fn new(begin: Instant, length: Duration, idled: Option<Duration>) -> Self {
        Self { begin, look: begin + length / 4, end: begin + length, idled }
    }

    /// Whether processors have idled in it, which have for so long by now.
    fn has_idled(&self, idled: Option<Duration>, now: Instant) -> bool {
        let idled = self.idled.zip(idled).map(|(before, now)| now.saturating_sub(before));
        idled.is_some_and(|idled| idled > (now - self.begin).mul_f64(IDLE))
    }
}

/// The monitor's.
#[derive(Debug)]
pub(super) struct Crowd {
    n_cores: usize,
    allowed: usize,
    state: State,
    fewer: Duration,
    in_vain: Duration,
    spared: Duration,
    /// No trial before then.
    no_trial_before: Option<Instant>,
}

impl Crowd {
    pub(super) fn new(n_cores: usize) -> Self {
        Self {
            n_cores,
            allowed: n_cores,
            state: State::Free(0),
            fewer: FEWER,
            in_vain: IN_VAIN,
            spared: SPARED,
            no_trial_before: None,
        }
    }

    /// A period has ended; how many cores may be awake. `idled` says for how long the processors have idled so far.
    pub(super) fn observe(
        &mut self,
        period: Period,
        now: Instant,
        idled: impl Fn() -> Option<Duration>,
    ) -> usize {
        let waiting = period.waiting();
        let before = Before { period, allowed: self.allowed };
        let may_try = self.no_trial_before.is_none_or(|then| now >= then);
        let is_crowded = waiting > CROWDED;
        match self.state {
            _ if period.has_long_runs() => self.free(),
            State::Free(n_crowded) => {
                let n_crowded = if is_crowded { n_crowded.saturating_add(1) } else { 0 };
                let begins = n_crowded >= LASTING && may_try && self.reduce(period.n_active);
                self.state = if begins { State::Begun(before) } else { State::Free(n_crowded) };
            }
            State::Begun(before) => self.state = State::Trial(before),
            State::Trial(before) => {
                let as_much = (1.0 - TOLERANCE) * before.period.runs_per_second();
                if waiting >= before.period.waiting() || period.runs_per_second() < as_much {
                    self.no_trial_before = Some(now + self.in_vain);
                    self.in_vain = (self.in_vain * 2).min(IN_VAIN_MAX);
                    self.allowed = before.allowed;
                } else {
                    // What has spoilt earlier ones is over.
                    self.in_vain = IN_VAIN;
                }
                self.settle(now, idled);
            }
            State::Fewer(fewer) => {
                if is_crowded && may_try && self.reduce(period.n_active) {
                    self.state = State::Begun(before);
                } else if now >= fewer.look {
                    if fewer.has_idled(idled(), now) {
                        self.no_trial_before = Some(now + self.spared);
                        self.spared = (self.spared * 2).min(SPARED_MAX);
                        self.free();
                    } else if now < fewer.end {
                        self.state = State::Fewer(While { look: fewer.end, ..fewer });
                    } else {
                        self.spared = SPARED;
                        self.allowed += 1;
                        self.state = State::Probe(before);
                    }
                }
            }
            State::Probe(last) => {
                let no_more = (1.0 + TOLERANCE) * last.period.runs_per_second();
                if is_crowded && period.runs_per_second() <= no_more {
                    self.fewer = (self.fewer * 2).min(FEWER_MAX);
                    self.allowed = last.allowed;
                    self.settle(now, idled);
                } else if self.allowed < self.n_cores {
                    // Where nobody waits there are many more to be had.
                    let more = if is_crowded { self.allowed + 1 } else { 2 * self.allowed };
                    self.allowed = more.min(self.n_cores);
                    self.state = State::Probe(before);
                } else {
                    self.in_vain = IN_VAIN;
                    self.free();
                }
            }
        }
        self.allowed
    }

    /// Stays with what is allowed now, for a while.
    fn settle(&mut self, now: Instant, idled: impl Fn() -> Option<Duration>) {
        if self.allowed == self.n_cores {
            self.free();
        } else {
            self.state = State::Fewer(While::new(now, self.fewer, idled()));
        }
    }

    /// All cores may be awake.
    fn free(&mut self) {
        (self.allowed, self.state, self.fewer) = (self.n_cores, State::Free(0), FEWER);
    }

    /// Allows one less than there were; `false` if one has to remain.
    fn reduce(&mut self, n_active: usize) -> bool {
        let fewer = self.allowed.min(n_active).saturating_sub(1);
        if fewer > 0 {
            self.allowed = fewer;
        }
        fewer > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_millis(20);

    /// A machine that goes on in steps of a period.
    struct Machine {
        crowd: Crowd,
        now: Instant,
        allowed: usize,
        /// For how long its processors have idled.
        idled: Duration,
    }

    impl Machine {
        fn new(n_cores: usize) -> Self {
            let (crowd, now) = (Crowd::new(n_cores), Instant::now());
            Self { crowd, now, allowed: n_cores, idled: Duration::ZERO }
        }

        /// A period in which the workers that may be awake wait for this part of their time.
        fn step(&mut self, waiting: impl Fn(usize) -> f64, run_ns: u64) {
            self.now += LENGTH;
            let n_active = self.allowed;
            let wanted_ns = (n_active as u128 * LENGTH.as_nanos()) as u64;
            let waited_ns = (wanted_ns as f64 * waiting(n_active)) as u64;
            let ran_ns = wanted_ns - waited_ns;
            let n_runs = ran_ns / run_ns;
            let period = Period { length: LENGTH, ran_ns, waited_ns, n_runs, n_active };
            let idled = self.idled;
            self.allowed = self.crowd.observe(period, self.now, || Some(idled));
            assert!((1..=self.crowd.n_cores).contains(&self.allowed));
        }

        /// The part of `n` periods in which all cores might be awake, in hundredths.
        fn free(&mut self, n: usize, waiting: impl Fn(usize) -> f64, run_ns: u64) -> usize {
            let mut n_free = 0;
            for _ in 0..n {
                self.step(&waiting, run_ns);
                n_free += usize::from(self.allowed == self.crowd.n_cores);
            }
            100 * n_free / n
        }
    }

    /// There are so many processors for the workers.
    fn processors(n: usize) -> impl Fn(usize) -> f64 {
        move |n_active| 1.0 - (n as f64 / n_active as f64).min(1.0)
    }

    #[test]
    fn as_many_cores_are_awake_as_there_are_processors_for() {
        for n_processors in 1..4 {
            let mut machine = Machine::new(4);
            (0..20 + LASTING).for_each(|_| machine.step(processors(n_processors), 3_000));
            assert_eq!(machine.allowed, n_processors);
            // One more now and then, to see.
            let mut n_more = 0;
            for _ in 0..1_000 {
                machine.step(processors(n_processors), 3_000);
                assert!(machine.allowed - n_processors <= 1);
                n_more += machine.allowed - n_processors;
            }
            assert!((1..20).contains(&n_more), "{n_more} of 1000 periods");
        }
    }

    #[test]
    fn all_cores_come_back_with_the_processors() {
        let mut machine = Machine::new(4);
        machine.free(500, processors(1), 3_000);
        assert_eq!(machine.allowed, 1);
        machine.free(2 * FEWER_MAX.as_millis() as usize / 20, processors(4), 3_000);
        assert_eq!(machine.allowed, 4);
    }

    #[test]
    fn with_a_processor_for_each_core_all_may_be_awake() {
        assert_eq!(Machine::new(2).free(1_000, |_| 0.1, 3_000), 100);
    }

    #[test]
    fn where_fewer_workers_wait_as_long_all_may_be_awake_but_for_rare_trials() {
        let mut machine = Machine::new(4);
        machine.free(1_000, |_| 0.5, 3_000);
        assert!(machine.free(5_000, |_| 0.5, 3_000) >= 99);
    }

    #[test]
    fn where_runs_are_long_all_may_be_awake() {
        assert_eq!(Machine::new(2).free(1_000, processors(1), 1_000_000), 100);
        let mut machine = Machine::new(2);
        machine.free(100, processors(1), 3_000);
        machine.step(processors(1), 1_000_000);
        assert_eq!(machine.allowed, 2);
    }

    #[test]
    fn workers_that_wait_for_a_moment_make_no_trial() {
        let mut machine = Machine::new(4);
        for _ in 0..100 {
            (1..LASTING).for_each(|_| machine.step(processors(1), 3_000));
            machine.step(|_| 0.0, 3_000);
            assert_eq!(machine.allowed, 4);
        }
        (0..LASTING).for_each(|_| machine.step(processors(1), 3_000));
        assert_eq!(machine.allowed, 3);
    }

    #[test]
    fn where_a_processor_idles_beside_fewer_all_are_allowed_before_the_while_is_over() {
        let mut machine = Machine::new(2);
        while machine.allowed == 2 {
            machine.step(processors(1), 3_000);
        }
        let mut n_fewer = 0;
        while machine.allowed == 1 {
            machine.idled += LENGTH / 2;
            machine.step(processors(1), 3_000);
            n_fewer += 1;
        }
        // Two periods are the trial.
        assert!(n_fewer <= 2 + 1 + (FEWER.as_millis() / 4 / LENGTH.as_millis()), "{n_fewer}");
    }

    #[test]
    fn where_a_processor_idles_while_fewer_may_be_awake_all_are_soon() {
        let free_beside_idlers = |idle: f64| {
            let mut machine = Machine::new(2);
            let mut n_free = 0;
            for _ in 0..2_000 {
                machine.step(processors(1), 3_000);
                if machine.allowed == 1 {
                    machine.idled += LENGTH.mul_f64(idle);
                }
                n_free += usize::from(machine.allowed == 2);
            }
            n_free / 20
        };
        let (some, hardly_any) = (free_beside_idlers(0.35), free_beside_idlers(0.15));
        assert!(some > 90, "{some} %");
        assert!(hardly_any < 5, "{hardly_any} %");
    }

    #[test]
    fn a_trial_that_goes_too_far_takes_back_only_itself() {
        // Below two workers less gets done, and above it is as much.
        let mut machine = Machine::new(4);
        let two_and_a_half = |n_active: usize| 1.0 - (2.5 / n_active as f64).min(1.0) + 0.2;
        machine.free(200, two_and_a_half, 3_000);
        let mut n_low = 0;
        for _ in 0..1_000 {
            machine.step(two_and_a_half, 3_000);
            n_low += usize::from((2..=3).contains(&machine.allowed));
        }
        assert!(n_low >= 900, "{n_low} of 1000 periods");
    }

    #[test]
    fn after_a_trial_that_was_of_use_one_that_is_spoilt_is_soon_repeated() {
        let mut machine = Machine::new(4);
        // The pause has grown as long as it may.
        machine.free(5_000, |_| 0.5, 3_000);
        let until = |machine: &mut Machine, allowed, n_periods| {
            (0..n_periods).any(|_| {
                machine.step(processors(2), 3_000);
                machine.allowed == allowed
            })
        };
        let longest_pause = (IN_VAIN_MAX.as_millis() / LENGTH.as_millis()) as usize + 10;
        assert!(until(&mut machine, 3, longest_pause));
        assert!(until(&mut machine, 2, 10));
        // Another program spoils this one.
        (0..2).for_each(|_| machine.step(|_| 0.9, 3_000));
        assert_eq!(machine.allowed, 3);
        assert!(until(&mut machine, 2, 3 * (IN_VAIN.as_millis() / LENGTH.as_millis()) as usize));
    }

    #[test]
    fn many_cores_come_back_soon() {
        let mut machine = Machine::new(64);
        machine.free(300, processors(2), 3_000);
        assert!(machine.allowed <= 3, "{}", machine.allowed);
        let n_periods = (FEWER_MAX.as_millis() / LENGTH.as_millis()) as usize + 10;
        machine.free(n_periods, |_| 0.0, 3_000);
        assert_eq!(machine.allowed, 64);
    }

    #[test]
    fn of_workers_that_hardly_do_anything_nothing_is_concluded() {
        let mut crowd = Crowd::new(2);
        let period = Period {
            length: LENGTH,
            ran_ns: 100_000,
            waited_ns: 900_000,
            n_runs: 100,
            n_active: 2,
        };
        assert_eq!(crowd.observe(period, Instant::now(), || None), 2);
    }
}

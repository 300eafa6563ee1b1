//! Who sleeps, who searches, and whom to wake.
//!
//! A core with nothing to do *searches* the others and the global queue; if it finds nothing it
//! *sleeps* in its reactor. The two mistakes to avoid: a task that lies in a queue while everybody
//! sleeps, and a system call to wake somebody for every task.
//!
//! # Waking
//!
//! Who has made a task visible calls [`Idle::pick`]. It names a sleeper only if there is one and nobody
//! searches: a searcher will find the task. The one that is woken counts as a searcher from that moment
//! on, so a burst of tasks wakes one core. A searcher that finds something picks the next one, so a burst
//! spreads.
//!
//! # Sleeping
//!
//! [`Idle::sleep`] has the steps:
//!
//! 1. The searcher stops to be one.
//! 2. It falls asleep ([`Asleep`]), and then enters the list of sleepers: whoever picks it finds it
//!    asleep and wakes it. The other way round it could be picked, not be woken, and wait as a
//!    searcher that everybody relies on.
//! 3. It looks at every queue once more.
//! 4. If there is nothing it takes what there is in the event loop of a core that is awake, and so has other things to
//!    do (`look_beside`). If that is nothing either it waits in its reactor, which a wake-up ends, early ones included.
//! 5. It leaves the list. If somebody has picked it, it is a searcher. It is a searcher again if it was
//!    one before step 1 and step 3 has found something, for which nobody may have been woken.
//!
//! # While a run lasts
//!
//! A core whose run lasts is *engaged*, as the monitor says (`beside`): what comes to its inbox waits for
//! more than the end of a short run. So whoever pushes there then wakes another core, be it the first
//! task or not. The word of [`Asleep`] says so, which a pusher looks at in any case:
//!
//! ```text
//!               falls asleep                 claim, wakes up
//!   AWAKE ------------------------> ASLEEP ------------------> AWAKE
//!     ^  \                            ^
//!     |   \ the run lasts (monitor)   | falls asleep
//!     |    v                          |
//!     +--- ENGAGED -------------------+
//!       the run is over (monitor)
//! ```
//!
//! The monitor engages a core and then looks at its inbox; who pushes looks at the word afterwards. All
//! four are sequentially consistent, so that one of the two sees the other. A core that is engaged no
//! longer, but is said to be, wakes another one in vain, for as long as it takes until the monitor looks.
//!
//! # Where not all cores may be awake
//!
//! On a crowded machine (`crowd`) the monitor allows fewer of them. [`Idle::pick`] then names nobody
//! while as many are awake. A core that is awake all the same, or that its event loop has woken, is a
//! *surplus*. It injects what it has, and what its event loop gives, to the global queue. It neither
//! takes from there nor searches, and goes to sleep. In step 3 it looks only at its inbox and at what was
//! laid aside there if as many as are allowed are awake without it ([`Duty`]). What is watched for it
//! moves to the event loops of the others when it is next waited for.
//!
//! # Why nothing is lost
//!
//! What must not be lost is a task that nobody would come across: in the global queue, or in the
//! inbox of a core that sleeps. Pushes to both, both counts here, the flag of a sleeping core, and
//! the looks of step 3 are sequentially consistent.
//!
//! Suppose a pusher wakes nobody. Either it read a positive `searching`: that searcher's step 1 comes
//! after the read, hence after the push, and its step 3 sees the task. Or it read `searching` as zero and
//! `sleeping` as zero. Then whoever goes to sleep later has its step 2 after that read, hence after the
//! push, and its step 3 sees the task.
//!
//! Or it read that as many are awake as may be, one at least. Take those who were awake then, or woke up
//! since, and of them the last one to enter the list. It enters after the read, hence after the push.
//! When it enters it finds nobody else awake, so its step 3 looks at every queue. A surplus that
//! injects is a pusher, and afterwards goes to sleep or finds that it is a surplus no longer.
//!
//! What was laid aside on a core, in the shared mode, is like its inbox, but that the monitor may take
//! it: then that is a pusher to the global queue. Who lays it aside wakes nobody, since the core is in a
//! run and nobody takes it.
//!
//! A picker that finds the list empty was taken for a searcher meanwhile: it looks at the counts
//! again, in the place of those who relied on it.
//!
//! A task in the run queue of a core that is awake is come across in any case. Other cores are to
//! share in it soon, not at once: pushes there, and some looks at `sleeping`, are cheaper than that,
//! and the monitor makes up for a sleeper that was missed. Where no more may be awake it takes a core
//! from a run that lasts, and nobody else shares in the rest.

use crate::lock::Lock;
use crate::primitive::{AtomicU8, AtomicUsize, Ordering};

pub(crate) struct Idle {
    searching: AtomicUsize,
    /// The length of `sleepers`, to be read without the lock.
    sleeping: AtomicUsize,
    /// The cores that sleep, the one to wake first last.
    sleepers: Lock<Vec<usize>>,
    n_cores: usize,
    /// How many cores may be awake: see `crowd`.
    allowed: AtomicUsize,
}

/// Whether the worker of a core waits in its reactor, or is about to; or is in a run that lasts.
pub(crate) struct Asleep(AtomicU8);

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const ENGAGED: u8 = 2;

/// What a core has to look at before it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// What nobody else would come across.
    Own,
    /// Every queue.
    All,
}

impl Asleep {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(AWAKE))
    }

    /// Whether the worker is asleep, as far as one can tell.
    pub(crate) fn is_asleep(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ASLEEP
    }

    /// Whether the worker is in a run that lasts, as far as the monitor knows.
    pub(crate) fn is_engaged(&self) -> bool {
        self.0.load(Ordering::Relaxed) == ENGAGED
    }

    /// For who has pushed to the core's inbox: whether its worker is about to come across it.
    #[inline]
    pub(crate) fn attends(&self) -> bool {
        // Pairs with `engage`, and with the store of who falls asleep.
        self.0.load(Ordering::SeqCst) == AWAKE
    }

    /// For the monitor: the worker is in a run that lasts.
    pub(crate) fn engage(&self) {
        self.change(AWAKE, ENGAGED);
    }

    /// For the monitor: the run is over.
    pub(crate) fn disengage(&self) {
        self.change(ENGAGED, AWAKE);
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Whether the worker is asleep; if so, whoever asks is the one to wake it.
    #[must_use]
    pub(crate) fn claim(&self) -> bool {
        self.0.load(Ordering::SeqCst) == ASLEEP && self.change(ASLEEP, AWAKE)
    }
}

impl Idle {
    pub(crate) fn new(n_cores: usize) -> Self {
        Self {
            searching: AtomicUsize::new(0),
            sleeping: AtomicUsize::new(0),
            sleepers: Lock::new(Vec::with_capacity(n_cores)),
            n_cores,
            allowed: AtomicUsize::new(n_cores),
        }
    }

    /// Whether one more may search: half of the cores at most, since searchers get in each other's
    /// way.
    pub(crate) fn start_searching(&self) -> bool {
        if 2 * self.searching.load(Ordering::Relaxed) >= self.n_cores {
            return false;
        }
        self.searching.fetch_add(1, Ordering::SeqCst);
        true
    }

    /// A searcher has found something. Whether it is to wake another core: it was the last one, and
    /// `is_there_more`, for which a pusher may have woken nobody because of it.
    #[must_use]
    pub(crate) fn found(&self, is_there_more: impl FnOnce() -> bool) -> bool {
        self.stop_searching() && is_there_more()
    }

    /// Whether it was the last one.
    fn stop_searching(&self) -> bool {
        self.searching.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Names a core to wake, which counts as a searcher from now on; see the module's header.
    #[must_use]
    pub(crate) fn pick(&self) -> Option<usize> {
        while self.searching.load(Ordering::SeqCst) == 0 && self.may_wake_another() {
            // Of several pickers one goes on.
            self.searching.compare_exchange(0, 1, Ordering::SeqCst, Ordering::Relaxed).ok()?;
            let mut sleepers = self.sleepers.lock();
            let core = sleepers.pop();
            self.sleeping.store(sleepers.len(), Ordering::SeqCst);
            drop(sleepers);
            if core.is_some() {
                return core;
            }
            // The sleeper has left by itself. Others may have taken this for a searcher meanwhile:
            // look again in their place.
            self.searching.fetch_sub(1, Ordering::SeqCst);
        }
        None
    }

    /// Whether a core sleeps, and may be awake.
    pub(crate) fn may_wake_another(&self) -> bool {
        let sleeping = self.sleeping.load(Ordering::SeqCst);
        sleeping != 0 && self.n_cores - sleeping < self.allowed()
    }

    /// How many cores may be awake.
    fn allowed(&self) -> usize {
        self.allowed.load(Ordering::Relaxed)
    }

    /// Sets how many cores may be awake: one at least.
    pub(crate) fn allow(&self, n_cores: usize) {
        self.allowed.store(n_cores, Ordering::Relaxed);
    }

    /// Whether not all cores may be awake.
    pub(super) fn is_crowded(&self) -> bool {
        self.allowed() < self.n_cores
    }

    /// Whether not all cores may be awake, and as many are as may be.
    pub(crate) fn are_enough_awake(&self) -> bool {
        let sleeping = self.sleeping.load(Ordering::Relaxed);
        self.is_crowded() && self.n_cores - sleeping >= self.allowed()
    }

    /// For a core that is awake: whether there are enough without it.
    #[inline]
    pub(crate) fn is_surplus(&self) -> bool {
        self.is_crowded() && self.n_cores - self.sleeping.load(Ordering::SeqCst) > self.allowed()
    }

    /// Sleeps; see the module's header. `is_there_work` looks at every queue, and `wait` waits in the
    /// reactor. Whether the core is a searcher afterwards.
    #[must_use]
    pub(crate) fn sleep(
        &self,
        core: usize,
        asleep: &Asleep,
        searching: bool,
        is_there_work: impl FnOnce(Duty) -> bool,
        wait: impl FnOnce(),
    ) -> bool {
        if searching {
            self.stop_searching();
        }
        asleep.0.store(ASLEEP, Ordering::SeqCst);
        let n_asleep = self.add_sleeper(core);
        let duty = if self.n_cores - n_asleep >= self.allowed() { Duty::Own } else { Duty::All };
        let is_there_work = is_there_work(duty);
        if !is_there_work {
            wait();
        }
        asleep.0.store(AWAKE, Ordering::SeqCst);
        if !self.remove_sleeper(core) {
            return true;
        }
        let searches_on = searching && is_there_work;
        if searches_on {
            self.searching.fetch_add(1, Ordering::SeqCst);
        }
        searches_on
    }

    /// The core enters the list of sleepers; how many are in it now.
    fn add_sleeper(&self, core: usize) -> usize {
        let mut sleepers = self.sleepers.lock();
        sleepers.push(core);
        self.sleeping.store(sleepers.len(), Ordering::SeqCst);
        sleepers.len()
    }

    /// The core leaves the list by itself; `false` if somebody has picked it.
    fn remove_sleeper(&self, core: usize) -> bool {
        let mut sleepers = self.sleepers.lock();
        let Some(at) = sleepers.iter().position(|sleeper| *sleeper == core) else { return false };
        sleepers.swap_remove(at);
        self.sleeping.store(sleepers.len(), Ordering::SeqCst);
        true
    }

    /// Whether every core sleeps.
    pub(crate) fn all_sleep(&self) -> bool {
        self.sleeping.load(Ordering::SeqCst) == self.n_cores
    }

    /// Whether any core sleeps, as far as one can tell.
    pub(crate) fn any_sleeps(&self) -> bool {
        self.sleeping.load(Ordering::Relaxed) != 0
    }
}

//! Deadlines: a shard for each core, in which an alarm is set and cancelled in constant time.
//!
//! Most deadlines are cancelled: a timeout is there for what does not happen. So an alarm is a link
//! in a wheel (`wheel`), lies on the waiting thread's stack, and allocates nothing.
//!
//! A descriptor has a *bell* besides ([`Bell`]), for all who wait for it: it stays set when a wait ends, and may
//! be late (`coarse`). Who hears it is told its number.
//!
//! A core looks at its shard between tasks. Before it sleeps it says under the shard's lock until
//! when; who sets an earlier alarm in the meantime sees that under the same lock and wakes it.

mod coarse;
mod wheel;

use std::mem::offset_of;
use std::ptr::NonNull;

use sylvan_sight::table;

use crate::clock;
use crate::life::PerLife;
use crate::lock::Lock;
use crate::primitive::{AtomicU32, Cell, Ordering, global};
use crate::ring::{Linked, Links};
use crate::scheduler;
use crate::task::list::List;
use crate::task::{Header, Runnable};
use coarse::Coarse;
use wheel::Wheel;

/// An alarm that is not in a wheel.
const IDLE: u32 = 0;
/// In a wheel.
const SET: u32 = 1;
/// The deadline has passed, and the task has been claimed.
const RUNG: u32 = 2;

/// A deadline of a task, pinned to the task's stack until it has rung or been cancelled.
pub(crate) struct Alarm {
    deadline_ns: u64,
    task: *const Header,
    state: AtomicU32,
    /// The shard that it was set in.
    shard: Cell<u32>,
    /// The wheel's business: the slot, and the neighbours in it.
    slot: Cell<u16>,
    links: Links<Alarm>,
}

impl Linked for Alarm {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Alarm {
    pub(crate) const LAYOUT: table::Alarm = table::Alarm {
        deadline_ns: offset_of!(Self, deadline_ns) as u64,
        task: offset_of!(Self, task) as u64,
        next: (offset_of!(Self, links) + Links::<Self>::NEXT_AT) as u64,
        size: size_of::<Self>() as u64,
    };

    pub(crate) fn new(task: &Header, deadline_ns: u64) -> Self {
        Self::for_task(task, deadline_ns)
    }

    fn for_task(task: *const Header, deadline_ns: u64) -> Self {
        Self {
            deadline_ns,
            task,
            state: AtomicU32::new(IDLE),
            shard: Cell::new(0),
            slot: Cell::new(0),
            links: Links::new(),
        }
    }

    /// Whether the deadline has passed as far as the shard knows.
    pub(crate) fn has_rung(&self) -> bool {
        // Acquire pairs with the release in `Shard::ring`.
        self.state.load(Ordering::Acquire) == RUNG
    }
}

/// Of a descriptor, by its number. It is never freed.
pub(crate) struct Bell {
    pub(crate) number: u32,
    /// The shard that it was set in last. For who sets it: one at a time.
    shard: Cell<u32>,
    /// Whether it is in the wheel there, and the wheel's business. Under the lock of that shard.
    is_set: Cell<bool>,
    slot: Cell<u16>,
    links: Links<Bell>,
}

// SAFETY: the comments at its fields say who may touch which.
unsafe impl Sync for Bell {}

impl Bell {
    pub(crate) fn new(number: u32) -> Self {
        Self {
            number,
            shard: Cell::new(0),
            is_set: Cell::new(false),
            slot: Cell::new(0),
            links: Links::new(),
        }
    }

    /// The core that it was set on last. For who sets it.
    pub(crate) fn core(&self) -> u32 {
        self.shard.get()
    }

    /// Sets it, or moves it if it is set, to ring on that core, and not before `at_ns` if it can be helped.
    /// Returns when it rings: later by half a millisecond at most, or by a 127th of the time from now. And
    /// whether the core sleeps for longer: then the caller is to wake it, once it has no lock.
    ///
    /// By one at a time.
    #[must_use]
    pub(crate) fn set(&'static self, at_ns: u64, now_ns: u64, core: u32) -> (u64, bool) {
        let mut timers = shard(self.shard.get() as usize).0.lock();
        if self.is_set.take() {
            timers.coarse.remove(self);
        }
        if self.shard.replace(core) != core {
            drop(timers);
            timers = shard(core as usize).0.lock();
        }
        self.is_set.set(true);
        let rings_ns = timers.coarse.insert(self, at_ns, now_ns);
        (rings_ns, rings_ns < timers.sleeps_until_ns)
    }
}

/// How late a bell may be that is set for a time as long as this.
#[inline]
pub(crate) fn lateness_ns(time_ns: u64) -> u64 {
    (time_ns >> 7) + (1 << coarse::SLOT_NS_LOG2)
}

/// Until when a core sleeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Until {
    pub(crate) ns: u64,
    /// It is a bell that rings then, and no alarm soon after: a little later will do.
    pub(crate) roughly: bool,
}

/// The deadlines of one core.
pub(crate) struct Shard(Lock<Timers>);

struct Timers {
    wheel: Wheel,
    coarse: Coarse,
    /// Until when the core sleeps; 0 while it is awake.
    sleeps_until_ns: u64,
}

global! {
    pub(crate) static SHARDS: PerLife<Box<[Shard]>> = PerLife::new();
}

/// Makes the shards, one for each core.
pub(crate) fn begin(n_cores: usize) {
    let shard =
        || Timers { wheel: Wheel::new(clock::now_ns()), coarse: Coarse::new(), sleeps_until_ns: 0 };
    SHARDS.begin((0..n_cores).map(|_| Shard(Lock::new(shard()))).collect());
}

/// In a child of a fork: the deadlines are those of threads that are not there.
#[cfg(not(sylvan_loom))]
pub(crate) fn forget() {
    SHARDS.forget();
}

/// The shard of a core.
pub(crate) fn shard(core: usize) -> &'static Shard {
    &SHARDS.get().expect("the runtime has started")[core]
}

/// Sets `alarm` in the shard of its task's core.
///
/// The caller keeps it in place until it has rung or `cancel` has returned.
pub(crate) fn set(alarm: &Alarm) {
    // SAFETY: the alarm is the task's own, set on its own stack.
    let task = unsafe { &*alarm.task };
    let core = task.core.load(Ordering::Relaxed);
    alarm.shard.set(core);
    let mut timers = shard(core as usize).0.lock();
    alarm.state.store(SET, Ordering::Relaxed);
    timers.wheel.insert(alarm);
    let too_late = alarm.deadline_ns < timers.sleeps_until_ns;
    drop(timers);
    if too_late {
        scheduler::wake_core(core as usize);
    }
}

/// Takes `alarm` out unless it has rung. Either way nobody touches it, or its task on its behalf,
/// any more.
pub(crate) fn cancel(alarm: &Alarm) {
    let mut timers = shard(alarm.shard.get() as usize).0.lock();
    if alarm.state.load(Ordering::Relaxed) == SET {
        timers.wheel.remove(alarm);
        alarm.state.store(IDLE, Ordering::Relaxed);
    }
}

impl Shard {
    pub(crate) const LAYOUT: table::Timers = Wheel::layout(
        size_of::<Self>(),
        offset_of!(Self, 0) + Lock::<Timers>::VALUE_AT + offset_of!(Timers, wheel),
    );

    /// Rings what is due at `now_ns`: the claimed tasks go into `due`. Whether there are bells to ring, which
    /// the caller sees to (`rung`). By the core, which is awake.
    #[inline]
    #[must_use]
    pub(crate) fn ring(&self, now_ns: u64, due: &mut List) -> bool {
        let mut timers = self.0.lock();
        timers.sleeps_until_ns = 0;
        timers.ring(now_ns, due)
    }

    /// The same by anybody, whether the core sleeps or not.
    #[cold]
    #[must_use]
    pub(crate) fn ring_beside(&self, now_ns: u64, due: &mut List) -> bool {
        self.0.lock().ring(now_ns, due)
    }

    /// Takes out bells that ring by now, as many as there is room for: how many. The caller tells those who
    /// wait for each, and sets it again if anybody still does.
    #[cold]
    pub(crate) fn rung(&self, now_ns: u64, bells: &mut [Option<&'static Bell>]) -> usize {
        let mut timers = self.0.lock();
        let mut n = 0;
        for place in bells {
            let Some(bell) = timers.coarse.take_due(now_ns) else { break };
            bell.is_set.set(false);
            *place = Some(bell);
            n += 1;
        }
        n
    }

    /// When the next alarm is due, or an earlier time.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.0.lock().next_ns()
    }

    /// Says that the core sleeps from now on; until when, at most.
    #[inline]
    pub(crate) fn sleep(&self) -> Option<Until> {
        let mut timers = self.0.lock();
        let bell_ns = timers.coarse.next_ns().unwrap_or(u64::MAX);
        let bell_at_the_latest_ns = bell_ns.saturating_add(clock::BEHIND_NS);
        let alarm_ns = if timers.wheel.is_empty() { None } else { timers.wheel.next_deadline_ns() };
        let alarm_ns = alarm_ns.unwrap_or(u64::MAX);
        let roughly = bell_at_the_latest_ns <= alarm_ns;
        timers.sleeps_until_ns =
            if roughly { bell_at_the_latest_ns } else { bell_ns.min(alarm_ns) };
        let ns = bell_ns.min(alarm_ns);
        (ns != u64::MAX).then_some(Until { ns, roughly })
    }

    /// Whether anybody waits for the core to tell the time: an alarm is set, or a bell is late. One that has not
    /// rung yet says nothing: it stays set when whoever it was set for has what they waited for.
    pub(crate) fn is_awaited(&self, now_ns: u64) -> bool {
        let timers = self.0.lock();
        !timers.wheel.is_empty() || timers.coarse.next_ns().is_some_and(|next_ns| next_ns <= now_ns)
    }
}

impl Timers {
    #[inline]
    fn next_ns(&self) -> Option<u64> {
        let next = [self.wheel.next_deadline_ns(), self.coarse.next_ns()];
        next.into_iter().flatten().min()
    }

    #[inline(always)]
    fn ring(&mut self, now_ns: u64, due: &mut List) -> bool {
        self.wheel.advance(now_ns, |alarm| {
            let task = NonNull::new(alarm.task.cast_mut()).expect("an alarm has a task");
            // Release pairs with the acquire in `has_rung`.
            alarm.state.store(RUNG, Ordering::Release);
            // SAFETY: the task waits for this alarm, so it is alive until the lock is released; the
            // claim says whether the right to run it is ours.
            unsafe {
                if task.as_ref().state.claim() {
                    due.push_back(Runnable::from_raw(task));
                }
            }
        });
        self.coarse.next_ns().is_some_and(|next_ns| next_ns <= now_ns)
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn a_bell_that_is_set_is_no_work_before_it_rings() {
        let coarse = Coarse::new();
        let timers = Timers { wheel: Wheel::new(0), coarse, sleeps_until_ns: 0 };
        let shard = Shard(Lock::new(timers));
        let bell: &Bell = Box::leak(Box::new(Bell::new(0)));
        let rings_ns = shard.0.lock().coarse.insert(bell, 1_000_000_000, 0);
        assert!(!shard.is_awaited(rings_ns - 1));
        assert!(shard.is_awaited(rings_ns));
        shard.0.lock().coarse.remove(bell);
        let alarm = Alarm::for_task(ptr::null(), 1_000_000_000);
        shard.0.lock().wheel.insert(&alarm);
        assert!(shard.is_awaited(0));
        shard.0.lock().wheel.remove(&alarm);
        assert!(!shard.is_awaited(u64::MAX));
    }
}

//! What is recorded of runs, while anything is (`trace`): what the places that know say.

use super::core::Core;
use super::relay::Worker;
use super::worker;
use crate::context::Switch;
use crate::current;
use crate::primitive::Ordering;
use crate::sys::poller::Events;
use crate::task::Header;
use crate::task::lease::Lease;
use crate::task::list::List;
use crate::trace::{self, By, Kind};

/// A thread as events have it.
fn number(task: &Header) -> u32 {
    task.id.get() as u32
}

impl Worker {
    /// A run begins, at this time.
    #[inline]
    pub(super) fn record_run(&self, task: &Header, at_ns: u64) {
        let Some(ring) = self.lease.ring().filter(|_| trace::is_on()) else { return };
        if let Some(rare) = task.rare() {
            trace::record_name(number(task), rare);
        }
        // SAFETY: the worker is about to run it.
        let has_begun = unsafe { task.context().has_begun() };
        let kind = if has_begun { Kind::Run } else { Kind::Start };
        ring.push(at_ns, kind, 0, number(task), 0);
    }

    /// A run has ended so; when that was.
    #[inline]
    pub(super) fn record_stop(&self, task: &Header, switch: Switch) -> u64 {
        let at_ns = trace::now_ns();
        if let Some(ring) = self.lease.ring().filter(|_| trace::is_on()) {
            let (kind, reason) = match switch {
                Switch::Parked => (Kind::Park, task.reason.load(Ordering::Relaxed)),
                Switch::Yielded | Switch::Ready => (Kind::Yield, 0),
                // `record_end` was before.
                Switch::Returned => return at_ns,
            };
            ring.push(at_ns, kind, reason, number(task), 0);
        }
        at_ns
    }

    /// The worker finds that it has lost its core.
    pub(super) fn record_loss(&self, task: &Header, at_ns: u64) {
        if let Some(ring) = self.lease.ring().filter(|_| trace::is_on()) {
            ring.push(at_ns, Kind::HandOver, 0, number(task), self.core.index as u32);
        }
    }

    /// The worker takes its core, or leaves it.
    pub(super) fn record_core(&self, kind: Kind) {
        record(self.lease, kind, 0, self.core.worker(), self.core.index as u32);
    }
}

/// What the calling worker does, which has this lease.
fn record(lease: &Lease, kind: Kind, detail: u8, thread: u32, other: u32) {
    if trace::is_on()
        && let Some(ring) = lease.ring()
    {
        ring.push(trace::now_ns(), kind, detail, thread, other);
    }
}

/// What the calling worker does, which has this core.
#[cold]
#[inline(never)]
pub(super) fn record_on(core: &Core, kind: Kind, count: u32) {
    if let Some(lease) = core.owner.lease() {
        record(lease, kind, 0, 0, count);
    }
}

/// The calling worker, which has this core, looked at its event loop.
pub(super) fn record_look(core: &Core, events: &Events) {
    if trace::is_on() {
        record_on(core, Kind::Look, events.iter().count() as u32);
    }
}

/// A blocking section of this thread, which calls, begins or ends, or has it lose its core.
#[inline]
pub(super) fn record_section(task: &Header, kind: Kind) {
    if trace::is_on() {
        record_section_now(task, kind);
    }
}

#[cold]
fn record_section_now(task: &Header, kind: Kind) {
    if let Some(lease) = task.lease.get() {
        record(lease, kind, 0, number(task), task.core.load(Ordering::Relaxed));
    }
}

/// The calling thread ends. Before anybody can hear of it: who joins it may end the process.
#[inline]
pub(crate) fn record_end(task: &Header) {
    record_section(task, Kind::End);
}

/// A task has become runnable: it was spawned, or has waited.
#[cold]
#[inline(never)]
pub(super) fn record_ready(task: &Header) {
    let waker = current::green();
    let (by, other) = match waker {
        Some(waker) => (By::Thread, number(waker)),
        None if worker::core().is_some() => (By::Event, 0),
        None => (By::OsThread, 0),
    };
    let (kind, detail) =
        if task.bottom.get() == 0 { (Kind::Spawn, 0) } else { (Kind::Wake, by as u8) };
    let lease = match waker {
        Some(waker) => waker.lease.get(),
        None => worker::core().and_then(|core| core.owner.lease()),
    };
    match lease {
        Some(lease) => record(lease, kind, detail, number(task), other),
        None => trace::record_shared(kind, detail, number(task), other),
    }
}

/// Events or deadlines have woken these, and the calling worker, which has this core, has found that.
#[cold]
#[inline(never)]
pub(super) fn record_woken(core: &Core, tasks: &List) {
    let Some(ring) = core.owner.lease().and_then(Lease::ring) else { return };
    let at_ns = trace::now_ns();
    for task in tasks.iter() {
        ring.push(at_ns, Kind::Wake, By::Event as u8, number(task), 0);
    }
}

/// The same, of the monitor.
pub(super) fn record_woken_beside(tasks: &List) {
    if trace::is_on() {
        for task in tasks.iter() {
            trace::record_shared(Kind::Wake, By::Event as u8, number(task), 0);
        }
    }
}

//! Who waits for a descriptor: a green thread, or an OS thread that has left it to the event loop to
//! wake it.
//!
//! A waiter is a part of the frame of who waits. Whoever takes it out of its queue, under the entry's
//! lock, marks it WOKEN, or LATE if its time is up; its frame may end from that moment on. So a green thread
//! is claimed under the lock and scheduled after it (see `park`). An OS thread waits at the mark itself, and is
//! woken after it by the mark's address. That may be another thing's by then: a futex takes that for a spurious
//! wake-up.

use std::mem::offset_of;
use std::ptr::{self, NonNull};
use std::time::Duration;

use sylvan_sight::table;

use crate::clock;
use crate::primitive::{AtomicPtr, AtomicU32, Ordering};
use crate::ring::{Linked, Links, Ring};
use crate::scheduler;
use crate::sys::{cache, futex};
use crate::task::list::List;
use crate::task::{Header, Runnable};

/// Those who wait for a direction, oldest first. They change under the entry's lock; whether there are any can be
/// seen without it.
pub(super) struct Waiters(AtomicPtr<EntryWaiter>);

impl Waiters {
    pub(super) const FIRST_AT: usize = offset_of!(Self, 0);

    pub(super) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        // Orders nothing: who queues up looks once more, under the lock.
        self.0.load(Ordering::Relaxed).is_null()
    }

    /// Has `f` look at them, or change them. For who holds the entry's lock.
    #[inline]
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Ring<EntryWaiter>) -> T) -> T {
        let mut ring = Ring::at(self.0.load(Ordering::Relaxed));
        let result = f(&mut ring);
        self.0.store(ring.into_first().cast_mut(), Ordering::Relaxed);
        result
    }
}

/// Why a wait has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Woken,
    /// Its time was up.
    Late,
    Interrupted,
}

/// A waiter's mark: it is in its queue.
const WAITING: u32 = 0;
/// There is something for it.
const WOKEN: u32 = 1;
/// Its time is up.
const LATE: u32 = 2;

pub(super) struct EntryWaiter {
    /// `None`: an OS thread.
    task: Option<NonNull<Header>>,
    mark: AtomicU32,
    /// Where its file is, when it is woken because the number means another one: see `heir`.
    heir: AtomicU32,
    /// Its place among those who wait.
    pub(super) turn: u64,
    /// Until when it waits at most, as far as the entry's bell sees to that; all bits if for ever.
    pub(super) deadline_ns: u64,
    links: Links<EntryWaiter>,
}

impl EntryWaiter {
    pub(super) fn green(task: &Header, turn: u64, deadline_ns: u64) -> Self {
        let task = Some(NonNull::from(task));
        Self::new(task, turn, deadline_ns)
    }

    pub(super) fn outside(turn: u64) -> Self {
        Self::new(None, turn, u64::MAX)
    }

    fn new(task: Option<NonNull<Header>>, turn: u64, deadline_ns: u64) -> Self {
        let (mark, heir) = (AtomicU32::new(WAITING), AtomicU32::new(0));
        Self { task, mark, heir, turn, deadline_ns, links: Links::new() }
    }

    /// Before it is woken: where its file is.
    pub(super) fn set_heir(&self, heir: u32) {
        // Goes with the mark.
        self.heir.store(heir, Ordering::Relaxed);
    }

    /// Once it was woken: where its file is; 0 for nowhere else.
    pub(super) fn heir(&self) -> u32 {
        self.heir.load(Ordering::Relaxed)
    }

    /// Why it is out of its queue; `None` if it is in there.
    #[inline]
    pub(super) fn end(&self) -> Option<End> {
        // Acquire pairs with the release in `mark_as`.
        match self.mark.load(Ordering::Acquire) {
            WAITING => None,
            LATE => Some(End::Late),
            _ => Some(End::Woken),
        }
    }

    /// Whether it is out of its queue.
    pub(super) fn is_woken(&self) -> bool {
        self.end().is_some()
    }

    /// Blocks the OS thread until it is woken, or for at most `patience`; whether it was woken.
    pub(super) fn wait_outside(&self, patience: Duration) -> bool {
        let begin_ns = clock::now_ns();
        let mut left = patience;
        loop {
            futex::wait(&self.mark, WAITING, Some(left));
            if self.is_woken() {
                return true;
            }
            // The wake-up may have been for an earlier wait at this address.
            let waited_ns = clock::now_ns().saturating_sub(begin_ns);
            left = patience.saturating_sub(Duration::from_nanos(waited_ns));
            if left.is_zero() {
                return false;
            }
        }
    }

    /// The thread runs soon, and touches its frames from the switch on up to where it called.
    #[inline]
    fn prefetch_stack(&self) {
        /// Of the frame that the waiter is in, those below it, and those above.
        const LINES: (usize, usize) = (2, 9);
        let lowest = ptr::from_ref(self).cast::<u8>().wrapping_sub(LINES.0 * cache::LINE);
        cache::prefetch(lowest, LINES.0 + LINES.1);
    }

    /// Wakes one that has just been taken out of its queue: what is to follow when the entry's lock is
    /// released goes into `ready` or `outside`.
    ///
    /// # Safety
    ///
    /// The caller holds the lock of the entry, in whose queue the waiter was.
    #[inline]
    pub(super) unsafe fn wake(this: NonNull<Self>, ready: &mut List, outside: &mut Outside) {
        // SAFETY: as the caller promises.
        if let Some(mark) = unsafe { Self::mark_as(WOKEN, this, ready) } {
            outside.0.push(mark);
        }
    }

    /// Tells a green thread, whose waiter has just been taken out of its queue, that its time is up.
    ///
    /// # Safety
    ///
    /// As for `wake`.
    pub(super) unsafe fn tell_late(this: NonNull<Self>, ready: &mut List) {
        // SAFETY: as the caller promises.
        unsafe { Self::mark_as(LATE, this, ready) };
    }

    /// Marks a waiter, and claims its task; where it waits, if it is an OS thread.
    ///
    /// # Safety
    ///
    /// As for `wake`.
    #[inline(always)]
    unsafe fn mark_as(
        mark: u32,
        this: NonNull<Self>,
        ready: &mut List,
    ) -> Option<*const AtomicU32> {
        // SAFETY: the frame lasts until the mark below.
        let waiter = unsafe { this.as_ref() };
        waiter.prefetch_stack();
        let (task, place) = (waiter.task, &raw const waiter.mark);
        // Release pairs with the acquire in `is_woken`.
        waiter.mark.store(mark, Ordering::Release);
        let Some(task) = task else { return Some(place) };
        // SAFETY: the task waits here, so it is alive until the lock is released; the claim says
        // whether the right to run it is ours.
        unsafe {
            if task.as_ref().state.claim() {
                ready.push_back(Runnable::from_raw(task));
            }
        }
        None
    }
}

impl EntryWaiter {
    pub(crate) const LAYOUT: table::EntryWaiter = table::EntryWaiter {
        task: offset_of!(Self, task) as u64,
        deadline_ns: offset_of!(Self, deadline_ns) as u64,
        next: (offset_of!(Self, links) + Links::<Self>::NEXT_AT) as u64,
        size: size_of::<Self>() as u64,
    };
}

impl Linked for EntryWaiter {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

/// Where OS threads wait that are to be woken once the entry's lock is released. Seldom any: and then
/// it takes no memory.
#[derive(Default)]
pub(super) struct Outside(Vec<*const AtomicU32>);

impl Outside {
    pub(super) fn wake(self) {
        for mark in self.0 {
            futex::wake(mark, 1);
        }
    }
}

/// The same as [`schedule`], for a caller that may be a worker which is at its core's queues.
pub(super) fn schedule_remote(ready: List, outside: Outside) {
    for task in ready {
        scheduler::schedule_remote(task);
    }
    outside.wake();
}

/// Once the entry's lock is released.
pub(super) fn schedule(ready: List, outside: Outside) {
    for task in ready {
        task.schedule();
    }
    outside.wake();
}

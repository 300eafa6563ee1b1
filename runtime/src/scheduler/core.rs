//! A core: what a worker needs in order to run tasks, and what another one gets when it is stuck.

use std::cell::UnsafeCell;
use std::mem::offset_of;
use std::ptr;

use sylvan_sight::table;

use super::fairness::Fairness;
use super::idle::Asleep;
use super::inbox::Inbox;
use super::interval::Interval;
use super::owner::Owner;
use super::queue::Queue;
use crate::primitive::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use crate::reactor::Interest;
use crate::stack::{self, Class, Stack};
use crate::sys::poller::Events;
use crate::sys::thread;
use crate::task::Header;
use crate::task::list::List;

/// How many free stacks a core keeps for itself, and how many of them while it sleeps: what these
/// have touched is not given back.
const STACKS_MAX: usize = 64;
const STACKS_ASLEEP_MAX: usize = 2;

/// How often in a row a task goes before all others when each of several has woken it. Then it queues, and finds what
/// all of them have left: a thread that joins ten thousand runs some hundred times instead of ten thousand.
const FAVOURED_MAX: u32 = 16;

/// How many reservations a core holds back at most.
const LEFT_OVER_MAX: usize = 16;

/// Calls that a run may have, none of which had to wait, before its turn is over.
const CALLS_MAX: u32 = 32;
/// One of them was a write.
const HAS_WRITTEN: u32 = 1 << 31;

// Neighbours share no cache line.
#[repr(align(128))]
pub(crate) struct Core {
    pub(super) index: usize,
    pub(super) owner: Owner,
    /// Tasks that were woken by whoever ran on this core, or (in the shared mode) that belong here.
    pub(super) inbox: Inbox,
    /// A task that has not started, spawned by a thread that was alone here (the shared mode).
    pub(super) aside: Inbox,
    /// Tasks that may run on any core.
    pub(super) queue: Queue,
    /// The same, of those that an event has woken: see `fairness`.
    pub(super) woken: Queue,
    pub(super) asleep: Asleep,
    /// There is an `overflow`, which is known to the worker alone.
    has_overflow: AtomicBool,
    /// Set by the monitor now and then: look at the event loop, however few runs there were.
    look: AtomicBool,
    /// The OS thread that has the core.
    worker: AtomicU32,
    /// Calls in the present run that had no need to wait, and `HAS_WRITTEN`.
    calls: AtomicU32,
    /// Threads that have started here and have to stay (the shared mode).
    n_pinned: AtomicUsize,
    local: UnsafeCell<Local>,
}

/// What is counted for those who look from outside: beside the way from one run to the next, which counts ticks alone.
#[derive(Default)]
#[repr(C)]
pub(super) struct Counts {
    /// Ticks that found nothing to run, and waited in the event loop unless there was something at last.
    pub(super) n_sleeps: u64,
    /// Ticks that found nothing to run but what is shared.
    pub(super) n_shares: u64,
    /// Other looks at the event loop.
    pub(super) n_looks: u64,
    /// What all looks have found, calls from other OS threads included.
    pub(super) n_events: u64,
    /// Searches that found something at another core.
    pub(super) n_steals: u64,
    /// Workers that took the core.
    pub(super) n_takes: u64,
    /// Threads that have ended here.
    pub(super) n_ends: u64,
}

/// What only the worker that has the core touches, between runs.
pub(super) struct Local {
    /// Counts tasks that were run, and tries that found none.
    pub(super) tick: u32,
    pub(super) counts: Counts,
    /// Until it looks at the event loop between two runs.
    pub(super) interval: Interval,
    /// Tasks run in a row because they were the last to be woken.
    pub(super) streak: u32,
    /// The task that has gone before all others last, and how often in a row it was that one. No more than an address: it
    /// may be gone.
    favourite: *const Header,
    n_favoured: u32,
    /// Whose turn it is among those that no event has woken.
    pub(super) pinned_first: bool,
    /// This core counts as a searcher in `idle`.
    pub(super) searching: bool,
    /// Where a search starts.
    pub(super) victim: usize,
    pub(super) events: Events,
    /// Tasks that have to stay on this core (the shared mode).
    pub(super) pinned: List,
    /// The same, of those that an event has woken.
    pub(super) pinned_woken: List,
    pub(super) fairness: Fairness,
    /// What the queue had no room for: to be injected.
    pub(super) overflow: List,
    stacks: Vec<Stack>,
    /// Reservations that are left over, all of one class, to be given back many at a time.
    left_over: Option<(Class, usize)>,
}

// SAFETY: `local` belongs to the one worker that has the core, as `owner` says; the rest is atomic.
unsafe impl Sync for Core {}
// SAFETY: nothing in a core depends on the OS thread that made it; what points somewhere (events,
// stacks) points to what any thread may use.
unsafe impl Send for Core {}

impl Core {
    pub(super) const LAYOUT: table::Core = {
        // Cells and atomics are what they hold.
        let local = offset_of!(Self, local);
        table::Core {
            owner: offset_of!(Self, owner) as u64,
            inbox: offset_of!(Self, inbox) as u64,
            aside: offset_of!(Self, aside) as u64,
            queue: offset_of!(Self, queue) as u64,
            woken: offset_of!(Self, woken) as u64,
            pinned: (local + offset_of!(Local, pinned)) as u64,
            pinned_woken: (local + offset_of!(Local, pinned_woken)) as u64,
            overflow: (local + offset_of!(Local, overflow)) as u64,
            tick: (local + offset_of!(Local, tick)) as u64,
            counts: (local + offset_of!(Local, counts)) as u64,
            os_thread: offset_of!(Self, worker) as u64,
            size: size_of::<Self>() as u64,
        }
    };

    /// One of `n_cores` cores.
    pub(super) fn new(index: usize, n_cores: usize) -> Self {
        Self {
            index,
            owner: Owner::new(),
            inbox: Inbox::new(),
            aside: Inbox::new(),
            queue: Queue::new(n_cores),
            woken: Queue::new(n_cores),
            asleep: Asleep::new(),
            has_overflow: AtomicBool::new(false),
            look: AtomicBool::new(false),
            worker: AtomicU32::new(0),
            calls: AtomicU32::new(0),
            n_pinned: AtomicUsize::new(0),
            local: UnsafeCell::new(Local {
                tick: 0,
                counts: Counts::default(),
                interval: Interval::new(),
                streak: 0,
                favourite: ptr::null(),
                n_favoured: 0,
                pinned_first: false,
                searching: false,
                victim: index,
                events: Events::new(),
                pinned: List::new(),
                pinned_woken: List::new(),
                fairness: Fairness::new(),
                overflow: List::new(),
                stacks: Vec::with_capacity(STACKS_MAX),
                left_over: None,
            }),
        }
    }

    /// The part that is the worker's alone.
    ///
    /// # Safety
    ///
    /// The calling worker has the core and is between runs, and no other such reference is in use.
    #[expect(clippy::mut_from_ref, reason = "exclusive by the protocol of `owner`")]
    pub(super) unsafe fn local(&self) -> &mut Local {
        // SAFETY: as the caller promises.
        unsafe { &mut *self.local.get() }
    }

    /// A run begins.
    #[inline]
    pub(super) fn begin_run(&self) {
        // A run that has lost the core may count here too, which does no harm.
        self.calls.store(0, Ordering::Relaxed);
    }

    /// Counts a call of the present run that had no need to wait. Whether the run has had its turn with it.
    #[inline]
    pub(super) fn count_call(&self, interest: Option<Interest>) -> bool {
        let before = self.calls.load(Ordering::Relaxed);
        let (written, is_next) = match interest {
            Some(Interest::Read) => (0, before & HAS_WRITTEN != 0),
            Some(Interest::Write) => (HAS_WRITTEN, false),
            None => (0, false),
        };
        self.calls.store(before.wrapping_add(1) | written, Ordering::Relaxed);
        is_next || before & !HAS_WRITTEN >= CALLS_MAX - 1
    }

    /// How many threads have started here and have to stay (the shared mode).
    pub(super) fn n_pinned(&self) -> usize {
        // Its worker alone writes it, between runs, and who asks is in a run of that worker's.
        self.n_pinned.load(Ordering::Relaxed)
    }

    /// Says how many threads have started here and have to stay.
    pub(super) fn set_n_pinned(&self, n: usize) {
        self.n_pinned.store(n, Ordering::Relaxed);
    }

    /// Whether anything has come that no run has found yet: to the inbox, or aside.
    pub(super) fn has_inbound(&self) -> bool {
        !self.inbox.is_empty() || !self.aside.is_empty()
    }

    /// Whether there is anything that another core might run.
    pub(super) fn has_queued(&self) -> bool {
        !self.queue.is_empty() || !self.woken.is_empty()
    }

    /// Whether there is more than one such thing.
    pub(super) fn has_several(&self) -> bool {
        self.queue.len() + self.woken.len() > 1
    }

    /// Says whether there is an overflow.
    pub(super) fn set_has_overflow(&self, any: bool) {
        // For the monitor, which comes again: it orders nothing.
        self.has_overflow.store(any, Ordering::Relaxed);
    }

    /// Whether there is an overflow, which is not injected before the present run is over.
    pub(super) fn has_overflow(&self) -> bool {
        self.has_overflow.load(Ordering::Relaxed)
    }

    /// Says that the calling OS thread has the core now.
    pub(super) fn set_worker(&self) {
        // Orders nothing: a monitor that asks the wrong thread takes the core early, or later.
        self.worker.store(thread::id(), Ordering::Relaxed);
    }

    /// The OS thread that has the core, as `sys::thread` numbers them.
    pub(super) fn worker(&self) -> u32 {
        self.worker.load(Ordering::Relaxed)
    }

    /// Whether that thread waits for something other than a processor.
    pub(super) fn worker_waits(&self) -> Option<bool> {
        thread::waits(self.worker())
    }

    /// Has the worker look at the event loop before its next run.
    pub(super) fn ask_to_look(&self) {
        // A hint, here and below: it orders nothing.
        self.look.store(true, Ordering::Relaxed);
    }

    /// Whether the worker is asked to look.
    #[inline]
    pub(super) fn is_asked_to_look(&self) -> bool {
        self.look.load(Ordering::Relaxed)
    }

    /// Whether the worker was asked to look, which it does now.
    pub(super) fn take_request_to_look(&self) -> bool {
        let asked = self.is_asked_to_look();
        if asked {
            self.look.store(false, Ordering::Relaxed);
        }
        asked
    }
}

impl Local {
    /// Whether the task that was the last to be woken is to go before all others: so it is, unless it has done so for as
    /// often as it may.
    #[inline(always)]
    pub(super) fn is_favoured(&mut self, task: &Header) -> bool {
        if !ptr::eq(self.favourite, task) {
            (self.favourite, self.n_favoured) = (task, 0);
        }
        self.n_favoured += 1;
        if self.n_favoured <= FAVOURED_MAX {
            return true;
        }
        self.n_favoured = 0;
        false
    }

    /// The class of the next free stack, if there is one: that which most threads have.
    #[inline]
    pub(super) fn next_class(&self) -> Option<Class> {
        self.stacks.last().map(Stack::class)
    }

    /// A free stack.
    #[inline]
    pub(super) fn pop_stack(&mut self) -> Option<Stack> {
        self.stacks.pop()
    }

    /// Gives up what others may need while it sleeps: free stacks, coldest first, and reservations.
    #[inline]
    pub(super) fn trim_stacks(&mut self) {
        if self.left_over.is_some() {
            self.unreserve_left_over();
        }
        if self.stacks.len() > STACKS_ASLEEP_MAX {
            self.release_stacks();
        }
    }

    #[cold]
    fn release_stacks(&mut self) {
        let n = self.stacks.len() - STACKS_ASLEEP_MAX;
        self.stacks.drain(..n).for_each(stack::release);
    }

    /// A reservation is left over: its thread runs on a stack that has one.
    #[inline]
    pub(super) fn add_left_over(&mut self, class: Class) {
        match &mut self.left_over {
            Some((of, n)) if *of == class && *n < LEFT_OVER_MAX => *n += 1,
            _ => {
                self.unreserve_left_over();
                self.left_over = Some((class, 1));
            }
        }
    }

    fn unreserve_left_over(&mut self) {
        if let Some((class, n)) = self.left_over.take() {
            stack::unreserve(class, n);
        }
    }

    /// Keeps a free stack, or gives it back when there are enough.
    pub(super) fn push_stack(&mut self, stack: Stack) -> Result<(), Stack> {
        if self.stacks.len() == STACKS_MAX {
            return Err(stack);
        }
        self.stacks.push(stack);
        Ok(())
    }
}

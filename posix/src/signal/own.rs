//! What a thread of a whole program has of its own: a part of its record, from before it starts until it
//! has ended.

use std::cell::{Cell, UnsafeCell};
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use libc::{pid_t, pthread_t, siginfo_t};
use sylvan::contract::Interrupt;

use super::lock::{Held, held};
use super::queue::{self, Queue};
use super::{bit, delivery};

/// What ends a thread's waits: signals that are left for it, and its cancellation.
#[derive(Debug)]
pub struct Signals {
    /// Raised by whoever leaves something here.
    pub(crate) interrupt: Interrupt,
    /// A cancellation is due: the next cancellation point acts on it.
    is_cancelled: AtomicBool,
    id: AtomicUsize,
    /// Its number (`owner`); 0 until it has begun. By the thread itself.
    number: AtomicU32,
    /// What the thread has blocked. By the thread itself; read by who sends.
    mask: AtomicU64,
    /// What it waits for in `sigwait` and its kin. As the mask.
    waits_for: AtomicU64,
    /// Which signals are left for it. Changes under the lock; read without.
    pending: AtomicU64,
    listed: UnsafeCell<Listed>,
    /// What is to be put back once a handler has returned: see `delivery`.
    pub(crate) alternate: Cell<Option<Stack>>,
    /// How many handlers have been called and have not returned.
    pub(crate) depth: Cell<u32>,
    /// What the thread has said by `sigaltstack`.
    pub(crate) own_stack: Cell<Option<Stack>>,
}

/// A stack for signals, as the kernel has it.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(crate) struct Stack(pub(crate) libc::stack_t);

/// What is looked at under the lock alone.
#[derive(Debug)]
struct Listed {
    next: *const Signals,
    before: *const Signals,
    queue: Queue,
    thread: Option<sylvan::Thread>,
}

// SAFETY: the cells are the thread's own, what is listed is reached under the lock, and the rest is atomic.
unsafe impl Sync for Signals {}
// SAFETY: as above; nothing in it belongs to an OS thread.
unsafe impl Send for Signals {}

sylvan::contract::local_pointer! {
    /// Those of the calling thread; null for one that is not green.
    static OWN: Signals as "sylvan_own_signals";
}

/// The first of all threads. Under the lock.
struct First(UnsafeCell<*const Signals>);

// SAFETY: reached under the lock.
unsafe impl Sync for First {}

static FIRST: First = First(UnsafeCell::new(ptr::null()));

impl Signals {
    /// Those of a thread that is about to be made.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            interrupt: Interrupt::new(),
            is_cancelled: AtomicBool::new(false),
            id: AtomicUsize::new(0),
            number: AtomicU32::new(0),
            mask: AtomicU64::new(0),
            waits_for: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            listed: UnsafeCell::new(Listed {
                next: ptr::null(),
                before: ptr::null(),
                queue: Queue::new(),
                thread: None,
            }),
            alternate: Cell::new(None),
            depth: Cell::new(0),
            own_stack: Cell::new(None),
        }
    }

    /// A thread is made, by the caller, whose mask it inherits unless it is to have this one. From here on
    /// signals may be sent to it, by its `id`.
    ///
    /// # Safety
    ///
    /// They stay where they are until [`end`](Self::end).
    pub unsafe fn conceive(&self, id: pthread_t, mask: Option<u64>) {
        self.mask.store(mask.unwrap_or_else(super::mask_of_caller), Ordering::Relaxed);
        self.id.store(id as usize, Ordering::Relaxed);
        held(|held| {
            let first = FIRST.0.get();
            // SAFETY: under the lock; those in the list are there, as their callers have promised.
            unsafe {
                self.listed(held).next = *first;
                if let Some(next) = (*first).as_ref() {
                    next.listed(held).before = self;
                }
                *first = self;
            }
        });
    }

    /// A handler of the calling thread's is about to be called: what is to be put back after the one that this one has
    /// interrupted.
    pub(super) fn begin_handler(&self) -> Option<Stack> {
        self.depth.set(self.depth.get() + 1);
        self.alternate.take()
    }

    /// It has returned, or was left: what is to be put back after it.
    pub(super) fn end_handler(&self, outer: Option<Stack>) -> Option<Stack> {
        // A jump out of both has left none.
        self.depth.set(self.depth.get().saturating_sub(1));
        let here = self.alternate.take();
        // The handler that this one has interrupted may go on on another OS thread, too.
        let is_in_handler = self.depth.get() > 0;
        self.alternate.set(if is_in_handler { here.or(outer) } else { None });
        here
    }

    /// The thread begins: the calling one, which is green.
    ///
    /// # Safety
    ///
    /// They were [conceived](Self::conceive) and have not ended.
    pub unsafe fn begin(&self) {
        self.number.store(crate::owner::me(), Ordering::Relaxed);
        held(|held| self.listed(held).thread = Some(sylvan::current()));
        OWN.set(self);
        super::attendant::has_open(!self.mask());
        super::tick::thread_begins();
        if self.interrupt.is_raised() {
            super::look(self);
        }
    }

    /// The thread ends, or could not be made: nobody finds it from now on.
    pub fn end(&self) {
        if ptr::eq(OWN.get(), self) {
            // What it has let in is still its own.
            super::look(self);
            super::take_last(self);
            OWN.set(ptr::null());
            super::tick::thread_ends(self.number());
        }
        let thread = held(|held| {
            let listed = self.listed(held);
            queue::clear(held, &mut listed.queue, super::attendant::give_back);
            let (next, before) = (listed.next, listed.before);
            // SAFETY: under the lock; those in the list are there.
            unsafe {
                if let Some(next) = next.as_ref() {
                    next.listed(held).before = before;
                }
                match before.as_ref() {
                    Some(before) => before.listed(held).next = next,
                    None => *FIRST.0.get() = next,
                }
            }
            self.listed(held).thread.take()
        });
        drop(thread);
        super::attendant::has_closed(!self.mask());
    }

    /// Says whether a cancellation is due: one that was asked for, and that the thread lets in. If so its wait
    /// ends.
    pub(crate) fn set_cancelled(&self, is_cancelled: bool) {
        // Release pairs with the acquire in `is_cancelled`; with the interrupt, where it ends a wait.
        self.is_cancelled.store(is_cancelled, Ordering::Release);
        if is_cancelled && !self.interrupt.raise() {
            super::attendant::poke(self);
        }
    }

    /// Whether a cancellation is due.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }

    /// Its `pthread_t`.
    pub(crate) fn id(&self) -> usize {
        self.id.load(Ordering::Relaxed)
    }

    /// Its number, by which it is known as the kernel's threads are: see `gettid`.
    pub(crate) fn number(&self) -> pid_t {
        self.number.load(Ordering::Relaxed).cast_signed()
    }

    pub(crate) fn mask(&self) -> u64 {
        // Sequentially consistent with what is pending: see `signal`.
        self.mask.load(Ordering::SeqCst)
    }

    /// By the thread itself.
    pub(crate) fn set_mask(&self, mask: u64) -> u64 {
        // As above.
        self.mask.swap(mask, Ordering::SeqCst)
    }

    pub(crate) fn waits_for(&self) -> u64 {
        self.waits_for.load(Ordering::SeqCst)
    }

    /// By the thread itself.
    pub(crate) fn set_waits_for(&self, set: u64) {
        self.waits_for.swap(set, Ordering::SeqCst);
    }

    /// What is left for it, blocked or not.
    #[inline]
    pub(crate) fn pending(&self) -> u64 {
        // Sequentially consistent with the mask: see `signal`.
        self.pending.load(Ordering::SeqCst)
    }

    /// What is left for it and not blocked.
    #[inline]
    pub(crate) fn deliverable(&self) -> u64 {
        self.pending() & !self.mask()
    }

    /// Whether it has been left something that it has not looked at, though it could.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.deliverable() != 0 || self.is_cancelled() && self.interrupt.is_raised()
    }

    /// Leaves a signal for it, which is not ignored; whether there was room. `is_queued` says whether it
    /// must not be lost.
    pub(crate) fn leave(
        &self,
        held: &Held,
        info: &siginfo_t,
        is_queued: bool,
        is_for_process: bool,
    ) -> bool {
        let signal = info.si_signo;
        let before = self.pending.load(Ordering::Relaxed);
        if !queue::is_real_time(signal) && before & bit(signal) != 0 {
            return true;
        }
        let has_room = queue::push(held, &mut self.listed(held).queue, info, is_for_process);
        if has_room || !is_queued {
            self.pending.store(before | bit(signal), Ordering::SeqCst);
        }
        has_room || !is_queued
    }

    /// Takes the lowest signal of `set` that is left for it.
    pub(crate) fn take(&self, set: u64) -> Option<siginfo_t> {
        if self.pending() & set == 0 {
            return None;
        }
        held(|held| {
            let pending = self.pending.load(Ordering::Relaxed);
            let signal = (pending & set).trailing_zeros() as i32 + 1;
            if signal > 64 {
                return None;
            }
            let (info, is_last) = queue::take(held, &mut self.listed(held).queue, signal);
            if is_last {
                self.pending.store(pending & !bit(signal), Ordering::SeqCst);
            }
            // One for which there was no room.
            Some(info.unwrap_or_else(|| delivery::info(signal, libc::SI_TKILL)))
        })
    }

    /// The OS thread that runs it now, or has last.
    pub(crate) fn os_thread(&self, held: &Held) -> Option<u32> {
        self.listed(held).thread.as_ref()?.os_thread()
    }

    /// Whether it runs, or waits for a worker.
    pub(crate) fn runs(&self, held: &Held) -> bool {
        self.listed(held).thread.as_ref().is_some_and(sylvan::contract::signal::runs)
    }

    #[expect(clippy::mut_from_ref, reason = "one has the lock, and each use ends before the next")]
    fn listed<'a>(&'a self, _: &'a Held) -> &'a mut Listed {
        // SAFETY: the lock is held, and no caller keeps what it gets.
        unsafe { &mut *self.listed.get() }
    }
}

impl Default for Signals {
    fn default() -> Self {
        Self::new()
    }
}

/// Those of the calling green thread; `None` for any other.
#[inline]
pub(crate) fn own<'a>() -> Option<&'a Signals> {
    // SAFETY: they last as long as the thread, which uses them in its own name.
    unsafe { OWN.get().as_ref() }
}

/// In a child of a fork: the thread is an OS thread, and there is no other. What was its mask, if it was
/// green.
pub(crate) fn forget() -> Option<u64> {
    // SAFETY: nobody else is there.
    unsafe { *FIRST.0.get() = ptr::null() };
    let before = OWN.get();
    OWN.set(ptr::null());
    // SAFETY: as for `own`.
    unsafe { before.as_ref() }.map(Signals::mask)
}

/// The first thread that is such a one.
pub(crate) fn find(held: &Held, mut is_it: impl FnMut(&Signals) -> bool) -> Option<&Signals> {
    // SAFETY: under the lock; those in the list are there.
    let mut at = unsafe { (*FIRST.0.get()).as_ref() };
    while let Some(signals) = at {
        if is_it(signals) {
            return Some(signals);
        }
        // SAFETY: as above.
        at = unsafe { signals.listed(held).next.as_ref() };
    }
    None
}

/// A `siginfo_t` of zeros.
pub(crate) fn no_info() -> siginfo_t {
    // SAFETY: numbers and pointers.
    unsafe { mem::zeroed() }
}

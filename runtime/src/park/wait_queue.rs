//! The waiters of the process, in queues by address.
//!
//! A fixed table of buckets, each a lock and a circular list of waiters, oldest first; addresses
//! that hash to the same bucket share its list. There are enough buckets that a million threads,
//! each parked at a word of its own, make lists of some sixteen; the table is zero pages until it
//! is touched.
//!
//! A waiter lies on the waiting thread's stack. A waker takes it out under the bucket's lock, and then has it for
//! itself: after unlocking it marks it woken (`tell`).
//!
//! One with one waker cannot run before that waker has claimed its task, which comes last: it is marked, then
//! claimed. One that *may leave*, because its time is up or it was interrupted, is marked TAKEN as it is taken out. It
//! is claimed before it is told, for it goes on as soon as it finds that it was. If it finds TAKEN, it
//! waits for what it is told, which comes in a moment. So it need not take the lock again when it was woken, but only to
//! take itself out.
//!
//! # Turns
//!
//! A waiter with a time since when it waits is in for its turn at a lock (`wait_turn`). Those of one
//! address stand in the order of these times, so that who was woken and came too late goes back to its
//! place. Who has taken one out marks it when the word says who has the lock now (`grant`). No other waiter is ever
//! granted anything.
//!
//! A grant is due to one that has waited for a millisecond, if there was none in the last quarter of a
//! millisecond (here, or at an address that shares the bucket, which is rare). Otherwise a lock that many
//! want would go round among them for ever, for all of them wait for long then. Each time it would stand
//! idle until the next one runs, and that takes long where workers wait for processors.

use std::mem::offset_of;
use std::ptr::{self, NonNull};
use std::time::Duration;

use sylvan_sight::table;

use super::{Turn, WaitReason, call};
use crate::clock;
use crate::lock::Lock;
use crate::moment::Moment;
use crate::primitive::{AtomicU32, AtomicU64, Ordering};
use crate::ring::{Linked, Links, Ring};
use crate::sys::futex;
#[cfg(not(sylvan_loom))]
use crate::sys::memory;
use crate::task::{Header, Runnable};

/// 65,536 buckets of 16 bytes: a megabyte of address space. In a model all addresses meet in one.
const N_BUCKETS_LOG2: u32 = if cfg!(sylvan_loom) { 0 } else { 16 };
const N_BUCKETS: usize = 1 << N_BUCKETS_LOG2;

pub(super) const WAITING: u32 = 0;
const WOKEN: u32 = 1;
const GRANTED: u32 = 2;
/// One that may leave was taken out, and is about to be told what has become of it.
const TAKEN: u32 = 3;
/// It waits, and is to look whether it was interrupted.
const NUDGED: u32 = 4;
/// What it has once it was taken out.
const OUT: u32 = WOKEN | GRANTED | TAKEN;

/// The time of those that do not wait for a turn.
pub(super) const NO_TURN: u64 = u64::MAX;

/// How long others may take a lock before one that waits for its turn.
const PATIENCE_NS: u64 = 1_000_000;
/// The time between two grants, at least.
const PAUSE_NS: u64 = 250_000;

/// A thread that waits at an address.
pub(crate) struct Waiter {
    address: usize,
    /// The task to claim; null for an OS thread, which waits at `state`.
    task: *const Header,
    /// Since when it waits for its turn; `NO_TURN` if it does not.
    since_ns: u64,
    state: AtomicU32,
    /// Whether it may leave before anybody has taken it out.
    may_leave: bool,
    /// How far above the address the lock says who has it: see [`LockWord`](super::LockWord).
    owner_above: u8,
    reason: WaitReason,
    links: Links<Waiter>,
}

impl Linked for Waiter {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Waiter {
    /// The calling thread, which is `task` or no green one; since when it waits for its turn, or
    /// `NO_TURN`.
    #[inline]
    pub(super) fn new(
        word: *const AtomicU32,
        task: Option<&Header>,
        since_ns: u64,
        reason: WaitReason,
    ) -> Self {
        let task = task.map_or(ptr::null(), ptr::from_ref);
        let state = AtomicU32::new(WAITING);
        let address = word.addr();
        let (may_leave, owner_above) = (false, 0);
        let links = Links::new();
        Self { address, task, since_ns, state, may_leave, owner_above, reason, links }
    }

    /// The same for one that may leave before anybody has taken it out.
    #[inline]
    pub(super) fn that_may_leave(self) -> Self {
        Self { may_leave: true, ..self }
    }

    /// The same at a lock that says so far above the address who has it.
    pub(super) fn with_owner_above(self, owner_above: u8) -> Self {
        Self { owner_above, ..self }
    }

    /// Whether a waker has taken this waiter out.
    #[inline]
    pub(super) fn is_woken(&self) -> bool {
        // Acquire pairs with the release in `tell`.
        self.state.load(Ordering::Acquire) & OUT != 0
    }

    /// Whether its waker has said what has become of it, and so does nothing more for it.
    #[inline]
    fn is_told(&self) -> bool {
        // As in `is_woken`.
        matches!(self.state.load(Ordering::Acquire), WOKEN | GRANTED)
    }

    /// For one that may leave, which was taken out: waits until it was told, which is in a moment.
    fn wait_until_told(&self) {
        let mut n_looks = 0;
        while !self.is_told() {
            super::pause(&mut n_looks);
        }
    }

    /// What a waker has said.
    pub(super) fn turn(&self) -> Turn {
        // Ordered by the look that has seen it woken.
        match self.state.load(Ordering::Relaxed) {
            GRANTED => Turn::Granted,
            _ => Turn::Woken,
        }
    }

    /// Whether it waits for its turn at this address.
    fn is_in_turn_at(&self, address: usize) -> bool {
        self.address == address && self.since_ns != NO_TURN
    }

    /// Has an OS thread look, if it was not woken.
    pub(super) fn nudge(&self) {
        // Release pairs with the acquire in `forget_nudge`, for what whoever interrupts it has said (`interrupt`).
        let (from, to) = (WAITING, NUDGED);
        if self.state.compare_exchange(from, to, Ordering::Release, Ordering::Relaxed).is_ok() {
            futex::wake(&raw const self.state, 1);
        }
    }

    /// Takes a nudge back: whoever calls looks, after this, for what there is to see.
    pub(super) fn forget_nudge(&self) {
        // Acquire pairs with the release in `nudge`.
        let (from, to) = (NUDGED, WAITING);
        let _ = self.state.compare_exchange(from, to, Ordering::Acquire, Ordering::Relaxed);
    }

    /// Where an OS thread waits to be woken.
    pub(super) fn os_word(&self) -> &AtomicU32 {
        &self.state
    }
}

impl Waiter {
    pub(crate) const LAYOUT: table::Waiter = table::Waiter {
        address: offset_of!(Self, address) as u64,
        task: offset_of!(Self, task) as u64,
        since_ns: offset_of!(Self, since_ns) as u64,
        os_word: offset_of!(Self, state) as u64,
        owner_above: offset_of!(Self, owner_above) as u64,
        reason: offset_of!(Self, reason) as u64,
        next: (offset_of!(Self, links) + Links::<Self>::NEXT_AT) as u64,
        size: size_of::<Self>() as u64,
    };
}

/// Those whose addresses meet in one bucket.
type Queue = Ring<Waiter>;

/// Every queue.
pub(crate) struct Table {
    buckets: [Lock<Queue>; N_BUCKETS],
    /// When one of a bucket was last granted something: it is beside the buckets, for it is seldom asked
    /// for. Changes under the bucket's lock.
    granted_ns: [AtomicU64; N_BUCKETS],
}

impl Table {
    pub(crate) const LAYOUT: table::Buckets = table::Buckets {
        n: N_BUCKETS as u64,
        stride: size_of::<Lock<Queue>>() as u64,
        first: (offset_of!(Self, buckets) + Lock::<Queue>::VALUE_AT) as u64,
    };

    #[cfg(not(sylvan_loom))]
    pub(crate) const fn new() -> Self {
        Self {
            buckets: [const { Lock::new(Ring::new()) }; N_BUCKETS],
            granted_ns: [const { AtomicU64::new(0) }; N_BUCKETS],
        }
    }

    #[cfg(sylvan_loom)]
    pub(crate) fn new() -> Self {
        Self {
            buckets: std::array::from_fn(|_| Lock::new(Ring::new())),
            granted_ns: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    /// In a child of a fork: nobody waits, and nobody has a lock.
    ///
    /// # Safety
    ///
    /// The process has one thread, which is in no function of this table.
    #[cfg(not(sylvan_loom))]
    pub(super) unsafe fn forget(&self) {
        let start = NonNull::from(&self.buckets);
        // SAFETY: a bucket of zeros is a free lock around an empty ring, as `new` makes it; and nobody
        // looks, as the caller promises.
        unsafe { memory::wipe(start.cast(), size_of_val(&self.buckets)) };
    }

    #[inline]
    fn index(address: usize) -> usize {
        /// 2^64 divided by the golden ratio: spreads addresses that differ in few bits.
        const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
        let hash = (address as u64).wrapping_mul(SPREAD);
        hash.rotate_left(N_BUCKETS_LOG2) as usize % N_BUCKETS
    }

    #[inline]
    fn bucket(&self, address: usize) -> &Lock<Queue> {
        &self.buckets[Self::index(address)]
    }

    /// Whether who has waited at `address` for its turn for so long is to be granted it.
    fn is_overdue(&self, address: usize, waited_ns: u64, now_ns: u64) -> bool {
        let granted_ns = self.granted_ns[Self::index(address)].load(Ordering::Relaxed);
        waited_ns >= PATIENCE_NS && now_ns.saturating_sub(granted_ns) >= PAUSE_NS
    }

    fn note_grant(&self, address: usize, now_ns: u64) {
        self.granted_ns[Self::index(address)].store(now_ns, Ordering::Relaxed);
    }

    /// Queues `waiter` if `still` holds, looked at under the lock; whether it is queued now.
    ///
    /// The caller keeps the waiter in place until it is woken or `dequeue` has returned.
    // Inlined: the wait without a turn is to be as short as it can be.
    #[inline(always)]
    pub(super) fn enqueue(&self, waiter: &Waiter, still: impl FnOnce() -> bool) -> bool {
        let _moment = Moment::begin_if(waiter.task.is_null());
        let mut queue = self.bucket(waiter.address).lock();
        let still = still();
        if still {
            // SAFETY: the waiter is new, and the caller keeps it in place.
            unsafe {
                if waiter.since_ns == NO_TURN {
                    queue.push_back(waiter);
                } else {
                    put_in_turn(&mut queue, waiter);
                }
            }
        }
        still
    }

    /// Takes `waiter`, one that may leave, out unless a waker already has; whether it was still queued. Either way no
    /// waker touches it, or its task on its behalf, any more.
    #[inline]
    pub(super) fn dequeue(&self, waiter: &Waiter) -> bool {
        !waiter.is_told() && self.leave(waiter)
    }

    /// The same for one that was not told yet.
    #[cold]
    fn leave(&self, waiter: &Waiter) -> bool {
        let _moment = Moment::begin_if(waiter.task.is_null());
        let mut queue = self.bucket(waiter.address).lock();
        let queued = waiter.state.load(Ordering::Relaxed) & OUT == 0;
        if queued {
            // SAFETY: not taken out yet, hence still in the ring that it was pushed to.
            unsafe { queue.remove(waiter) };
        }
        drop(queue);
        if !queued {
            waiter.wait_until_told();
        }
        queued
    }

    /// Wakes the first `n` that wait at `word`; how many that are.
    pub(super) fn wake(&self, word: *const AtomicU32, n: usize) -> usize {
        let address = word.addr();
        let mut queue = self.bucket(address).lock();
        if n == 1 {
            let first = pop(&mut queue, |waiter| waiter.address == address);
            drop(queue);
            let Some(first) = first else { return 0 };
            // SAFETY: it was taken out above.
            unsafe { tell(first, WOKEN) };
            return 1;
        }
        let (woken, n_woken) = pop_some(&mut queue, n, |waiter| waiter.address == address);
        drop(queue);
        tell_all(woken, WOKEN);
        n_woken
    }

    /// For how long the first of those that wait for their turn at `word` has waited, if it is to be
    /// granted what it waits for.
    pub(super) fn overdue(&self, word: *const AtomicU32) -> Option<Duration> {
        let queue = self.bucket(word.addr()).lock();
        let first = find(&queue, |waiter| waiter.is_in_turn_at(word.addr()))?;
        let now_ns = clock::now_ns();
        // SAFETY: waiters in the ring are alive while its lock is held.
        let waited_ns = now_ns.saturating_sub(unsafe { first.as_ref() }.since_ns);
        self.is_overdue(word.addr(), waited_ns, now_ns).then_some(Duration::from_nanos(waited_ns))
    }

    /// Stores `granted`, and grants what `word` stands for to the first that waits for its turn there, if
    /// that has waited for too long; else stores `free` and wakes it.
    pub(super) fn pass_on(&self, word: &AtomicU32, free: u32, granted: u32) {
        let address = ptr::from_ref(word).addr();
        let mut queue = self.bucket(address).lock();
        let first = pop(&mut queue, |waiter| waiter.is_in_turn_at(address));
        // SAFETY: it was taken out just now, and is not told yet.
        let since_ns = first.map(|first| unsafe { first.as_ref() }.since_ns);
        let is_granted = since_ns.is_some_and(|since_ns| {
            let now_ns = clock::now_ns();
            let is_granted = self.is_overdue(address, now_ns.saturating_sub(since_ns), now_ns);
            if is_granted {
                self.note_grant(address, now_ns);
            }
            is_granted
        });
        // Releases to whoever takes it. If that is not the one told below, then only the address is known
        // to be good from here on.
        word.store(if is_granted { granted } else { free }, Ordering::Release);
        drop(queue);
        if let Some(first) = first {
            // SAFETY: it waited for its turn, and was taken out above.
            unsafe { tell(first, if is_granted { GRANTED } else { WOKEN }) };
        }
    }

    /// Grants what `word` stands for to the first `n` that wait for their turn there, after `settle` has
    /// left it to so many; how many that are.
    pub(super) fn grant(&self, word: *const AtomicU32, n: usize, settle: &dyn Fn(usize)) -> usize {
        let address = word.addr();
        let mut queue = self.bucket(address).lock();
        let (granted, n_granted) = pop_some(&mut queue, n, |waiter| waiter.is_in_turn_at(address));
        if n_granted > 0 {
            self.note_grant(address, clock::now_ns());
        }
        settle(n_granted);
        drop(queue);
        tell_all(granted, GRANTED);
        n_granted
    }
}

/// The oldest waiter that is such a one.
fn find(queue: &Queue, is_it: impl Fn(&Waiter) -> bool) -> Option<NonNull<Waiter>> {
    let mut at = queue.first();
    while let Some(waiter) = at {
        // SAFETY: waiters in the ring are alive while its lock is held.
        let waiter_ref = unsafe { waiter.as_ref() };
        if is_it(waiter_ref) {
            return Some(waiter);
        }
        at = queue.after(waiter_ref);
    }
    None
}

/// Takes out the oldest waiter that is such a one.
fn pop(queue: &mut Queue, is_it: impl Fn(&Waiter) -> bool) -> Option<NonNull<Waiter>> {
    let waiter = find(queue, is_it)?;
    // SAFETY: found in this ring, whose lock is held.
    unsafe {
        queue.remove(waiter.as_ref());
        if waiter.as_ref().may_leave {
            waiter.as_ref().state.store(TAKEN, Ordering::Relaxed);
        }
    }
    Some(waiter)
}

/// Takes out the oldest `n` that are such ones; and how many these are.
fn pop_some(queue: &mut Queue, n: usize, is_it: impl Fn(&Waiter) -> bool) -> (Queue, usize) {
    let mut popped = Ring::new();
    let mut n_popped = 0;
    while n_popped < n {
        let Some(first) = pop(queue, &is_it) else { break };
        // SAFETY: it is in no ring, and stays where it is until it is told.
        unsafe { popped.push_back(first.as_ref()) };
        n_popped += 1;
    }
    (popped, n_popped)
}

/// Links `waiter` in behind those that wait for their turn there since an earlier time.
///
/// # Safety
///
/// As [`Ring::push_back`].
#[inline(never)]
unsafe fn put_in_turn(queue: &mut Queue, waiter: &Waiter) {
    // Most have come last. Who was woken before has come first, of all or of all but a few.
    let first = find(queue, |other| other.is_in_turn_at(waiter.address));
    // SAFETY: waiters in the ring are alive while its lock is held; here and below.
    let mut later = first.filter(|first| unsafe { first.as_ref() }.since_ns > waiter.since_ns);
    let mut at = if first.is_some() && later.is_none() { queue.last() } else { None };
    while let Some(other) = at {
        // SAFETY: as above.
        let other_ref = unsafe { other.as_ref() };
        if other_ref.is_in_turn_at(waiter.address) {
            if other_ref.since_ns <= waiter.since_ns {
                break;
            }
            later = Some(other);
        }
        at = queue.before(other_ref);
    }
    // SAFETY: as the caller promises.
    unsafe {
        match later {
            Some(later) => queue.insert_before(later.as_ref(), waiter),
            None => queue.push_back(waiter),
        }
    }
}

/// Wakes all that were taken out.
fn tell_all(mut taken: Queue, end: u32) {
    while let Some(first) = taken.pop_front() {
        // SAFETY: in this ring are those that were taken out of their queue and not told.
        unsafe { tell(first, end) };
    }
}

/// Wakes one that waited.
///
/// # Safety
///
/// The caller has taken it out of its ring, and tells it once.
unsafe fn tell(waiter: NonNull<Waiter>, end: u32) {
    // SAFETY: it stays until it is told.
    let (task, state) = unsafe { ((*waiter.as_ptr()).task, &raw const (*waiter.as_ptr()).state) };
    // SAFETY: as above.
    if unsafe { (*waiter.as_ptr()).may_leave } {
        let runnable = NonNull::new(task.cast_mut()).and_then(|task| {
            // SAFETY: as above; the claim says whether the right to run it is ours.
            unsafe { task.as_ref().state.claim().then(|| Runnable::from_raw(task)) }
        });
        // SAFETY: as above. Release pairs with the acquire in `is_woken`.
        unsafe { (*state).store(end, Ordering::Release) };
        if let Some(runnable) = runnable {
            runnable.schedule();
        } else if task.is_null() {
            // The address alone is used: the thread may be gone.
            futex::wake(state, 1);
        }
        return;
    }
    // SAFETY: as above. Release pairs with the acquire in `is_woken`.
    unsafe { (*state).store(end, Ordering::Release) };
    match NonNull::new(task.cast_mut()) {
        // SAFETY: the task parks for this waiter until it is claimed, which is here.
        Some(task) => unsafe { call(task) },
        // The address alone is used: the thread may be gone.
        None => futex::wake(state, 1),
    }
}

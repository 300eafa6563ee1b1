//! What is known of a green thread of a whole program; its address is the `pthread_t`.
//!
//! # A record's life
//!
//! Two have it: the thread itself, until its function and its destructors are over, and whoever is to join
//! it. `state` has three flags, each of which is set once, by one read-modify-write:
//!
//! ```text
//!   ENDED      the thread is over
//!   DETACHED   nobody will join it
//!   JOINED     somebody waits for its end; taken back if that one gives up
//! ```
//!
//! Whoever sets the second of ENDED and DETACHED frees the record, as does the joiner when it has found
//! ENDED. DETACHED and JOINED exclude each other.
//!
//! Records are never given back to the allocator: they lie in a list of free ones, without a mark. So whoever
//! asks for a thread that is gone finds that out (`ESRCH`), until another thread has the same record, as
//! libc's own are used again.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::mem::offset_of;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};

use libc::pthread_t;
use sylvan::WaitReason;

use super::create::Start;
use crate::owner;
use crate::signal::own::Signals;
use crate::wait::{self, Restart};

pub(super) const ENDED: u32 = 1;
pub(super) const DETACHED: u32 = 2;
pub(super) const JOINED: u32 = 4;

/// Begins each record that is in use, and is nothing that libc's begins with: that one's first word points
/// to itself.
const MARK: usize = 0x7379_6c76_616e_0001;
/// Begins each other one.
const FREE: usize = 0x7379_6c76_616e_0000;

/// Of `begun`: not yet; somebody waits for it; it has.
const NOT_BEGUN: u32 = 0;
const AWAITED: u32 = 1;
const BEGUN: u32 = 2;

/// As the kernel has a name: it ends with a zero.
pub(crate) type Name = [u8; 16];

#[repr(C, align(64))]
pub(crate) struct Record {
    mark: AtomicUsize,
    /// See above. A joiner waits at it.
    pub(super) state: AtomicU32,
    /// See `cancel`.
    pub(crate) cancel: AtomicU32,
    /// The `pthread_t` of who waits for its end: a thread must not wait for its own joiner. A hint for that.
    pub(super) joiner: AtomicUsize,
    /// What the thread runs, and what comes of it: the thread's own until ENDED, the joiner's then.
    pub(super) start: Cell<Option<Start>>,
    pub(super) argument: Cell<*mut c_void>,
    pub(super) result: Cell<*mut c_void>,
    /// Orders what comes next to it.
    begun: AtomicU32,
    lowest: AtomicUsize,
    highest: AtomicUsize,
    guard: AtomicUsize,
    /// The runtime's number of the thread; 0 until it begins.
    number: AtomicU64,
    /// Each half by itself: who reads while it changes may get one of each.
    name: [AtomicU64; 2],
    /// The policy over the priority, as the thread has set them for itself.
    scheduling: AtomicU64,
    pub(crate) signals: Signals,
    /// In the list of free records.
    next: AtomicUsize,
}

// SAFETY: the cells belong to the thread, or to its joiner, as `state` says.
unsafe impl Sync for Record {}

sylvan::contract::local_pointer! {
    /// That of the calling thread; null for one that has none.
    static THIS: Record as "sylvan_posix_record";
}

/// Has shown to those who look at the process from outside how threads are called, and who joins them.
pub(crate) fn show() {
    let place = || THIS.place().addr();
    let (name_at, joined_at) = (offset_of!(Record, name), offset_of!(Record, state));
    sylvan::contract::thread::show_records(place, name_at, joined_at);
}

/// The calling thread's, if it has one.
#[inline]
pub(crate) fn this() -> Option<&'static Record> {
    // SAFETY: records stay where they are.
    unsafe { THIS.get().as_ref() }
}

/// Whose a `pthread_t` is.
pub(crate) enum Whose {
    /// A thread of ours, which is there or waits to be joined.
    Ours(&'static Record),
    /// The same, and it is gone.
    Nobodys,
    /// An OS thread: libc's.
    Libcs,
}

/// Whose a `pthread_t` is.
///
/// # Safety
///
/// It is one that was given out by a `pthread_create`, here or in libc. Libc's is still there.
pub(crate) unsafe fn of(thread: pthread_t) -> Whose {
    let record = ptr::with_exposed_provenance::<Record>(thread as usize);
    // SAFETY: a record, which stays where it is, or libc's own, which is larger.
    let Some(mark) = (unsafe { record.cast::<AtomicUsize>().as_ref() }) else {
        return Whose::Nobodys;
    };
    match mark.load(Ordering::Acquire) {
        // SAFETY: as above.
        MARK => Whose::Ours(unsafe { &*record }),
        FREE => Whose::Nobodys,
        _ => Whose::Libcs,
    }
}

/// Whether it is the number of a green thread, be it that it has ended.
///
/// # Safety
///
/// As for [`of`].
pub(crate) unsafe fn is_green(thread: pthread_t) -> bool {
    // SAFETY: as the caller promises.
    !matches!(unsafe { of(thread) }, Whose::Libcs)
}

/// The stack of a thread, and how many bytes below it are its guard.
pub(crate) struct Bounds {
    pub(crate) stack: Range<usize>,
    pub(crate) guard: usize,
}

impl Record {
    /// A new one, with no name.
    fn new() -> Self {
        Self {
            mark: AtomicUsize::new(FREE),
            state: AtomicU32::new(0),
            cancel: AtomicU32::new(0),
            joiner: AtomicUsize::new(0),
            start: Cell::new(None),
            argument: Cell::new(ptr::null_mut()),
            result: Cell::new(ptr::null_mut()),
            begun: AtomicU32::new(NOT_BEGUN),
            lowest: AtomicUsize::new(0),
            highest: AtomicUsize::new(0),
            guard: AtomicUsize::new(0),
            number: AtomicU64::new(0),
            name: [AtomicU64::new(0), AtomicU64::new(0)],
            scheduling: AtomicU64::new(0),
            signals: Signals::new(),
            next: AtomicUsize::new(0),
        }
    }

    /// One for a thread that is about to begin.
    pub(super) fn take(start: Start, argument: *mut c_void, is_detached: bool) -> &'static Self {
        let record: *mut Self =
            free::take().unwrap_or_else(|| Box::into_raw(Box::new(Self::new())));
        record.expose_provenance();
        // SAFETY: nobody else's; the words that others may look at are atomic.
        let this = unsafe {
            (&raw mut (*record).signals).write(Signals::new());
            &*record
        };
        this.state.store(if is_detached { DETACHED } else { 0 }, Ordering::Relaxed);
        this.cancel.store(0, Ordering::Relaxed);
        this.joiner.store(0, Ordering::Relaxed);
        this.scheduling.store(0, Ordering::Relaxed);
        this.number.store(0, Ordering::Relaxed);
        this.begun.store(NOT_BEGUN, Ordering::Relaxed);
        this.start.set(Some(start));
        this.argument.set(argument);
        this.result.set(ptr::null_mut());
        // Release pairs with the acquire in `of`.
        this.mark.store(MARK, Ordering::Release);
        this
    }

    /// Nobody uses it from here on.
    pub(super) fn give_back(&'static self) {
        self.mark.store(FREE, Ordering::Release);
        free::put(self);
    }

    pub(crate) fn id(&self) -> pthread_t {
        ptr::from_ref(self).expose_provenance() as pthread_t
    }

    /// The calling thread, which is green and about to run its function, has this one.
    pub(super) fn begin(&'static self) {
        THIS.set(self);
        owner::renew();
        // Sequentially consistent, as is what `set_name` does: whoever is second records the name.
        self.number.store(sylvan::current().id().get(), Ordering::SeqCst);
        self.record_name();
        if let Some((stack, guard)) = sylvan::thread::stack_bounds() {
            // The first frames lie above what the stack's size is counted from, and libc's record above those.
            self.lowest.store(stack.start, Ordering::Relaxed);
            self.highest.store(owner::above().next_multiple_of(4096), Ordering::Relaxed);
            self.guard.store(guard, Ordering::Relaxed);
        }
        // Release pairs with the acquire in `bounds`.
        if self.begun.swap(BEGUN, Ordering::Release) == AWAITED {
            sylvan::wake(&raw const self.begun, usize::MAX);
        }
    }

    /// The stack of the thread: waits until it has one.
    pub(crate) fn bounds(&self) -> Bounds {
        // Acquire pairs with the release in `begin`.
        while self.begun.load(Ordering::Acquire) != BEGUN {
            let (from, to) = (NOT_BEGUN, AWAITED);
            let _ = self.begun.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
            let _ = wait::futex(&self.begun, AWAITED, None, WaitReason::Start, Restart::Always);
        }
        Bounds {
            stack: self.lowest.load(Ordering::Relaxed)..self.highest.load(Ordering::Relaxed),
            guard: self.guard.load(Ordering::Relaxed),
        }
    }

    /// The calling thread, whose this is, leaves a result.
    pub(crate) fn leaves(&self, result: *mut c_void) {
        self.result.set(result);
    }

    pub(crate) fn is_detached(&self) -> bool {
        self.state.load(Ordering::Relaxed) & DETACHED != 0
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) & ENDED != 0
    }

    /// Policy and priority.
    pub(crate) fn scheduling(&self) -> (c_int, c_int) {
        let both = self.scheduling.load(Ordering::Relaxed);
        ((both >> 32) as c_int, both as c_int)
    }

    pub(crate) fn set_scheduling(&self, policy: c_int, priority: c_int) {
        let both = u64::from(policy.cast_unsigned()) << 32 | u64::from(priority.cast_unsigned());
        self.scheduling.store(both, Ordering::Relaxed);
    }

    pub(crate) fn name(&self) -> Name {
        let [low, high] = &self.name;
        let (low, high) = (low.load(Ordering::SeqCst), high.load(Ordering::SeqCst));
        let mut name = Name::default();
        name[..8].copy_from_slice(&low.to_ne_bytes());
        name[8..].copy_from_slice(&high.to_ne_bytes());
        name
    }

    pub(crate) fn set_name(&self, name: Name) {
        let (low, high) = name.split_at(8);
        for (to, half) in self.name.iter().zip([low, high]) {
            let half = half.try_into().map_or(0, u64::from_ne_bytes);
            to.store(half, Ordering::SeqCst);
        }
        self.record_name();
    }

    /// For a recording of the run, if there is one.
    fn record_name(&self) {
        let number = self.number.load(Ordering::SeqCst);
        sylvan::contract::thread::record_new_name(number, &self.name());
    }
}

/// A name as a C string has it, cut where the kernel would cut it.
///
/// # Safety
///
/// It ends with a zero, or is as long as [`Name`].
pub(crate) unsafe fn name_at(from: *const c_char) -> Name {
    let mut name = Name::default();
    for (i, to) in name[..15].iter_mut().enumerate() {
        // SAFETY: not behind its end, as the caller promises.
        *to = unsafe { from.cast::<u8>().add(i).read() };
        if *to == 0 {
            break;
        }
    }
    name
}

/// The list of free records: the first one's address, and beside it a count of changes, so that one that was
/// taken and put back meanwhile is not mistaken for what it was.
mod free {
    use std::ptr;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::Record;

    /// An address of a record, which ends with six zeros and is below 2^48, over the count.
    static FIRST: AtomicU64 = AtomicU64::new(0);

    const COUNT_BITS: u32 = 22;
    const COUNT: u64 = (1 << COUNT_BITS) - 1;

    const fn pack(record: usize, before: u64) -> u64 {
        (record as u64 >> 6) << COUNT_BITS | (before + 1) & COUNT
    }

    const fn address(word: u64) -> usize {
        ((word >> COUNT_BITS) << 6) as usize
    }

    pub(super) fn take() -> Option<*mut Record> {
        // Acquire pairs with the release in `put`.
        let mut first = FIRST.load(Ordering::Acquire);
        loop {
            let record = ptr::with_exposed_provenance_mut::<Record>(address(first));
            // SAFETY: records stay where they are. If it is no longer free the exchange fails.
            let next = unsafe { record.as_ref() }?.next.load(Ordering::Relaxed);
            match FIRST.compare_exchange_weak(
                first,
                pack(next, first),
                Ordering::Acquire,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(record),
                Err(now) => first = now,
            }
        }
    }

    pub(super) fn put(record: &'static Record) {
        let mut first = FIRST.load(Ordering::Relaxed);
        loop {
            record.next.store(address(first), Ordering::Relaxed);
            let now = pack(ptr::from_ref(record).expose_provenance(), first);
            // Release pairs with the acquire in `take`.
            match FIRST.compare_exchange_weak(first, now, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }
}

//! What happens, recorded: events of 16 bytes (`sylvan_sight::trace`), in rings of bounded size.
//!
//! ```text
//!            begin (SYLVAN_TRACE, at the start)         the process ends
//!   OFF ------------------------------------> FROM_START ----> file
//!    ^  \
//!    |   \ the monitor finds that somebody asks from outside
//!    |    +---------------------------------> ASKED            (who asks reads the rings)
//!    +------------- the time is over ----------+
//! ```
//!
//! Off, it is a byte that is looked at where a thread becomes runnable, and where a worker does more than
//! go from one run to the next. Runs themselves are recorded by a loop of their own (`scheduler::relay`),
//! which a worker changes to when it looks at that word.
//!
//! # Who writes where
//!
//! A worker has a ring by its lease, from when it takes a core until it ends: also in a run that has lost its
//! core, and in a blocking section. So a ring has one writer at a time, which fills a slot and then counts
//! it, by plain stores. All others (OS threads of the program's, the monitor) share one ring, where each
//! takes a number first. Names have a ring of their own, so that they outlast the events.
//!
//! An event takes no lock, no memory, no system call and no thread-local. If a signal handler wakes a thread
//! while the worker below it fills a slot, it may spoil that one event, or lose its own. So a reader of a
//! ring takes no event for granted.
//!
//! # Memory ordering
//!
//! The count is released after the slot, and acquired by who reads. `ON` orders nothing: who sees it finds a
//! ring, or none. Rings are published by a release of the list's head, or of the lease's pointer, and acquired
//! there.
//!
//! # Forks
//!
//! A child records nothing of its parent's. When the runtime starts there it begins a recording of its own,
//! in a file of its own (`write`).

mod ring;
mod write;

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use sylvan_sight::recording::{ASKED, Control, FROM_START, LINGER_NS, N_EVENTS, OFF};
use sylvan_sight::trace::Event;
pub(crate) use sylvan_sight::trace::{By, Kind};

use crate::clock;
use crate::primitive::AtomicPtr;
use crate::sys::time;
use crate::task::rare::Rare;
pub(crate) use ring::Ring;
pub(crate) use write::{Settings, begin};

/// What is on: some of the bits below.
static ON: AtomicU8 = AtomicU8::new(0);
/// Something is recorded.
const RECORDED: u8 = 1;
/// Runs are watched (`scheduler::watch`): the same loop is for them.
const WATCHED: u8 = 2;

/// What who looks from outside finds, and writes its wish to.
pub(crate) static CONTROL: Control<AtomicU64> = Control {
    until_ns: AtomicU64::new(0),
    n_events: AtomicU64::new(0),
    state: AtomicU64::new(OFF),
    began_ns: AtomicU64::new(0),
    began_unix_ns: AtomicU64::new(0),
    rings: AtomicU64::new(0),
    n_cores: AtomicU64::new(0),
};

/// When it began, by the runtime's clock.
static BEGAN_NS: AtomicU64 = AtomicU64::new(0);

/// The ring of those that have none of their own, and that of names; null before the first recording.
static SHARED: AtomicPtr<Ring> = AtomicPtr::new(std::ptr::null_mut());
static NAMES: AtomicPtr<Ring> = AtomicPtr::new(std::ptr::null_mut());

/// Events that these two have.
const N_SHARED: u64 = 1 << 16;

/// Parts of a name that are kept.
const PARTS_MAX: usize = 6;

/// Whether anything is recorded.
#[inline(always)]
pub(crate) fn is_on() -> bool {
    ON.load(Ordering::Relaxed) & RECORDED != 0
}

/// Whether runs are to be seen: recorded, or watched.
#[inline(always)]
pub(crate) fn are_runs_seen() -> bool {
    ON.load(Ordering::Relaxed) != 0
}

/// The runtime starts, with so many cores.
pub(crate) fn note_start(n_cores: usize) {
    CONTROL.n_cores.store(n_cores as u64, Ordering::Relaxed);
}

/// Runs are watched from now on.
pub(crate) fn set_watched() {
    set(WATCHED, true);
}

fn set(bit: u8, is_on: bool) {
    if is_on {
        ON.fetch_or(bit, Ordering::Relaxed);
    } else {
        ON.fetch_and(!bit, Ordering::Relaxed);
    }
}

/// The time, as events have it.
#[inline]
pub(crate) fn now_ns() -> u64 {
    clock::now_ns().wrapping_sub(BEGAN_NS.load(Ordering::Relaxed))
}

/// How many events a new ring of a worker's has.
fn n_events() -> u64 {
    match CONTROL.n_events.load(Ordering::Relaxed) {
        0 => N_EVENTS,
        n => n.clamp(1 << 10, 1 << 30),
    }
}

/// A ring for a worker; `None` where there is no memory for it.
pub(crate) fn new_ring() -> Option<&'static Ring> {
    Ring::new(n_events())
}

/// Records what an OS thread does that has no ring.
pub(crate) fn record_shared(kind: Kind, detail: u8, thread: u32, other: u32) {
    // Acquire pairs with the release in `prepare`.
    // SAFETY: null, or a ring, which lasts.
    if let Some(ring) = unsafe { SHARED.load(Ordering::Acquire).as_ref() } {
        ring.push_shared([Event::new(now_ns(), kind, detail, thread, other)].into_iter());
    }
}

/// Records the name of a thread that runs, unless it was a short while ago: so the names of those that run
/// are always among the last.
#[inline]
pub(crate) fn record_name(thread: u32, rare: &Rare) {
    // Acquire as above.
    // SAFETY: as above.
    if let Some(names) = unsafe { NAMES.load(Ordering::Acquire).as_ref() }
        && rare.named_in.get() != names.half()
        && let Some(name) = rare.name.as_deref()
    {
        rare.named_in.set(names.half());
        record_name_in(names, thread, name);
    }
}

/// Records that a thread has this name now, up to its first zero: one that a whole program's thread is given while it
/// is there. By its number, and nothing if that is 0.
#[inline]
pub fn record_new_name(thread: u64, name: &[u8]) {
    if thread == 0 || !is_on() {
        return;
    }
    // Acquire as above.
    // SAFETY: as above.
    if let Some(names) = unsafe { NAMES.load(Ordering::Acquire).as_ref() } {
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        record_name_in(names, thread as u32, &String::from_utf8_lossy(name));
    }
}

#[cold]
fn record_name_in(names: &Ring, thread: u32, name: &str) {
    let parts = name.as_bytes().chunks(Event::TEXT).take(PARTS_MAX);
    names.push_shared(parts.enumerate().map(|(i, text)| Event::text(thread, i as u8, text)));
}

/// Makes all ready for a recording: from here on it is only to be switched on.
fn prepare(state: u64) {
    for place in [&SHARED, &NAMES] {
        if place.load(Ordering::Relaxed).is_null()
            && let Some(ring) = Ring::new(N_SHARED)
        {
            // Release pairs with the acquires above.
            place.store(std::ptr::from_ref(ring).cast_mut(), Ordering::Release);
        }
    }
    ring::all().for_each(Ring::begin);
    BEGAN_NS.store(clock::now_ns(), Ordering::Relaxed);
    CONTROL.began_ns.store(time::monotonic_ns(), Ordering::Relaxed);
    CONTROL.began_unix_ns.store(time::unix_ns(), Ordering::Relaxed);
    // Release, so that who reads from outside finds the rest.
    CONTROL.state.store(state, Ordering::Release);
}

/// Whether somebody asks from outside for what is going on.
pub(crate) fn is_asked() -> bool {
    CONTROL.until_ns.load(Ordering::Relaxed) != 0
}

/// For the monitor: sees to what somebody asks from outside. `provide` has each worker get a ring.
#[inline]
pub(crate) fn attend(provide: impl FnOnce()) {
    if is_asked() {
        attend_to_wish(provide);
    }
}

#[cold]
fn attend_to_wish(provide: impl FnOnce()) {
    // Acquire, for how large the rings are to be.
    let until_ns = CONTROL.until_ns.load(Ordering::Acquire);
    let now_ns = time::monotonic_ns();
    let is_over = now_ns >= until_ns;
    match CONTROL.state.load(Ordering::Relaxed) {
        OFF if !is_over => {
            prepare(ASKED);
            set(RECORDED, true);
            provide();
        }
        ASKED if is_over => {
            set(RECORDED, false);
            CONTROL.state.store(OFF, Ordering::Release);
        }
        OFF if now_ns >= until_ns.saturating_add(LINGER_NS) => {
            CONTROL.until_ns.store(0, Ordering::Relaxed);
            ring::all().for_each(Ring::discard);
        }
        FROM_START if is_over => CONTROL.until_ns.store(0, Ordering::Relaxed),
        _ => {}
    }
}

/// In a child of a fork: nothing is recorded, nor watched.
pub(crate) fn forget() {
    ON.store(0, Ordering::Relaxed);
    let Control { until_ns, n_events, state, rings, n_cores, .. } = &CONTROL;
    for word in [until_ns, n_events, state, rings, n_cores] {
        word.store(0, Ordering::Relaxed);
    }
    SHARED.store(std::ptr::null_mut(), Ordering::Relaxed);
    NAMES.store(std::ptr::null_mut(), Ordering::Relaxed);
    write::forget();
}

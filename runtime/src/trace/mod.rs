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
//! Off, it is a word that is looked at where a thread becomes runnable, and where a worker does more than
//! go from one run to the next. Runs themselves are recorded by a loop of their own (`scheduler::relay`),
//! which a worker changes to when it looks at that word.
//!
//! # Who writes where
//!
//! A worker has a ring by its lease, from when it takes a core until it ends: also in a run that has lost its
//! core, and in a blocking section. So a ring has one writer at a time, which fills a slot and then counts it,
//! by plain stores. All others (OS threads of the program's, the monitor) share one ring, where each takes a
//! number first; and so do names, which go to a ring of their own, so that they outlast the events.
//!
//! An event takes no lock, no memory, no system call and no thread-local. A handler of a signal that wakes a
//! thread while the worker below it fills a slot may spoil that one event, or lose its own: whoever reads a
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
#[cfg(target_os = "linux")]
mod signal;
mod write;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sylvan_sight::recording::{ASKED, Control, FROM_START, N_EVENTS, OFF};
use sylvan_sight::trace::Event;
pub(crate) use sylvan_sight::trace::{By, Kind};

use crate::clock;
use crate::primitive::AtomicPtr;
use crate::sys::time;
pub(crate) use ring::Ring;
pub(crate) use write::{Settings, begin};

/// Whether anything is recorded.
static ON: AtomicBool = AtomicBool::new(false);

/// What who looks from outside finds, and writes its wish to.
pub(crate) static CONTROL: Control<AtomicU64> = Control {
    until_ns: AtomicU64::new(0),
    n_events: AtomicU64::new(0),
    state: AtomicU64::new(OFF),
    began_ns: AtomicU64::new(0),
    began_unix_ns: AtomicU64::new(0),
    rings: AtomicU64::new(0),
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
    ON.load(Ordering::Relaxed)
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

/// Records the name of a thread.
#[cold]
pub(crate) fn record_name(thread: u32, name: &str) {
    let parts = name.as_bytes().chunks(Event::TEXT).take(PARTS_MAX);
    // As above.
    // SAFETY: as above.
    if let Some(ring) = unsafe { NAMES.load(Ordering::Acquire).as_ref() } {
        ring.push_shared(parts.enumerate().map(|(i, text)| Event::text(thread, i as u8, text)));
    }
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

/// For the monitor: sees to what somebody asks from outside. `provide` has each worker get a ring.
#[inline]
pub(crate) fn attend(provide: impl FnOnce()) {
    if CONTROL.until_ns.load(Ordering::Relaxed) != 0 {
        attend_to_wish(provide);
    }
}

#[cold]
fn attend_to_wish(provide: impl FnOnce()) {
    let is_over = time::monotonic_ns() >= CONTROL.until_ns.load(Ordering::Acquire);
    match CONTROL.state.load(Ordering::Relaxed) {
        OFF if !is_over => {
            prepare(ASKED);
            ON.store(true, Ordering::Relaxed);
            provide();
        }
        ASKED if is_over => {
            ON.store(false, Ordering::Relaxed);
            CONTROL.state.store(OFF, Ordering::Release);
            CONTROL.until_ns.store(0, Ordering::Relaxed);
        }
        FROM_START if is_over => CONTROL.until_ns.store(0, Ordering::Relaxed),
        _ => {}
    }
}

/// In a child of a fork: nothing is recorded.
pub(crate) fn forget() {
    ON.store(false, Ordering::Relaxed);
    for word in [&CONTROL.until_ns, &CONTROL.n_events, &CONTROL.state, &CONTROL.rings] {
        word.store(0, Ordering::Relaxed);
    }
    SHARED.store(std::ptr::null_mut(), Ordering::Relaxed);
    NAMES.store(std::ptr::null_mut(), Ordering::Relaxed);
    write::forget();
}

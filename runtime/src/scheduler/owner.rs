//! Who has a core: a pointer to the lease of its worker (`task::lease`), or nothing while it is on
//! its way to another one.

use std::ptr;

use crate::lock::Lock;
use crate::primitive::{AtomicPtr, Ordering};
use crate::task::lease::{Doing, Lease};
#[cfg(not(sylvan_loom))]
use crate::trace;

#[derive(Debug)]
pub(crate) struct Owner(AtomicPtr<Lease>);

/// What the monitor saw of a core.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting {
    lease: &'static Lease,
    pub(crate) doing: Doing,
}

impl Sighting {
    /// How many runs there were from `before` to this; `None` if another worker had the core then.
    pub(crate) fn runs_since(self, before: Self) -> Option<u64> {
        let same = ptr::eq(self.lease, before.lease);
        same.then(|| self.doing.run().wrapping_sub(before.doing.run()))
    }

    /// Whether both are of one run, which may be over.
    pub(crate) fn is_same_run(self, other: Self) -> bool {
        ptr::eq(self.lease, other.lease) && self.doing.is_same_run(other.doing)
    }

    /// It is a long one, as its worker is to hear after it.
    pub(crate) fn note_lasting(self) {
        self.lease.note_lasting(self.doing);
    }

    /// Whether both are of one state of one run: of one blocking section.
    pub(crate) fn is_same_section(self, other: Self) -> bool {
        ptr::eq(self.lease, other.lease) && self.doing == other.doing
    }
}

impl Owner {
    pub(crate) fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// The core is held by `lease` from now on.
    pub(crate) fn adopt(&self, lease: &'static Lease) {
        // Release pairs with the acquire in `look`.
        self.0.store(ptr::from_ref(lease).cast_mut(), Ordering::Release);
    }

    /// The lease of the calling worker, which has the core.
    pub(crate) fn lease(&self) -> Option<&'static Lease> {
        // SAFETY: null, or from a `&'static`; the caller has stored it itself.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }

    /// What the core's worker does; `None` if the core has none at the moment.
    pub(crate) fn look(&self) -> Option<Sighting> {
        // SAFETY: null, or from a `&'static`; acquire pairs with the release in `adopt`.
        let lease = unsafe { self.0.load(Ordering::Acquire).as_ref() }?;
        Some(Sighting { lease, doing: lease.look() })
    }

    /// The same, of a worker that is in a run.
    pub(crate) fn running(&self) -> Option<Sighting> {
        self.look().filter(|seen| seen.doing.is_running())
    }

    /// Whether the run that was seen is still going on.
    pub(crate) fn is_in(&self, seen: Sighting) -> bool {
        self.running().is_some_and(|now| now.is_same_run(seen))
    }

    /// Whether the core's worker is between runs.
    pub(crate) fn schedules(&self) -> bool {
        self.look().is_some_and(|seen| seen.doing.is_scheduling())
    }

    /// Whether the core's worker is in a blocking section.
    pub(crate) fn blocks(&self) -> bool {
        self.look().is_some_and(|seen| seen.doing.is_blocking())
    }

    /// Takes the core from the run that was seen, whose lease it revokes; `false` if that run is over.
    #[must_use]
    pub(crate) fn revoke(&self, seen: Sighting) -> bool {
        let lease = ptr::from_ref(seen.lease).cast_mut();
        // The core before its lease: a worker that has lost may have another core at once, by the
        // same lease, and nobody may look for that one here. Of two takers one goes on.
        // Orders nothing: what the core holds comes with the word of the lease.
        let (asked, answered) = (Ordering::Relaxed, Ordering::Relaxed);
        if self.0.compare_exchange(lease, ptr::null_mut(), asked, answered).is_err() {
            return false;
        }
        let taken = seen.lease.revoke(seen.doing);
        if !taken {
            self.adopt(seen.lease);
        }
        taken
    }

    /// For the worker itself, in a blocking section: releases the core, which `lease` holds; `false`
    /// if somebody is about to take it, or has.
    #[must_use]
    pub(crate) fn release(&self, lease: &Lease) -> bool {
        let lease_at = ptr::from_ref(lease).cast_mut();
        // From here on no taker gets as far as the claim. Acquire pairs with the release in `adopt`,
        // by which one that has withdrawn has left it.
        let (asked, answered) = (Ordering::Acquire, Ordering::Relaxed);
        let released = self.0.compare_exchange(lease_at, ptr::null_mut(), asked, answered).is_ok();
        if released {
            lease.release();
        }
        released
    }

    /// For the same worker: takes back the core that it has released, which nobody has got.
    pub(crate) fn take_back(&self, lease: &'static Lease) {
        lease.take_back();
        self.adopt(lease);
    }
}

/// Leases for as many workers as have had a core at a time. None is ever freed: the monitor may still
/// look at one that it has seen.
pub(crate) struct Leases {
    free: Lock<Vec<&'static Lease>>,
    all: Lock<Vec<&'static Lease>>,
}

impl Leases {
    pub(crate) fn new() -> Self {
        Self { free: Lock::new(Vec::new()), all: Lock::new(Vec::new()) }
    }

    /// For a worker that is given a core.
    pub(crate) fn take(&self) -> &'static Lease {
        let free = self.free.lock().pop();
        free.unwrap_or_else(|| {
            let lease: &_ = Box::leak(Box::new(Lease::new()));
            let mut all = self.all.lock();
            all.push(lease);
            #[cfg(not(sylvan_loom))]
            if trace::is_on() {
                lease.provide_ring();
            }
            lease
        })
    }

    /// Sees to it that each has a ring. Those that come later have one if anything is recorded by then.
    #[cfg(not(sylvan_loom))]
    pub(crate) fn provide_rings(&self) {
        self.all.lock().iter().for_each(|lease| lease.provide_ring());
    }

    /// From a worker that has lost its core.
    pub(crate) fn give_back(&self, lease: &'static Lease) {
        self.free.lock().push(lease);
    }

    /// One after the other, those that are free included; `None` behind the last.
    pub(crate) fn nth(&self, n: usize) -> Option<&'static Lease> {
        self.all.lock().get(n).copied()
    }
}

//! A ring of events: see `sylvan_sight::recording`.

use std::mem::offset_of;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};

use sylvan_sight::recording;
use sylvan_sight::trace::{Event, Kind};

use super::CONTROL;
use crate::sys::memory;

/// Two words of an event.
type Slot = [AtomicU64; 2];

/// As those see it who look from outside. It lasts for ever, with its slots behind it.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Ring {
    /// The address of the one that was made before.
    next: AtomicU64,
    slots: NonNull<Slot>,
    capacity: u64,
    /// How many events it was ever given.
    n: AtomicU64,
    /// The first number of this recording.
    from: AtomicU64,
    /// The OS thread and the core of its worker.
    place: AtomicU64,
}

const _: () = assert!(offset_of!(Ring, slots) == offset_of!(recording::Ring, slots));
const _: () = assert!(offset_of!(Ring, capacity) == offset_of!(recording::Ring, capacity));
const _: () = assert!(offset_of!(Ring, n) == offset_of!(recording::Ring, n));
const _: () = assert!(offset_of!(Ring, from) == offset_of!(recording::Ring, from));
const _: () = assert!(offset_of!(Ring, place) == offset_of!(recording::Ring, place));

// SAFETY: the slots are atomic, and the pointer to them never changes.
unsafe impl Sync for Ring {}
// SAFETY: as above.
unsafe impl Send for Ring {}

impl Ring {
    /// One with room for at most so many events: a power of two of them. `None` where there is no memory.
    pub(super) fn new(n_events: u64) -> Option<&'static Self> {
        let capacity = 1 << n_events.checked_ilog2()?;
        let len = size_of::<Self>() + usize::try_from(capacity).ok()? * size_of::<Slot>();
        let start = memory::reserve(len).ok()?.cast::<Self>();
        // SAFETY: the mapping is as long, and its start is that of a page.
        let slots = unsafe { start.add(1) }.cast::<Slot>();
        let zero = || AtomicU64::new(0);
        let ring = Self { next: zero(), slots, capacity, n: zero(), from: zero(), place: zero() };
        // SAFETY: as above, and it is nobody else's; it is never given back.
        let ring = unsafe {
            start.write(ring);
            start.as_ref()
        };
        // Whoever makes one at the same time tries again. Release pairs with the acquire in `all`.
        let address = ptr::from_ref(ring).expose_provenance() as u64;
        let mut head = CONTROL.rings.load(Ordering::Relaxed);
        loop {
            ring.next.store(head, Ordering::Relaxed);
            let (done, not) = (Ordering::Release, Ordering::Relaxed);
            match CONTROL.rings.compare_exchange(head, address, done, not) {
                Ok(_) => return Some(ring),
                Err(now) => head = now,
            }
        }
    }

    /// A recording begins: what was there before is no part of it. It begins with another half.
    pub(super) fn begin(&self) {
        let half = self.capacity / 2;
        let from = (self.n.load(Ordering::Relaxed) / half + 1) * half;
        self.from.store(from, Ordering::Relaxed);
        self.n.store(from, Ordering::Relaxed);
    }

    /// Gives the memory of its events back: nobody records, or reads them.
    pub(super) fn discard(&self) {
        let page = memory::page_size();
        let start = self.slots.cast::<u8>();
        let len = self.capacity as usize * size_of::<Slot>();
        let first = start.addr().get().next_multiple_of(page) - start.addr().get();
        if let Some(rest) = len.checked_sub(first) {
            // SAFETY: whole pages, or all that is left, of a mapping that `reserve` made; what is written
            // to meanwhile is there again.
            unsafe { memory::discard(start.add(first), rest) };
        }
    }

    /// How many halves of it were ever filled: a number that changes twice in each round.
    #[inline]
    pub(super) fn half(&self) -> u32 {
        (self.n.load(Ordering::Relaxed) / (self.capacity / 2)) as u32
    }

    #[inline]
    fn slot(&self, number: u64) -> &Slot {
        let at = (number & (self.capacity - 1)) as usize;
        // SAFETY: the capacity is a power of two, and there are as many slots.
        unsafe { self.slots.add(at).as_ref() }
    }

    #[inline]
    fn fill(&self, number: u64, Event(words): Event) {
        let slot = self.slot(number);
        slot[0].store(words[0], Ordering::Relaxed);
        slot[1].store(words[1], Ordering::Relaxed);
    }

    /// Records an event. For its one writer.
    #[inline]
    pub(crate) fn push(&self, at_ns: u64, kind: Kind, detail: u8, thread: u32, other: u32) {
        let n = self.n.load(Ordering::Relaxed);
        self.fill(n, Event::new(at_ns, kind, detail, thread, other));
        // Release pairs with the acquire of who reads.
        self.n.store(n + 1, Ordering::Release);
    }

    /// Records some in a row, in a ring that many write to.
    pub(super) fn push_shared(&self, events: impl ExactSizeIterator<Item = Event>) {
        // Each has slots of its own: it orders nothing. Who reads may find them empty yet.
        let n = self.n.fetch_add(events.len() as u64, Ordering::Relaxed);
        (n..).zip(events).for_each(|(number, event)| self.fill(number, event));
    }

    /// Its worker is this OS thread, with this core.
    pub(crate) fn set_place(&self, os_thread: u32, core: u32) {
        self.place.store(u64::from(os_thread) | u64::from(core) << 32, Ordering::Relaxed);
    }

    /// The OS thread and the core of its worker.
    pub(super) fn place(&self) -> (u32, u32) {
        let place = self.place.load(Ordering::Relaxed);
        (place as u32, (place >> 32) as u32)
    }

    /// How many events it has lost, and those that it has kept. While writers go on some of them may be
    /// younger than they should.
    pub(super) fn events(&self) -> (u64, impl ExactSizeIterator<Item = Event>) {
        // Acquire pairs with the release in `push`.
        let n = self.n.load(Ordering::Acquire);
        let view = recording::Ring {
            next: 0,
            slots: 0,
            capacity: self.capacity,
            n,
            from: self.from.load(Ordering::Relaxed),
            place: 0,
        };
        let (kept, n_lost) = view.kept(n, n);
        let len = (kept.end - kept.start) as usize;
        let events = (0..len).map(move |i| {
            let slot = self.slot(kept.start + i as u64);
            Event([slot[0].load(Ordering::Relaxed), slot[1].load(Ordering::Relaxed)])
        });
        (n_lost, events)
    }
}

/// All rings, the youngest first.
pub(super) fn all() -> impl Iterator<Item = &'static Ring> {
    let at = |address: u64| {
        let ring = ptr::with_exposed_provenance::<Ring>(address as usize);
        // SAFETY: null, or a ring, which lasts.
        unsafe { ring.as_ref() }
    };
    // Acquire pairs with the release in `new`.
    let first = at(CONTROL.rings.load(Ordering::Acquire));
    std::iter::successors(first, move |ring| at(ring.next.load(Ordering::Relaxed)))
}

//! The pool: slabs by size class, and the stacks that are free.

use std::io;
use std::mem::offset_of;
use std::num::{NonZeroU8, NonZeroUsize};
use std::ops::RangeInclusive;
use std::ptr::{self, NonNull};

use sylvan_sight::table;

use super::valgrind;
use super::{GUARD_PAGES, HEADROOM_PAGES, Stack, guard};
use crate::lock::Lock;
use crate::primitive::{AtomicPtr, AtomicUsize, Ordering};
use crate::sys::memory::{self, page_size};

/// The smallest usable size: room for a panic with a backtrace.
const MIN_SIZE_LOG2: u32 = 16;

/// One class a power of two, up to what a 47-bit address space could hold once.
const N_CLASSES: usize = 30;

/// Stacks in the first slab of a class; each further one has twice as many.
const FIRST_SLAB: usize = 64;

/// The topmost pages of a stack, which its next thread will touch at once: they stay when it is
/// trimmed.
const KEPT_PAGES: usize = 2;

/// A slab reserves no more address space than this (32 GiB), whatever its class.
const SLAB_MAX: usize = 32 << 30;

/// A size of stack: the logarithm of its usable bytes, which is never 0, so that an `Option` takes one
/// byte of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class(NonZeroU8);

impl Class {
    /// The class whose stacks have at least `size` usable bytes below `on_top` others.
    #[inline]
    pub(crate) fn for_size(size: usize, on_top: usize) -> io::Result<Self> {
        let size = size.saturating_add(on_top.saturating_sub(HEADROOM_PAGES * page_size()));
        let log2 = size.checked_next_power_of_two().map_or(usize::BITS, usize::ilog2);
        let log2 = log2.max(MIN_SIZE_LOG2);
        let class = u8::try_from(log2).ok().and_then(NonZeroU8::new).map(Self);
        class
            .filter(|class| class.index() < N_CLASSES)
            .ok_or_else(|| exhausted(size, 0, &io::ErrorKind::OutOfMemory.into()))
    }

    /// Never 0.
    pub(crate) fn to_byte(self) -> u8 {
        self.0.get()
    }

    /// `None` of 0; else what `to_byte` has said.
    #[inline]
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        NonZeroU8::new(byte).map(Self)
    }

    fn index(self) -> usize {
        usize::from(self.0.get()) - MIN_SIZE_LOG2 as usize
    }

    fn usable(self) -> usize {
        1 << self.0.get()
    }

    /// From one stack to the next: an odd number of pages. (Both sizes are powers of two, and a page is no
    /// larger than a stack.)
    pub(super) fn stride(self) -> usize {
        let page = page_size();
        (self.usable() + (GUARD_PAGES + HEADROOM_PAGES) * page) | page
    }

    fn state(self) -> &'static ClassState {
        &CLASSES[self.index()]
    }
}

/// How many slots are prepared at a time: an eighth of those that are, within these.
const PREPARED: RangeInclusive<usize> = 32..=256;

/// What the pool knows of a class.
struct ClassState {
    /// Slots that exist, are prepared, and that nobody has reserved. Never more than there are.
    available: AtomicUsize,
    slots: Lock<Slots>,
}

impl ClassState {
    /// Reserves a slot that exists; `false` if there is none.
    #[inline]
    fn reserve(&self) -> bool {
        // A count, which publishes nothing: the slots themselves are found under the lock.
        let less = |n: usize| n.checked_sub(1);
        self.available.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

struct Slots {
    /// Stacks that have been used before, hottest last.
    free: Vec<Stack>,
    /// How many of `free`, from its cold end, have given their memory back.
    trimmed: usize,
    /// The parts of slabs that are not cut yet, newest last; none is empty.
    uncut: Vec<&'static Slab>,
    /// How many of those in `uncut` nobody may reserve yet: where a guard costs a mapping of its own, the
    /// kernel may refuse it.
    withheld: usize,
    /// How many that exist have not been prepared for their first thread.
    unprepared: usize,
    /// Slots that were ever mapped.
    n_slots: usize,
}

/// A slab, for good. All of them are in one list, which who looks from outside goes through (`sight`): it
/// reads the words of stacks that were cut, and commits no memory by a look at others.
pub(crate) struct Slab {
    /// One that was made before.
    next: *const Slab,
    start: NonNull<u8>,
    stride: usize,
    guard_len: usize,
    class: Class,
    n: usize,
    /// How many were cut. Changes under the lock of the class.
    n_cut: AtomicUsize,
    /// How many have their guard, which is that many or more. The same.
    n_guarded: AtomicUsize,
}

// SAFETY: what it points to is its class's, whose lock gives it to one thread at a time, or another slab; none
// ever goes away.
unsafe impl Send for Slab {}
// SAFETY: as above.
unsafe impl Sync for Slab {}

/// The slab that was made last.
pub(crate) static SLABS: AtomicPtr<Slab> = AtomicPtr::new(ptr::null_mut());

impl Slab {
    pub(crate) const LAYOUT: table::Slab = table::Slab {
        next: offset_of!(Self, next) as u64,
        start: offset_of!(Self, start) as u64,
        stride: offset_of!(Self, stride) as u64,
        n_cut: offset_of!(Self, n_cut) as u64,
        class: offset_of!(Self, class) as u64,
        guard_len: offset_of!(Self, guard_len) as u64,
        size: size_of::<Self>() as u64,
    };

    /// A slab of `n` stacks at `start`, which is in the list from now on.
    fn new(start: NonNull<u8>, class: Class, n: usize) -> &'static Self {
        let (stride, guard_len) = (class.stride(), GUARD_PAGES * page_size());
        let next = SLABS.load(Ordering::Relaxed);
        let [n_cut, n_guarded] = [const { AtomicUsize::new(0) }; 2];
        let slab = Box::leak(Box::new(Self {
            next,
            start,
            stride,
            guard_len,
            class,
            n,
            n_cut,
            n_guarded,
        }));
        // Release, so that who follows the list from outside finds what it leads to. A slab of another class
        // may have come first.
        while let Err(first) =
            SLABS.compare_exchange(slab.next.cast_mut(), slab, Ordering::Release, Ordering::Relaxed)
        {
            slab.next = first;
        }
        slab
    }

    fn n_uncut(&self) -> usize {
        self.n - self.n_cut.load(Ordering::Relaxed)
    }

    /// Where a stack is, or is to be.
    fn at(&self, index: usize) -> NonNull<u8> {
        assert!(index < self.n);
        // SAFETY: that lies in the slab.
        unsafe { self.start.add(index * self.stride) }
    }

    /// Guards the next stack that is cut, and up to `n` at once where that takes one call. Under the lock of the
    /// class.
    fn guard_next(&self, n: usize) -> io::Result<()> {
        let n_cut = self.n_cut.load(Ordering::Relaxed);
        if n_cut < self.n_guarded.load(Ordering::Relaxed) {
            return Ok(());
        }
        let start = self.at(n_cut);
        let mut n_more = 0;
        let n = n.min(self.n_uncut());
        if n > 1 {
            // SAFETY: the ranges lie in the slab, in the part that nobody uses yet.
            n_more = unsafe { memory::guard_several(start, self.stride, self.guard_len, n) };
        }
        if n_more == 0 {
            // SAFETY: as above.
            unsafe { memory::guard(start, self.guard_len)? };
            n_more = 1;
        }
        self.n_guarded.store(n_cut + n_more, Ordering::Relaxed);
        Ok(())
    }
}

static CLASSES: [ClassState; N_CLASSES] =
    [const { ClassState { available: AtomicUsize::new(0), slots: Lock::new(Slots::new()) } };
        N_CLASSES];

/// Sees to it that a later `take` finds a stack. `prepare` is told when so many more will be needed by
/// threads at a time than ever before, and has what each needs once.
///
/// # Errors
///
/// When there is no address space, memory or mapping left for one more.
#[inline]
pub(crate) fn reserve(class: Class, prepare: fn(usize) -> io::Result<()>) -> io::Result<()> {
    if class.state().reserve() { Ok(()) } else { make_and_reserve(class, prepare) }
}

#[cold]
fn make_and_reserve(class: Class, prepare: fn(usize) -> io::Result<()>) -> io::Result<()> {
    let state = class.state();
    while !state.reserve() {
        let mut slots = state.slots.lock();
        if state.available.load(Ordering::Relaxed) != 0 {
            continue;
        }
        if slots.unprepared == 0 {
            slots.unprepared = slots.grow(class)?;
        }
        let n_prepared = slots.n_slots - slots.unprepared;
        let n = (n_prepared / 8).clamp(*PREPARED.start(), *PREPARED.end()).min(slots.unprepared);
        slots.unprepared -= n;
        // It may wait for somebody who wants a stack.
        drop(slots);
        if let Err(error) = prepare(n) {
            state.slots.lock().unprepared += n;
            return Err(error);
        }
        state.available.fetch_add(n, Ordering::Relaxed);
    }
    Ok(())
}

/// Gives `n` reservations back.
pub(crate) fn unreserve(class: Class, n: usize) {
    class.state().available.fetch_add(n, Ordering::Relaxed);
}

/// Takes a stack that was reserved.
///
/// # Errors
///
/// When the kernel has no memory for its guard at the moment: the reservation holds address space, not the
/// kernel's own page tables. It is as if nobody had asked, and there is a stack when another thread ends.
pub(crate) fn take(class: Class) -> io::Result<Stack> {
    let mut slots = class.state().slots.lock();
    if let Some(stack) = slots.free.pop() {
        slots.trimmed = slots.trimmed.min(slots.free.len());
        return Ok(stack);
    }
    slots.cut(class)
}

/// Puts a stack back, and its reservation with it.
pub(crate) fn release(stack: Stack) {
    let class = stack.class;
    class.state().slots.lock().free.push(stack);
    unreserve(class, 1);
}

/// Takes the memory of stacks back that lie unused: all but the topmost pages of up to `limit` of
/// them, coldest first. Returns how many it saw to.
pub(crate) fn trim(limit: usize) -> usize {
    let mut n_trimmed = 0;
    for state in &CLASSES {
        while n_trimmed < limit {
            let mut slots = state.slots.lock();
            let index = slots.trimmed;
            let Some(stack) = slots.free.get(index) else { break };
            // What reaches further down stays, too.
            let kept = stack.top() - KEPT_PAGES * page_size();
            let end = kept.min(stack.first_frame() & !(page_size() - 1));
            let usable = guard(stack.bottom()).end;
            let len = end.saturating_sub(usable);
            let start = NonNull::new(usable as *mut u8).expect("a stack is not at address zero");
            // SAFETY: the stack is in the free list, which is locked, so nobody uses it; the block
            // of thread-locals lies in the topmost pages, which stay.
            unsafe { memory::discard(start, len) };
            slots.trimmed += 1;
            n_trimmed += 1;
        }
    }
    n_trimmed
}

/// Whether there is nothing to trim.
pub(crate) fn is_trimmed() -> bool {
    CLASSES.iter().all(|state| {
        let slots = state.slots.lock();
        slots.trimmed >= slots.free.len()
    })
}

/// In a child of a fork: the threads that had stacks, or had them reserved, are not there.
///
/// What was free stays so. The memory of stacks that were in use is not used again: it is their
/// parent's, too, until one of the two writes to it, and the thread that has forked may be on one. A
/// class that somebody was busy with at the fork begins anew.
///
/// # Safety
///
/// The process has one thread, which is in none of the functions of this module.
pub(crate) unsafe fn forget() {
    for state in &CLASSES {
        if !state.slots.is_free() {
            // SAFETY: as the caller promises.
            unsafe { state.slots.renew(Slots::new()) };
        }
        // What was reserved and not taken is given back; what was prepared is forgotten.
        let mut slots = state.slots.lock();
        let n_uncut: usize = slots.uncut.iter().map(|slab| slab.n_uncut()).sum();
        let n_used = slots.free.iter().filter(|stack| stack.has_block()).count();
        // Those for which nothing more is prepared are taken first: they are what is available.
        slots.free.sort_unstable_by_key(Stack::has_block);
        slots.trimmed = 0;
        slots.unprepared = slots.free.len() - n_used + n_uncut - slots.withheld;
        state.available.store(n_used, Ordering::Relaxed);
    }
}

impl Slots {
    const fn new() -> Self {
        Self {
            free: Vec::new(),
            trimmed: 0,
            uncut: Vec::new(),
            withheld: 0,
            unprepared: 0,
            n_slots: 0,
        }
    }

    /// Makes more slots, when all are reserved; how many may be reserved now.
    fn grow(&mut self, class: Class) -> io::Result<usize> {
        if self.withheld == 0 {
            let (mapped, cheap) = self.map_slab(class)?;
            if cheap {
                return Ok(mapped);
            }
            self.withheld = mapped;
        }
        let stack =
            self.cut(class).map_err(|error| exhausted(class.usable(), self.n_slots, &error))?;
        self.withheld -= 1;
        self.free.insert(0, stack);
        self.trimmed += 1;
        Ok(1)
    }

    /// Maps a slab; how many slots it has, and whether their guards cost nothing.
    fn map_slab(&mut self, class: Class) -> io::Result<(usize, bool)> {
        let stride = class.stride();
        let mut n = (self.n_slots.max(FIRST_SLAB)).min((SLAB_MAX / stride).max(1));
        let start = loop {
            let len = n.checked_mul(stride).ok_or(io::ErrorKind::OutOfMemory.into());
            match len.and_then(memory::reserve) {
                Ok(start) => break start,
                // Where a large piece is refused a small one may still be had.
                Err(_) if n > 1 => n = (n / 4).max(1),
                Err(error) => return Err(exhausted(class.usable(), self.n_slots, &error)),
            }
        };
        // The first guard tells what guards cost here; its slot is guarded once more when it is cut.
        // SAFETY: the range lies in the slab that was just made.
        let cheap = match unsafe { memory::guard(start, GUARD_PAGES * page_size()) } {
            Ok(cheap) => cheap,
            Err(error) => {
                // SAFETY: nobody has seen the slab yet.
                unsafe { memory::release(start, n * stride) };
                return Err(exhausted(class.usable(), self.n_slots, &error));
            }
        };
        self.uncut.push(Slab::new(start, class, n));
        self.n_slots += n;
        Ok((n, cheap))
    }

    /// Cuts one stack off a slab and guards it.
    fn cut(&mut self, class: Class) -> io::Result<Stack> {
        let slab = *self.uncut.last().expect("a stack is reserved before it is taken");
        // A guard takes a page table, which its stack or the one below will need: so there are no more ahead than
        // an eighth of those in use.
        let n_before = self.n_slots - slab.n_uncut();
        slab.guard_next((n_before / 8).max(1))?;
        let n_cut = slab.n_cut.load(Ordering::Relaxed);
        let start = slab.at(n_cut);
        // Orders nothing: it is kept by the lock, and who looks from outside takes what is there.
        slab.n_cut.store(n_cut + 1, Ordering::Relaxed);
        if slab.n_uncut() == 0 {
            self.uncut.pop();
        }
        let bottom = start.addr().get();
        let top = bottom + slab.stride;
        // Valgrind is to see a switch to here as one. The slot stays a stack for good.
        valgrind::register(guard(bottom).end..top);
        let first_frame = NonZeroUsize::new(top).expect("a stack is not at address zero");
        Ok(Stack { first_frame, block_len: 0, class })
    }
}

/// Running out of stacks, in the terms of a failed `pthread_create`: that is `EAGAIN`, and so is this.
#[cold]
fn exhausted(size: usize, n_slots: usize, error: &io::Error) -> io::Error {
    io::Error::new(
        io::ErrorKind::WouldBlock,
        format!(
            "failed to map a stack of {} KiB: {error} (stacks of this size so far: {n_slots}; see `ulimit -v` and `vm.max_map_count`)",
            size / 1024
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_class_holds_what_was_asked_for() {
        for size in [0, 1, 65_536, 65_537, 2 << 20, (2 << 20) + 1] {
            let class = Class::for_size(size, 0).expect("a class");
            assert!(class.usable() >= size);
            assert_eq!(class.stride() / page_size() % 2, 1);
        }
    }

    #[test]
    fn an_impossible_size_is_an_error_of_the_kind_std_gives() {
        let error = Class::for_size(usize::MAX, 0).expect_err("no such stack");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_released_stack_is_taken_again_and_reads_as_zero_after_a_trim() {
        // A class of its own, so that no other test touches the same pool.
        let class = Class::for_size(1 << 20, 0).expect("a class");
        reserve(class, |_| Ok(())).expect("a stack");
        let stack = take(class).expect("a stack");
        let lowest = guard(stack.bottom()).end as *mut u8;
        // SAFETY: the stack is ours.
        unsafe { lowest.write(7) };
        let top = stack.top();
        release(stack);
        trim(usize::MAX);
        reserve(class, |_| Ok(())).expect("a stack");
        let stack = take(class).expect("a stack");
        assert_eq!(stack.top(), top);
        // SAFETY: as above.
        assert_eq!(unsafe { lowest.read() }, 0);
        release(stack);
    }
}

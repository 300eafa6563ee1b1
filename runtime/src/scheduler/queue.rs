//! The run queue of a core: a ring that its owner pushes to and pops from, and that others steal
//! up to half of.
//!
//! The shape is Go's. `tail` is the owner's, `head` is everybody's: who advances it by
//! compare-exchange owns the tasks that it passed. The owner never overwrites a slot that lies
//! between the two. A thief reads slots before it knows whether they are its own; if `head` has
//! moved in the meantime, it forgets what it read.
//!
//! Why not a growing deque: the ring allocates nothing, keeps nothing alive for late readers, and
//! what does not fit goes to the global queue, where idle cores look anyway.
//!
//! # Memory ordering
//!
//! `tail` is released by a push and acquired by a steal: the slot's contents come with it. `head` is
//! released by a pop or steal and acquired by a push: a slot is overwritten after it was read.

use std::mem::offset_of;
use std::ptr;
use std::ptr::NonNull;

use sylvan_sight::table;

use crate::primitive::{AtomicPtr, AtomicU32, Ordering};
use crate::sys::cache;
use crate::task::{Header, Runnable};

/// Slots. Loom tries every interleaving: few.
const CAPACITY: u32 = if cfg!(sylvan_loom) { 4 } else { 1024 };

/// Tasks to steal at a time. The owner of a queue must not take any while a thief copies them.
const STEAL_MAX: u32 = 128;

/// Cache lines of a header that a switch touches.
const SWITCH_LINES: usize = 2;

pub(crate) struct Queue {
    /// Nobody steals: there is no other core.
    alone: bool,
    head: AtomicU32,
    tail: AtomicU32,
    slots: Box<[AtomicPtr<Header>; CAPACITY as usize]>,
}

impl Queue {
    pub(crate) const LAYOUT: table::Queue = table::Queue {
        head: offset_of!(Self, head) as u64,
        tail: offset_of!(Self, tail) as u64,
        slots: offset_of!(Self, slots) as u64,
        capacity: CAPACITY as u64,
        size: size_of::<Self>() as u64,
    };

    pub(crate) const CAPACITY: usize = CAPACITY as usize;

    /// One of `n_cores` queues.
    pub(crate) fn new(n_cores: usize) -> Self {
        Self {
            alone: n_cores == 1,
            head: AtomicU32::new(0),
            tail: AtomicU32::new(0),
            slots: Box::new(std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut()))),
        }
    }

    /// How many tasks fit in at least.
    pub(crate) fn room(&self) -> usize {
        Self::CAPACITY - self.len()
    }

    fn slot(&self, index: u32) -> &AtomicPtr<Header> {
        &self.slots[(index % CAPACITY) as usize]
    }

    /// How many tasks there are, as far as one can tell.
    pub(crate) fn len(&self) -> usize {
        let head = self.head.load(Ordering::Acquire);
        self.tail.load(Ordering::Acquire).wrapping_sub(head).min(CAPACITY) as usize
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.load(Ordering::Acquire) == self.tail.load(Ordering::Acquire)
    }

    /// Appends a task, or gives it back when the ring is full.
    ///
    /// # Safety
    ///
    /// The caller owns the core: nobody else pushes or pops.
    pub(crate) unsafe fn push(&self, task: Runnable) -> Result<(), Runnable> {
        // SAFETY: as the caller promises.
        unsafe { self.push_below(Self::CAPACITY, task) }
    }

    /// Appends a task if there are fewer than `limit`, which is `CAPACITY` at most; else gives it back.
    ///
    /// # Safety
    ///
    /// As for `push`.
    #[inline]
    pub(crate) unsafe fn push_below(&self, limit: usize, task: Runnable) -> Result<(), Runnable> {
        let tail = self.tail.load(Ordering::Relaxed);
        // Acquire pairs with the release in `pop` and `steal`.
        let head = self.head.load(Ordering::Acquire);
        if tail.wrapping_sub(head) as usize >= limit {
            return Err(task);
        }
        self.slot(tail).store(task.into_raw().as_ptr(), Ordering::Relaxed);
        // Release pairs with the acquire in `steal`.
        self.tail.store(tail.wrapping_add(1), Ordering::Release);
        Ok(())
    }

    /// Takes the oldest task.
    ///
    /// # Safety
    ///
    /// As for `push`.
    pub(crate) unsafe fn pop(&self) -> Option<Runnable> {
        let tail = self.tail.load(Ordering::Relaxed);
        let mut head = self.head.load(Ordering::Acquire);
        while head != tail {
            let task = self.slot(head).load(Ordering::Relaxed);
            // Release pairs with the acquire in `push`.
            match self.advance(head) {
                Ok(_) => {
                    // A hint, and no more than that: the slot may be an old one, or a thief's by now.
                    let next = self.slot(head.wrapping_add(1)).load(Ordering::Relaxed);
                    cache::prefetch(next, SWITCH_LINES);
                    let task = NonNull::new(task).expect("a slot between head and tail is filled");
                    // SAFETY: advancing `head` past the slot made the task this thread's.
                    return Some(unsafe { Runnable::from_raw(task) });
                }
                Err(now) => head = now,
            }
        }
        None
    }

    /// For the owner: moves `head` by one, unless a thief was faster.
    #[inline]
    fn advance(&self, head: u32) -> Result<u32, u32> {
        let next = head.wrapping_add(1);
        if self.alone {
            self.head.store(next, Ordering::Release);
            return Ok(head);
        }
        self.head.compare_exchange_weak(head, next, Ordering::AcqRel, Ordering::Acquire)
    }

    /// Moves half of the tasks, rounded up, or `STEAL_MAX` to the thief's own queue, which is empty, and
    /// takes one of them.
    ///
    /// # Safety
    ///
    /// The caller owns the core that `mine` belongs to, and `mine` is empty.
    pub(crate) unsafe fn steal_into(&self, mine: &Queue) -> Option<Runnable> {
        let my_tail = mine.tail.load(Ordering::Relaxed);
        // Acquire pairs with the release in `pop` and `steal_into`.
        let mut head = self.head.load(Ordering::Acquire);
        loop {
            // Acquire pairs with the release in `push`.
            let tail = self.tail.load(Ordering::Acquire);
            let len = tail.wrapping_sub(head);
            if len == 0 {
                return None;
            }
            if len > CAPACITY {
                // The two were read too far apart.
                head = self.head.load(Ordering::Acquire);
                continue;
            }
            let n = (len - len / 2).min(STEAL_MAX);
            let first = self.slot(head).load(Ordering::Relaxed);
            for i in 1..n {
                let task = self.slot(head.wrapping_add(i)).load(Ordering::Relaxed);
                mine.slot(my_tail.wrapping_add(i - 1)).store(task, Ordering::Relaxed);
            }
            // Release pairs with the acquire in `push`.
            match self.head.compare_exchange_weak(
                head,
                head.wrapping_add(n),
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    // Release pairs with the acquire of whoever steals from the thief.
                    mine.tail.store(my_tail.wrapping_add(n - 1), Ordering::Release);
                    let first =
                        NonNull::new(first).expect("a slot between head and tail is filled");
                    // SAFETY: as in `pop`, for each of the `n` tasks.
                    return Some(unsafe { Runnable::from_raw(first) });
                }
                Err(now) => head = now,
            }
        }
    }
}

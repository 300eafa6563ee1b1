//! A wait of one thread for one other, without a queue.
//!
//! [`wait`](super::wait) finds waiters by their address, at the price of two locks. Where a word has
//! one waiter at most, the word itself can lead to it:
//!
//! 1. The waiter makes a [`Sleeper`], leaves its pointer in the word by an atomic step that releases,
//!    and sleeps.
//! 2. A waker takes the pointer out by an atomic step that acquires, so one waker gets it, and wakes
//!    the sleeper through it.
//!
//! The waiter returns because of that waker and nothing else, after the waker's last touch. A green
//! thread runs again no sooner than its waker has handed it to the scheduler. Of an OS thread only the
//! address of its word is used after the word says WOKEN.
//!
//! In a child of a fork a word may lead to a thread of the parent, and somebody may wake it. So what it
//! leads to has to be there for good. For a green thread it is its stack, which is never used for
//! anything else (and see `task::state`). For an OS thread it is a piece of the heap, since its stack
//! is not the runtime's.

use std::marker::PhantomData;
use std::mem::offset_of;
use std::ptr::{self, NonNull};

use sylvan_sight::table;

use super::{WaitReason, call, park_until};
use crate::current;
use crate::primitive::{AtomicU32, Ordering};
use crate::sys::futex;
use crate::task::Header;

const ASLEEP: u32 = 0;
const WOKEN: u32 = 1;

/// The calling thread, green or not, about to wait until one other thread wakes it.
///
/// It is aligned to 8, so a pointer to it leaves three bits free for a tag. It has no deadline:
/// [`wait`](super::wait) takes one.
///
/// ```
/// use std::ptr;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicPtr, Ordering::AcqRel};
///
/// use sylvan::WaitReason;
/// use sylvan::contract::Sleeper;
///
/// const DONE: *mut Sleeper = ptr::without_provenance_mut(1);
///
/// let word = Arc::new(AtomicPtr::<Sleeper>::default());
/// let theirs = Arc::clone(&word);
/// let thread = sylvan::spawn(move || {
///     let before = theirs.swap(DONE, AcqRel);
///     if !before.is_null() {
///         // SAFETY: the swap has taken it out of the word that it was left in.
///         unsafe { Sleeper::wake(before) };
///     }
/// });
/// let me = Sleeper::new();
/// if word.swap(me.as_ptr().cast_mut(), AcqRel) != DONE {
///     me.sleep(WaitReason::Channel);
/// }
/// thread.join().unwrap();
/// ```
#[derive(Debug)]
#[repr(align(8))]
pub struct Sleeper {
    here: Spot,
    /// Where an OS thread waits instead.
    os_thread: Option<Box<Spot>>,
    /// It stands for the thread that made it.
    _not_send: PhantomData<*const ()>,
}

/// What a waker finds.
#[derive(Debug)]
struct Spot {
    /// The task to claim; null for an OS thread, which waits at `os_word`.
    task: *const Header,
    os_word: AtomicU32,
    /// By which those who look know it for what it is, with the reason of the wait; 0 for a green thread.
    tag: AtomicU32,
}

impl Spot {
    const LAYOUT: table::Sleeper = table::Sleeper {
        task: offset_of!(Self, task) as u64,
        os_word: offset_of!(Self, os_word) as u64,
        tag: offset_of!(Self, tag) as u64,
    };

    #[inline]
    fn new(task: *const Header) -> Self {
        let tag = if task.is_null() { table::SLEEPER } else { 0 };
        Self { task, os_word: AtomicU32::new(ASLEEP), tag: AtomicU32::new(tag) }
    }
}

impl Sleeper {
    /// Of what its pointer leads to.
    pub(crate) const LAYOUT: table::Sleeper = Spot::LAYOUT;

    /// The calling thread.
    #[inline]
    pub fn new() -> Self {
        let task = current::green().map_or(ptr::null(), ptr::from_ref);
        let os_thread = if task.is_null() { Some(Box::new(Spot::new(task))) } else { None };
        Self { here: Spot::new(task), os_thread, _not_send: PhantomData }
    }

    /// What to leave for the one who wakes.
    #[inline]
    pub fn as_ptr(&self) -> *const Self {
        ptr::from_ref(self.os_thread.as_deref().unwrap_or(&self.here)).cast()
    }

    /// Parks the calling thread, the one that made this, until it is woken through a pointer that it
    /// has left behind; blocks an ordinary thread.
    #[inline]
    pub fn sleep(&self, reason: WaitReason) {
        // SAFETY: null, or the calling thread.
        match unsafe { self.here.task.as_ref() } {
            Some(task) => park_until(task, reason, || true),
            None => {
                let os_thread = self.os_thread.as_ref().expect("made with it");
                // It orders nothing: who looks takes what is there.
                os_thread.tag.store(table::SLEEPER | reason as u32, Ordering::Relaxed);
                // Acquire pairs with the release in `wake`.
                while os_thread.os_word.load(Ordering::Acquire) == ASLEEP {
                    futex::wait(&os_thread.os_word, ASLEEP, None);
                }
            }
        }
    }

    /// Wakes the thread.
    ///
    /// # Safety
    ///
    /// `this` is of a sleeper whose thread sleeps, or is about to, and which nobody else wakes: the
    /// caller has taken the pointer, by an atomic step that acquires, from where the thread had left it
    /// by one that releases. Or it was left there by a thread of the process that this one was forked off.
    #[inline]
    pub unsafe fn wake(this: *const Self) {
        let this = this.cast::<Spot>();
        // SAFETY: the thread does not return before it is woken, which is below.
        let (task, os_word) = unsafe { ((*this).task, &raw const (*this).os_word) };
        if let Some(task) = NonNull::new(task.cast_mut()) {
            // SAFETY: as above, of the task.
            unsafe { call(task) };
        } else {
            // SAFETY: as above. Release pairs with the acquire in `sleep`.
            unsafe { (*os_word).store(WOKEN, Ordering::Release) };
            // The address alone is used: the thread may be gone.
            futex::wake(os_word, 1);
        }
    }
}

impl Default for Sleeper {
    fn default() -> Self {
        Self::new()
    }
}

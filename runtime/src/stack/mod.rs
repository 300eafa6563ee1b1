//! Stacks: cut from large slabs, committed as they are touched, guarded, pooled.
//!
//! A slab is one mapping that holds many stacks of one size class. A stack in it:
//!
//! ```text
//! bottom                                                      first frame        top
//!   | guard (4 pages) | usable: a power of two, grows downwards  <---- | headroom |
//! ```
//!
//! The headroom is where `context` puts a thread's own thread-locals, so that they share pages with
//! the first frames. There, or else in the topmost word, it says whose the stack is, for those who
//! look from outside (`sight`). Strides are an odd number of pages: the tops of neighbouring stacks fall into
//! different cache sets, and a stack's guard shares a page table with the top of the stack below.
//!
//! # Reserving and taking
//!
//! A thread *reserves* a stack when it is spawned, so running out is an error of `spawn`. It *takes* one when
//! it first runs, so a thousand short threads share a few hot stacks. The reservation is a count: `reserved
//! <= slots` holds per class, so a take always finds a slot. A stack that a core keeps for the next thread
//! keeps its reservation. Where guards cost a mapping each (before Linux 6.13 and elsewhere) a slot counts
//! only after its guard is in place, because it is then that the kernel may refuse.

mod overflow;
mod pool;
mod valgrind;

pub(crate) use overflow::install_handler;
pub use overflow::{NameOf, faults_have_a_stack, leave_faults};
pub(crate) use pool::{
    Class, SLABS, Slab, forget, is_trimmed, release, reserve, take, trim, unreserve,
};

use std::mem::offset_of;
use std::num::NonZeroUsize;
use std::ops::Range;

use crate::context::STACK_ALIGNMENT;
use crate::sys::memory::page_size;

/// Pages that fault, below each stack.
const GUARD_PAGES: usize = 4;

/// Pages above the usable part.
const HEADROOM_PAGES: usize = 3;

/// A stack out of the pool. Whoever holds it is the only one to use its memory.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Where frames start. Never 0, so that an `Option` is no larger, and is moved by whole words.
    first_frame: NonZeroUsize,
    /// The length of what is kept above, up to the highest address: a block of thread-locals, or else the word that
    /// leads to its thread; 0 before anybody has run on it.
    block_len: u32,
    class: Class,
}

/// How far below the top of a stack the word is that leads to its thread, where that has no thread-locals of
/// its own there: the frames begin below it.
pub(crate) const OWNER_BELOW: usize = 8;
/// What is kept for that word; a block of thread-locals is larger.
const OWNER_LEN: u32 = STACK_ALIGNMENT as u32;

#[cfg_attr(
    not(all(target_os = "linux", target_env = "gnu")),
    allow(dead_code, reason = "one of them is for thread-locals of a thread's own")
)]
impl Stack {
    pub(crate) const FIRST_FRAME: usize = offset_of!(Self, first_frame);

    /// Its highest address; the headroom lies below.
    pub(crate) fn top(&self) -> usize {
        self.first_frame() + self.block_len as usize
    }

    pub(crate) fn class(&self) -> Class {
        self.class
    }

    /// Whether a block of thread-locals has been made in it.
    pub(crate) fn has_block(&self) -> bool {
        self.block_len > OWNER_LEN
    }

    /// Whether nobody has run on it: then it reads as zero.
    pub(crate) fn is_fresh(&self) -> bool {
        self.block_len == 0
    }

    /// Leaves a word for who looks from outside, which leads to `owner`, where there is no block.
    // Not inlined: where threads have blocks nobody calls it, and the start of a thread is to stay as short.
    #[inline(never)]
    pub(crate) fn set_owner(&mut self, owner: *const ()) {
        if self.is_fresh() {
            self.set_block(self.top() - OWNER_LEN as usize);
        }
        let word = (self.top() - OWNER_BELOW) as *mut *const ();
        // SAFETY: the stack is ours, nothing runs on it, and frames begin below.
        unsafe { word.write(owner) };
    }

    /// Records what reaches from `base` to the top, a block of thread-locals.
    pub(crate) fn set_block(&mut self, base: usize) {
        let top = self.top();
        assert!(base < top && base > guard(self.bottom()).end);
        assert!(base.is_multiple_of(STACK_ALIGNMENT));
        self.block_len = u32::try_from(top - base).expect("a block is far smaller than that");
        self.first_frame = NonZeroUsize::new(base).expect("a stack is not at address zero");
    }

    /// Its lowest address, where the guard begins.
    pub(crate) fn bottom(&self) -> usize {
        self.top() - self.class.stride()
    }

    /// Where frames start.
    pub(crate) fn first_frame(&self) -> usize {
        self.first_frame.get()
    }
}

/// The addresses that fault, of the stack whose lowest address is `bottom`.
pub(crate) fn guard(bottom: usize) -> Range<usize> {
    bottom..bottom + GUARD_PAGES * page_size()
}

/// The addresses above the guard, of the stack of this class whose lowest address is `bottom`.
pub(crate) fn usable(bottom: usize, class: Class) -> Range<usize> {
    guard(bottom).end..bottom + class.stride()
}

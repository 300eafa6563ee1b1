//! The library's own heap.
//!
//! The program may have an allocator of its own, and what that waits for is green. If a worker called it on
//! its own stack, in the midst of scheduling, it might wait for a thread that it has to run itself. So what
//! this library allocates, and the runtime in it, comes from here.
//!
//! One lock is around it, which blocks OS threads and no green one. Whoever has it does nothing but what the
//! allocator does, so it is held for some ten nanoseconds.
//!
//! Nor does a worker wait for anybody elsewhere, on its own stack. The one part of a green thread's block
//! that is the program's allocator's is provided by who spawns (`dtv`, of the runtime). This library's
//! thread-locals lie in the static part of each thread's, since it is there when the program begins: to touch
//! them for the first time allocates nothing. The loader's lock that is taken to fill a block is held for the
//! length of a few instructions, not while a constructor runs. One case is left: to start an OS thread, libc
//! calls the program's allocator if no OS thread has ended before. The monitor may wait there until the
//! thread that has the allocator's lock goes on.
//!
//! # Signals
//!
//! A handler may call `write`, `sem_post`, … and these may allocate, while the very thread that the handler
//! has interrupted has the lock. It knows itself: the lock is a word that says who has it, by the thread
//! pointer, which no two threads that run have in common. Then memory comes from a *reserve*, a piece of
//! address space that is used once, and what is to be freed is put in a list, which whoever has the
//! lock next empties. That happens to a handler that comes within those nanoseconds, and the reserve is
//! large enough for some ten thousand times.
//!
//! # Forks
//!
//! The thread that forks has the lock meanwhile, so the child has a heap that is whole, and a lock that it
//! gives back. libc calls handlers of forks in the order in which they were registered, afterwards, and in
//! the opposite order before. These are registered first, so all others may allocate.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

use dlmalloc::{Allocator, Dlmalloc};
use rustix::mm::{MapFlags, MremapFlags, ProtFlags, mmap_anonymous, mremap, munmap};
use rustix::thread::futex::{self, Flags};

#[global_allocator]
static HEAP: Heap = Heap {
    owner: AtomicUsize::new(NOBODY),
    n_waiting: AtomicU32::new(0),
    wakes: AtomicU32::new(0),
    is_forking: AtomicBool::new(false),
    memory: UnsafeCell::new(Dlmalloc::new_with_allocator(Pages)),
    reserve: AtomicPtr::new(ptr::null_mut()),
    reserve_used: AtomicUsize::new(0),
    freed: AtomicPtr::new(ptr::null_mut()),
};

/// How often to look at a held lock before blocking.
const SPINS: u32 = 100;

const NOBODY: usize = 0;

/// Of address space.
const RESERVE: usize = 4 << 20;

struct Heap {
    /// The lock: whose it is.
    owner: AtomicUsize,
    /// How many threads wait for it, or are about to.
    n_waiting: AtomicU32,
    /// How often it was given back while somebody waited: what they wait for to change.
    wakes: AtomicU32,
    /// The owner has got the lock in order to fork.
    is_forking: AtomicBool,
    memory: UnsafeCell<Dlmalloc<Pages>>,
    /// Where the reserve starts, once it is there, and how much of it is used.
    reserve: AtomicPtr<u8>,
    reserve_used: AtomicUsize,
    /// What is to be freed: each block begins with a pointer to the next.
    freed: AtomicPtr<Freed>,
}

struct Freed {
    next: *mut Self,
}

// SAFETY: the lock admits one thread to the memory at a time.
unsafe impl Sync for Heap {}

/// The smallest block: what is freed has to hold a pointer.
const MIN: usize = size_of::<Freed>();

impl Heap {
    /// Calls `f` with the memory; `None` for who is in there already.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&mut Dlmalloc<Pages>) -> R) -> Option<R> {
        let this = thread_pointer();
        if self.owner.load(Ordering::Relaxed) == this {
            return None;
        }
        self.lock(this);
        // SAFETY: this thread has the lock, and did not have it before.
        let memory = unsafe { &mut *self.memory.get() };
        if !self.freed.load(Ordering::Relaxed).is_null() {
            self.empty_list(memory);
        }
        let result = f(memory);
        self.unlock();
        Some(result)
    }

    #[inline]
    fn lock(&self, this: usize) {
        if !self.try_lock(this) {
            self.lock_contended(this);
        }
    }

    #[inline]
    fn try_lock(&self, this: usize) -> bool {
        // Its acquire pairs with the release of the store in `unlock`; for the rest see `lock_contended`.
        self.owner.compare_exchange(NOBODY, this, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    #[cold]
    fn lock_contended(&self, this: usize) {
        for _ in 0..SPINS {
            if self.owner.load(Ordering::Relaxed) == NOBODY && self.try_lock(this) {
                return;
            }
            std::hint::spin_loop();
        }
        // Whoever gives the lock back sees the number; or this thread, which looks afterwards, sees that
        // it was given back: both do first what the other looks at, in one order of all.
        self.n_waiting.fetch_add(1, Ordering::SeqCst);
        loop {
            let wakes = self.wakes.load(Ordering::SeqCst);
            if self.try_lock(this) {
                break;
            }
            // A changed word, or a signal: looks again.
            let _ = futex::wait(&self.wakes, Flags::PRIVATE, wakes, None);
        }
        self.n_waiting.fetch_sub(1, Ordering::Relaxed);
    }

    #[inline]
    fn unlock(&self) {
        self.owner.store(NOBODY, Ordering::SeqCst);
        if self.n_waiting.load(Ordering::SeqCst) != 0 {
            self.wakes.fetch_add(1, Ordering::SeqCst);
            let _ = futex::wake(&self.wakes, Flags::PRIVATE, 1);
        }
    }

    /// By the owner.
    #[cold]
    fn empty_list(&self, memory: &mut Dlmalloc<Pages>) {
        // Acquire pairs with the release in `free_later`. All of it at once: what comes meanwhile is for
        // the next owner.
        let mut next = self.freed.swap(ptr::null_mut(), Ordering::Acquire);
        while let Some(block) = NonNull::new(next) {
            // SAFETY: `free_later` has put it there, and nobody else knows it any more.
            unsafe {
                next = block.read().next;
                memory.c_free(block.as_ptr().cast());
            }
        }
    }

    /// Leaves a block to who has the lock next.
    ///
    /// # Safety
    ///
    /// A block of the memory's that nobody uses.
    #[cold]
    unsafe fn free_later(&self, block: *mut u8) {
        let block = block.cast::<Freed>();
        let mut next = self.freed.load(Ordering::Relaxed);
        loop {
            // SAFETY: as the caller promises; it is at least as large, and aligned to two words.
            unsafe { block.write(Freed { next }) };
            // Release pairs with the acquire in `empty_list`.
            match self.freed.compare_exchange_weak(
                next,
                block,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(newer) => next = newer,
            }
        }
    }

    /// Memory that is used once; null if there is none left.
    #[cold]
    fn take_from_reserve(&self, layout: Layout) -> *mut u8 {
        let start = self.reserve.load(Ordering::Relaxed);
        let size = layout.size() + layout.align();
        let at = self.reserve_used.fetch_add(size, Ordering::Relaxed);
        if start.is_null() || at.saturating_add(size) > RESERVE {
            return ptr::null_mut();
        }
        let at = start.wrapping_add(at);
        at.wrapping_add(at.align_offset(layout.align()))
    }

    fn is_of_reserve(&self, block: *mut u8) -> bool {
        let start = self.reserve.load(Ordering::Relaxed).addr();
        start != 0 && (start..start + RESERVE).contains(&block.addr())
    }
}

// SAFETY: blocks are those of `Dlmalloc`, which are as large and aligned as they were asked for, or parts
// of the reserve that nobody else gets.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let block = self.with(|it| unsafe { it.malloc(layout.size().max(MIN), layout.align()) });
        block.unwrap_or_else(|| self.take_from_reserve(layout))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as the caller promises.
        let block = self.with(|it| unsafe { it.calloc(layout.size().max(MIN), layout.align()) });
        block.unwrap_or_else(|| self.take_from_reserve(layout))
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if self.is_of_reserve(block) {
            return;
        }
        // SAFETY: as the caller promises: a block of the memory's, since it is none of the reserve's.
        let freed =
            self.with(|it| unsafe { it.free(block, layout.size().max(MIN), layout.align()) });
        if freed.is_none() {
            // SAFETY: as above.
            unsafe { self.free_later(block) };
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.is_of_reserve(block) {
            let (before, align) = (layout.size().max(MIN), layout.align());
            // SAFETY: as in `dealloc`.
            let moved = self.with(|it| unsafe { it.realloc(block, before, align, size.max(MIN)) });
            if let Some(moved) = moved {
                return moved;
            }
        }
        // SAFETY: as the caller promises.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

/// Before the program begins.
pub(crate) fn begin() {
    // Without it, a handler in the wrong moment is told that there is no memory.
    // SAFETY: an anonymous mapping at an address of the kernel's choice disturbs nobody.
    let reserve = unsafe {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        mmap_anonymous(ptr::null_mut(), RESERVE, ProtFlags::READ | ProtFlags::WRITE, flags)
    };
    HEAP.reserve.store(reserve.map_or(ptr::null_mut(), |it| it.cast()), Ordering::Relaxed);
    // An error is for want of memory: a child that allocates may find the lock held then.
    // SAFETY: all may be called at any fork.
    unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(in_child)) };
}

extern "C" fn before_fork() {
    let this = thread_pointer();
    // A handler that has interrupted the owner forks, too: the child goes on where the owner was.
    if HEAP.owner.load(Ordering::Relaxed) != this {
        HEAP.lock(this);
        HEAP.is_forking.store(true, Ordering::Relaxed);
    }
}

extern "C" fn after_fork() {
    if HEAP.is_forking.swap(false, Ordering::Relaxed) {
        HEAP.unlock();
    }
}

extern "C" fn in_child() {
    // Those who wait are not there.
    HEAP.n_waiting.store(0, Ordering::Relaxed);
    after_fork();
}

/// What tells threads apart that run.
#[inline(always)]
fn thread_pointer() -> usize {
    let pointer;
    // SAFETY: reads what is the thread's own: glibc keeps the thread pointer there.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("mov {}, fs:0", out(reg) pointer, options(nostack, preserves_flags, readonly));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) pointer, options(nostack, preserves_flags, nomem));
    }
    pointer
}

/// Pages, from the kernel.
struct Pages;

// SAFETY: what it gives are mappings that nobody else has.
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: an anonymous mapping at an address of the kernel's choice disturbs nobody.
        let mapped =
            unsafe { mmap_anonymous(ptr::null_mut(), size, protection, MapFlags::PRIVATE) };
        mapped.map_or((ptr::null_mut(), 0, 0), |start| (start.cast(), size, 0))
    }

    fn remap(&self, start: *mut u8, before: usize, size: usize, can_move: bool) -> *mut u8 {
        let flags = if can_move { MremapFlags::MAYMOVE } else { MremapFlags::empty() };
        // SAFETY: a mapping of the allocator's.
        let moved = unsafe { mremap(start.cast(), before, size, flags) };
        moved.map_or(ptr::null_mut(), |it| it.cast())
    }

    fn free_part(&self, start: *mut u8, before: usize, size: usize) -> bool {
        // SAFETY: the end of a mapping of the allocator's, which it does not use.
        unsafe { munmap(start.add(size).cast(), before - size).is_ok() }
    }

    fn free(&self, start: *mut u8, size: usize) -> bool {
        // SAFETY: a mapping of the allocator's, which it does not use.
        unsafe { munmap(start.cast(), size).is_ok() }
    }

    fn can_release_part(&self, _: u32) -> bool {
        true
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        rustix::param::page_size()
    }
}

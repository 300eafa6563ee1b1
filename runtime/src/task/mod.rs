//! The task: a thread as the runtime sees it.
//!
//! A green thread is a `Header` with a function behind it, in one allocation (`thread` makes it).
//! An OS thread that asks who it is gets a header too, with nothing behind it.
//!
//! # References
//!
//! - A [`Runnable`] is *the* right to run a green thread. There is one, from the spawn until the
//!   function has returned. It sits in a queue, or with the worker that runs the task, or, while
//!   the task is parked, nowhere. Then `state` says PARKED, and whoever turns that into NOTIFIED
//!   gets it. It stands for one count, the task's own.
//! - A [`TaskRef`] is counted and gives access to what never changes or is atomic.
//! - A waker holds a plain pointer, under the rule of `park`: a wait returns only after each of its
//!   wakers has finished with the task.
//!
//! # Who may touch which field
//!
//! | field | who |
//! |---|---|
//! | `next` | whoever holds the `Runnable` |
//! | `context`, `bottom`, `pinned`, `core`, `lease` | the worker that runs the task writes; the task itself reads; of `lease`, anybody |
//! | `dress` | whoever spawns it, the worker that starts it, then the task itself write; whoever holds the `Runnable` reads |
//! | `state`, `join`, `token`, `reason` | anybody, atomically |
//! | `rare` | whoever spawns it or the task itself sets it, once; anybody reads (`rare` says what) |
//! | `id`, `class`, `vtable` | never change |

pub(crate) mod dress;
pub(crate) mod id;
pub(crate) mod lease;
pub(crate) mod list;
pub(crate) mod rare;
pub(crate) mod state;

use std::ops::Deref;
use std::ptr::{self, NonNull};

use crate::context::floating::Floating;
use crate::context::{Context, Switch};
use crate::primitive::{
    AtomicPtr, AtomicU8, AtomicU32, AtomicUsize, Cell, Ordering, UnsafeCell, fence,
};
use crate::scheduler;
use crate::stack::Class;
use dress::Dress;
use id::ThreadId;
use lease::Lease;
pub use rare::Birth;
use rare::Rare;
use state::State;

/// What depends on the type of the function and its result.
pub(crate) struct VTable {
    /// Runs the function and keeps its result. On the task's stack, once.
    pub(crate) run: unsafe fn(NonNull<Header>),
    /// Moves the result to an `Option` of its type. By the handle, when the task has ended.
    pub(crate) take: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the result, if it is there. By the handle, when the task has ended.
    pub(crate) drop_result: unsafe fn(NonNull<Header>),
    /// Frees the allocation; the count is zero.
    pub(crate) free: unsafe fn(NonNull<Header>),
}

// Not aligned to a cache line: allocators serve that by a slower path, on every spawn.
#[repr(C)]
pub(crate) struct Header {
    /// Links the task into the one queue that it is in.
    pub(crate) next: AtomicPtr<Header>,
    pub(crate) state: State,
    /// Why it waits, as a `WaitReason`.
    pub(crate) reason: AtomicU8,
    /// Whether it has to stay with its core, now that it has started (the shared mode).
    pub(crate) pinned: Cell<bool>,
    /// That of its stack, if it is a green thread. It fills a gap, and so does the next.
    pub(crate) class: Option<Class>,
    /// What it wears, and whether it has started.
    pub(crate) dress: Cell<Dress>,
    /// The index of the core that it runs on or ran on last. Once it has ended and has no lease, since it
    /// was an OS thread: the number of that one.
    pub(crate) core: AtomicU32,
    /// The word of `park`: see `thread::token`.
    pub(crate) token: AtomicU32,
    /// The lease of the worker that runs it; set before each run. None once it is bound to its OS thread.
    pub(crate) lease: LeaseCell,
    context: UnsafeCell<Option<Context>>,
    // What is above is touched at each switch; what is below is not.
    /// The lowest address of its stack; set before it starts.
    pub(crate) bottom: Cell<usize>,
    pub(crate) vtable: &'static VTable,
    count: AtomicUsize,
    /// The word of `join`: see `thread::join`.
    pub(crate) join: AtomicPtr<()>,
    pub(crate) id: ThreadId,
    /// Null for most.
    rare: AtomicPtr<Rare>,
}

/// A lease, or none.
///
/// The worker sets it and the task reads it, which is ordered as the rest is. Anybody may look, too, to find
/// the OS thread that runs the task, or ran it last.
pub(crate) struct LeaseCell(AtomicPtr<Lease>);

impl LeaseCell {
    #[inline(always)]
    pub(crate) fn get(&self) -> Option<&'static Lease> {
        // SAFETY: null, or what `set` has got.
        unsafe { self.0.load(Ordering::Relaxed).as_ref() }
    }

    #[inline(always)]
    pub(crate) fn set(&self, lease: Option<&'static Lease>) {
        self.0.store(lease.map_or(ptr::null(), ptr::from_ref).cast_mut(), Ordering::Relaxed);
    }
}

// SAFETY: the table in the module's header says who may touch what; the fields that are neither
// constant nor atomic belong to the one worker that runs the task, and the queues and the state
// word that hand it from one worker to the next order their accesses.
unsafe impl Sync for Header {}
// SAFETY: as above; the function behind the header is `Send`, as `thread` demands.
unsafe impl Send for Header {}

impl Header {
    #[cfg(not(sylvan_loom))]
    pub(crate) const LAYOUT: sylvan_sight::table::Task = {
        use std::mem::offset_of;
        sylvan_sight::table::Task {
            next: offset_of!(Self, next) as u64,
            state: offset_of!(Self, state) as u64,
            reason: offset_of!(Self, reason) as u64,
            class: offset_of!(Self, class) as u64,
            core: offset_of!(Self, core) as u64,
            lease: offset_of!(Self, lease) as u64,
            stack_pointer: (offset_of!(Self, context) + Context::STACK_POINTER) as u64,
            first_frame: (offset_of!(Self, context) + Context::FIRST_FRAME) as u64,
            bottom: offset_of!(Self, bottom) as u64,
            join: offset_of!(Self, join) as u64,
            id: offset_of!(Self, id) as u64,
            rare: offset_of!(Self, rare) as u64,
            size: size_of::<Self>() as u64,
        }
    };

    /// A header with `count` references. `class` is the stack that was reserved for it.
    #[inline(always)]
    pub(crate) fn new(
        vtable: &'static VTable,
        class: Option<Class>,
        name: Option<Box<str>>,
        count: usize,
    ) -> Self {
        if class.is_none() {
            // Before it has its number: who looks never takes there to be more green threads than there are.
            id::count_other();
        }
        Self {
            next: AtomicPtr::new(ptr::null_mut()),
            state: State::new(),
            reason: AtomicU8::new(0),
            pinned: Cell::new(false),
            class,
            dress: Cell::new(Dress::FIRST.unstarted()),
            context: UnsafeCell::new(None),
            bottom: Cell::new(0),
            core: AtomicU32::new(0),
            token: AtomicU32::new(0),
            lease: LeaseCell(AtomicPtr::new(ptr::null_mut())),
            vtable,
            count: AtomicUsize::new(count),
            join: AtomicPtr::new(ptr::null_mut()),
            id: ThreadId::next(),
            rare: AtomicPtr::new(match name {
                Some(name) => Box::into_raw(Box::new(Rare::new(Some(name)))),
                None => ptr::null_mut(),
            }),
        }
    }

    /// What few have, if this one has it.
    pub(crate) fn rare(&self) -> Option<&Rare> {
        // SAFETY: null, or what was made for this task and lasts as long; acquire pairs with the release
        // in `rare_or_new`.
        unsafe { self.rare.load(Ordering::Acquire).as_ref() }
    }

    /// The same, made if need be.
    ///
    /// # Safety
    ///
    /// The caller is the task itself, or has just made it and keeps it to itself.
    pub(crate) unsafe fn rare_or_new(&self) -> &Rare {
        if self.rare().is_none() {
            // Release pairs with the acquire in `rare`.
            self.rare.store(Box::into_raw(Box::new(Rare::new(None))), Ordering::Release);
        }
        self.rare().expect("it is there")
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.rare()?.name.as_deref()
    }

    /// Says what is to be called on a task with a name, before it is scheduled.
    pub(crate) fn set_birth(&self, birth: Birth) {
        if let Some(rare) = self.rare() {
            rare.birth.set(Some(birth));
        }
    }

    /// That, for the task itself.
    #[inline]
    pub(crate) fn take_birth(&self) -> Option<Birth> {
        self.rare()?.birth.take()
    }

    /// It begins to compute as its spawner does, who has just made it and calls this.
    #[inline]
    pub(crate) fn inherit_floating(&self) {
        if let Some(floating) = Floating::to_inherit() {
            // SAFETY: the caller has just made it.
            unsafe { self.rare_or_new() }.floating.set(floating);
        }
    }

    /// What switches to the task, and off it.
    ///
    /// # Safety
    ///
    /// The task has started, and the caller has the `Runnable` or is the task itself.
    #[inline(always)]
    pub(crate) unsafe fn context(&self) -> &Context {
        // SAFETY: it was put there before the first run, and is taken out after the last one.
        unsafe { (*self.context.get()).as_ref().unwrap_unchecked() }
    }

    /// Ends this run of the task; the task itself calls this, and goes on when it runs again.
    #[inline(always)]
    pub(crate) fn suspend(&self, why: Switch) {
        let floating = Floating::take();
        // SAFETY: the caller is the task, on its own stack.
        unsafe { self.context().suspend(why) };
        floating.put_back();
    }

    /// The whole life of the task, on its own stack.
    ///
    /// # Safety
    ///
    /// Called once, on the task's stack, before anything else there.
    pub(crate) unsafe fn live(&self) {
        self.rare().map_or_else(Floating::first, |rare| rare.floating.get()).put_back();
        // SAFETY: the header is the first part of the allocation that the table was made for.
        unsafe { (self.vtable.run)(NonNull::from(self)) };
        Floating::take();
    }
}

impl Drop for Header {
    #[inline]
    fn drop(&mut self) {
        // Nobody refers to the task any more, and whoever has dropped the last reference has seen to
        // the order.
        let rare = self.rare.load(Ordering::Relaxed);
        if !rare.is_null() {
            // SAFETY: made by a box, for this task.
            unsafe { drop_rare(rare) };
        }
    }
}

/// # Safety
///
/// `rare` was made by a box and is nobody else's.
#[cold]
unsafe fn drop_rare(rare: *mut Rare) {
    // SAFETY: as the caller promises.
    drop(unsafe { Box::from_raw(rare) });
}

/// The right to run a task. See the module's header.
#[derive(Debug)]
pub(crate) struct Runnable(NonNull<Header>);

// SAFETY: it is made to be handed from thread to thread; there is one per task.
unsafe impl Send for Runnable {}

impl Runnable {
    /// # Safety
    ///
    /// The caller holds the right to run the task: it has just made it, got it from `into_raw`, or
    /// `State::claim` has said so.
    pub(crate) unsafe fn from_raw(task: NonNull<Header>) -> Self {
        Self(task)
    }

    pub(crate) fn into_raw(self) -> NonNull<Header> {
        self.0
    }

    /// The place of the context; `None` before the first run.
    pub(crate) fn context_mut(&mut self) -> &mut Option<Context> {
        // SAFETY: the context belongs to whoever holds the `Runnable`, which is borrowed uniquely.
        unsafe { &mut *self.0.as_ref().context.get() }
    }

    /// Whether it has a context.
    pub(crate) fn has_started(&self) -> bool {
        // Shared: the frames of a task that has suspended itself have a reference, too.
        // SAFETY: whoever holds the `Runnable` alone writes there.
        unsafe { (*self.0.as_ref().context.get()).is_some() }
    }

    /// Hands the task to its scheduler.
    #[inline]
    pub(crate) fn schedule(self) {
        scheduler::schedule(self);
    }

    /// Gives up the right, for good: the task has ended. Drops its own count.
    pub(crate) fn end(self) {
        // SAFETY: the `Runnable` stands for one count.
        drop(unsafe { TaskRef::from_raw(self.0) });
    }
}

impl Deref for Runnable {
    type Target = Header;

    fn deref(&self) -> &Header {
        // SAFETY: the task lives at least as long as the right to run it, which stands for a count.
        unsafe { self.0.as_ref() }
    }
}

/// A counted reference to a task.
pub(crate) struct TaskRef(NonNull<Header>);

// SAFETY: gives shared access to a `Header`, which is `Sync`, and may be the one to drop it, which
// is `Send`.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

impl TaskRef {
    /// # Safety
    ///
    /// The caller hands over one count.
    pub(crate) unsafe fn from_raw(task: NonNull<Header>) -> Self {
        Self(task)
    }

    /// One more reference to a task that is known to be alive.
    pub(crate) fn to(task: &Header) -> Self {
        // As in `Arc`: a new reference is made from one that keeps the task alive.
        task.count.fetch_add(1, Ordering::Relaxed);
        Self(NonNull::from(task))
    }

    pub(crate) fn as_raw(&self) -> NonNull<Header> {
        self.0
    }

    /// The caller gets the count.
    pub(crate) fn into_raw(self) -> NonNull<Header> {
        std::mem::ManuallyDrop::new(self).0
    }
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        Self::to(self)
    }
}

impl Deref for TaskRef {
    type Target = Header;

    fn deref(&self) -> &Header {
        // SAFETY: the count keeps the task alive.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        // A single reference cannot become two meanwhile: most often there is no need to count.
        // Release pairs with the acquire load, or fence, of whoever drops the last reference.
        if self.count.load(Ordering::Acquire) != 1 {
            if self.count.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            fence(Ordering::Acquire);
        }
        // SAFETY: that was the last reference; the header starts the allocation of its table.
        unsafe { (self.vtable.free)(self.0) };
    }
}

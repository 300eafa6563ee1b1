//! A context: a stack with something to run on it, and the thread-locals that go with it.
//!
//! `corosensei` switches stacks. Where the platform allows it (`tls`), a switch also moves the
//! thread pointer, so that each context has thread-locals of its own, as an OS thread has.
//!
//! # Who owns what at each moment
//!
//! 1. `Context::new` owns a stack out of the pool. Nothing runs.
//! 2. `enter` moves the calling OS thread's thread pointer to the context's own (in the own mode), and
//!    `resume` runs it on that OS thread, on the context's stack. The caller's frame waits below;
//!    nobody else may touch the context.
//! 3. `suspend`, called on the context's stack, ends that `resume`. Once the thread pointer has moved
//!    on (5) any OS thread may enter and resume it (in the shared mode: the same one, since it may
//!    hold addresses of thread-locals).
//! 4. When the function returns, `resume` says `Switch::Returned`, and `into_stack` gives back the
//!    stack.
//! 5. The caller enters the next context, or comes back to its own thread pointer ([`Home`]).
//!
//! # The one rule
//!
//! From `Context::enter` to `Home::enter` no thread-local may be touched, and no function that touches
//! one may be inlined there. It would be another thread's, and the compiler is free to compute the
//! address of a thread-local once for both sides. So all of it is in one function that is never
//! inlined, `scheduler::relay`. And as long as the thread pointer is a context's, nobody else may
//! enter that context.

#[cfg_attr(
    not(all(target_os = "linux", target_env = "gnu")),
    allow(
        dead_code,
        unused_imports,
        reason = "it is not moved there, and nobody asks where it is"
    )
)]
mod thread_pointer;
pub(crate) mod tls;

use std::mem::{ManuallyDrop, offset_of};

use corosensei::{Coroutine, CoroutineResult, Yielder};
use sylvan_sight::table::Saved;

use self::tls::Own;
use crate::stack::Stack;

/// Why a `resume` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    /// The context wants to run again soon.
    Yielded,
    /// The context waits for somebody to wake it.
    Parked,
    /// The function has returned.
    Returned,
}

/// The way back from a context's stack to whoever resumed it.
pub(crate) type Exit = Yielder<(), Switch>;

/// What `corosensei` leaves at the stack pointer of a context that does not run.
#[cfg(target_arch = "x86_64")]
pub(crate) const SAVED: Saved = Saved { pc: 0, frame_pointer: 16, size: 24 };
#[cfg(target_arch = "aarch64")]
pub(crate) const SAVED: Saved = Saved { pc: 16, frame_pointer: 8, size: 32 };

pub(crate) struct Context {
    coroutine: ManuallyDrop<Coroutine<(), Switch, (), Stack>>,
    /// The thread pointer to run with; 0 in the shared mode.
    thread_pointer: usize,
}

impl Context {
    /// Where the stack pointer is saved in an `Option` of this: from where on, and in how many bytes.
    pub(crate) const SAVED: (usize, usize) = {
        // What makes up a `None` is in a gap, so that what is there is where it is in a `Some`.
        assert!(size_of::<Option<Self>>() == size_of::<Self>());
        (offset_of!(Self, coroutine), size_of::<Coroutine<(), Switch, (), Stack>>())
    };

    /// Prepares `main` to run on `stack`.
    #[inline(always)]
    pub(crate) fn new<F>(mut stack: Stack, main: F) -> Self
    where
        F: FnOnce(&Exit) + 'static,
    {
        let thread_pointer = tls::own().map_or(0, |own| own.prepare(&mut stack));
        let coroutine = Coroutine::with_stack(stack, move |exit: &Exit, ()| main(exit));
        Self { coroutine: ManuallyDrop::new(coroutine), thread_pointer }
    }

    /// Moves the thread pointer to the context's own thread-locals, where it has any.
    ///
    /// # Safety
    ///
    /// The calling OS thread is a worker's, on its own stack, and nobody else has the context. Until
    /// `Home::enter` the one rule of the module's header holds.
    #[inline(always)]
    pub(crate) unsafe fn enter(&self) {
        if self.thread_pointer != 0 {
            // SAFETY: the block was made for this stack by `tls` and lives as long; the caller keeps
            // the rule.
            unsafe { thread_pointer::set(self.thread_pointer) };
        }
    }

    /// Runs the context until it suspends or returns.
    ///
    /// # Safety
    ///
    /// The caller has entered the context, and nothing else since.
    #[inline(always)]
    pub(crate) unsafe fn resume(&mut self) -> Switch {
        match self.coroutine.resume(()) {
            CoroutineResult::Yield(switch) => switch,
            CoroutineResult::Return(()) => Switch::Returned,
        }
    }

    /// The stack of a context that has returned.
    pub(crate) fn into_stack(self) -> Stack {
        ManuallyDrop::into_inner(self.coroutine).into_stack()
    }
}

/// An OS thread's own thread pointer; 0 in the shared mode, which never moves it.
#[derive(Clone, Copy)]
pub(crate) struct Home(usize);

impl Home {
    /// That of the calling OS thread, which is in no context.
    pub(crate) fn here() -> Self {
        Self(tls::own().map_or(0, Own::home))
    }

    /// Moves the thread pointer back.
    ///
    /// # Safety
    ///
    /// Called by the OS thread that it is of.
    #[inline(always)]
    pub(crate) unsafe fn enter(self) {
        if self.0 != 0 {
            // SAFETY: the OS thread's own, as the caller promises.
            unsafe { thread_pointer::set(self.0) };
        }
    }
}

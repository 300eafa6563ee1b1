//! A context: a stack with something to run on it, and the thread-locals that go with it.
//!
//! `corosensei` switches stacks. Where the platform allows it (`tls`), a switch also moves the
//! thread pointer, so that each context has thread-locals of its own, as an OS thread has.
//!
//! # Who owns what at each moment
//!
//! 1. `Context::new` owns a stack out of the pool. Nothing runs.
//! 2. `resume` runs it on the calling OS thread, on its stack and, in the own mode, with its thread
//!    pointer. The caller's frame waits below; nobody else may touch the context.
//! 3. `suspend`, called on the context's stack, ends that `resume`. From here on any OS thread may
//!    resume it (in the shared mode: the same one, since it may hold addresses of thread-locals).
//! 4. When the function returns, `resume` says `Switch::Returned`, and `into_stack` gives back the
//!    stack.
//!
//! # The one rule
//!
//! Between the two writes of the thread pointer in `resume` no thread-local may be touched, and no
//! function that touches one may be inlined around them: the compiler is free to compute the
//! address of a thread-local once for both sides. So `resume` does nothing else, and is never
//! inlined.

mod thread_pointer;
pub(crate) mod tls;

use std::mem::ManuallyDrop;

use corosensei::{Coroutine, CoroutineResult, Yielder};

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

pub(crate) struct Context {
    coroutine: ManuallyDrop<Coroutine<(), Switch, (), Stack>>,
    /// The thread pointer to run with; 0 in the shared mode.
    thread_pointer: usize,
}

impl Context {
    /// Prepares `main` to run on `stack`.
    pub(crate) fn new<F>(mut stack: Stack, main: F) -> Self
    where
        F: FnOnce(&Exit) + 'static,
    {
        let thread_pointer = tls::own().map_or(0, |own| own.prepare(&mut stack));
        let coroutine = Coroutine::with_stack(stack, move |exit: &Exit, ()| main(exit));
        Self { coroutine: ManuallyDrop::new(coroutine), thread_pointer }
    }

    /// Runs the context until it suspends or returns.
    ///
    /// # Safety
    ///
    /// The calling OS thread is a worker's, on its own stack and with `home` as its own thread
    /// pointer (0 in the shared mode).
    #[inline(never)]
    pub(crate) unsafe fn resume(&mut self, home: usize) -> Switch {
        if self.thread_pointer == 0 {
            return self.switch();
        }
        // SAFETY: the block at `thread_pointer` was made for this stack by `tls` and lives as long;
        // nothing here touches a thread-local before the way back.
        unsafe { thread_pointer::set(self.thread_pointer) };
        let switch = self.switch();
        // SAFETY: `home` is this OS thread's own, as the caller promises.
        unsafe { thread_pointer::set(home) };
        switch
    }

    #[inline(always)]
    fn switch(&mut self) -> Switch {
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

/// The calling OS thread's thread pointer, for `resume`; 0 in the shared mode.
pub(crate) fn home() -> usize {
    if tls::own().is_some() { thread_pointer::get() } else { 0 }
}

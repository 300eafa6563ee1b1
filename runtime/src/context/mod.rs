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
//! 5. The caller enters the next context, or comes back to its own thread pointer ([`ThreadPointer`]).
//!
//! # The one rule
//!
//! From `Context::enter` to `ThreadPointer::restore` no thread-local may be touched, and no function that touches
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
    /// So it does, and what it would have waited for has happened already.
    Ready,
    /// The context waits for somebody to wake it.
    Parked,
    /// The function has returned.
    Returned,
}

/// The way back from a context's stack to whoever resumed it.
pub(crate) type Exit = Yielder<(), Switch>;

/// What `corosensei` leaves at the stack pointer of a context that does not run.
#[cfg(target_arch = "x86_64")]
pub(crate) const REGISTERS: Saved = Saved { pc: 0, frame_pointer: 16, size: 24 };
#[cfg(target_arch = "aarch64")]
pub(crate) const REGISTERS: Saved = Saved { pc: 16, frame_pointer: 8, size: 32 };

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
    /// `ThreadPointer::restore` the one rule of the module's header holds.
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
pub(crate) struct ThreadPointer(usize);

impl ThreadPointer {
    /// That of the calling OS thread, which is in no context.
    pub(crate) fn own() -> Self {
        Self(tls::own().map_or(0, Own::home))
    }

    /// Moves the thread pointer back.
    ///
    /// # Safety
    ///
    /// Called by the OS thread that it is of.
    #[inline(always)]
    pub(crate) unsafe fn restore(self) {
        if self.0 != 0 {
            // SAFETY: the OS thread's own, as the caller promises.
            unsafe { thread_pointer::set(self.0) };
        }
    }
}

#[cfg(all(test, target_os = "linux", not(sylvan_loom)))]
mod tests {
    use std::cell::Cell;
    use std::fs;
    use std::ops::Range;
    use std::rc::Rc;

    use super::*;
    use crate::stack::{self, Class};

    /// Where there is code.
    #[expect(clippy::disallowed_methods, reason = "no green thread reads it")]
    fn code() -> Vec<Range<usize>> {
        let maps = fs::read_to_string("/proc/self/maps").expect("it is there");
        let range = |line: &str| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let number = |text| usize::from_str_radix(text, 16).ok();
            let range = number(start)?..number(end)?;
            rest.split(' ').next()?.contains('x').then_some(range)
        };
        maps.lines().filter_map(range).collect()
    }

    #[test]
    fn what_is_left_at_the_stack_pointer_leads_to_who_has_suspended() {
        let class = Class::for_size(1 << 16, 0).expect("there are such stacks");
        stack::reserve(class, |_| Ok(())).expect("there is room");
        let stack = stack::take(class).expect("it was reserved");
        let usable = stack.bottom()..stack.top();
        let local = Rc::new(Cell::new(0));
        let here = Rc::clone(&local);
        let mut context = Context::new(stack, move |exit| {
            let on_stack = 0_u8;
            here.set((&raw const on_stack).addr());
            exit.suspend(Switch::Parked);
            std::hint::black_box(&on_stack);
        });
        // SAFETY: this thread has made it, and it keeps no thread-local.
        assert_eq!(unsafe { context.resume() }, Switch::Parked);
        let (at, len) = Context::SAVED;
        let words = (at..at + len).step_by(size_of::<usize>()).map(|at| {
            let word = (&raw const context).cast::<usize>().wrapping_byte_add(at);
            // SAFETY: the word is one of the context's, and each was written.
            unsafe { word.read_unaligned() }
        });
        let saved = words.filter(|word| usable.contains(word)).min().expect("it does not run");
        let word = |at: u64| {
            // SAFETY: it lies on the stack of the context, which does not run.
            unsafe { ((saved + at as usize) as *const usize).read() }
        };
        let pc = word(REGISTERS.pc);
        assert!(code().iter().any(|code| code.contains(&pc)), "{pc:#x} is no code");
        // Who has suspended is above, and not far.
        let stack_pointer = saved + REGISTERS.size as usize;
        assert!((stack_pointer..stack_pointer + 4096).contains(&local.get()));
        // SAFETY: as above.
        assert_eq!(unsafe { context.resume() }, Switch::Returned);
        stack::release(context.into_stack());
    }
}

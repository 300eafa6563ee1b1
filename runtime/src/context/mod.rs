//! A context: a stack with something to run on it, and the thread-locals that go with it.
//!
//! `switch` exchanges stacks. Where the platform allows it (`tls`), a switch also moves the
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
//! 4. The function ends by `leave`: `resume` says `Switch::Returned`, and `into_stack` gives back the
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

pub(crate) mod floating;
mod sanitizer;
mod switch;
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

use std::cell::Cell;
use std::mem::{offset_of, transmute};

use self::sanitizer::{Bounds, Kept};
use self::tls::Own;
use crate::stack::Stack;

pub(crate) use switch::{REGISTERS, STACK_ALIGNMENT};
use switch::{leave, switch};

/// Why a `resume` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
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

#[derive(Debug)]
pub(crate) struct Context {
    stack: Stack,
    /// The stack pointer of whoever does not run: the context, or who has resumed it (`switch`).
    other: Cell<usize>,
    /// The thread pointer to run with; 0 in the shared mode.
    thread_pointer: usize,
    /// The stack of who has resumed it.
    resumer: Cell<Bounds>,
}

impl Context {
    /// Where `other` is in an `Option` of this, and where the stack says where its first frame is.
    pub(crate) const STACK_POINTER: usize = {
        // What makes up a `None` is in a gap, so that what is there is where it is in a `Some`.
        assert!(size_of::<Option<Self>>() == size_of::<Self>());
        offset_of!(Self, other)
    };
    pub(crate) const FIRST_FRAME: usize = offset_of!(Self, stack) + Stack::FIRST_FRAME;

    /// Prepares `main` to be called with `argument` on `stack`. It begins with `begin` and ends by `leave`; if it
    /// unwinds the process is aborted.
    #[inline(always)]
    pub(crate) fn new(
        mut stack: Stack,
        main: unsafe extern "C" fn(*const ()) -> !,
        argument: *const (),
    ) -> Self {
        let thread_pointer = tls::own().map_or(0, |own| own.prepare(&mut stack));
        let top = stack.first_frame();
        // SAFETY: the stack is the context's, and nothing runs on it.
        unsafe { switch::prepare(top, main, argument) };
        let other = Cell::new(switch::first_stack_pointer(top));
        Self { stack, other, thread_pointer, resumer: Cell::new(Bounds::NONE) }
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
    /// The caller has entered the context, and nothing else since. It has not returned.
    #[inline(always)]
    pub(crate) unsafe fn resume(&self) -> Switch {
        let kept = sanitizer::go(Bounds::of(&self.stack));
        // SAFETY: the caller may run it, and what the other side says is a `Switch`: see below.
        let why = unsafe { transmute::<usize, Switch>(switch(self.other.as_ptr(), 0)) };
        sanitizer::come(kept);
        why
    }

    /// Called first on the context's stack.
    #[inline(always)]
    pub(crate) fn begin(&self) {
        self.resumer.set(sanitizer::come(Kept::NONE));
    }

    /// Ends the `resume` that runs the context, and returns when it is resumed again.
    ///
    /// # Safety
    ///
    /// Called on the context's stack.
    #[inline(always)]
    pub(crate) unsafe fn suspend(&self, why: Switch) {
        let kept = sanitizer::go(self.resumer.get());
        // SAFETY: the caller runs the context.
        unsafe { switch(self.other.as_ptr(), why as usize) };
        self.resumer.set(sanitizer::come(kept));
    }

    /// Ends the last `resume`.
    ///
    /// # Safety
    ///
    /// Called on the context's stack, of which nothing is needed any more.
    #[inline(always)]
    pub(crate) unsafe fn leave(&self) -> ! {
        sanitizer::go_for_good(self.resumer.get());
        // SAFETY: the caller runs the context.
        unsafe { leave(self.other.as_ptr(), Switch::Returned as usize) }
    }

    /// Whether its first run has begun, for who may run it.
    pub(crate) fn has_begun(&self) -> bool {
        self.other.get() != switch::first_stack_pointer(self.stack.first_frame())
    }

    /// The stack of a context that has returned.
    pub(crate) fn into_stack(self) -> Stack {
        sanitizer::clear(Bounds::of(&self.stack));
        self.stack
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
    use std::array;
    use std::cell::{Cell, OnceCell};
    use std::fs;
    use std::hint::black_box;
    use std::iter::zip;
    use std::ops::Range;

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

    /// A context with what its function is to find.
    struct Scene {
        context: OnceCell<Context>,
        on_stack: Cell<usize>,
    }

    impl Scene {
        fn new(main: unsafe extern "C" fn(*const ()) -> !) -> Box<Self> {
            let class = Class::for_size(1 << 16, 0).expect("there are such stacks");
            stack::reserve(class, |_| Ok(())).expect("there is room");
            let stack = stack::take(class).expect("it was reserved");
            let scene = Box::new(Self { context: OnceCell::new(), on_stack: Cell::new(0) });
            let context = Context::new(stack, main, (&raw const *scene).cast());
            scene.context.set(context).expect("once");
            scene
        }

        /// That of a function that was called with it.
        fn of<'a>(argument: *const ()) -> &'a Self {
            // SAFETY: a test keeps it until the function has left.
            unsafe { &*argument.cast() }
        }

        fn context(&self) -> &Context {
            self.context.get().expect("`new` has set it")
        }

        fn resume(&self) -> Switch {
            // SAFETY: this thread has made it, and neither side touches a thread-local.
            unsafe { self.context().resume() }
        }

        /// By its function.
        fn suspend(&self, why: Switch) {
            // SAFETY: as it is said.
            unsafe { self.context().suspend(why) };
        }

        /// Runs it to its end.
        fn end(&mut self) {
            assert_eq!(self.resume(), Switch::Returned);
            stack::release(self.context.take().expect("it is there").into_stack());
        }
    }

    unsafe extern "C" fn parks_once(scene: *const ()) -> ! {
        let scene = Scene::of(scene);
        scene.context().begin();
        let on_stack = 0_u8;
        scene.on_stack.set((&raw const on_stack).addr());
        scene.suspend(Switch::Parked);
        black_box(&on_stack);
        // SAFETY: nothing here is needed any more.
        unsafe { scene.context().leave() }
    }

    #[test]
    fn what_is_left_at_the_stack_pointer_leads_to_who_has_suspended() {
        let mut scene = Scene::new(parks_once);
        let usable = {
            let stack = &scene.context().stack;
            stack.bottom()..stack.top()
        };
        assert_eq!(scene.resume(), Switch::Parked);
        let word_of_it = |at| {
            let word = (&raw const *scene.context()).wrapping_byte_add(at).cast::<usize>();
            // SAFETY: the word is one of the context's, which does not run.
            unsafe { word.read() }
        };
        let saved = word_of_it(Context::STACK_POINTER);
        assert!(usable.contains(&saved));
        let word = |at: usize| {
            // SAFETY: it lies on the stack of the context, which does not run.
            unsafe { (at as *const usize).read() }
        };
        let pc = word(saved + REGISTERS.pc as usize);
        assert!(code().iter().any(|code| code.contains(&pc)), "{pc:#x} is no code");
        // Who has suspended is above, and not far.
        let stack_pointer = saved + REGISTERS.size as usize;
        assert!((stack_pointer..stack_pointer + 4096).contains(&scene.on_stack.get()));
        // The first frame returns to where a stack begins.
        let first_frame = word_of_it(Context::FIRST_FRAME);
        assert_eq!(first_frame, scene.context().stack.first_frame());
        if cfg!(target_arch = "x86_64") {
            let returns_to = word(first_frame - size_of::<usize>());
            assert!((0..64).contains(&returns_to.wrapping_sub(switch::begin_at())));
        }
        scene.end();
    }

    #[test]
    fn a_context_that_has_not_run_has_not_begun() {
        let mut scene = Scene::new(parks_once);
        assert!(!scene.context().has_begun());
        assert_eq!(scene.resume(), Switch::Parked);
        assert!(scene.context().has_begun());
        scene.end();
    }

    /// More than there are registers.
    const MANY: usize = 40;

    fn many(from: u64) -> [u64; MANY] {
        array::from_fn(|at| black_box(from + at as u64))
    }

    /// Computes with integers and floats that are made before a switch and used after it.
    fn computes(from: u64, switch: impl Fn()) -> u64 {
        let integers = many(from);
        let floats = many(from).map(|it| it as f64);
        switch();
        zip(integers, floats).map(|(integer, float)| integer * float as u64).sum()
    }

    unsafe extern "C" fn computes_and_yields(scene: *const ()) -> ! {
        let scene = Scene::of(scene);
        scene.context().begin();
        for from in 0..3 {
            let sum = computes(from, || scene.suspend(Switch::Yielded));
            scene.on_stack.set(sum as usize);
        }
        // SAFETY: nothing here is needed any more.
        unsafe { scene.context().leave() }
    }

    #[test]
    fn both_sides_of_a_switch_find_what_they_have_computed() {
        let expected = |from| (from..from + MANY as u64).map(|it| it * it).sum::<u64>();
        let mut scene = Scene::new(computes_and_yields);
        assert_eq!(scene.resume(), Switch::Yielded);
        for from in 0..2 {
            let sum = computes(from + 100, || assert_eq!(scene.resume(), Switch::Yielded));
            assert_eq!(sum, expected(from + 100));
            assert_eq!(scene.on_stack.get() as u64, expected(from));
        }
        scene.end();
    }

    unsafe extern "C" fn asks_for_alignment(scene: *const ()) -> ! {
        #[repr(align(16))]
        struct Aligned(u8);
        let scene = Scene::of(scene);
        scene.context().begin();
        let aligned = black_box(Aligned(0));
        scene.on_stack.set((&raw const aligned.0).addr());
        // SAFETY: nothing here is needed any more.
        unsafe { scene.context().leave() }
    }

    #[test]
    fn a_function_finds_its_stack_aligned() {
        let mut scene = Scene::new(asks_for_alignment);
        scene.end();
        assert!(scene.on_stack.get().is_multiple_of(STACK_ALIGNMENT));
    }
}

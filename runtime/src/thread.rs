//! Threads: what `std::thread` offers, for green threads.

pub(crate) mod hooks;
mod join;
mod outside;
mod token;

use std::any::Any;
use std::cell::UnsafeCell;
use std::env;
use std::ffi::CString;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe, RefUnwindSafe, UnwindSafe};
use std::ptr::{self, NonNull};
use std::thread::Result;
use std::time::{Duration, Instant};

pub use crate::attributes::change_attributes;
use crate::context::{Switch, tls};
use crate::current as running;
use crate::fork;
use crate::primitive::{AtomicU8, Ordering, global};
use crate::runtime;
use crate::scheduler::{self, wardrobe};
use crate::stack::{self, Class};
use crate::sys;
pub use crate::task::id::ThreadId;
use crate::task::{Header, Runnable, TaskRef, VTable};

/// The stack of a thread that does not say otherwise: std's.
const STACK_SIZE: usize = 2 << 20;

/// A green thread with its function, and later its result, in one allocation.
#[repr(C)]
struct Task<F, T> {
    header: Header,
    stage: UnsafeCell<Stage<F, T>>,
}

// A batch of threads costs what their tasks take of the heap, with the word that glibc keeps before each: every
// step more of its 16 bytes is some 10 ns for each, in page faults.
const _: () =
    assert!(cfg!(any(sylvan_loom, feature = "sanitizer")) || size_of::<Task<fn(), ()>>() == 128);

enum Stage<F, T> {
    /// Not started.
    Function(F),
    /// Ended, and nobody has asked for the result.
    Returned(T),
    /// The same. Seldom, and in one word: the stage is what decides how large most tasks are.
    Panicked(Box<Box<dyn Any + Send>>),
    /// The function runs, or the result has been taken.
    Empty,
}

/// How to start a green thread: its name and its stack.
///
/// This corresponds to [`std::thread::Builder`].
///
/// ```
/// let thread = sylvan::Builder::new().name("worker".into()).spawn(|| {
///     assert_eq!(sylvan::current().name(), Some("worker"));
/// })?;
/// thread.join().unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}

impl Builder {
    /// A builder without a name and with the default stack: 2 MiB, or what `RUST_MIN_STACK` says.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the thread; `spawn` panics if the name contains a NUL byte, as std's does.
    pub fn name(mut self, name: String) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets the size of the stack in bytes, at least. It is address space: what is not touched costs
    /// nothing.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Starts a green thread that runs `f`.
    ///
    /// It is safe because a green thread is a thread: where [`tls_mode`](crate::tls_mode) is own,
    /// its thread-locals are its own; elsewhere it stays on one OS thread from its start to its end.
    /// So nothing in `f` can be seen by two OS threads at a time that may not be.
    ///
    /// # Errors
    ///
    /// When there is no stack to be had, with the kind that std gives (`WouldBlock`: `EAGAIN`); when
    /// the runtime cannot start, see [`Config::start`](crate::Config::start).
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        // SAFETY: nothing is borrowed.
        unsafe { self.spawn_unchecked(f) }
    }

    /// Starts a green thread that runs `f`, which may borrow.
    ///
    /// # Safety
    ///
    /// The thread has ended, and its result is gone, before anything ends that `F` or `T` borrows.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub unsafe fn spawn_unchecked<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        let name = self.name.map(|name| {
            let name = CString::new(name).expect("thread name may not contain interior null bytes");
            name.into_string().expect("it was a string").into_boxed_str()
        });
        if !runtime::spawns_green()? {
            // SAFETY: as the caller promises.
            return unsafe { outside::spawn(name, self.stack_size, f) };
        }
        let class = match self.stack_size {
            Some(size) => Class::for_size(size, tls::block_len())?,
            None => default_class()?,
        };
        stack::reserve(class, tls::provide)?;
        let birth = name.as_deref().and_then(hooks::conceive);
        let vtable = const {
            &VTable {
                run: run::<F, T>,
                take: take::<F, T>,
                drop_result: drop_result::<F, T>,
                free: free::<Task<F, T>>,
            }
        };
        // Written in place: a value that is made first would be copied there.
        let task = Box::leak(Box::<Task<F, T>>::new_uninit()).write(Task {
            // One count for the task itself, one for the handle.
            header: Header::new(vtable, Some(class), name, 2),
            stage: UnsafeCell::new(Stage::Function(f)),
        });
        if let Some(birth) = birth {
            task.header.set_birth(birth);
        }
        if wardrobe::any_changed() {
            wardrobe::inherit(&task.header);
        }
        task.header.inherit_floating();
        let task = NonNull::from(task).cast::<Header>();
        // SAFETY: one of the two counts, and the right to run what was just made.
        unsafe {
            let thread = Thread(TaskRef::from_raw(task));
            Runnable::from_raw(task).schedule();
            Ok(JoinHandle { thread, _result: PhantomData })
        }
    }
}

/// Starts a green thread with the defaults of [`Builder`].
///
/// This corresponds to [`std::thread::spawn`].
///
/// # Panics
///
/// If it cannot be started; [`Builder::spawn`] returns an error instead.
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(f).expect("failed to spawn thread")
}

/// The stacks of threads whose builder says nothing of it.
#[inline]
fn default_class() -> io::Result<Class> {
    // Orders nothing: the number is all there is to see.
    match Class::from_byte(DEFAULT_CLASS.load(Ordering::Relaxed)) {
        Some(class) => Ok(class),
        None => find_default_class(),
    }
}

global! {
    /// That once it is known, as a byte; until then 0, which is none.
    static DEFAULT_CLASS: AtomicU8 = AtomicU8::new(0);
}

/// Whoever finds it first decides.
#[cold]
fn find_default_class() -> io::Result<Class> {
    let wanted = env::var("RUST_MIN_STACK").ok();
    let size = wanted.and_then(|size| size.parse().ok()).unwrap_or(STACK_SIZE);
    let class = Class::for_size(size, tls::block_len())?;
    let first =
        DEFAULT_CLASS.compare_exchange(0, class.to_byte(), Ordering::Relaxed, Ordering::Relaxed);
    Ok(first.err().and_then(Class::from_byte).unwrap_or(class))
}

/// The whole life of a green thread, on its own stack.
///
/// # Safety
///
/// `header` starts a `Task<F, T>` whose function has not run.
unsafe fn run<F: FnOnce() -> T, T>(header: NonNull<Header>) {
    // SAFETY: as the caller promises; the task outlives its own run.
    let task = unsafe { header.cast::<Task<F, T>>().as_ref() };
    begin(&task.header);
    // SAFETY: as the caller promises.
    unsafe { call::<F, T>(header) };
    tls::finish();
    if task.header.lease.get().is_none() {
        fork::at_end(&task.header);
        // The joiner reads it when the thread is done.
        task.header.core.store(sys::thread::id(), Ordering::Relaxed);
    }
    wardrobe::end(&task.header);
    scheduler::record_end(&task.header);
    join::finish(&task.header.join, || {
        // SAFETY: nobody will ask for it: it is the thread's to drop, if that has not been done.
        unsafe { drop_result::<F, T>(header) };
    });
}

/// Calls the function and keeps its result, unless nobody will ask for it.
///
/// # Safety
///
/// As for `run`.
#[inline(always)]
unsafe fn call<F: FnOnce() -> T, T>(header: NonNull<Header>) {
    // SAFETY: as the caller promises.
    let task = unsafe { header.cast::<Task<F, T>>().as_ref() };
    // SAFETY: until DONE the stage belongs to the thread itself.
    let stage = unsafe { &mut *task.stage.get() };
    let Stage::Function(f) = std::mem::replace(stage, Stage::Empty) else {
        unreachable!("a thread runs once")
    };
    let result = panic::catch_unwind(AssertUnwindSafe(|| __rust_begin_short_backtrace(f)));
    *stage = match result {
        Ok(value) => Stage::Returned(value),
        Err(payload) => Stage::Panicked(Box::new(payload)),
    };
    if join::is_detached(&task.header.join) {
        // SAFETY: as above.
        unsafe { drop_result::<F, T>(header) };
    }
}

fn begin(header: &Header) {
    if let Some(own) = tls::own() {
        running::set_green(header);
        own.start();
    }
    if header.rare().is_some() {
        be_born(header);
    }
}

#[cold]
fn be_born(header: &Header) {
    if let Some(birth) = header.take_birth() {
        birth();
    }
}

/// The name tells std's short backtraces where the program's own frames begin.
#[inline(never)]
fn __rust_begin_short_backtrace<F: FnOnce() -> T, T>(f: F) -> T {
    let result = f();
    // Keeps the call from becoming a jump, which would leave no frame.
    std::hint::black_box(());
    result
}

/// Drops the result, if there is one. A panic on the way aborts, as in std.
///
/// # Safety
///
/// `header` starts a `Task<F, T>` whose stage is the caller's.
unsafe fn drop_result<F, T>(header: NonNull<Header>) {
    // SAFETY: as the caller promises.
    let stage = unsafe { &mut *header.cast::<Task<F, T>>().as_ref().stage.get() };
    let result = std::mem::replace(stage, Stage::Empty);
    if panic::catch_unwind(AssertUnwindSafe(|| drop(result))).is_err() {
        crate::report::fatal(format_args!("thread result panicked on drop"));
    }
}

/// Takes the result out.
///
/// # Safety
///
/// `header` starts a `Task<F, T>` that is DONE, and `into` is an `Option<Result<T>>` with nothing in it.
unsafe fn take<F, T>(header: NonNull<Header>, into: *mut ()) {
    // SAFETY: as the caller promises; the handle that takes is unique.
    let stage = unsafe { &mut *header.cast::<Task<F, T>>().as_ref().stage.get() };
    let result = match std::mem::replace(stage, Stage::Empty) {
        Stage::Returned(value) => Some(Ok(value)),
        Stage::Panicked(payload) => Some(Err(*payload)),
        Stage::Function(_) | Stage::Empty => None,
    };
    // SAFETY: as the caller promises.
    unsafe { into.cast::<Option<Result<T>>>().write(result) };
}

/// Frees a task.
///
/// # Safety
///
/// `header` starts a boxed `T` that nobody refers to any more.
unsafe fn free<T>(header: NonNull<Header>) {
    // SAFETY: as the caller promises.
    drop(unsafe { Box::from_raw(header.cast::<T>().as_ptr()) });
}

/// The right to wait for a green thread and to take its result.
///
/// This corresponds to [`std::thread::JoinHandle`]. Dropped without [`join`](Self::join), it leaves
/// the thread to itself.
pub struct JoinHandle<T> {
    thread: Thread,
    _result: PhantomData<T>,
}

// SAFETY: what a handle gives access to is the result, once, by value: a `T` that is sent. std's
// handle is `Send` and `Sync` for every `T`, which a thread could only return if it is `Send`.
unsafe impl<T> Send for JoinHandle<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Parks the calling thread until this one has ended; what it returned, or what it panicked
    /// with. From an ordinary thread, blocks it.
    ///
    /// This corresponds to [`std::thread::JoinHandle::join`].
    ///
    /// # Errors
    ///
    /// What the thread panicked with.
    #[inline]
    pub fn join(self) -> Result<T> {
        join::wait_until_done(&self.thread.0.join);
        if self.thread.0.lease.get().is_none() {
            outside::wait_until_gone(&self.thread.0);
        }
        let mut result: Option<Result<T>> = None;
        // SAFETY: DONE, and the slot has the type that `spawn` took the function for.
        unsafe { (self.thread.0.vtable.take)(self.thread.0.as_raw(), (&raw mut result).cast()) };
        // Nothing is left to drop but the reference.
        let this = ManuallyDrop::new(self);
        // SAFETY: read once, out of what is not dropped.
        drop(unsafe { ptr::read(&raw const this.thread) });
        result.expect("the result of a thread is there until it is taken")
    }

    /// Whether the thread has ended, so that [`join`](Self::join) would not wait.
    pub fn is_finished(&self) -> bool {
        join::is_done(&self.thread.0.join)
    }

    /// The thread that this is the handle of.
    pub fn thread(&self) -> &Thread {
        &self.thread
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if join::detach(&self.thread.0.join) {
            // SAFETY: DONE before DETACHED: what is left of the result is this handle's.
            unsafe { (self.thread.0.vtable.drop_result)(self.thread.0.as_raw()) };
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle").finish_non_exhaustive()
    }
}

/// A thread, green or not. Cheap to clone.
///
/// This corresponds to [`std::thread::Thread`].
#[derive(Clone)]
pub struct Thread(TaskRef);

// A handle shows what never changes, and a token that is one atomic word.
impl UnwindSafe for Thread {}
impl RefUnwindSafe for Thread {}

impl Thread {
    /// The thread's identity.
    pub fn id(&self) -> ThreadId {
        self.0.id
    }

    /// The thread's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// The number of the OS thread that runs it, or has run it last, if it has run. By the time that the
    /// caller has it, it may run elsewhere.
    pub fn os_thread(&self) -> Option<u32> {
        match self.0.lease.get() {
            Some(lease) => Some(lease.worker()),
            // Bound to it, or not started.
            None => Some(self.0.core.load(Ordering::Relaxed)).filter(|number| *number != 0),
        }
    }

    /// Whether it is not parked, nor in a blocking section.
    #[cfg(target_os = "linux")]
    pub(crate) fn runs(&self) -> bool {
        let blocks = self.0.lease.get().is_some_and(|lease| lease.look().is_blocking());
        self.0.state.is_runnable() && !blocks
    }

    /// Makes the thread's token available: its [`park`] returns, now or the next time.
    pub fn unpark(&self) {
        token::give(&self.0);
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thread")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

/// The calling thread, green or not.
///
/// This corresponds to [`std::thread::current`].
pub fn current() -> Thread {
    match running::green() {
        Some(task) => Thread(TaskRef::to(task)),
        None => Thread(running::os_thread(os_thread)),
    }
}

/// For OS threads.
///
/// # Safety
///
/// None is needed.
unsafe fn no_run(_: NonNull<Header>) {
    unreachable!("an OS thread is not run here")
}

/// A handle for an OS thread that was not started here.
fn os_thread() -> TaskRef {
    unsafe fn none(_: NonNull<Header>) {
        unreachable!("an OS thread has no result here")
    }
    unsafe fn take(_: NonNull<Header>, _: *mut ()) {
        unreachable!("an OS thread has no result here")
    }

    let vtable = const { &VTable { run: no_run, take, drop_result: none, free: free::<Header> } };
    let name = std::thread::current().name().map(Into::into);
    let mut header = Header::new(vtable, None, name, 1);
    if sys::thread::is_main() {
        header.id = ThreadId::MAIN;
    }
    let header = NonNull::from(Box::leak(Box::new(header)));
    // SAFETY: the one count that it was made with.
    unsafe { TaskRef::from_raw(header) }
}

/// Takes the OS thread that the calling green thread runs on for this thread, to its end: it is *bound*.
///
/// For a thread that changes what the kernel keeps for an OS thread, such as its rights, its processors
/// or its priority, or that makes calls which have to come from one and the same OS thread. It is an
/// ordinary thread from then on: what blocks blocks its OS thread, which ends with it, so that nothing
/// of this is left to others. Its number, name, handles and thread-locals stay as they are. Another OS
/// thread runs the other green threads.
///
/// From an ordinary thread this does nothing. (`sylvan-posix` calls it for those who change such things
/// by a function of libc's.)
///
/// # Errors
///
/// What the kernel says if there is no OS thread to be had for the others. `Unsupported` where green
/// threads share their worker's thread-locals ([`tls_mode`](crate::tls_mode)): there a thread stays on
/// its worker in any case, with others.
///
/// ```
/// let bound = sylvan::spawn(|| {
///     let before = sylvan::current().id();
///     let is_bound = sylvan::thread::bind().is_ok();
///     assert_ne!(sylvan::thread::is_green(), is_bound);
///     assert_eq!(sylvan::current().id(), before);
/// });
/// bound.join().unwrap();
/// ```
pub fn bind() -> io::Result<()> {
    match running::green() {
        Some(task) => scheduler::get().bind(task),
        None => Ok(()),
    }
}

/// Whether the caller is a green thread.
pub fn is_green() -> bool {
    running::green().is_some()
}

/// Parks the calling thread until its token is available, and takes it.
///
/// This corresponds to [`std::thread::park`].
#[inline]
pub fn park() {
    match running::green() {
        Some(task) => token::take(task),
        None => token::take_queued(&running::os_thread(os_thread).token, None),
    }
}

/// As [`park`], but until `deadline` at most.
///
/// This corresponds to [`std::thread::park_timeout`].
pub fn park_until(deadline: Instant) {
    match running::green() {
        Some(task) => token::take_queued(&task.token, Some(deadline)),
        None => token::take_queued(&running::os_thread(os_thread).token, Some(deadline)),
    }
}

/// Lets others run first. From an ordinary thread, yields to other OS threads.
///
/// This corresponds to [`std::thread::yield_now`].
// Inlined, here and above, and the switch with it: each place that yields has a jump of its own for the processor
// to predict, and no return behind it (`context::switch`).
#[inline]
pub fn yield_now() {
    match running::green() {
        Some(task) => task.suspend(Switch::Yielded),
        None => sys::thread::yield_now(),
    }
}

/// For how long the calling thread, if it is green, has used a processor, counted from when it asked first.
/// From then on each of its runs costs some system calls more. It goes on when the thread is
/// [bound](bind). `None` from an ordinary thread.
pub fn processor_time() -> Option<Duration> {
    match running::green() {
        Some(task) => Some(wardrobe::processor_time(task)),
        None => running::bound().and_then(wardrobe::known_processor_time),
    }
}

/// What the handler of stack overflows asks: the guard, name and number of who runs here.
pub(crate) fn interrupted() -> Option<(Range<usize>, &'static str, u64)> {
    // Of an OS thread that was started as one std has the guard.
    let task = running::green().or_else(running::bound).filter(|task| task.bottom.get() != 0)?;
    // The name lives as long as the task, which does not go on after this.
    Some((stack::guard(task.bottom.get()), task.name().unwrap_or("<unknown>"), task.id.get()))
}

/// The stack of the calling green thread, and how many bytes below it are its guard; `None` from an OS
/// thread.
///
/// ```
/// assert!(sylvan::thread::stack_bounds().is_none());
/// let here = sylvan::spawn(|| {
///     let (stack, guard) = sylvan::thread::stack_bounds().unwrap();
///     (stack.len(), guard, stack.contains(&std::ptr::from_ref(&guard).addr()))
/// });
/// let (len, guard, is_there) = here.join().unwrap();
/// assert!(len >= 2 << 20 && guard > 0 && is_there);
/// ```
pub fn stack_bounds() -> Option<(Range<usize>, usize)> {
    let task = running::green().or_else(running::bound).filter(|task| task.bottom.get() != 0)?;
    let bottom = task.bottom.get();
    Some((stack::usable(bottom, task.class?), stack::guard(bottom).len()))
}

//! Threads that are OS threads from their start: those of a spawner whose attributes the runtime's OS
//! threads have not (`attributes`).
//!
//! Such a thread has the same task as a green one, so handles, names and numbers are the same. The task
//! is never scheduled, and the OS thread says that it is its own (`current`). The OS thread is started by
//! the spawner, so the kernel hands on all there is.
//!
//! # Its end
//!
//! `join` is to return when the destructors of the thread's thread-locals have run. So the task is done
//! in the last of them. On all platforms a value of a pthread key is destroyed after the thread-locals of
//! Rust and C++. It comes back as often as POSIX grants, behind the values of other keys.
//!
//! Then the OS thread is still there for a moment, as that of a bound thread is, with all that it had set
//! for itself. But libc's `setuid` and its like, which call for every OS thread, abort where one answers
//! otherwise than the caller. `pthread_join` returns when it is gone, and so does `join`.

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::OnceLock;
use std::thread as std_thread;
use std::time::{Duration, Instant};

use super::{JoinHandle, Stage, Task, Thread, call, drop_result, free, join, no_run, take};
use crate::attributes::Inherited;
use crate::current as running;
use crate::os_thread;
use crate::park::sleep_until;
use crate::primitive::{Ordering, UnsafeCell};
use crate::scheduler::wardrobe;
use crate::sys;
use crate::task::{Header, TaskRef, VTable};

/// Starts a thread that runs `f` as an OS thread.
///
/// # Safety
///
/// As for [`super::Builder::spawn_unchecked`].
#[cold]
pub(super) unsafe fn spawn<F, T>(
    name: Option<Box<str>>,
    stack_size: Option<usize>,
    f: F,
) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    let key = key()?;
    let vtable = const {
        &VTable {
            run: no_run,
            take: take::<F, T>,
            drop_result: drop_result::<F, T>,
            free: free::<Task<F, T>>,
        }
    };
    let mut builder = std_thread::Builder::new();
    if let Some(name) = &name {
        builder = builder.name(name.to_string());
    }
    if let Some(size) = stack_size {
        builder = builder.stack_size(size);
    }
    let task = Box::leak(Box::new(Task {
        // One count for the thread itself, one for the handle.
        header: Header::new(vtable, None, name, 2),
        stage: UnsafeCell::new(Stage::<F, T>::Function(f)),
    }));
    let task = NonNull::from(task).cast::<Header>();
    // SAFETY: the two counts. If the thread cannot be started both are dropped, and the function with
    // them.
    let (thread, own) = unsafe { (Thread(TaskRef::from_raw(task)), TaskRef::from_raw(task)) };
    let inherited = Inherited::of_caller();
    let main = move || {
        inherited.take();
        // SAFETY: a task of these types, which has not run; this is its OS thread.
        unsafe { main::<F, T>(own, key) };
    };
    // SAFETY: as the caller promises.
    os_thread::starting(|| unsafe { builder.spawn_unchecked(main) })?;
    Ok(JoinHandle { thread, _result: PhantomData })
}

/// What the OS thread does.
///
/// # Safety
///
/// `task` is a `Task<F, T>` whose function has not run, and the calling OS thread is its own. The key
/// is that of this module.
unsafe fn main<F: FnOnce() -> T, T>(task: TaskRef, key: libc::pthread_key_t) {
    let task = task.into_raw();
    // SAFETY: its count is there until `end`.
    running::bind(unsafe { task.as_ref() });
    // SAFETY: a key, and a value that its destructor knows.
    let at_end = unsafe { libc::pthread_setspecific(key, task.as_ptr().cast()) } == 0;
    // SAFETY: as the caller promises.
    unsafe { call::<F, T>(task) };
    if !at_end {
        // There is no memory for that. Better now than never.
        // SAFETY: this is the count of the thread.
        unsafe { finish(task) };
    }
}

/// The key whose value is the task of the calling thread.
fn key() -> io::Result<libc::pthread_key_t> {
    static KEY: OnceLock<libc::pthread_key_t> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(*key);
    }
    let mut key = 0;
    // SAFETY: writes a key.
    match unsafe { libc::pthread_key_create(&mut key, Some(end)) } {
        0 => {
            let first = *KEY.get_or_init(|| key);
            if first != key {
                // SAFETY: nobody has heard of it.
                unsafe { libc::pthread_key_delete(key) };
            }
            Ok(first)
        }
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// The destructor of the key's value: the last thing that the thread does.
///
/// # Safety
///
/// `task` was left by `main`, on this thread, with the count.
unsafe extern "C" fn end(task: *mut c_void) {
    /// How often a destructor may come back, at least: `PTHREAD_DESTRUCTOR_ITERATIONS`.
    const ROUNDS: u32 = 4;
    thread_local! {
        static ROUND: Cell<u32> = const { Cell::new(1) };
    }

    if ROUND.get() < ROUNDS {
        ROUND.set(ROUND.get() + 1);
        // SAFETY: as in `main`. The key is there.
        if key().is_ok_and(|key| unsafe { libc::pthread_setspecific(key, task) } == 0) {
            return;
        }
    }
    if let Some(task) = NonNull::new(task.cast::<Header>()) {
        // SAFETY: `main` has left the count with it.
        unsafe { finish(task) };
    }
}

/// The thread has ended.
///
/// # Safety
///
/// The caller hands over the count of the thread, which is the calling one.
unsafe fn finish(task: NonNull<Header>) {
    // SAFETY: as the caller promises.
    let task = unsafe { TaskRef::from_raw(task) };
    running::unbind();
    wardrobe::end(&task);
    // The joiner reads it when the thread is done.
    task.core.store(sys::thread::id(), Ordering::Relaxed);
    join::finish(&task.join, || {
        // SAFETY: nobody will ask for it: it is the thread's to drop, if that has not been done.
        unsafe { (task.vtable.drop_result)(task.as_raw()) };
    });
}

/// For who joins: waits until the OS thread of a task that is done, and was bound or an OS thread from its
/// start, is no more.
#[cold]
pub(super) fn wait_until_gone(task: &Header) {
    /// It has nothing more to do, so it takes no longer: then the number is another one's by now.
    const LIMIT: Duration = Duration::from_secs(1);
    let (id, begin) = (task.core.load(Ordering::Relaxed), Instant::now());
    while sys::thread::is_there(id) && begin.elapsed() < LIMIT {
        sleep_until(Instant::now() + Duration::from_micros(20));
    }
}

//! Blocking sections: calls that the kernel, or a library, blocks the OS thread in.
//!
//! In the own mode the call is made right here, on the green thread's stack. The worker's core
//! goes to another worker if the call takes long, or before it if calls of its kind always do
//! (`scheduler`). In the shared mode the thread-locals are the worker's, so the worker has to
//! stay: the call is made on a spare OS thread.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{self, AssertUnwindSafe};
use std::ptr::{self, NonNull};

use crate::current;
use crate::park::{self, WaitReason};
use crate::primitive::{AtomicBool, Ordering};
use crate::scheduler;
use crate::task::{Header, Runnable};

/// Runs `f`, which blocks its OS thread, without holding up other green threads.
///
/// From an ordinary thread this is just a call. From a green thread other green threads go on
/// meanwhile, on this worker's core too. What `f` returns or panics with comes back.
///
/// # Platform-specific behavior
///
/// Where green threads have thread-locals of their own ([`tls_mode`](crate::tls_mode)), `f` runs on
/// the calling thread and sees them; elsewhere it runs on a helper thread.
///
/// ```
/// let bytes = sylvan::spawn(|| sylvan::blocking(|| std::fs::read("Cargo.toml")))
///     .join()
///     .unwrap();
/// assert!(bytes.is_ok());
/// ```
///
/// Since it may run on another OS thread, what `f` takes along and returns has to be `Send`:
///
/// ```compile_fail,E0277
/// let shared = std::rc::Rc::new(1);
/// sylvan::blocking(move || *shared);
/// ```
///
/// ```compile_fail,E0277
/// sylvan::blocking(|| std::rc::Rc::new(1));
/// ```
pub fn blocking<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    match current::green() {
        Some(task) => scheduler::get().blocking(task, f),
        None => f(),
    }
}

/// A call on its way to a helper thread and back, on the stack of the green thread that waits.
struct Errand<F, T> {
    task: NonNull<Header>,
    call: UnsafeCell<Option<F>>,
    result: UnsafeCell<Option<Result<T, Box<dyn Any + Send>>>>,
    done: AtomicBool,
}

/// Has `f` run elsewhere, by `send`, and parks `task` until it is done. Runs it right here if `send` says
/// that nobody is there to run it, or nobody has when the errand is finished.
pub(crate) fn elsewhere<T: Send, F: FnOnce() -> T + Send>(
    task: &Header,
    f: F,
    send: impl FnOnce(unsafe fn(*mut ()), unsafe fn(*mut ()), *mut ()) -> bool,
) -> T {
    let errand = Errand {
        task: NonNull::from(task),
        call: UnsafeCell::new(Some(f)),
        result: UnsafeCell::new(None),
        done: AtomicBool::new(false),
    };
    if send(run::<F, T>, finish::<F, T>, ptr::from_ref(&errand).cast_mut().cast()) {
        // Acquire pairs with the release in `finish`.
        park::park_until(task, WaitReason::Blocking, || errand.done.load(Ordering::Acquire));
    }
    match errand.result.into_inner() {
        Some(Ok(value)) => value,
        Some(Err(panic)) => panic::resume_unwind(panic),
        None => errand.call.into_inner().expect("nobody has run it")(),
    }
}

/// Makes the call, on a helper thread.
///
/// # Safety
///
/// `data` points to an `Errand<F, T>` that nobody has run yet and that lasts until `finish`.
unsafe fn run<F: FnOnce() -> T, T>(data: *mut ()) {
    // SAFETY: as the caller promises; the green thread reads the cells only after `done`.
    let errand = unsafe { &*data.cast::<Errand<F, T>>() };
    // SAFETY: as above.
    let call = unsafe { (*errand.call.get()).take() }.expect("run once");
    let result = panic::catch_unwind(AssertUnwindSafe(call));
    // SAFETY: as above.
    unsafe { *errand.result.get() = Some(result) };
}

/// Wakes who waits for the call, made or not.
///
/// # Safety
///
/// `data` points to an `Errand<F, T>` that `run` has returned from, or that nobody is going to run.
unsafe fn finish<F: FnOnce() -> T, T>(data: *mut ()) {
    // SAFETY: as the caller promises.
    let errand = unsafe { &*data.cast::<Errand<F, T>>() };
    let task = errand.task;
    // Release pairs with the acquire in `elsewhere`. This thread is the task's only waker, so the
    // task cannot go on, and cannot end, before the claim.
    errand.done.store(true, Ordering::Release);
    // SAFETY: as above; the claim says whether the right to run the task is ours.
    unsafe {
        if task.as_ref().state.claim() {
            Runnable::from_raw(task).schedule();
        }
    }
}

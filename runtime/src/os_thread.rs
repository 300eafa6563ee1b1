//! The OS threads that the runtime starts: its own, and those of threads that are to be OS threads.
//!
//! libc makes them (`pthread_create`), since what runs on them needs thread-locals. In a whole program the
//! function of that name starts a green thread. So whoever starts an OS thread says so for the length of
//! the call ([`starting`]), in a thread-local; the function of that name asks ([`is_starting`]), and passes
//! such a call on. A green thread may be the one that starts it. Then what it says is in its own
//! thread-locals, and goes with it if it parks on the way, as in an allocator of the program's that waits
//! for a lock. What such an allocator starts there is an OS thread, too.
//!
//! Those of the runtime's own are not std's threads, because of how these begin. std registers destructors
//! of thread-locals then, and for each `ld.so` takes its lock. A thread that loads a library has that lock
//! while the library's constructors run, and these may wait for a green thread. So on the way to the
//! scheduler, and in it, nothing is registered and nothing looked up by name.
//!
//! What std does for its threads and is needed here: a name, and a stack for the handlers of signals,
//! without which nobody could report an overflow.

use std::cell::Cell;
use std::ffi::c_void;
use std::io;
use std::mem::{self, MaybeUninit};
use std::ptr;
use std::sync::Arc;

use crate::context::{floating, tls};
use crate::lock::Lock;
use crate::sys::{self, signal};

thread_local! {
    /// The calling thread is about to start an OS thread.
    static IS_STARTING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is about to start an OS thread for the runtime: then a call of
/// `pthread_create` is to make one.
pub fn is_starting() -> bool {
    IS_STARTING.get()
}

/// Calls `start`, which starts an OS thread.
pub(crate) fn starting<R>(start: impl FnOnce() -> R) -> R {
    let before = IS_STARTING.replace(true);
    let result = start();
    IS_STARTING.set(before);
    result
}

/// One that was started. Dropped, it goes on by itself.
pub(crate) struct OsThread(libc::pthread_t);

// SAFETY: the number means the same to every thread.
unsafe impl Send for OsThread {}

/// What it does, and under which name.
struct Start {
    name: String,
    main: Box<dyn FnOnce() + Send>,
}

/// Whatever the environment says about the stacks of the program's threads.
const STACK_SIZE: usize = 2 << 20;

/// Starts one, which blocks all that a cover blocks, and what the caller blocks besides: the monitor has a signal of its
/// own that is not to reach it in between. `main` must not unwind.
pub(crate) fn spawn(name: String, main: impl FnOnce() + Send + 'static) -> io::Result<OsThread> {
    let start = Box::into_raw(Box::new(Start { name, main: Box::new(main) }));
    let mut attributes = MaybeUninit::uninit();
    let mut thread = MaybeUninit::uninit();
    let before = signal::block(signal::cover());
    // SAFETY: attributes that are initialized first and destroyed last, and a function that gets what it
    // expects.
    let error = unsafe {
        let attributes = attributes.as_mut_ptr();
        libc::pthread_attr_init(attributes);
        libc::pthread_attr_setstacksize(attributes, STACK_SIZE);
        #[expect(clippy::disallowed_methods, reason = "passed on: see the header")]
        let error =
            starting(|| libc::pthread_create(thread.as_mut_ptr(), attributes, begin, start.cast()));
        libc::pthread_attr_destroy(attributes);
        error
    };
    signal::set_mask(before);
    if error != 0 {
        // SAFETY: nobody has got it.
        drop(unsafe { Box::from_raw(start) });
        return Err(io::Error::from_raw_os_error(error));
    }
    // SAFETY: libc has written it.
    Ok(OsThread(unsafe { thread.assume_init() }))
}

/// Has one that `start` starts call `f`, and waits for its result.
pub(crate) fn call<T: Send + 'static>(
    start: impl FnOnce(Box<dyn FnOnce() + Send>) -> io::Result<OsThread>,
    f: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let result = Arc::new(Lock::new(None));
    let place = Arc::clone(&result);
    start(Box::new(move || *place.lock() = Some(f())))?.join();
    let result = result.lock().take();
    Ok(result.expect("the thread has ended"))
}

impl OsThread {
    /// Waits for its end.
    pub(crate) fn join(self) {
        #[expect(clippy::disallowed_methods, reason = "an OS thread waits for an OS thread")]
        // SAFETY: a thread that nobody has joined or detached.
        unsafe {
            libc::pthread_join(self.0, ptr::null_mut())
        };
        mem::forget(self);
    }
}

impl Drop for OsThread {
    fn drop(&mut self) {
        #[expect(clippy::disallowed_methods, reason = "it waits for nobody")]
        // SAFETY: a thread that nobody has joined or detached.
        unsafe {
            libc::pthread_detach(self.0)
        };
    }
}

extern "C" fn begin(start: *mut c_void) -> *mut c_void {
    floating::put_first();
    // SAFETY: `spawn` has given it away.
    let Start { name, main } = *unsafe { Box::from_raw(start.cast::<Start>()) };
    sys::thread::set_name(&name);
    drop(name);
    let stack = sys::signal_stack::SignalStack::new();
    main();
    drop(stack);
    tls::leave();
    ptr::null_mut()
}

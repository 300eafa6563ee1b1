//! Handlers of signals that look at the stack, as a profiler's do, beside threads that switch all the time.

#![allow(clippy::disallowed_methods, reason = "the test blocks an OS thread on purpose")]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::ffi::{c_int, c_void};
use std::hint::spin_loop;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

unsafe extern "C" {
    fn _Unwind_Backtrace(
        look: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
}

/// How often the handler has come back.
static N_LOOKS: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn look_at_frame(_: *mut c_void, n_frames: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    const END: c_int = 4;
    // SAFETY: it is `look`'s.
    let n_frames = unsafe { &mut *n_frames.cast::<usize>() };
    *n_frames += 1;
    if *n_frames < 100 { GO_ON } else { END }
}

extern "C" fn look(_: c_int) {
    let mut n_frames = 0_usize;
    // SAFETY: calls the function above for each frame, with this.
    unsafe { _Unwind_Backtrace(look_at_frame, (&raw mut n_frames).cast()) };
    N_LOOKS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn a_handler_may_look_at_the_stack_at_each_step_of_a_switch() {
    const TIME: Duration = Duration::from_secs(1);
    /// The OS thread that they run on, which may become another one.
    static WORKER: AtomicI32 = AtomicI32::new(0);
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    // The unwinder loads itself when it is first used.
    look(0);
    // SAFETY: a handler that calls the unwinder alone, which has been loaded.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = look as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_RESTART | libc::SA_ONSTACK;
        assert_eq!(libc::sigaction(libc::SIGPROF, &raw const action, ptr::null_mut()), 0);
    }
    sylvan::Config::new().workers(1).start().expect("it has not started");
    let switching: Vec<_> = (0..3)
        .map(|_| {
            sylvan::spawn(|| {
                while !IS_OVER.load(Ordering::Relaxed) {
                    // SAFETY: asks for a number.
                    WORKER.store(unsafe { libc::gettid() }, Ordering::Relaxed);
                    // First and last switches are others.
                    let yields = || (0..40).for_each(|_| sylvan::thread::yield_now());
                    sylvan::spawn(yields).join().expect("no panic");
                }
            })
        })
        .collect();
    while WORKER.load(Ordering::Relaxed) == 0 {
        thread::yield_now();
    }
    let begin = Instant::now();
    for n in (0..97).cycle().take_while(|_| begin.elapsed() < TIME) {
        let n_before = N_LOOKS.load(Ordering::Relaxed);
        let worker = WORKER.load(Ordering::Relaxed);
        // SAFETY: a signal that has a handler, to an OS thread of this process.
        let sent =
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), worker, libc::SIGPROF) };
        // An OS thread that another one has taken over from keeps the signal until it is a worker again.
        while sent == 0
            && N_LOOKS.load(Ordering::Relaxed) == n_before
            && WORKER.load(Ordering::Relaxed) == worker
        {
            thread::yield_now();
        }
        (0..n).for_each(|_| spin_loop());
    }
    IS_OVER.store(true, Ordering::Relaxed);
    switching.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

//! Children of forks that go on with the program.

use std::thread::sleep;
use std::time::Duration;

/// Runs `f` in a child of a fork, which ends with what it returns, or with 101 if it panics.
pub fn fork(f: impl FnOnce() -> i32) -> libc::pid_t {
    // SAFETY: what the child does is what is tried here: all that POSIX lets a child do, and beyond that
    // what glibc and the runtime do for it.
    match unsafe { libc::fork() } {
        0 => {
            let status = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).unwrap_or(101);
            // SAFETY: ends the child, without the destructors of what is its parent's.
            unsafe { libc::_exit(status) }
        }
        child => child,
    }
}

/// How a child has ended: the status that it has exited with; minus the signal that has ended it. One
/// that does not end is ended.
///
/// # Panics
///
/// If there is none, or it does not end.
pub fn status_of(child: libc::pid_t) -> i32 {
    assert!(child > 0, "a child");
    let mut status = 0;
    for _ in 0..3_000 {
        // SAFETY: asks for a child of this process, once.
        if unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) } == child {
            return if libc::WIFEXITED(status) {
                libc::WEXITSTATUS(status)
            } else {
                -libc::WTERMSIG(status)
            };
        }
        sleep(Duration::from_millis(10));
    }
    // SAFETY: a child of this process that has not been waited for.
    unsafe { libc::kill(child, libc::SIGKILL) };
    panic!("the child hangs");
}

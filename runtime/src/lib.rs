//! STUB on OS threads: the API that `std-shim` is written against; the real runtime replaces it.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::undocumented_unsafe_blocks,
    reason = "stub"
)]
pub mod io;
pub mod thread;

use std::sync::atomic::AtomicU32;
use std::time::Instant;

/// Why a thread waits; shown in dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitReason {
    Futex,
    Sleep,
    Park,
    Join,
    Scope,
    Mutex,
    Condvar,
    RwLock,
    Once,
    Barrier,
    Channel,
    Read,
    Write,
    Accept,
    Connect,
    Blocking,
}

/// How a `wait` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// `*addr` was not `expected`: did not wait.
    Changed,
    /// Woken by `wake` (spurious wake-ups are possible).
    Woken,
    /// The deadline passed.
    TimedOut,
}

/// Parks the caller (green thread or OS thread) while `*addr == expected`, until woken or until `deadline`.
pub fn wait(
    addr: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    _reason: WaitReason,
) -> Wait {
    use rustix::thread::futex;
    if addr.load(std::sync::atomic::Ordering::SeqCst) != expected {
        return Wait::Changed;
    }
    let timeout = match deadline {
        None => None,
        Some(d) => {
            let left = d.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Wait::TimedOut;
            }
            Some(rustix::fs::Timespec {
                tv_sec: left.as_secs() as _,
                tv_nsec: left.subsec_nanos() as _,
            })
        }
    };
    match futex::wait(addr, futex::Flags::PRIVATE, expected, timeout.as_ref()) {
        Ok(()) => Wait::Woken,
        Err(rustix::io::Errno::TIMEDOUT) => Wait::TimedOut,
        Err(rustix::io::Errno::AGAIN) => Wait::Changed,
        Err(_) => Wait::Woken,
    }
}

/// Wakes up to `n` threads that wait at `addr` (which is compared, never read); returns how many.
pub fn wake(addr: *const AtomicU32, n: usize) -> usize {
    let n = n.min(i32::MAX as usize) as i32;
    let r = unsafe {
        libc::syscall(libc::SYS_futex, addr, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, n)
    };
    r.max(0) as usize
}

/// Runs a call that really blocks the OS thread, without holding up other green threads.
pub fn blocking<T>(f: impl FnOnce() -> T) -> T {
    f()
}

pub use thread::{
    Builder, JoinHandle, Thread, ThreadId, current, is_green, sleep_until, spawn, yield_now,
};

//! The kernel: what the runtime asks of an operating system, and the backends that give it.
//!
//! Everything here goes straight to the kernel: on Linux `rustix` and `kernel` make raw system calls. A
//! program, or the layer that makes whole programs green, has functions of its own under libc's names. None
//! of those may be called from a worker's own stack: there a green thread that has run last still seems to be
//! the caller. `tests/tests/rt_symbols.rs` has the names that are used.
//!
//! Required of a backend:
//!
//! - `poller::Poller`: `new()`, `add(fd, token)` (both directions, edge-triggered),
//!   `remove(fd)`, `wait(events, timeout)`, `wake()` from any thread. A wait returns early after a
//!   `wake`, including one that came before it. `Events::iter` gives what it has found, `any_wake` whether a `wake` is
//!   among it; `pollable()` is a descriptor that is readable while a wait would find anything. `abandon()`
//!   closes what a child of a fork has of its parent's, and leaves the parent's as it is. `numbers()` are
//!   those of its descriptors that the program is to be kept from; `move_away(fd)` gives one of them
//!   another number, and `renew()` makes them anew where they are lost. All calls may be made from any
//!   thread at any time: one that meets a number that is not its own any more fails, and harms nobody.
//! - `poller::Nested`: `new()`, `add(fd, events)` (as `poll` has them, level-triggered), and
//!   `into_fd()`, which a `Poller` can watch.
//! - `poller::watch_exit(process)`: a descriptor that is readable, and can be watched, once the process
//!   has ended, or is about to. Nobody reads it.
//! - `futex`: `wait(word, expected, timeout)` and `wake(word, n)` on a 32-bit word.
//! - `alert`: a wait that another thread ends, at once or a while later.
//! - `signal`: `mask`, `set_mask` and `block` for the mask of the calling OS thread.
//! - `memory`: `reserve`, `guard`, `discard` for stacks.
//! - `thread`: `id` and `process`, and of another thread by its `id`: `processor_time_ns`, for how long
//!   it has used a processor; `ran_and_waited_ns`, that and for how long it has waited for one; `waits`, whether it waits for something other than a processor; `system_call`, in
//!   which. Each is `None` where the system does not tell; the scheduler then goes by the clock on
//!   the wall alone.

#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_os = "macos",
    target_os = "ios",
    target_os = "freebsd"
)))]
compile_error!(
    "sylvan supports Linux and Android (epoll), and macOS, iOS and FreeBSD (kqueue), on x86-64 and aarch64"
);

#[cfg(all(any(target_os = "linux", target_os = "android"), not(sylvan_kqueue)))]
#[path = "epoll.rs"]
pub(crate) mod poller;
#[cfg(any(target_os = "macos", target_os = "ios", target_os = "freebsd", sylvan_kqueue))]
#[path = "kqueue.rs"]
pub(crate) mod poller;
// For tests on Linux: the kqueue backend on a model of the system's calls.
#[cfg(sylvan_kqueue)]
#[path = "../tests/kqueue/mod.rs"]
mod kqueue_model;

#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "futex_linux.rs")]
#[cfg_attr(target_os = "freebsd", path = "futex_freebsd.rs")]
#[cfg_attr(any(target_os = "macos", target_os = "ios"), path = "futex_apple.rs")]
pub(crate) mod futex;

#[cfg_attr(any(target_os = "linux", target_os = "android"), path = "signal_linux.rs")]
#[cfg_attr(not(any(target_os = "linux", target_os = "android")), path = "signal_other.rs")]
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nobody tells of a mask"))]
pub(crate) mod signal;

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod kernel;

pub(crate) mod alert;
pub(crate) mod barrier;
pub(crate) mod cache;
pub(crate) mod counter;
pub(crate) mod file;
pub(crate) mod high;
pub(crate) mod memory;
pub(crate) mod processors;
pub(crate) mod signal_stack;
pub(crate) mod socket;
pub(crate) mod thread;
pub(crate) mod time;

/// How many events one wait takes over: so many that the call is divided among them, and so few that
/// what is touched when they are taken over is still in the second-level cache when they are acted
/// upon. What is left waits in the kernel, which keeps the order, for nothing.
pub(crate) const BATCH: usize = 64;

/// What the kernel said of one descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    /// What `Poller::add` was given.
    pub(crate) token: u64,
    /// There is something to read, or a read would say what went wrong.
    pub(crate) readable: bool,
    /// There is room to write, or a write would say what went wrong.
    pub(crate) writable: bool,
    /// Nothing will come any more than what is there to read.
    pub(crate) read_closed: bool,
    /// Nothing can be written any more.
    pub(crate) write_closed: bool,
    /// There is an error to be told, or urgent data in the stream: a call that stops short may
    /// leave something.
    pub(crate) unsteady: bool,
}

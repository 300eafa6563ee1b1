//! Green threads over an event loop.
//!
//! An M:N runtime: many green threads, each with a stack of its own, on a few OS threads, which
//! wait in the kernel's event loop (epoll, kqueue) on behalf of all. A green thread is written like
//! any thread: it blocks, and what blocks is the green thread alone.
//!
//! Most programs use it through `std-shim`, a mirror of std. This crate is what that stands on; its
//! verbs are few:
//!
//! | verb | what it does |
//! |---|---|
//! | [`spawn`], [`JoinHandle::join`] | starts a green thread; waits for its result or panic |
//! | [`yield_now`] | lets others run first |
//! | [`sleep_until`] | parks until a deadline |
//! | [`wait`], [`wake`] | a futex in user space, for green threads and OS threads alike |
//! | [`ready`] | parks until a descriptor is readable or writable |
//! | [`blocking()`] | makes a call that really blocks, without holding up anybody else |
//!
//! Nothing else parks a green thread. On top of them, for code that waits for many descriptors at
//! once: [`poll()`], as POSIX has it. What else the mirror and the layer of libc take from here is between
//! them and this crate: it changes with any release.
//!
//! # What runs where
//!
//! The runtime starts with the first green thread. There is a worker for each processor ([`Config`] and
//! `SYLVAN_WORKERS` say otherwise), which runs green threads on their own stacks and the scheduler on its
//! own. A monitor sleeps when there is nothing to do. An OS thread that waits for a green one, or is woken by
//! one, uses the same verbs.
//!
//! # Supported targets
//!
//! | target | event loop | thread-locals |
//! |---|---|---|
//! | Linux with glibc, x86-64 (with FSGSBASE) and aarch64 | epoll | each green thread's own |
//! | Linux otherwise | epoll | shared: those of the worker |
//! | macOS (14.4 and later), FreeBSD | kqueue | shared |
//!
//! # Implementation
//!
//! The modules, bottom to top. Each knows only those above it in this list:
//!
//! - `sys`, the kernel
//! - `life`, `lock` and `ring`, of which the runtime itself is built
//! - `stack`
//! - `context`, the switch and the thread pointer
//! - `task`
//! - `timer`
//! - `park`
//! - `reactor`
//! - `scheduler`
//! - `blocking`
//! - `fork`, what a child keeps and what it forgets
//! - `io`, `poll`, and the public `thread` and `runtime`
//!
//! `contract` has what is for the packages that stand on this one.

#![deny(unsafe_code)]
#![cfg_attr(
    sylvan_loom,
    allow(dead_code, unreachable_pub, reason = "a model uses what its protocol needs")
)]

#[cfg(sylvan)]
compile_error!(
    "`cargo sylvan` has put std-shim in the place of std; take `std-shim` and `sylvan` out of \
     Cargo.toml, for the runtime cannot stand on itself"
);

mod primitive;

#[allow(unsafe_code, reason = "leaks what it points to")]
mod life;
#[allow(unsafe_code, reason = "the cell behind the runtime's own lock")]
mod lock;
#[allow(unsafe_code, reason = "lists through the stacks of those who wait")]
mod ring;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "calls the kernel")]
mod sys;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "installs the handler of a signal")]
mod at_signal;
#[cfg(not(sylvan_loom))]
mod clock;
#[cfg(not(sylvan_loom))]
mod env;
#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "starts OS threads by libc")]
mod os_thread;
#[cfg(all(not(sylvan_loom), target_os = "linux"))]
#[allow(unsafe_code, reason = "reads the notes of loaded objects")]
mod others;
#[cfg(not(sylvan_loom))]
mod report;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "maps memory, and reads a signal's information")]
mod stack;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "switches stacks and thread pointers")]
mod context;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "rings in memory of their own, and what libc calls at the end")]
mod trace;

#[allow(unsafe_code, reason = "the header that all references point to")]
mod task;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "a label in each thread's memory")]
#[macro_use]
mod local;
#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "who runs here, by address")]
mod current;
#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "a function that is kept as an address")]
mod moment;

#[allow(unsafe_code, reason = "alarms on the stacks of those who wait")]
mod timer;

#[allow(unsafe_code, reason = "waiters on the stacks of those who wait")]
mod park;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "waiters on the stacks of those who wait")]
mod reactor;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "resumes tasks, and owns their queues")]
mod scheduler;

#[cfg(not(sylvan_loom))]
mod attributes;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "lends a stack frame to a helper thread")]
mod blocking;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "runs where there is one thread, in a child of a fork")]
mod fork;

mod io;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "speaks of descriptors by number")]
mod numbers;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "asks about descriptors by number")]
mod poll;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "compares two hooks by their tables")]
mod panic;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "a task's function and result behind its header")]
pub mod thread;

#[cfg(all(not(sylvan_loom), target_os = "linux"))]
mod signal;

#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "a lock anew in each life")]
mod life_lock;
#[cfg(not(sylvan_loom))]
mod look;
#[cfg(not(sylvan_loom))]
mod owners;
#[cfg(not(sylvan_loom))]
#[allow(unsafe_code, reason = "runs where there is one thread, in a child of a fork")]
mod runtime;
#[cfg(not(sylvan_loom))]
#[allow(
    unsafe_code,
    reason = "a note of the object, and addresses that nobody in the process follows"
)]
mod sight;
#[cfg(not(sylvan_loom))]
mod single_flight;
#[cfg(not(sylvan_loom))]
mod throttle;

#[cfg(not(sylvan_loom))]
#[doc(hidden)]
pub mod contract;

// Under loom: the protocols alone, on a stand-in for the rest.
#[cfg(sylvan_loom)]
#[allow(unsafe_code, reason = "plays the part of those who keep the unsafe promises")]
mod tests;
#[cfg(sylvan_loom)]
use tests::machine::{blocking, clock, context, current, moment, stack, sys};
#[cfg(sylvan_loom)]
#[allow(unsafe_code, reason = "waiters on the stacks of those who wait")]
mod reactor {
    mod call;
    mod entry;
    mod family;
    mod options;
    mod readiness;
    mod waiter;

    pub(crate) use crate::tests::machine::reactor::{
        bell, deregister, entry, entry_or_disowned, heir, looked, may_be_copied, note_stray,
        on_refusal, others, register,
    };
    pub(crate) use call::Call;
    pub use call::Interest;
    pub(crate) use entry::{Entry, block_until_ready};
    pub(crate) use heir::Heir;
    pub use options::Origin;
    pub(crate) use options::note_setting_of_unknown;
    pub(crate) use readiness::Seen;
}
#[cfg(sylvan_loom)]
#[allow(unsafe_code, reason = "queues of tasks")]
mod scheduler {
    pub(crate) mod idle;
    pub(crate) mod inbox;
    pub(crate) mod inject;
    pub(crate) mod owner;
    pub(crate) mod pace;
    pub(crate) mod queue;

    pub(crate) use crate::tests::machine::{
        attendant, is_unattended, near, schedule, schedule_remote, wake_core, yield_if_due,
    };
}
#[cfg(sylvan_loom)]
#[allow(unsafe_code, reason = "wakes who has parked")]
mod thread {
    pub(crate) mod join;
    pub(crate) mod token;
}

#[cfg(not(sylvan_loom))]
pub use blocking::blocking;
#[cfg(not(sylvan_loom))]
pub use context::tls::TlsMode;
pub use io::{Interest, ready};
#[cfg(not(sylvan_loom))]
pub use look::dump;
pub use park::{Wait, WaitReason, sleep_until, wait, wake};
#[cfg(not(sylvan_loom))]
pub use poll::poll;
#[cfg(not(sylvan_loom))]
pub use runtime::{Config, has_started, tls_mode, workers};
pub use task::id::ThreadId;
#[cfg(not(sylvan_loom))]
pub use thread::{Builder, JoinHandle, Thread, current, is_green, spawn, yield_now};

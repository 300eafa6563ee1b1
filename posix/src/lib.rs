//! POSIX calls for programs on green threads.
//!
//! What a program does past std and its mirror it does by libc. This crate has libc's functions that block,
//! that are about threads, or that change what the kernel knows of a descriptor or of a thread. They have
//! libc's names, arguments and errors, for green threads and for OS threads. It stands between the runtime,
//! whose verbs it uses, and everybody who calls.
//!
//! | who | what is in force |
//! |---|---|
//! | a program built on the mirror (`std-shim`) | what the runtime has to *hear of*: [`heard_of!`] lists it. These functions take the place of libc's in every program that links this crate (`names`) |
//! | a *whole program*: one that `sylvan run` has started, or that links `sylvan-libc` | all of it: [`green!`] lists the rest |
//!
//! A function of the first list tells the runtime and then does what libc does (`next`). One of the
//! second parks a green thread where libc's would block an OS thread.
//!
//! [`calls`] defines, once, what a call is that waits. The functions of the second list are thin layers over
//! it, with libc's names, pointers and errors. The mirror makes the same calls as Rust has them.
//!
//! # Platforms
//!
//! [`calls`] is for each platform that the runtime has. The functions are for Linux with glibc, linked dynamically,
//! on x86-64 and aarch64. Elsewhere libc's own are in force, and the runtime goes by what the mirror tells it.

#![deny(unsafe_code)]

pub mod calls;
#[allow(unsafe_code, reason = "makes labels, and a pointer to each")]
#[doc(hidden)]
pub mod names;
mod table;

cfg_if::cfg_if! {
    if #[cfg(all(
        target_os = "linux",
        target_env = "gnu",
        not(target_feature = "crt-static"),
        any(target_arch = "x86_64", target_arch = "aarch64")
    ))] {
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod action;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod altstack;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod attributes;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod barrier;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod birth;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod bulk;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod cancel;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod clock;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod comm;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod cond;
        #[allow(unsafe_code, reason = "asks for the time")]
        mod deadline;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod descriptors;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod directed;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod epoll;
        #[allow(unsafe_code, reason = "a place of the calling thread's")]
        mod errno;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod exec;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod files;
        #[allow(unsafe_code, reason = "words by their addresses, and calls the kernel")]
        mod futex;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod jump;
        #[allow(unsafe_code, reason = "calls the kernel")]
        mod kernel;
        #[allow(unsafe_code, reason = "calls the kernel")]
        mod kind;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod message_queue;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod mutex;
        #[allow(unsafe_code, reason = "looks a function up by its name")]
        pub mod next;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod numbered;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod once;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod open;
        #[allow(unsafe_code, reason = "reads libc's record of a thread")]
        mod owner;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod poll;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod process;
        #[allow(unsafe_code, reason = "names places in assembly")]
        mod program;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod resolver;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod rwlock;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod select;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod semaphore;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod signal;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod sigwait;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod socket;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod spin;
        #[allow(unsafe_code, reason = "takes the place of a function of libc's")]
        pub mod stack;
        #[allow(unsafe_code, reason = "takes the place of a function of libc's, and calls the kernel")]
        pub mod syscall;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod thread;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod time;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod timer;
        #[allow(unsafe_code, reason = "takes the place of libc's functions")]
        pub mod transfer;
        #[allow(unsafe_code, reason = "takes pointers into a section")]
        mod wait;
        #[allow(unsafe_code, reason = "reads the environment that a program is started with")]
        mod whole;

        pub use whole::{begins_green, is_whole, make_whole, make_whole_from_outside};
    }
}

//! POSIX calls for programs on green threads.
//!
//! Some of what a program does goes past std and its mirror, straight to libc: it closes a descriptor
//! by its number, blocks a signal, gives up a right. Such calls change what the kernel knows of a
//! descriptor or of an OS thread, and the runtime has to hear of it. So this crate defines these
//! functions under their own names. In a program that links it they take the place of libc's, for Rust
//! and C code alike, unless the program has one of its own (`names`); each tells the runtime and then does
//! what libc does ([`next`]).
//! Two kinds are different: `stack` answers what the runtime alone knows, and `birth` stands where std makes
//! its threads.
//!
//! It stands between the runtime and the mirror: it calls `sylvan`, and `std-shim` links it.
//!
//! # Platforms
//!
//! Linux with glibc, linked dynamically, on x86-64 and aarch64. Elsewhere the crate is empty: libc's own functions are in
//! force, and the runtime goes by what the mirror tells it.

#![deny(unsafe_code)]
#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

#[allow(unsafe_code, reason = "takes the place of libc's functions")]
mod attributes;
#[allow(unsafe_code, reason = "takes the place of libc's functions")]
mod birth;
#[allow(unsafe_code, reason = "takes the place of libc's functions")]
mod clock;
#[allow(unsafe_code, reason = "takes the place of libc's functions")]
mod comm;
#[allow(unsafe_code, reason = "takes the place of libc's functions")]
mod descriptors;
#[allow(unsafe_code, reason = "makes labels, and a pointer to each")]
mod names;
#[allow(unsafe_code, reason = "looks a function up by its name")]
pub mod next;
#[allow(unsafe_code, reason = "takes the place of libc's functions")]
mod signal;
#[allow(unsafe_code, reason = "takes the place of a function of libc's")]
mod stack;
#[allow(unsafe_code, reason = "takes the place of a function of libc's, and calls the kernel")]
mod syscall;

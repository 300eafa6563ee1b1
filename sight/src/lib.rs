//! What a program with the runtime in it shows of itself, and how to read it.
//!
//! The runtime and those who look at it from outside share this package, so that both mean the same by
//! what lies in memory or in a file. It knows of no system call: who looks brings a [`Memory`] of a process
//! that runs, of one that has left a core file, or of its own.
//!
//! - [`memory`]: how another one's memory is read;
//! - [`trace`]: the events of a run, 16 bytes each.
#![forbid(unsafe_code)]

pub mod memory;
pub mod trace;

pub use memory::{Memory, Unreadable};

//! What a program with the runtime in it shows of itself, and how to read it.
//!
//! The runtime and those who look at it from outside share this package, so that both mean the same by what
//! lies in memory or in a file. It knows of no system call. Its user brings a [`Memory`], of a process that
//! runs, of one that has left a core file, or of its own, and what the kernel says of the process
//! ([`Procfs`]).
//!
//! - [`memory`]: how another one's memory is read;
//! - [`procfs`]: what the kernel says of it, in files;
//! - [`table`]: what the runtime exports, and how it is found;
//! - [`threads`]: the green threads that there are;
//! - [`state_word`]: what the word of a thread's state says, and since when;
//! - [`stacks`]: what lies on the stack of one;
//! - [`reason`]: why one waits;
//! - [`waits`]: for what;
//! - [`owners`]: who has a lock, where that is noted;
//! - [`channels`]: which one a receiver waits for;
//! - [`details`]: what memory says there, such as the value of a semaphore;
//! - [`signals`]: signals by name;
//! - [`sock_diag`]: what the kernel says of sockets to who asks it;
//! - [`deadlock`]: circles of threads that wait for each other;
//! - [`account`]: all of this in words, for people;
//! - [`trace`]: the events of a run, 16 bytes each;
//! - [`recording`]: how they lie in the memory of the process;
//! - [`file`](mod@file): the file that they are written to, and what is read from it;
//! - [`history`]: what each thread did from when to when;
//! - [`gdb`]: what has gdb show green threads;
//! - [`synthetic`]: runs that never were, for tests.
#![forbid(unsafe_code)]

pub mod account;
pub mod channels;
mod copies;
mod counts;
pub mod deadlock;
pub mod details;
pub mod file;
mod files;
pub mod gdb;
pub mod hash;
pub mod history;
mod holders;
pub mod memory;
pub mod owners;
pub mod procfs;
pub mod reason;
pub mod recording;
pub mod shown;
pub mod signals;
pub mod sock_diag;
pub mod stacks;
pub mod state_word;
pub mod synthetic;
pub mod table;
pub mod threads;
pub mod trace;
pub mod waits;

pub use account::Account;
pub use memory::{Memory, Unreadable};
pub use owners::Who;
pub use procfs::Procfs;
pub use reason::Reason;

//! Child processes. A green thread that starts one, or waits for it, holds up no other.
//!
//! This corresponds to [`std::process`]. [`Command`], [`Child`], its pipes and [`Stdio`] are
//! green; what stands for an ended process ([`ExitStatus`], [`Output`]) and for this one is std's
//! own.
//!
//! | call | how it waits |
//! |---|---|
//! | [`Command::spawn`] | a blocking section, few at a time: to fork and execute takes the kernel a while |
//! | [`Child::wait`] | parks until the event loop says that the child has ended: by a pidfd (Linux 5.3), or `NOTE_EXIT` (macOS, FreeBSD) |
//! | [`ChildStdin`], [`ChildStdout`], [`ChildStderr`] | park until the pipe has room, or data |
//!
//! So a thousand children that are awaited by a thousand green threads take no OS thread. Where the
//! kernel gives no pidfd, awaiting a child is a blocking section.

mod child;
mod command;
mod exit;
mod pipes;
mod stdio;

#[doc(no_inline)]
pub use ::std::process::{
    CommandArgs, CommandEnvs, ExitCode, ExitStatus, Output, Termination, abort, id,
};

pub use self::child::Child;
pub use self::command::Command;
pub use self::exit::exit;
pub use self::pipes::{ChildStderr, ChildStdin, ChildStdout};
pub use self::stdio::Stdio;

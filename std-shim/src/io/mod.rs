//! Input and output. A green thread that waits for it holds up no other.
//!
//! This corresponds to [`std::io`]. The traits, the adapters, [`Error`] and
//! whatever else does not know a descriptor are std's own: [`Read`] here is the trait that every
//! crate implements. Green are:
//!
//! | type | how it waits |
//! |---|---|
//! | [`PipeReader`], [`PipeWriter`] | parks until the pipe has data, or room |
//! | [`Stdin`], [`StdinLock`] | parks until there is input; the lock is green |
//! | [`Stdout`], [`Stderr`] and their locks | writes in a blocking section; the locks are green |
//!
//! # Standard output beside `println!`
//!
//! A bare `println!` is real std's, so the mirror keeps no buffer of its own. What is written here
//! goes into the buffer that `println!` writes to, line-buffered as ever, and comes out in order. A
//! `print!("…")` before a flush of [`Stdout`] is flushed with it.
//!
//! The lock is the mirror's: [`Stdout::lock`] keeps out all who write through the mirror, however
//! long the holder parks. Real std's lock is held inside each call only. So a bare `println!` on
//! another thread never waits for a thread that is parked; it may put its line between two calls of
//! the holder, and never into one: `write!` and `writeln!` are one call.
//!
//! # Standard input
//!
//! The buffer of [`Stdin`] is the mirror's, one for the whole process. Crates that have not been
//! moved over use real std's, which is another: read the input through one of the two.
//!
//! # A trait with a twin
//!
//! [`std::io::IsTerminal`] can be implemented by std's types alone. [`IsTerminal`] of this module
//! says the same of the mirror's.

mod pipe;
mod stdio;
mod terminal;
pub(crate) mod transfer;

#[doc(no_inline)]
pub use ::std::io::*;

pub use self::pipe::{PipeReader, PipeWriter, pipe};
pub use self::stdio::{
    Stderr, StderrLock, Stdin, StdinLock, Stdout, StdoutLock, stderr, stdin, stdout,
};
pub use self::terminal::IsTerminal;

//! Standard input, output and error.
//!
//! What is whose, buffer by buffer and lock by lock, stands in [`crate::io`].

mod output;
mod reentrant;
mod stdin;

pub use self::output::{Stderr, StderrLock, Stdout, StdoutLock, stderr, stdout};
pub use self::stdin::{Stdin, StdinLock, stdin};

//! Standard input, output and error.
//!
//! Which buffers and locks are real std's, and which are the mirror's, stands in [`crate::io`].

mod output;
mod reentrant;
mod stdin;

pub use self::output::{Stderr, StderrLock, Stdout, StdoutLock, stderr, stdout};
pub use self::stdin::{Stdin, StdinLock, stdin};

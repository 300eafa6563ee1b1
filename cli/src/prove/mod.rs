//! Is a program an event loop? Its system calls say.
//!
//! The program runs under `strace` (Linux) or `dtruss` (macOS). If asked to, this connects echo
//! clients to it, which then sit idle between their messages, so that a handler that reads has
//! nothing to read. An OS thread that waits for its client shows in the trace as a call that took
//! long. A green thread shows as a read that said `EAGAIN`, and an event loop that waits for all
//! of them at once.
//!
//! 1. [`Traced`] starts the program under the tracer and stops it.
//! 2. [`Clients`] connect, send, and compare each byte that comes back.
//! 3. [`Trace`] is what the tracer wrote, call by call.
//! 4. [`Report`] counts, and gives a [`Verdict`].

mod clients;
mod ended;
mod report;
mod trace;
mod tracer;
mod verb;

pub use clients::{Clients, allow_open_files};
pub use ended::Ended;
pub use report::{Blocked, Report, Verdict};
pub use trace::{Call, Format, Outcome, Trace};
pub use tracer::{Error, Traced};
pub use verb::main;

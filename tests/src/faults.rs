//! System calls that fail, by order.
//!
//! The kernel itself answers for the fault: a filter (seccomp) asks a supervisor about each call of the
//! threads that it is on, and the supervisor lets the call be made, or says how it has ended. So what
//! fails is each call of the program as users have it, whoever makes it: the runtime by `rustix` or
//! raw, the mirror by std, libc on behalf of both. Nothing is built in another way, and nothing stands
//! between the program and the kernel.
//!
//! # Protocol
//!
//! 1. [`begin`] starts the supervisor, an OS thread, and puts the filter on the calling thread. Whom it
//!    starts from now on inherits the filter.
//! 2. [`arm`] orders a fault: which call, how, and how many of its kind are to pass first. It is spent when
//!    the call has failed, and every other call is made.
//! 3. [`disarm`] ends the order, and says whether it was spent.
//!
//! A call of another process, such as a child before it executes its program, is made.
//!
//! # What is true of a fault
//!
//! It is one that the kernel could have given:
//!
//! - `EAGAIN` says that there is nothing *yet*: a descriptor that does not block, whose registrations
//!   have an edge right after it. A call that may block is made.
//! - A short count is that of a stream, of which the first byte has been read or written. That it was
//!   short says that there is no more yet; so there is an edge for the rest.
//! - What a call has to have done in spite of its error is a fault that it has not: `close` is never failed,
//!   since Linux closes in any case.

mod calls;
mod kernel;

pub use calls::{Call, Fault, called, calls};
pub use kernel::{arm, begin, disarm, made};

//! The calls that wait, each once: for whoever makes them, on every platform.
//!
//! What a green `recv`, `send` or `connect` is does not depend on who calls it. Two do:
//!
//! | who | with | waits |
//! |---|---|---|
//! | the mirror (`std-shim`) | slices, and addresses of std's | [`Plainly`]: a wait ends by what it is for, or by its time |
//! | libc's functions (`transfer`, `socket`, …) | the numbers and pointers of their callers | `Restart` (`wait`): a signal or a cancellation ends it, too |
//!
//! So a call is put together of three things:
//!
//! 1. *What the kernel is asked*, once and by which descriptor: a closure of the caller's. It makes one system
//!    call, in the [`Mode`] that it is given, and says what came of it.
//! 2. *How the thread waits*: a [`Waits`]. It is a type, so that a call of the mirror's has nothing in it of signals.
//! 3. *The call itself*, which is here: when the kernel is asked again, what a short answer says, and what the
//!    caller is told of a call that has been made in parts.
//!
//! On an OS thread the closure is called once, in [`Mode::Blocking`], and the kernel waits.

pub mod child;
pub mod look_up;
pub mod socket;
pub mod transfer;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use sylvan::contract::io::{Attempt, Interest, Mode};

/// How a thread waits: the runtime's verbs, unless it says otherwise.
pub trait Waits: Copy {
    /// Calls `op` until it finds something, and parks in between: see [`sylvan::contract::io::attempt`].
    ///
    /// # Errors
    ///
    /// As that.
    #[inline(always)]
    fn attempt<T: Send>(
        self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        op: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
    ) -> io::Result<T> {
        sylvan::contract::io::attempt(fd, interest, op)
    }

    /// Parks until `fd` is ready: `true`; or until `deadline`: `false`. See [`sylvan::ready`].
    ///
    /// # Errors
    ///
    /// As that.
    fn ready(
        self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> io::Result<bool> {
        sylvan::ready(fd, interest, deadline)
    }

    /// Makes a call that blocks its OS thread: see [`sylvan::blocking`].
    fn section<T: Send>(self, call: impl FnOnce() -> T + Send) -> T {
        sylvan::blocking(call)
    }
}

/// Waits until that is there which is waited for.
#[derive(Clone, Copy, Debug)]
pub struct Plainly;

impl Waits for Plainly {}

/// What a descriptor is to the calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stream socket of the Internet's.
    Tcp = 1,
    /// One of this host's.
    Unix,
    /// Another stream socket.
    Stream,
    /// Any other socket: a call takes a message or leaves it.
    Message,
    /// A pipe, or what is read and written like one.
    Pipe,
    /// One of these that libc's functions write as what follows.
    Counter,
    /// What the kernel says of when it is ready, but not that a call is not to block.
    Polled,
    /// What the kernel does not say that of.
    File,
}

impl Kind {
    /// Whether it is a socket.
    #[must_use]
    pub fn is_socket(self) -> bool {
        matches!(self, Self::Tcp | Self::Unix | Self::Stream | Self::Message)
    }

    /// Whether it is a socket without bounds between messages.
    #[must_use]
    pub fn is_stream(self) -> bool {
        matches!(self, Self::Tcp | Self::Unix | Self::Stream)
    }
}

//! What std lets a program set on a descriptor and the kernel keeps: whether it blocks, and its
//! timeouts.
//!
//! The runtime never lets the kernel block on behalf of a green thread, so it has to know both when
//! a call finds nothing. The kernel's own answer is right always and costs three system calls; so
//! the entry remembers it, and here is when it asks again.
//!
//! The settings belong to the open file, which other descriptors may share (`try_clone`). A
//! descriptor that this process has just made is not shared: what is set goes through the runtime,
//! and the entry knows it. For others two counters say when to ask again: every setting anywhere
//! counts for an entry that may be shared, and settings of entries that may be shared count for
//! all, since a duplicate may have been made behind the runtime's back.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::net::sockopt::{Timeout, socket_timeout};

use super::Interest;
use crate::primitive::{AtomicU32, Ordering, global};

global! {
    /// Settings so far, of any descriptor.
    static ANY_SET: AtomicU32 = AtomicU32::new(0);
}
global! {
    /// Settings so far, of descriptors that may be shared.
    static SHARED_SET: AtomicU32 = AtomicU32::new(0);
}

/// Where a descriptor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This process has just made it: it blocks, has no timeouts, and shares its file with nobody.
    Fresh,
    /// From elsewhere: it may be set up in any way, and share its file with other descriptors.
    Adopted,
}

/// What an entry remembers.
#[derive(Debug)]
pub(super) struct Options {
    known: bool,
    shared: bool,
    /// The counters when the kernel was asked last.
    seen: u32,
    nonblocking: bool,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Options {
    pub(super) const fn new() -> Self {
        Self {
            known: false,
            shared: true,
            seen: 0,
            nonblocking: false,
            read_timeout: None,
            write_timeout: None,
        }
    }

    pub(super) fn reset(&mut self, origin: Origin) {
        *self = Self::new();
        if origin == Origin::Fresh {
            self.known = true;
            self.shared = false;
            self.seen = self.counter().load(Ordering::Relaxed);
        }
    }

    pub(super) fn is_shared(&self) -> bool {
        self.shared
    }

    /// A duplicate is being made.
    pub(super) fn share(&mut self) {
        self.shared = true;
        self.known = false;
    }

    /// `O_NONBLOCK` has been set.
    pub(super) fn set_nonblocking(&mut self, on: bool) {
        self.nonblocking = on;
        self.count_setting();
    }

    /// A timeout has been set.
    pub(super) fn set_timeout(&mut self, interest: Interest, timeout: Option<Duration>) {
        match interest {
            Interest::Read => self.read_timeout = timeout,
            Interest::Write => self.write_timeout = timeout,
        }
        self.count_setting();
    }

    /// How a call that found nothing is to wait: `None` if not at all, else for how long at most.
    pub(super) fn patience(
        &mut self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        nonblocking_is_ours: bool,
    ) -> io::Result<Option<Patience>> {
        let counter = self.counter().load(Ordering::Acquire);
        if !self.known || self.seen != counter {
            self.nonblocking = !nonblocking_is_ours && fcntl_getfl(fd)?.contains(OFlags::NONBLOCK);
            // What is no socket has no timeouts.
            self.read_timeout = socket_timeout(fd, Timeout::Recv).unwrap_or(None);
            self.write_timeout = socket_timeout(fd, Timeout::Send).unwrap_or(None);
            self.known = true;
            self.seen = counter;
        }
        if self.nonblocking {
            return Ok(None);
        }
        Ok(Some(match interest {
            Interest::Read => self.read_timeout,
            Interest::Write => self.write_timeout,
        }))
    }

    fn counter(&self) -> &'static AtomicU32 {
        if self.shared { &ANY_SET } else { &SHARED_SET }
    }

    fn count_setting(&mut self) {
        // Release pairs with the acquire in `patience`: who sees the count asks the kernel anew.
        ANY_SET.fetch_add(1, Ordering::Release);
        if self.shared {
            SHARED_SET.fetch_add(1, Ordering::Release);
            self.known = false;
        }
    }
}

/// How long to wait: for ever, or for a time.
pub(super) type Patience = Option<Duration>;

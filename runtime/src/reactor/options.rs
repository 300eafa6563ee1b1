//! What std lets a program set on a descriptor and the kernel keeps: whether it blocks, and its
//! timeouts.
//!
//! The runtime never lets the kernel block on behalf of a green thread, so it has to know both when
//! a call finds nothing. The kernel's own answer is right always and costs three system calls; so
//! the entry remembers it, and here is when it asks again.
//!
//! The settings belong to the open file, which other descriptors may share (`try_clone`). What is set
//! goes through the runtime, which hears of it unless the program has the descriptor's number. So the
//! entry of a descriptor that this process has just made knows them. For a file that others may
//! share, the kernel is asked once more after a setting of any descriptor anywhere, which a counter
//! tells, and after each time that the program was lent the number. What the program sets later, by a
//! number that it has kept, is seen after the next of these.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::Interest;
use crate::primitive::{AtomicU32, Ordering, global};
use crate::sys::socket;

global! {
    /// Settings so far, of any descriptor.
    static N_SET: AtomicU32 = AtomicU32::new(0);
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
    /// The counter when the kernel was asked last, of a file that may be shared.
    seen: u32,
    nonblocking: bool,
    read_timeout: Timeout,
    write_timeout: Timeout,
}

/// A timeout in few bytes: ns, of which 0 are none.
#[derive(Clone, Copy, Debug)]
struct Timeout(u64);

impl Timeout {
    const NONE: Self = Self(0);

    fn get(self) -> Patience {
        (self.0 != 0).then(|| Duration::from_nanos(self.0))
    }
}

impl From<Patience> for Timeout {
    /// One that is too long for the number is as good as none: five hundred years.
    fn from(timeout: Patience) -> Self {
        Self(timeout.and_then(|timeout| timeout.as_nanos().try_into().ok()).unwrap_or(0))
    }
}

impl Options {
    pub(super) const fn new() -> Self {
        Self {
            known: false,
            shared: true,
            seen: 0,
            nonblocking: false,
            read_timeout: Timeout::NONE,
            write_timeout: Timeout::NONE,
        }
    }

    pub(super) fn reset(&mut self, origin: Origin) {
        let fresh = origin == Origin::Fresh;
        *self = Self { known: fresh, shared: !fresh, ..Self::new() };
    }

    /// There is a duplicate now.
    pub(super) fn share(&mut self) {
        self.shared = true;
        self.doubt();
    }

    /// The kernel may know better.
    pub(super) fn doubt(&mut self) {
        self.known = false;
    }

    /// The program has the number, and may set something by it.
    pub(super) fn lend(&mut self) {
        self.share();
        count_setting();
    }

    /// `O_NONBLOCK` has been set.
    pub(super) fn set_nonblocking(&mut self, on: bool) {
        self.nonblocking = on;
        count_setting();
    }

    /// A timeout has been set.
    pub(super) fn set_timeout(&mut self, interest: Interest, timeout: Option<Duration>) {
        match interest {
            Interest::Read => self.read_timeout = timeout.into(),
            Interest::Write => self.write_timeout = timeout.into(),
        }
        count_setting();
    }

    /// Whether a call that found nothing is known to wait for ever: `patience` would say so, too.
    pub(super) fn wait_is_plain(&self, interest: Interest) -> bool {
        self.known && !self.shared && !self.nonblocking && self.timeout(interest).is_none()
    }

    fn timeout(&self, interest: Interest) -> Patience {
        match interest {
            Interest::Read => self.read_timeout.get(),
            Interest::Write => self.write_timeout.get(),
        }
    }

    /// How a call that found nothing is to wait: `None` if not at all, else for how long at most.
    /// `is_nonblocking` asks the kernel whether the program has set `O_NONBLOCK`.
    pub(super) fn patience(
        &mut self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        is_nonblocking: impl FnOnce() -> io::Result<bool>,
    ) -> io::Result<Option<Patience>> {
        // Acquire pairs with the release in `count_setting`.
        let counter = N_SET.load(Ordering::Acquire);
        if !self.known || self.shared && self.seen != counter {
            self.nonblocking = is_nonblocking()?;
            [self.read_timeout, self.write_timeout] = socket::timeouts(fd).map(Timeout::from);
            self.known = true;
            self.seen = counter;
        }
        if self.nonblocking {
            return Ok(None);
        }
        Ok(Some(self.timeout(interest)))
    }
}

fn count_setting() {
    // Release pairs with the acquire in `patience`: who sees the count asks the kernel anew.
    N_SET.fetch_add(1, Ordering::Release);
}

/// How long to wait: for ever, or for a time.
pub(super) type Patience = Option<Duration>;

//! What std lets a program set on a descriptor and the kernel keeps: whether it blocks, and its
//! timeouts.
//!
//! The runtime never lets the kernel block on behalf of a green thread, so it has to know both when
//! a call finds nothing. The kernel's own answer is right always and costs three system calls; so
//! the entry remembers it, and here is when it asks again.
//!
//! The settings belong to the open file, which other descriptors may share. What is set goes through the
//! runtime, which hears of it unless the program has the descriptor's number. So it goes by who may have a
//! descriptor of the file ([`Kin`]):
//!
//! | the file's descriptors | the kernel is asked |
//! |---|---|
//! | one, made by this process just now, and duplicates of it, each announced | never: what is set by one of them is told to all (`family`) |
//! | the same, and the program has the number of one | each time that it gets it, and after a setting of one that came from elsewhere |
//! | any that came from elsewhere | after a setting of any that others may have, which two counters tell |
//!
//! For two that were made here are different files; one that came from elsewhere may be any whose number the
//! program has had. What the program sets later, by a number that it has kept, is seen after the next of
//! these.
//!
//! # `O_NONBLOCK`
//!
//! The runtime sets it where a call has no flag of its own that says not to block, at the first call that needs
//! it. It may, as long as it knows all descriptors of the file, since nobody else is to notice. Where it does not,
//! the flag is the program's alone.
//!
//! A descriptor is *lent* when the program gets its number, or takes it out of the runtime's care:
//! then the flag is taken back first. A call that another thread makes at that moment may block its
//! OS thread once.
//!
//! # After a fork
//!
//! The child has a descriptor of each file, too. To it they all come from elsewhere: it sets no flag, which its
//! parent would notice. Where the parent has set one, a call that finds nothing waits, in the child as in
//! the parent. The child takes such a flag back when it lends the descriptor, or has one that its parent
//! has taken back. Then a green thread's call blocks its OS thread, once, on either side. What the parent
//! was about to change at the moment of the fork is unknown to the child.
//!
//! The parent goes on as if nothing had happened. Most children of a fork execute another program at
//! once; what they do to the files of their parent until then is their own business.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::ioctl_fionbio;

use super::Interest;
use crate::primitive::{AtomicU32, Ordering, global};
use crate::sys::socket;

global! {
    /// Settings so far, of files that were made here and of which the program has had a number.
    static N_SET_OF_LENT: AtomicU32 = AtomicU32::new(0);
}

global! {
    /// The same, of files that came from elsewhere.
    static N_SET_OF_ADOPTED: AtomicU32 = AtomicU32::new(0);
}

/// Something was set of a file by a descriptor of which nothing can be known: all ask that may have it.
#[cold]
pub(crate) fn note_setting_of_unknown() {
    // Release pairs with the acquire in `counter`.
    N_SET_OF_ADOPTED.fetch_add(1, Ordering::Release);
}

/// Where a descriptor comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This process has just made it: it blocks, has no timeouts, and shares its file with nobody.
    Fresh,
    /// From elsewhere: it may be set up in any way, and share its file with other descriptors.
    Adopted,
}

/// Who may have a descriptor of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kin {
    /// Those that the runtime knows.
    Known,
    /// Anybody to whom the program has given what it was lent.
    Lent,
    /// Anybody.
    Adopted,
}

/// What an entry remembers, and those of duplicates share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    known: bool,
    kin: Kin,
    /// The counter when the kernel was asked last, of a file that others may have.
    seen: u32,
    /// The program has set `O_NONBLOCK`.
    nonblocking: bool,
    /// The runtime has.
    nonblocking_by_us: bool,
    read_timeout: Timeout,
    write_timeout: Timeout,
}

/// A timeout in few bytes: µs, of which 0 are none; or seconds, beyond half an hour.
#[derive(Clone, Copy, Debug)]
struct Timeout(u32);

impl Timeout {
    const NONE: Self = Self(0);
    const IN_SECONDS: u32 = 1 << 31;

    #[inline]
    fn ns(self) -> Option<u64> {
        let number = u64::from(self.0 & !Self::IN_SECONDS);
        match self.0 {
            0 => None,
            Self::IN_SECONDS.. => Some(number * 1_000_000_000),
            _ => Some(number * 1_000),
        }
    }
}

impl From<Option<Duration>> for Timeout {
    /// Rounded up. One that is too long for the number is as good as none: 68 years.
    fn from(timeout: Option<Duration>) -> Self {
        let fits = |number: u128| u32::try_from(number).ok().filter(|n| *n < Self::IN_SECONDS);
        Self(timeout.map_or(0, |timeout| {
            fits(timeout.as_nanos().div_ceil(1_000)).unwrap_or_else(|| {
                fits(timeout.as_nanos().div_ceil(1_000_000_000)).map_or(0, |s| s | Self::IN_SECONDS)
            })
        }))
    }
}

impl Options {
    pub(super) const fn new() -> Self {
        Self {
            known: false,
            kin: Kin::Adopted,
            seen: 0,
            nonblocking: false,
            nonblocking_by_us: false,
            read_timeout: Timeout::NONE,
            write_timeout: Timeout::NONE,
        }
    }

    pub(super) fn reset(&mut self, origin: Origin) {
        let fresh = origin == Origin::Fresh;
        let kin = if fresh { Kin::Known } else { Kin::Adopted };
        *self = Self { known: fresh, kin, ..Self::new() };
    }

    /// In a child of a fork: those of a descriptor that has these in the parent.
    pub(super) fn inherited(self) -> Self {
        Self { nonblocking_by_us: self.nonblocking_by_us, ..Self::new() }
    }

    /// The kernel may know better.
    pub(super) fn doubt(&mut self) {
        self.known = false;
    }

    /// Something was set that only the kernel knows.
    pub(super) fn note_setting(&mut self) {
        self.doubt();
        self.count_setting();
    }

    /// The program has the number, and may set something by it: takes back `O_NONBLOCK`, and never sets it again.
    pub(super) fn lend(&mut self, fd: BorrowedFd<'_>) {
        if self.kin == Kin::Known {
            self.kin = Kin::Lent;
        }
        self.note_setting();
        if std::mem::take(&mut self.nonblocking_by_us) {
            // Fails for a bad descriptor alone, which has no flags to leak.
            let _ = ioctl_fionbio(fd, false);
        }
    }

    /// Whether others may have a descriptor of the file.
    pub(super) fn is_lent(&self) -> bool {
        self.kin != Kin::Known
    }

    /// Whether `O_NONBLOCK` is set by the runtime.
    pub(super) fn is_nonblocking_by_us(&self) -> bool {
        self.nonblocking_by_us
    }

    /// Whether `O_NONBLOCK` is set by the program.
    pub(super) fn is_nonblocking_by_program(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        Ok(!self.nonblocking_by_us && fcntl_getfl(fd)?.contains(OFlags::NONBLOCK))
    }

    /// Sets `O_NONBLOCK` if nobody is to notice: whether it is set by the runtime.
    pub(super) fn make_nonblocking(&mut self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        if !self.nonblocking_by_us && !self.is_lent() {
            ioctl_fionbio(fd, true)?;
            self.nonblocking_by_us = true;
        }
        Ok(self.nonblocking_by_us)
    }

    /// Sets `O_NONBLOCK`, or takes it back, for the program.
    pub(super) fn set_nonblocking(&mut self, fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        ioctl_fionbio(fd, on)?;
        self.nonblocking_by_us = false;
        self.nonblocking = on;
        self.count_setting();
        Ok(())
    }

    /// A timeout has been set.
    pub(super) fn set_timeout(&mut self, interest: Interest, timeout: Option<Duration>) {
        match interest {
            Interest::Read => self.read_timeout = timeout.into(),
            Interest::Write => self.write_timeout = timeout.into(),
        }
        self.count_setting();
    }

    /// Has those ask the kernel that may have the same file without the runtime's knowledge.
    fn count_setting(&mut self) {
        let counter: &AtomicU32 = match self.kin {
            Kin::Known => return,
            Kin::Lent => &N_SET_OF_LENT,
            Kin::Adopted => {
                // Not on account of its own.
                self.seen = self.seen.wrapping_add(1);
                &N_SET_OF_ADOPTED
            }
        };
        // Release pairs with the acquire in `counter`: who sees the count asks the kernel anew.
        counter.fetch_add(1, Ordering::Release);
    }

    /// What has changed when the kernel is to be asked anew.
    fn counter(&self) -> u32 {
        // Acquire pairs with the release in `count_setting`.
        let of_adopted = || N_SET_OF_ADOPTED.load(Ordering::Acquire);
        match self.kin {
            Kin::Known => 0,
            Kin::Lent => of_adopted(),
            Kin::Adopted => of_adopted().wrapping_add(N_SET_OF_LENT.load(Ordering::Acquire)),
        }
    }

    /// Whether it is known that a call that found nothing is to wait.
    #[inline]
    pub(super) fn are_known_to_block(&self) -> bool {
        self.known && self.kin == Kin::Known && !self.nonblocking
    }

    /// For how long at most a call waits, in nanoseconds; `None`: for ever.
    #[inline]
    pub(super) fn timeout_ns(&self, interest: Interest) -> Option<u64> {
        match interest {
            Interest::Read => self.read_timeout.ns(),
            Interest::Write => self.write_timeout.ns(),
        }
    }

    /// Whether a call that found nothing is to wait, as far as is known.
    pub(super) fn block(&self) -> bool {
        !self.nonblocking
    }

    /// Asks the kernel for all of them unless they are known.
    pub(super) fn learn(&mut self, fd: BorrowedFd<'_>) -> io::Result<()> {
        // Before the kernel is asked: what is set meanwhile is looked at again.
        let counter = self.counter();
        if !self.known || self.seen != counter {
            self.nonblocking = self.is_nonblocking_by_program(fd)?;
            [self.read_timeout, self.write_timeout] = socket::timeouts(fd).map(Timeout::from);
            self.known = true;
            self.seen = counter;
        }
        Ok(())
    }
}

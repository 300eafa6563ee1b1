//! Where the systems differ.

use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::ioctl_fionbio;

/// What differs: between the systems, or between what a manual leaves open and what they do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ways {
    /// A pipe has both directions, whatever a descriptor of it is open for. Else one that is open for reading
    /// alone has no write filter: `EINVAL`.
    pub(super) pipes_write_both_ways: bool,
    /// Urgent data is marked: `EV_OOBAND`. Else it is told as any other.
    pub(super) urgent_is_marked: bool,
    /// The end of a stream is told in an event of its own, after that of what is left to read. Else it is a
    /// flag of that one. Turned by `eof-apart`.
    pub(super) eof_is_apart: bool,
    /// `EV_ADD` of what is there tells what is so. Else it tells what is new from then on. Turned by
    /// `again-silent`.
    pub(super) adding_again_tells: bool,
    /// Who closes a number takes its filters out. Else they leave with the last descriptor of the file,
    /// and until then there are events under a number that is not its any more. Turned by `last-close`.
    pub(super) closing_deletes: bool,
    /// `NOTE_TRIGGER` counts in the change that adds a user event. Else only in a later one.
    pub(super) adding_triggers: bool,
    /// A connection has the `O_NONBLOCK` of its listener.
    pub(super) accepted_inherits: bool,
    /// `NOTE_EXIT` of a child that has ended, and has not been waited for, is told at once. Else it is refused:
    /// `ESRCH`.
    pub(super) exited_is_told: bool,
    /// `NOTE_EXIT` is told while the child is on its way out, and cannot be waited for yet. Here that is as
    /// soon as it is asked for. Turned by `exit-early`.
    pub(super) exit_is_early: bool,
}

impl Ways {
    const FREEBSD: Self = Self {
        pipes_write_both_ways: true,
        urgent_is_marked: false,
        eof_is_apart: false,
        adding_again_tells: true,
        closing_deletes: true,
        adding_triggers: false,
        accepted_inherits: false,
        exited_is_told: true,
        exit_is_early: false,
    };
    const MACOS: Self = Self {
        pipes_write_both_ways: false,
        urgent_is_marked: true,
        adding_triggers: true,
        accepted_inherits: true,
        exited_is_told: false,
        ..Self::FREEBSD
    };

    fn from_words(words: &str) -> Self {
        let mut words = words.split(',');
        let mut ways = match words.next() {
            Some("freebsd") => Self::FREEBSD,
            Some("macos") => Self::MACOS,
            other => panic!("SYLVAN_KQUEUE is {other:?}, which is neither freebsd nor macos"),
        };
        for word in words {
            match word {
                "eof-apart" => ways.eof_is_apart = true,
                "again-silent" => ways.adding_again_tells = false,
                "last-close" => ways.closing_deletes = false,
                "exit-early" => ways.exit_is_early = true,
                other => panic!("SYLVAN_KQUEUE has {other}, which turns nothing"),
            }
        }
        ways
    }
}

pub(super) fn ways() -> &'static Ways {
    static WAYS: OnceLock<Ways> = OnceLock::new();
    WAYS.get_or_init(|| {
        Ways::from_words(std::env::var("SYLVAN_KQUEUE").as_deref().unwrap_or("freebsd"))
    })
}

/// In the place of that of `sys::socket`. Linux hands nothing on, so the connection gets here what it
/// inherits.
pub(crate) fn inherits_nonblocking(fd: BorrowedFd<'_>, listener: BorrowedFd<'_>) -> bool {
    let inherits = ways().accepted_inherits;
    if inherits && fcntl_getfl(listener).is_ok_and(|flags| flags.contains(OFlags::NONBLOCK)) {
        ioctl_fionbio(fd, true).expect("a socket");
    }
    inherits
}

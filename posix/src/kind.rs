//! What a descriptor is to the calls of this crate.
//!
//! | kind | what it is | a green thread's call |
//! |---|---|---|
//! | `Tcp` | a stream socket of the Internet's: a short read has drained it | with `MSG_DONTWAIT`, parks on `EAGAIN` |
//! | `Unix` | one of this host's: a short read has, if the kernel says so | the same |
//! | `Stream` | another stream socket: a read may stop short for other reasons | the same |
//! | `Message` | any other socket: a call takes a message or leaves it | the same |
//! | `Pipe` | a pipe, or an anonymous file (`eventfd`, `timerfd`, …) | with `RWF_NOWAIT`, parks on `EAGAIN` |
//! | `Counter` | one of these that refuses that flag for writing | reads as above; writes as below |
//! | `Polled` | one that refuses it for reading, a named pipe, a terminal, a device | when `poll` says that it is ready, in a blocking section: another reader may be faster |
//! | `File` | a file, a directory, a disk: the kernel says nothing of when it is ready | a blocking section |
//!
//! To find out takes system calls, so the runtime's entry of the number keeps it, with what else it knows of
//! the number. It forgets it with that: when the number is closed, replaced or opened by a call that it
//! hears of. A number that has changed past us (libc's inner calls, system calls that are made without libc)
//! is not believed for long:
//!
//! - One that was a socket and is none says `ENOTSOCK`, whoever calls looks again, and calls again.
//! - One that is a socket now is called as what it was: right, at the cost of a system call or a section.
//! - If it was another kind of socket, a `Tcp` that has become a `Message` would be thought drained. For
//!   that, a number has to be announced, closed past us, opened past us and then used by its number.

use std::ffi::{c_int, c_long};
use std::mem::MaybeUninit;

use sylvan::contract::numbers;

pub(crate) use crate::calls::Kind;
use crate::kernel::enter;

impl Kind {
    /// That of a descriptor; `None` where nothing is open under the number.
    #[inline]
    pub(crate) fn of(fd: c_int) -> Option<Self> {
        Self::from_number(numbers::kind(fd)).or_else(|| Self::learn(fd))
    }

    /// The same, whatever was known.
    #[cold]
    pub(crate) fn learn(fd: c_int) -> Option<Self> {
        let look = || {
            let kind = Self::look(fd)?;
            Some((kind as u32, kind != Self::File))
        };
        numbers::learn_kind(fd, look).and_then(Self::from_number)
    }

    /// Takes note that a descriptor, which the runtime knows, is of this kind.
    pub(crate) fn is_known_of(self, fd: c_int) -> Self {
        numbers::learn_kind(fd, || Some((self as u32, false)));
        self
    }

    #[inline]
    fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Tcp,
            2 => Self::Unix,
            3 => Self::Stream,
            4 => Self::Message,
            5 => Self::Pipe,
            6 => Self::Counter,
            7 => Self::Polled,
            8 => Self::File,
            _ => return None,
        })
    }

    fn look(fd: c_int) -> Option<Self> {
        let mut stat = MaybeUninit::<libc::stat>::zeroed();
        let arguments = [c_long::from(fd), stat.as_mut_ptr() as c_long, 0, 0, 0, 0];
        // SAFETY: the kernel writes what it says of the file there.
        if unsafe { enter(libc::SYS_fstat, arguments) } < 0 {
            return None;
        }
        // SAFETY: written, and zero before.
        let mode = unsafe { stat.assume_init() }.st_mode;
        Some(match mode & libc::S_IFMT {
            libc::S_IFSOCK => {
                Self::of_socket(option(fd, libc::SO_DOMAIN)?, option(fd, libc::SO_TYPE)?)
            }
            libc::S_IFREG | libc::S_IFDIR | libc::S_IFBLK => Self::File,
            libc::S_IFCHR => Self::Polled,
            _ => Self::Pipe,
        })
    }

    /// That of a socket of this domain and type.
    pub(crate) fn of_socket(domain: c_int, socket_type: c_int) -> Self {
        const TYPE: c_int = 0xf;
        match (domain, socket_type & TYPE) {
            (libc::AF_INET | libc::AF_INET6, libc::SOCK_STREAM) => Self::Tcp,
            (libc::AF_UNIX, libc::SOCK_STREAM) => Self::Unix,
            (_, libc::SOCK_STREAM) => Self::Stream,
            _ => Self::Message,
        }
    }
}

/// A number that the kernel has of a socket; `None` where it is none.
pub(crate) fn option(fd: c_int, option: c_int) -> Option<c_int> {
    let (mut value, mut len): (c_int, libc::socklen_t) = (0, 4);
    let [value_at, len_at] = [(&raw mut value) as c_long, (&raw mut len) as c_long];
    let arguments = [
        c_long::from(fd),
        c_long::from(libc::SOL_SOCKET),
        c_long::from(option),
        value_at,
        len_at,
        0,
    ];
    // SAFETY: the kernel writes a number and its length.
    let got = unsafe { enter(libc::SYS_getsockopt, arguments) };
    (got == 0).then_some(value)
}

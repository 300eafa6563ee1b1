//! `O_NONBLOCK`, which the runtime sets where a call has no flag of its own that says not to block.
//!
//! The flag belongs to the open file, and so to every descriptor of it. The runtime may set it as
//! long as it knows all of them, since nobody else is to notice:
//!
//! | the file's descriptors | the flag |
//! |---|---|
//! | one, made by this process just now | set at the first call that needs it |
//! | duplicates of such a one, each announced | the same; what is known of the flag they share |
//! | any that came from elsewhere, or was lent | the program's alone, from then on |
//!
//! Duplicates share their options, too (`options`): they are those of the file.
//!
//! A descriptor is *lent* when the program gets its number, or takes it out of the runtime's care:
//! then the flag is taken back first. A call that another thread makes at that moment may block its
//! OS thread once.
//!
//! # After a fork
//!
//! The child has a descriptor of each file, too. It counts them all as lent: it sets no flag, which its
//! parent would notice. Where the parent has set one, a call that finds nothing waits, in the child as in
//! the parent. The child takes such a flag back when it lends the descriptor, or has one that its parent
//! has taken back. Then a green thread's call blocks its OS thread, once, on either side. What the parent
//! was about to change at the moment of the fork is unknown to the child.
//!
//! The parent goes on as if nothing had happened. Most children of a fork execute another program at
//! once; what they do to the files of their parent until then is their own business.

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::ioctl_fionbio;

use super::options::Options;
use crate::lock::Lock;

/// What a descriptor's entry knows of the flag.
pub(super) enum Flag {
    /// The descriptor is the only one that the runtime knows.
    Single(State),
    /// It has duplicates.
    Family(Arc<Lock<Family>>),
}

#[derive(Clone, Copy)]
pub(super) struct State {
    /// The flag is set, and it was us.
    is_ours: bool,
    /// Others may have a descriptor of the file.
    is_lent: bool,
}

pub(super) struct Family {
    state: State,
    options: Options,
    /// The numbers of its descriptors.
    members: Vec<RawFd>,
}

impl State {
    fn is_programs(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        Ok(!self.is_ours && fcntl_getfl(fd)?.contains(OFlags::NONBLOCK))
    }
}

impl Flag {
    pub(super) const fn new(is_lent: bool) -> Self {
        Self::Single(State { is_ours: false, is_lent })
    }

    /// In a child of a fork: the flag of a descriptor whose entry in the parent has this one.
    pub(super) fn inherit(&self) -> Self {
        match self {
            Self::Single(state) => Self::Single(State { is_lent: true, ..*state }),
            Self::Family(family) if family.is_free() => {
                let mut shared = family.lock();
                shared.state.is_lent = true;
                shared.options = Options::new();
                drop(shared);
                Self::Family(Arc::clone(family))
            }
            Self::Family(_) => Self::new(true),
        }
    }

    /// The flag of `duplicate`, which is being announced, when this is that of `original`, and these are its
    /// options.
    pub(super) fn join(&mut self, original: RawFd, duplicate: RawFd, options: Options) -> Self {
        if let Self::Single(state) = *self {
            let members = vec![original];
            *self = Self::Family(Arc::new(Lock::new(Family { state, options, members })));
        }
        let Self::Family(family) = self else { unreachable!("made one above") };
        family.lock().members.push(duplicate);
        Self::Family(Arc::clone(family))
    }

    /// The descriptor is about to be closed.
    pub(super) fn leave(&self, number: RawFd) {
        if let Self::Family(family) = self {
            family.lock().members.retain(|member| *member != number);
        }
    }

    /// The numbers of the file's other descriptors, as far as the runtime knows them.
    pub(super) fn siblings(&self, number: RawFd) -> Vec<RawFd> {
        match self {
            Self::Single(_) => Vec::new(),
            Self::Family(family) => {
                family.lock().members.iter().copied().filter(|n| *n != number).collect()
            }
        }
    }

    /// Changes the options of a descriptor, which are those of its file: its siblings are to take them.
    pub(super) fn change(&self, options: &mut Options, change: impl FnOnce(&mut Options)) {
        match self {
            Self::Single(_) => change(options),
            Self::Family(family) => {
                let shared = &mut family.lock().options;
                change(shared);
                *options = *shared;
            }
        }
    }

    /// Asks the kernel for the options, unless they are known.
    pub(super) fn learn(&mut self, options: &mut Options, fd: BorrowedFd<'_>) -> io::Result<()> {
        match self {
            Self::Single(state) => options.learn(fd, || state.is_programs(fd)),
            Self::Family(family) => {
                let Family { state, options: shared, .. } = &mut *family.lock();
                let learnt = shared.learn(fd, || state.is_programs(fd));
                *options = *shared;
                learnt
            }
        }
    }

    /// Whether this is the only descriptor of its file that there is.
    pub(super) fn is_only_one(&self) -> bool {
        matches!(self, Self::Single(State { is_lent: false, .. }))
    }

    /// Whether others may have a descriptor of the file.
    pub(super) fn is_lent(&mut self) -> bool {
        self.with(|state| state.is_lent)
    }

    /// Whether the flag is set by the runtime.
    pub(super) fn is_ours(&mut self) -> bool {
        self.with(|state| state.is_ours)
    }

    /// Whether the flag is set by the program.
    pub(super) fn is_programs(&mut self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.with(|state| state.is_programs(fd))
    }

    /// Sets the flag if nobody is to notice: whether it is set.
    pub(super) fn set(&mut self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.with(|state| {
            if !state.is_ours && !state.is_lent {
                ioctl_fionbio(fd, true)?;
                state.is_ours = true;
            }
            Ok(state.is_ours)
        })
    }

    /// Sets or takes back the flag for the program.
    pub(super) fn set_for_program(&mut self, fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        self.with(|state| {
            ioctl_fionbio(fd, on)?;
            state.is_ours = false;
            Ok(())
        })
    }

    /// The descriptor is lent: takes the flag back, and never sets it again.
    pub(super) fn lend(&mut self, fd: BorrowedFd<'_>) {
        self.with(|state| {
            state.is_lent = true;
            if std::mem::take(&mut state.is_ours) {
                // Fails for a bad descriptor alone, which has no flags to leak.
                let _ = ioctl_fionbio(fd, false);
            }
        });
    }

    fn with<T>(&mut self, f: impl FnOnce(&mut State) -> T) -> T {
        match self {
            Self::Single(state) => f(state),
            Self::Family(family) => f(&mut family.lock().state),
        }
    }
}

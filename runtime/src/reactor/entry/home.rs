//! Whose event loop watches a descriptor.
//!
//! It is that of the core where somebody has waited for it first. When somebody waits once more, it moves:
//!
//! | to the core | when | since |
//! |---|---|---|
//! | where its threads wait | they have waited there eight times in a row, or at once if its own core is not to be woken | others have stolen them |
//! | that is near its peer ([`scheduler::near`]) | it is another one at a sixteenth wait | who writes there wakes the peer |
//!
//! A move takes two system calls, and nothing is lost by it: what is ready then is an edge once more.

use std::io;
use std::num::NonZeroU32;
use std::os::fd::BorrowedFd;

use super::{Entry, State, to_token};
use crate::primitive::Ordering;
use crate::reactor::{deregister, register};
use crate::scheduler;
use crate::task::Header;

/// Waits on another core in a row after which a descriptor follows.
const AWAY: u32 = 8;

/// Waits from one question for the peer to the next: it is a system call or two.
const ASK_EVERY: u64 = 16;

/// A core, and how often in a row who has waited was on another one; in four bytes if there is one or not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Home(NonZeroU32);

impl Home {
    const CORES_LOG2: u32 = 24;

    pub(super) fn new(core: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(core))
    }

    pub(super) fn core(self) -> u32 {
        self.0.get() % (1 << Self::CORES_LOG2) - 1
    }

    /// How often so far.
    fn n_away(self) -> u32 {
        self.0.get() >> Self::CORES_LOG2
    }

    /// Once more.
    fn away(self) -> Self {
        Self(self.0.saturating_add(1 << Self::CORES_LOG2))
    }
}

impl Entry {
    /// Has an event loop watch the descriptor for `task`, which is about to wait.
    #[inline(always)]
    pub(super) fn watch(
        &self,
        state: &mut State,
        task: &Header,
        fd: BorrowedFd<'_>,
    ) -> io::Result<()> {
        let core = task.core.load(Ordering::Relaxed);
        let asks = state.last_turn % ASK_EVERY == ASK_EVERY - 1;
        match state.registered {
            None => self.register(state, core, fd)?,
            Some(home) if home == Home::new(core) && !asks => {}
            Some(home) => self.follow(state, core, fd, home, asks),
        }
        Ok(())
    }

    /// Has the event loop of a core watch the descriptor.
    #[cold]
    pub(super) fn register(
        &self,
        state: &mut State,
        core: u32,
        fd: BorrowedFd<'_>,
    ) -> io::Result<()> {
        self.note_known();
        register(core as usize, fd, to_token(fd, state.generation))?;
        state.registered = Some(Home::new(core));
        Ok(())
    }

    /// Has another event loop than that of `home` watch the descriptor, if it is to move, for somebody who waits on
    /// `core`.
    #[cold]
    fn follow(&self, state: &mut State, core: u32, fd: BorrowedFd<'_>, home: Home, asks: bool) {
        let near = asks.then(|| scheduler::near(core, fd)).flatten();
        match near {
            Some(near) if near != home.core() => self.move_to(state, near, fd, home),
            // It stays, and whoever was elsewhere was there by chance.
            Some(_) => state.registered = Some(Home::new(home.core())),
            None if home.core() == core => state.registered = Some(Home::new(core)),
            None if home.n_away() >= AWAY - 1 || scheduler::is_unattended(home.core() as usize) => {
                self.move_to(state, core, fd, home);
            }
            None => state.registered = Some(home.away()),
        }
    }

    /// Has another event loop than that of `from` watch the descriptor, if the kernel lets it; whoever
    /// waits is heard in any case.
    pub(super) fn move_to(&self, state: &mut State, core: u32, fd: BorrowedFd<'_>, from: Home) {
        if self.register(state, core, fd).is_ok() {
            deregister(from.core() as usize, Some(fd));
        }
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_home_is_the_same_core_however_often_its_threads_were_elsewhere() {
        for core in [0, 1, 1_023] {
            let mut home = Home::new(core);
            for n in 0..10 {
                assert_eq!((home.core(), home.n_away()), (core, n));
                assert_eq!(home == Home::new(core), n == 0);
                home = home.away();
            }
        }
    }
}

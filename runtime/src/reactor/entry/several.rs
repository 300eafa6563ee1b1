//! A wait at several places at once: directions of the same or of different descriptors.
//!
//! A [`Post`] is such a place, as it was before the kernel was asked. The thread has a waiter at each, and
//! as many wakers as posts, beside a timer and whoever interrupts it. The rule of wakers (`park`) holds for
//! any number of them. The waiters are in one frame. Before it ends, the lock of each entry is taken, and
//! what is still queued there is taken out. Only then does the thread settle. So whoever has claimed it is
//! finished with it by then.
//!
//! 1. Look at all posts ([`Post::look`]).
//! 2. Ask the kernel.
//! 3. If it has nothing to tell, queue up at one post after the other. Under the lock of each the word is
//!    compared with the one seen in step 1: an edge since then ends the wait before it begins, and one from
//!    then on wakes. So no edge is missed, though no two posts are looked at at the same time.
//!
//! Whoever waits here only asks: what it was woken for it leaves to those who wait behind it. It is to pass
//! that on ([`Post::pass_on`]) when its call ends. Where it finds nothing and waits on, those behind it
//! would have found nothing either. That holds if a post stands for all that a direction's edges tell:
//! reading for what can be read, writing for room.

use std::cell::OnceCell;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use super::super::heir::Heir;
use super::super::readiness::{News, Seen};
use super::super::waiter::EntryWaiter;
use super::super::{Call, Interest, on_refusal};
use super::Entry;
use crate::park::{self, Interrupt, Wait, WaitReason};
use crate::primitive::Ordering;
use crate::task::Header;

/// As many posts as a wait may have.
pub(crate) const MOST: usize = 8;

/// A direction of a descriptor, and what was seen of it.
#[derive(Clone, Copy)]
pub(crate) struct Post<'a> {
    fd: BorrowedFd<'a>,
    interest: Interest,
    entry: &'static Entry,
    seen: Seen,
}

impl<'a> Post<'a> {
    /// Of a descriptor, with its entry.
    pub(crate) fn new(fd: BorrowedFd<'a>, entry: &'static Entry, interest: Interest) -> Self {
        Self { fd, interest, entry, seen: entry.look(interest) }
    }

    pub(crate) fn number(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Looks once more.
    pub(crate) fn look(&mut self) {
        self.seen = self.entry.look(self.interest);
    }

    /// Whether a try would find nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.seen.is_empty()
    }

    /// Wakes who waits behind.
    pub(crate) fn pass_on(&self) {
        self.entry.pass_on(self.interest);
    }

    /// Queues up, unless there is news; whether it has.
    fn enlist(&self, task: &Header, waiter: &OnceCell<EntryWaiter>) -> io::Result<bool> {
        let mut state = self.entry.state.lock();
        self.entry.doubt_registration(&mut state, self.fd);
        if self.entry.side(self.interest).news(self.seen) != News::None {
            return Ok(false);
        }
        if let Err(error) = self.entry.watch(&mut state, task, self.fd) {
            drop(state);
            on_refusal(task.core.load(Ordering::Relaxed) as usize, error)?;
            return Ok(false);
        }
        let turn = state.take_turn();
        let waiter = waiter.get_or_init(|| EntryWaiter::green(task, turn, Call::NEVER));
        // SAFETY: the waiter is new and stays in the frame of `wait`, which ends after `dismiss`.
        unsafe { self.entry.enqueue(&mut state, self.interest, waiter, true) };
        Ok(true)
    }

    /// Takes a waiter out that was queued.
    fn dismiss(&self, waiter: &EntryWaiter) {
        let mut state = self.entry.state.lock();
        if waiter.is_woken() {
            drop(state);
            // The next question is about whoever has the number then.
            drop(Heir::new(waiter.heir()));
            return;
        }
        // SAFETY: not woken, hence still queued.
        unsafe { self.entry.dequeue(&mut state, self.interest, waiter) };
    }
}

/// Parks until there is news at one of `posts`, until the deadline, or
/// until `interrupt` is raised.
///
/// # Errors
///
/// What the kernel says if it does not watch a descriptor.
pub(crate) fn wait(
    task: &Header,
    posts: &[Option<Post<'_>>; MOST],
    deadline_ns: Option<u64>,
    interrupt: Option<&Interrupt>,
) -> io::Result<Wait> {
    let posts = || posts.iter().flatten();
    let waiters = [const { OnceCell::new() }; MOST];
    let enlisted =
        posts().zip(&waiters).try_for_each(|(post, waiter)| match post.enlist(task, waiter) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Ok(Wait::Changed)),
            Err(error) => Err(Err(error)),
        });
    let queued = || waiters.iter().filter_map(OnceCell::get);
    let end = match enlisted {
        Ok(()) => {
            let reason = posts().next().map_or(WaitReason::Sleep, |_| WaitReason::Poll);
            let is_woken = || queued().any(EntryWaiter::is_woken);
            Ok(park::park_guarded(task, reason, deadline_ns, interrupt, is_woken))
        }
        Err(end) => end,
    };
    posts().zip(queued()).for_each(|(post, waiter)| post.dismiss(waiter));
    park::settle(task);
    end
}

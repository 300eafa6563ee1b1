//! A descriptor's entry: what is known of its readiness (`readiness`), and who waits for it.
//!
//! # Waiting
//!
//! A caller looks at the readiness and tries, or knows that trying is in vain. Then, under the entry's
//! lock, the word is compared with the one seen before the try; if it has moved the caller tries again,
//! else it queues up. An edge changes the word under the same lock, so none is lost. A descriptor that
//! is registered only now, after the try, reports an edge by itself if it has become ready.
//!
//! # Whom an edge wakes
//!
//! The oldest waiter of the direction. It takes what it came for and, unless it knows that nothing
//! is left, wakes the next ([`Entry::pass_on`]); so does any caller that succeeds while others wait.
//! Ten threads that accept on one listener are woken one per connection, in turn. Who is woken and
//! finds nothing, since another one was faster, waits on in the place that it had.
//! A CLOSED edge wakes all of them.
//!
//! An OS thread may wait here, too (`waiter`). One that runs out of patience takes itself out, or finds
//! under the lock that it was woken.
//!
//! # Until when
//!
//! See `deadline`: a wait may be for a time at most, by the descriptor's timeouts or the caller's.
//!
//! # Where
//!
//! See `home`: the event loop of one core watches the descriptor.
//!
//! # Whose number it is
//!
//! See `number`: descriptors come in and go out while others wait.

mod deadline;
mod home;
mod number;
#[cfg(not(sylvan_loom))]
pub(crate) mod several;

use std::io;
use std::mem::offset_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::home::Home;
use super::bell;
use super::call::{Call, Interest};
use super::family::Family;
use super::options::Options;
use super::readiness::{News, Seen, Side};
use super::waiter::{End, EntryWaiter, Outside, Waiters, schedule};
use crate::lock::{Guard, Lock};
use crate::park::{self, Interrupt};
use crate::primitive::{AtomicU32, Ordering};
use crate::ring::Ring;
use crate::scheduler;
use crate::sys::{Event, cache};
use crate::task::Header;
use crate::task::list::List;

// Two lines, which is what a processor asks for at a time.
#[repr(align(128))]
pub(crate) struct Entry {
    read: Side,
    write: Side,
    readers: Waiters,
    writers: Waiters,
    /// What is known of the number: see `number`.
    about: AtomicU32,
    state: Lock<State>,
}

struct State {
    /// The core whose event loop knows the descriptor.
    registered: Option<Home>,
    /// Which owner of the number this is.
    generation: u32,
    family: Family,
    /// Those of its file: see `family`.
    options: Options,
    /// The turn of who came to wait last.
    last_turn: u64,
    /// When the bell rings at the latest: see `deadline`.
    rings_ns: u64,
}

/// The descriptor and generation that an event carries.
pub(super) fn from_token(token: u64) -> (RawFd, u32) {
    (token as u32 as RawFd, (token >> 32) as u32)
}

fn to_token(fd: BorrowedFd<'_>, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(fd.as_raw_fd().cast_unsigned())
}

const _: () = assert!(cfg!(sylvan_loom) || size_of::<Entry>() == 128);

impl Entry {
    /// Where the readers and the writers are.
    pub(super) const WAITERS_AT: [usize; 2] = [
        offset_of!(Self, readers) + Waiters::FIRST_AT,
        offset_of!(Self, writers) + Waiters::FIRST_AT,
    ];

    pub(crate) fn new() -> Self {
        Self {
            read: Side::new(),
            write: Side::new(),
            readers: Waiters::new(),
            writers: Waiters::new(),
            about: AtomicU32::new(0),
            state: Lock::new(State {
                registered: None,
                generation: 0,
                family: Family::NONE,
                options: Options::new(),
                last_turn: 0,
                rings_ns: Call::NEVER,
            }),
        }
    }

    fn side(&self, interest: Interest) -> &Side {
        match interest {
            Interest::Read => &self.read,
            Interest::Write => &self.write,
        }
    }

    /// Those who wait for a direction. `_state` says that the caller holds the lock, under which they change.
    #[inline]
    fn with_waiters<T>(
        &self,
        _state: &mut State,
        interest: Interest,
        f: impl FnOnce(&mut Ring<EntryWaiter>) -> T,
    ) -> T {
        self.waiters(interest).with(f)
    }

    /// The same, to be looked at without the lock.
    #[inline]
    fn waiters(&self, interest: Interest) -> &Waiters {
        match interest {
            Interest::Read => &self.readers,
            Interest::Write => &self.writers,
        }
    }

    /// Whether anybody waits, in either direction.
    fn is_awaited(&self) -> bool {
        !self.readers.is_empty() || !self.writers.is_empty()
    }

    /// What is known of a direction.
    #[inline]
    pub(crate) fn look(&self, interest: Interest) -> Seen {
        self.side(interest).look()
    }

    /// A call has found nothing, or has left nothing, since `seen`.
    #[inline]
    pub(crate) fn note_empty(&self, interest: Interest, seen: Seen) {
        self.side(interest).note_empty(seen);
    }

    /// Wakes the next waiter of a direction, if there is one: something may be left for it.
    #[inline]
    pub(crate) fn pass_on(&self, interest: Interest) {
        if !self.waiters(interest).is_empty() {
            self.wake_next(interest);
        }
    }

    /// A call has found what others may find, too: the next waiter is woken, and whoever is about to wait
    /// tries once more.
    pub(crate) fn share(&self, interest: Interest) {
        let (mut ready, mut outside) = (List::new(), Outside::default());
        let mut state = self.state.lock();
        self.side(interest).edge(false, false);
        self.wake(&mut state, interest, 1, &mut ready, &mut outside);
        drop(state);
        schedule(ready, outside);
    }

    #[cold]
    fn wake_next(&self, interest: Interest) {
        let (mut ready, mut outside) = (List::new(), Outside::default());
        self.wake(&mut self.state.lock(), interest, 1, &mut ready, &mut outside);
        schedule(ready, outside);
    }

    /// It will be needed soon.
    #[inline]
    pub(super) fn prefetch(&self) {
        cache::prefetch(self, size_of::<Self>() / cache::LINE);
    }

    /// An event of the kernel's.
    pub(crate) fn dispatch(&self, generation: u32, event: Event, ready: &mut List) {
        let mut state = self.state.lock();
        if state.generation != generation {
            return;
        }
        let mut outside = Outside::default();
        let n = |closed| if closed { usize::MAX } else { 1 };
        if event.readable {
            self.read.edge(event.read_closed, event.unsteady);
            self.wake(&mut state, Interest::Read, n(event.read_closed), ready, &mut outside);
        }
        if event.writable {
            self.write.edge(event.write_closed, event.unsteady);
            self.wake(&mut state, Interest::Write, n(event.write_closed), ready, &mut outside);
        }
        drop(state);
        outside.wake();
    }

    /// Something has happened that the kernel has no event for: whoever waits tries again, and so
    /// does whoever is about to wait.
    pub(crate) fn nudge(&self, interest: Interest) {
        let (mut ready, mut outside) = (List::new(), Outside::default());
        let mut state = self.state.lock();
        self.side(interest).edge(false, false);
        self.wake(&mut state, interest, usize::MAX, &mut ready, &mut outside);
        drop(state);
        schedule(ready, outside);
    }

    /// The other descriptors that may be of the file, of which something is known.
    pub(crate) fn siblings(&self, fd: RawFd) -> Vec<RawFd> {
        super::others(fd).unwrap_or_else(|| self.state.lock().family.siblings(fd))
    }

    /// Parks `task` until there is news since `seen`, for the caller to try again.
    ///
    /// A call that finds nothing although the direction is CLOSED is made once more before it waits:
    /// see `io::attempt`. It is an error of the kind `WouldBlock` that the time is up, or that the
    /// program has asked not to wait (`O_NONBLOCK`) and the kernel has been asked, and one of the kind
    /// `Interrupted` that it was interrupted. If the number means
    /// another file now the error is `EBADF`, and the call may know where its file is (`Call::heir`).
    pub(crate) fn wait(
        &self,
        task: &Header,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call<'_>,
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        if (seen.is_closed() || !state.options.are_known_to_block())
            && self.prepare_wait(&mut state, fd, interest, seen, call)?
        {
            return Ok(());
        }
        let core = task.core.load(Ordering::Relaxed);
        let latest_ns = state.latest(core, interest, call);
        self.park(task, fd, interest, seen, call, latest_ns, state)
    }

    /// As `wait`, whatever the program has set: until the call's deadline alone.
    pub(crate) fn wait_until(
        &self,
        task: &Header,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call<'_>,
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        self.doubt_registration(&mut state, fd);
        let latest_ns = call.latest_ns();
        self.park(task, fd, interest, seen, call, latest_ns, state)
    }

    // Here and above, what is seldom needed is out of line: each line of the frames of who waits has
    // to be brought back into the cache before it can go on.
    #[allow(clippy::too_many_arguments, reason = "it is a part of its two callers")]
    #[inline(always)]
    fn park(
        &self,
        task: &Header,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call<'_>,
        latest_ns: Option<u64>,
        mut state: Guard<'_, State>,
    ) -> io::Result<()> {
        let side = self.side(interest);
        match side.news(seen) {
            News::None => {}
            News::Some => return Ok(()),
            News::OtherFile => return Err(Errno::BADF.into()),
        }
        if let Err(error) = self.watch(&mut state, task, fd) {
            drop(state);
            return super::on_refusal(task.core.load(Ordering::Relaxed) as usize, error);
        }
        let Some(latest_ns) = latest_ns else { return self.time_is_up(interest, call) };
        let core = task.core.load(Ordering::Relaxed);
        let is_first_wait = call.turn == 0;
        if is_first_wait {
            call.turn = state.take_turn();
        }
        let waiter = EntryWaiter::green(task, call.turn, call.deadline_ns);
        // SAFETY: the waiter is new and stays in this frame, which ends after it was taken out.
        unsafe { self.enqueue(&mut state, interest, &waiter, is_first_wait) };
        let wakes = latest_ns < state.rings_ns
            && bell(fd).is_some_and(|bell| state.set_bell(bell, core, call.deadline_ns));
        drop(state);
        if wakes {
            scheduler::wake_core(core as usize);
        }
        let end = match call.interrupt {
            None => park::park_until_some(task, interest.reason(), || waiter.end()),
            Some(interrupt) => self.park_guarded(task, interest, &waiter, interrupt),
        };
        match end {
            End::Woken => {}
            End::Late => return self.time_is_up(interest, call),
            End::Interrupted => return Err(Errno::INTR.into()),
        }
        if side.news(seen) == News::OtherFile {
            call.heir = waiter.heir();
            return Err(Errno::BADF.into());
        }
        Ok(())
    }

    /// Blocks an OS thread until there is news since `seen`, or for at most `patience`: whether there is;
    /// `None` where no core attends to an event loop that can watch the descriptor. `attendant` names a
    /// core that does, that of the registration if it can. If the number means another file now that is
    /// news, and the call may know where its file is (`Call::heir`).
    pub(crate) fn wait_outside(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call<'_>,
        attendant: impl FnOnce(Option<u32>) -> Option<u32>,
        patience: Duration,
    ) -> Option<bool> {
        let mut state = self.state.lock();
        if self.side(interest).news(seen) != News::None {
            return Some(true);
        }
        let home = state.registered;
        let Some(core) = attendant(home.map(Home::core)) else {
            self.forget_if_unused(&mut state, fd);
            return None;
        };
        match home {
            None if self.register(&mut state, core, fd).is_err() => return None,
            Some(home) if home.core() != core => self.move_to(&mut state, core, fd, home),
            _ => {}
        }
        let waiter = EntryWaiter::outside(state.take_turn());
        // SAFETY: as in `park`.
        unsafe { self.enqueue(&mut state, interest, &waiter, true) };
        drop(state);
        if waiter.wait_outside(patience) {
            call.heir = waiter.heir();
            return Some(true);
        }
        let mut state = self.state.lock();
        if !waiter.is_woken() {
            // SAFETY: not woken, hence still queued.
            unsafe { self.dequeue(&mut state, interest, &waiter) };
            self.forget_if_unused(&mut state, fd);
            return Some(false);
        }
        call.heir = waiter.heir();
        Some(true)
    }

    /// Where nobody waits for it by the event loop the descriptor is not to wake a core.
    fn forget_if_unused(&self, state: &mut State, fd: BorrowedFd<'_>) {
        if self.is_awaited() {
            return;
        }
        if let Some(home) = state.registered.take() {
            super::deregister(home.core() as usize, Some(fd));
            // No edge makes the notes void any more.
            self.read.forget_note();
            self.write.forget_note();
        }
    }

    /// The time of a call is up. What has come by now may not have been told yet, so the call is made
    /// once more first, whatever was noted.
    #[cold]
    fn time_is_up(&self, interest: Interest, call: &mut Call<'_>) -> io::Result<()> {
        if std::mem::replace(&mut call.had_last_try, true) {
            return Err(Errno::AGAIN.into());
        }
        self.side(interest).forget_note();
        Ok(())
    }

    /// Parks until the waiter is woken, be it that its time is up, or interrupted.
    #[inline(never)]
    fn park_guarded(
        &self,
        task: &Header,
        interest: Interest,
        waiter: &EntryWaiter,
        interrupt: &Interrupt,
    ) -> End {
        let is_woken = || waiter.is_woken();
        park::park_guarded(task, interest.reason(), None, Some(interrupt), is_woken);
        // The last of its wakers: its lock, too, before the frame ends (see `park`).
        let mut state = self.state.lock();
        park::settle(task);
        waiter.end().unwrap_or_else(|| {
            // SAFETY: not woken, hence still queued.
            unsafe { self.dequeue(&mut state, interest, waiter) };
            End::Interrupted
        })
    }

    /// What comes before a wait that is not plain; whether to try once more instead.
    #[cold]
    fn prepare_wait(
        &self,
        state: &mut State,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call<'_>,
    ) -> io::Result<bool> {
        self.doubt_registration(state, fd);
        // Whether a call waits is settled when it begins to: what the program sets from then on is for the
        // next one.
        if call.turn == 0 && !state.block(fd)? {
            // What was noted is not the kernel's answer: data may be there that no event has told yet.
            if seen.is_empty() {
                self.side(interest).forget_note();
                return Ok(true);
            }
            return Err(Errno::AGAIN.into());
        }
        Ok(seen.is_closed() && !std::mem::replace(&mut call.found_nothing_at_end, true))
    }

    /// Takes up to `n` waiters out and claims their tasks.
    fn wake(
        &self,
        state: &mut State,
        interest: Interest,
        n: usize,
        ready: &mut List,
        outside: &mut Outside,
    ) {
        for _ in 0..n {
            let first = self.with_waiters(state, interest, Ring::pop_front);
            let Some(waiter) = first else { return };
            // SAFETY: a queued waiter's frame lasts until it has seen the mark or taken the lock, which is
            // held here.
            unsafe { EntryWaiter::wake(waiter, ready, outside) };
        }
    }

    /// Queues a waiter: behind all others, unless it has waited before.
    ///
    /// # Safety
    ///
    /// The waiter is in no queue, and stays where it is until it has been taken out.
    #[inline]
    unsafe fn enqueue(
        &self,
        state: &mut State,
        interest: Interest,
        waiter: &EntryWaiter,
        is_first_wait: bool,
    ) {
        self.with_waiters(state, interest, |queue| {
            let mut at = if is_first_wait { None } else { queue.first() };
            while let Some(other) = at {
                // SAFETY: waiters in the queue are alive while the entry's lock is held.
                let other = unsafe { other.as_ref() };
                if other.turn > waiter.turn {
                    // SAFETY: the caller's promise; `other` is in this queue.
                    return unsafe { queue.insert_before(other, waiter) };
                }
                at = queue.after(other);
            }
            // SAFETY: the caller's promise.
            unsafe { queue.push_back(waiter) };
        });
    }

    /// Takes a waiter out.
    ///
    /// # Safety
    ///
    /// It is queued for this direction.
    unsafe fn dequeue(&self, state: &mut State, interest: Interest, waiter: &EntryWaiter) {
        // SAFETY: the caller's promise.
        self.with_waiters(state, interest, |queue| unsafe { queue.remove(waiter) });
    }
}

impl State {
    /// The turn of one that comes to wait.
    fn take_turn(&mut self) -> u64 {
        self.last_turn += 1;
        self.last_turn
    }

    /// Looks at, or changes, the options, which others of the file's descriptors are to take.
    fn with_options<T>(&mut self, f: impl FnOnce(&mut Options) -> T) -> T {
        self.family.with(&mut self.options, f)
    }

    /// Takes those that another one has changed.
    fn take_options(&mut self) {
        self.with_options(|_| {});
    }

    /// Whether a call that found nothing is to wait.
    fn block(&mut self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.with_options(|options| options.learn(fd))?;
        Ok(self.options.block())
    }
}

/// Blocks an ordinary thread until the descriptor is ready; `false` when the deadline has passed.
pub(crate) fn block_until_ready(
    fd: impl AsFd,
    interest: Interest,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    let flags = match interest {
        Interest::Read => PollFlags::IN,
        Interest::Write => PollFlags::OUT,
    };
    let timeout = timeout.map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    Ok(poll(&mut [PollFd::new(&fd, flags)], timeout.as_ref())? != 0)
}

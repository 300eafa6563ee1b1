//! A descriptor's entry: what is known of its readiness, and who waits for it.
//!
//! # Readiness
//!
//! Each direction has a word of a *tick*, which counts the kernel's edges, and two flags:
//!
//! | flag | meaning |
//! |---|---|
//! | UNSTEADY | a call may stop short although more is there: an error or urgent data has come, or it is no stream that a program has brought along. Never EMPTY again |
//! | CLOSED | no further edge is to be expected, since the direction is shut: never EMPTY again |
//!
//! And it has a note: the word at which a call has last found nothing, or has left nothing. While the
//! two are the same the direction is EMPTY, and trying is in vain.
//!
//! A caller looks at both first ([`Entry::look`]). Unless the direction is EMPTY it tries. What it
//! learns it notes of the word that it saw: an edge in between has changed the tick, and the note
//! means nothing. Nor does it when another one overwrites it: then a try is made that was in vain.
//!
//! So a stream that was read short is EMPTY, and the next read waits without a system call.
//!
//! # Waiting
//!
//! Under the entry's lock the tick is compared with the one seen before the try; if it has moved the
//! caller tries again, else it queues up. An edge changes the tick under the same lock, so none is
//! lost. A descriptor that is registered only now, after the try, reports an edge by itself if it
//! has become ready.
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

use std::io;
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::call::{Call, Interest};
use super::flag::Flag;
use super::options::{Options, Origin, Patience};
use super::waiter::{Outside, Waiter, schedule};
use crate::clock;
use crate::lock::{Guard, Lock};
use crate::park;
use crate::primitive::{AtomicU32, AtomicU64, Ordering};
use crate::ring::Ring;
use crate::sys::{Event, cache, socket};
use crate::task::Header;
use crate::task::list::List;
use crate::timer::{self, Alarm};

const UNSTEADY: u64 = 1;
const CLOSED: u64 = 2;
/// Nothing below is a word of which an edge is known.
const TICK: u64 = 4;

/// No word.
const NEVER: u64 = u64::MAX;

/// The readiness of a direction as a caller saw it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    word: u64,
    is_empty: bool,
}

impl Seen {
    /// Whether a try would find nothing.
    pub(crate) fn is_empty(self) -> bool {
        self.is_empty
    }
}

// Two lines, which is what a processor asks for at a time.
#[repr(align(128))]
pub(crate) struct Entry {
    read: Side,
    write: Side,
    state: Lock<State>,
}

struct Side {
    word: AtomicU64,
    /// The word at which there was nothing.
    empty_at: AtomicU64,
    /// How many wait, to be read without the lock.
    n_waiting: AtomicU32,
}

struct State {
    /// The core whose event loop knows the descriptor.
    registered: Option<Home>,
    /// Which owner of the number this is.
    generation: u32,
    flag: Flag,
    options: Options,
    /// The turn of who came to wait last.
    last_turn: u64,
    readers: Ring<Waiter>,
    writers: Ring<Waiter>,
}

/// The descriptor and generation that an event carries.
pub(super) fn from_token(token: u64) -> (RawFd, u32) {
    (token as u32 as RawFd, (token >> 32) as u32)
}

fn to_token(fd: BorrowedFd<'_>, generation: u32) -> u64 {
    u64::from(generation) << 32 | u64::from(fd.as_raw_fd().cast_unsigned())
}

const _: () = assert!(cfg!(loom) || size_of::<Entry>() == 128);

/// A core, in four bytes if there is one or not.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Home(NonZeroU32);

impl Home {
    fn new(core: u32) -> Self {
        Self(NonZeroU32::MIN.saturating_add(core))
    }

    fn core(self) -> u32 {
        self.0.get() - 1
    }
}

impl Entry {
    pub(crate) fn new() -> Self {
        let side = || Side {
            word: AtomicU64::new(0),
            empty_at: AtomicU64::new(NEVER),
            n_waiting: AtomicU32::new(0),
        };
        Self {
            read: side(),
            write: side(),
            state: Lock::new(State {
                registered: None,
                generation: 0,
                flag: Flag::new(true),
                options: Options::new(),
                last_turn: 0,
                readers: Ring::new(),
                writers: Ring::new(),
            }),
        }
    }

    /// In a child of a fork: a new entry for a descriptor that has this one in the parent.
    #[cfg(not(loom))]
    pub(super) fn inherit(&self) -> Self {
        let new = Self::new();
        if self.state.is_free() {
            new.state.lock().flag = self.state.lock().flag.inherit();
        }
        if self.is_distrusted() {
            new.distrust();
        }
        new
    }

    fn side(&self, interest: Interest) -> &Side {
        match interest {
            Interest::Read => &self.read,
            Interest::Write => &self.write,
        }
    }

    /// What is known of a direction.
    #[inline]
    pub(crate) fn look(&self, interest: Interest) -> Seen {
        let side = self.side(interest);
        // Acquire pairs with the release in `Side::edge`: the try that follows sees what came.
        let word = side.word.load(Ordering::Acquire);
        // Orders nothing, like the note itself: a hint about the kernel's state at that word.
        Seen { word, is_empty: side.empty_at.load(Ordering::Relaxed) == word }
    }

    /// A call has found nothing, or has left nothing, since `seen`.
    #[inline]
    pub(crate) fn note_empty(&self, interest: Interest, seen: Seen) {
        // Before the registration no edge will come that could make the note void.
        if seen.word & (CLOSED | UNSTEADY) == 0 && seen.word >= TICK {
            self.side(interest).empty_at.store(seen.word, Ordering::Relaxed);
        }
    }

    /// Wakes the next waiter of a direction, if there is one: something may be left for it.
    #[inline]
    pub(crate) fn pass_on(&self, interest: Interest) {
        if self.side(interest).n_waiting.load(Ordering::Relaxed) != 0 {
            self.wake_next(interest);
        }
    }

    #[cold]
    fn wake_next(&self, interest: Interest) {
        let (mut ready, mut outside) = (List::new(), Outside::default());
        self.state.lock().wake(self.side(interest), interest, 1, &mut ready, &mut outside);
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
            state.wake(&self.read, Interest::Read, n(event.read_closed), ready, &mut outside);
        }
        if event.writable {
            self.write.edge(event.write_closed, event.unsteady);
            state.wake(&self.write, Interest::Write, n(event.write_closed), ready, &mut outside);
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
        state.wake(self.side(interest), interest, usize::MAX, &mut ready, &mut outside);
        drop(state);
        schedule(ready, outside);
    }

    /// The other descriptors of the file that are known.
    pub(crate) fn siblings(&self, fd: RawFd) -> Vec<RawFd> {
        self.state.lock().flag.siblings(fd)
    }

    /// Parks `task` until there is news since `seen`, for the caller to try again.
    ///
    /// A call that finds nothing although the direction is CLOSED is made once more before it waits:
    /// see `io::attempt`. It is an error of the kind `WouldBlock` that the time is up, or that the
    /// program has asked not to wait (`O_NONBLOCK`).
    pub(crate) fn wait(
        &self,
        task: &Header,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call,
    ) -> io::Result<()> {
        let mut state = self.state.lock();
        if (seen.word & CLOSED != 0 || !state.options.wait_is_plain(interest))
            && state.prepare_wait(fd, interest, seen, call)?
        {
            return Ok(());
        }
        self.park(task, fd, interest, seen, call, state)
    }

    /// As `wait`, whatever the program has set: until the call's deadline alone.
    pub(crate) fn wait_until(
        &self,
        task: &Header,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call,
    ) -> io::Result<()> {
        let state = self.state.lock();
        self.park(task, fd, interest, seen, call, state)
    }

    // Here and above, what is seldom needed is out of line: each line of the frames of who waits has
    // to be brought back into the cache before it can go on.
    #[inline(always)]
    fn park(
        &self,
        task: &Header,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call,
        mut state: Guard<'_, State>,
    ) -> io::Result<()> {
        let side = self.side(interest);
        if side.word.load(Ordering::Relaxed) != seen.word {
            return Ok(());
        }
        match state.registered {
            None => state.register(task.core.load(Ordering::Relaxed), fd)?,
            Some(home) if home.core() == task.core.load(Ordering::Relaxed) => {}
            Some(home) => state.follow(task, fd, home),
        }
        if call.deadline_ns != Call::NEVER && clock::now_ns() >= call.deadline_ns {
            return self.time_is_up(interest, call);
        }
        let is_first_wait = call.turn == 0;
        if is_first_wait {
            call.turn = state.take_turn();
        }
        let waiter = Waiter::green(task, call.turn);
        // SAFETY: the waiter is new and stays in this frame, which ends after it was taken out.
        unsafe { state.enqueue(interest, &waiter, is_first_wait) };
        side.count_waiting(1);
        drop(state);
        if call.deadline_ns == Call::NEVER {
            park::park_until(task, interest.reason(), || waiter.is_woken());
        } else if !self.park_with_deadline(task, interest, &waiter, call.deadline_ns) {
            return self.time_is_up(interest, call);
        }
        Ok(())
    }

    /// Blocks an OS thread until there is news since `seen`, or for at most `patience`: whether there is;
    /// `None` where no core attends to an event loop that can watch the descriptor. `attendant` names a
    /// core that does, that of the registration if it can.
    pub(crate) fn wait_outside(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        attendant: impl FnOnce(Option<u32>) -> Option<u32>,
        patience: Duration,
    ) -> Option<bool> {
        let side = self.side(interest);
        let mut state = self.state.lock();
        if side.word.load(Ordering::Relaxed) != seen.word {
            return Some(true);
        }
        let home = state.registered;
        let Some(core) = attendant(home.map(Home::core)) else {
            self.forget_if_unused(&mut state, fd);
            return None;
        };
        match home {
            None if state.register(core, fd).is_err() => return None,
            Some(home) if home.core() != core => state.move_to(core, fd, home),
            _ => {}
        }
        let waiter = Waiter::outside(state.take_turn());
        // SAFETY: as in `park`.
        unsafe { state.enqueue(interest, &waiter, true) };
        side.count_waiting(1);
        drop(state);
        if waiter.wait_outside(patience) {
            return Some(true);
        }
        let mut state = self.state.lock();
        if !waiter.is_woken() {
            // SAFETY: not woken, hence still queued.
            unsafe { state.queue(interest).remove(&waiter) };
            side.count_waiting(-1);
            self.forget_if_unused(&mut state, fd);
        }
        Some(waiter.is_woken())
    }

    /// Where nobody waits for it by the event loop the descriptor is not to wake a core.
    fn forget_if_unused(&self, state: &mut State, fd: BorrowedFd<'_>) {
        if !state.readers.is_empty() || !state.writers.is_empty() {
            return;
        }
        if let Some(home) = state.registered.take() {
            super::deregister(home.core() as usize, Some(fd));
            // No edge makes the notes void any more.
            for side in [&self.read, &self.write] {
                side.empty_at.store(NEVER, Ordering::Relaxed);
            }
        }
    }

    /// The time of a call is up. What has come by now may not have been told yet, so the call is made
    /// once more first, whatever was noted.
    #[cold]
    fn time_is_up(&self, interest: Interest, call: &mut Call) -> io::Result<()> {
        if std::mem::replace(&mut call.had_last_try, true) {
            return Err(Errno::AGAIN.into());
        }
        self.side(interest).empty_at.store(NEVER, Ordering::Relaxed);
        Ok(())
    }

    /// Parks until the waiter is woken: `true`; or until the deadline: `false`.
    #[inline(never)]
    fn park_with_deadline(
        &self,
        task: &Header,
        interest: Interest,
        waiter: &Waiter,
        deadline_ns: u64,
    ) -> bool {
        let alarm = Alarm::new(task, deadline_ns);
        timer::set(&alarm);
        while !waiter.is_woken() && !alarm.has_rung() {
            park::park(task, interest.reason());
        }
        // Two wakers: both locks before the frame ends (see `park`).
        timer::cancel(&alarm);
        let mut state = self.state.lock();
        park::settle(task);
        if waiter.is_woken() {
            return true;
        }
        // SAFETY: not woken, hence still queued.
        unsafe { state.queue(interest).remove(waiter) };
        self.side(interest).count_waiting(-1);
        false
    }

    /// A descriptor comes in under this number.
    pub(crate) fn attach(&self, fd: BorrowedFd<'_>, origin: Origin) {
        let mut state = self.state.lock();
        self.forget(&mut state);
        state.flag = Flag::new(origin == Origin::Adopted);
        state.options.reset(origin);
        if origin == Origin::Adopted && !socket::is_stream(fd) {
            self.distrust();
        }
    }

    /// Nothing is EMPTY from now on, until the descriptor goes out. Under the lock.
    fn distrust(&self) {
        for side in [&self.read, &self.write] {
            let word = side.word.load(Ordering::Relaxed);
            // Release as in `Side::edge`.
            side.word.store(word | UNSTEADY, Ordering::Release);
        }
    }

    fn is_distrusted(&self) -> bool {
        self.read.word.load(Ordering::Relaxed) & UNSTEADY != 0
    }

    /// A duplicate of `original`, whose entry is `of`, comes in as `fd` under this number.
    pub(crate) fn attach_duplicate(&self, fd: RawFd, of: &Entry, original: RawFd) {
        let mut state = of.state.lock();
        state.options.share();
        let flag = state.flag.join(original, fd);
        let is_distrusted = of.is_distrusted();
        drop(state);
        let mut state = self.state.lock();
        self.forget(&mut state);
        state.flag = flag;
        if is_distrusted {
            self.distrust();
        }
    }

    /// The descriptor is about to be closed.
    pub(crate) fn detach(&self, fd: BorrowedFd<'_>) {
        let (mut ready, mut outside) = (List::new(), Outside::default());
        let mut state = self.state.lock();
        if let Some(home) = state.registered {
            // The kernel forgets a file with its last descriptor.
            let is_last = state.flag.is_only_one() && !super::may_be_copied();
            let known = (!is_last).then_some(fd);
            super::deregister(home.core() as usize, known);
        }
        state.flag.leave(fd.as_raw_fd());
        // Whoever waits here under a number that means something else soon: let them try and see.
        state.wake(&self.read, Interest::Read, usize::MAX, &mut ready, &mut outside);
        state.wake(&self.write, Interest::Write, usize::MAX, &mut ready, &mut outside);
        self.forget(&mut state);
        drop(state);
        schedule(ready, outside);
    }

    /// Begins a new generation: nothing is known, nothing registered.
    fn forget(&self, state: &mut State) {
        state.generation = state.generation.wrapping_add(1);
        state.registered = None;
        state.flag = Flag::new(true);
        state.options.reset(Origin::Adopted);
        // Nobody is between a look and a wait here: a descriptor that goes out is not in use.
        for side in [&self.read, &self.write] {
            side.empty_at.store(NEVER, Ordering::Relaxed);
            side.word.store(0, Ordering::Release);
        }
    }

    /// The program gets the descriptor's number: what it sets by that the runtime does not see.
    pub(crate) fn lend(&self, fd: BorrowedFd<'_>) {
        let mut state = self.state.lock();
        state.flag.lend(fd);
        state.options.lend();
    }

    /// Sets `O_NONBLOCK` for the program.
    pub(crate) fn set_nonblocking(&self, fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        let mut state = self.state.lock();
        state.flag.set_for_program(fd, on)?;
        state.options.set_nonblocking(on);
        Ok(())
    }

    /// Takes note of a timeout that the program has set.
    pub(crate) fn set_timeout(&self, interest: Interest, timeout: Option<Duration>) {
        self.state.lock().options.set_timeout(interest, timeout);
    }

    /// For calls that have no flag of their own: makes the descriptor non-blocking, unless somebody
    /// might notice. Whether calls do not block now.
    pub(crate) fn make_nonblocking(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let mut state = self.state.lock();
        Ok(state.flag.is_ours()
            || state.patience(fd, Interest::Read)?.is_none()
            || state.flag.set(fd)?)
    }

    /// As `make_nonblocking`, and without asking the kernel anything: whether the flag is the runtime's
    /// own now.
    pub(crate) fn is_made_nonblocking(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let mut state = self.state.lock();
        if state.flag.is_lent() || state.patience(fd, Interest::Read)?.is_none() {
            return Ok(false);
        }
        state.flag.set(fd)
    }

    /// Whether a call that would block has failed because of a flag that the runtime has set.
    pub(crate) fn is_nonblocking_by_us(&self) -> bool {
        self.state.lock().flag.is_ours()
    }

    /// Whether the program has set `O_NONBLOCK`.
    #[cfg(target_vendor = "apple")]
    pub(crate) fn is_nonblocking_by_program(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.state.lock().flag.is_programs(fd)
    }
}

impl Side {
    /// Under the entry's lock, so that no atomic addition is needed.
    fn count_waiting(&self, change: i32) {
        let n = self.n_waiting.load(Ordering::Relaxed);
        self.n_waiting.store(n.wrapping_add_signed(change), Ordering::Relaxed);
    }

    /// The kernel's edge. Under the entry's lock.
    fn edge(&self, closed: bool, unsteady: bool) {
        let flag = |set, flag| if set { flag } else { 0 };
        let word = self.word.load(Ordering::Relaxed);
        let next = (word + TICK) | flag(closed, CLOSED) | flag(unsteady, UNSTEADY);
        // Release pairs with the acquire in `look`.
        self.word.store(next, Ordering::Release);
    }
}

impl State {
    /// The turn of one that comes to wait.
    fn take_turn(&mut self) -> u64 {
        self.last_turn += 1;
        self.last_turn
    }

    /// What comes before a wait that is not plain; whether to try once more instead.
    #[cold]
    fn prepare_wait(
        &mut self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        seen: Seen,
        call: &mut Call,
    ) -> io::Result<bool> {
        let Some(patience) = self.patience(fd, interest)? else {
            return Err(Errno::AGAIN.into());
        };
        if seen.word & CLOSED != 0 && !std::mem::replace(&mut call.found_nothing_at_end, true) {
            return Ok(true);
        }
        if call.deadline_ns == Call::NEVER
            && let Some(timeout) = patience
        {
            call.deadline_ns = clock::now_ns().saturating_add(ns(timeout));
        }
        Ok(false)
    }

    /// Has the event loop of a core watch the descriptor.
    #[cold]
    fn register(&mut self, core: u32, fd: BorrowedFd<'_>) -> io::Result<()> {
        super::register(core as usize, fd, to_token(fd, self.generation))?;
        self.registered = Some(Home::new(core));
        Ok(())
    }

    /// Has the event loop of the task's core watch the descriptor instead of that of `home`, if that
    /// core is not to be woken for it.
    #[cold]
    fn follow(&mut self, task: &Header, fd: BorrowedFd<'_>, home: Home) {
        if (task.scheduling().is_retired)(home.core() as usize) {
            self.move_to(task.core.load(Ordering::Relaxed), fd, home);
        }
    }

    /// Has another event loop than that of `from` watch the descriptor, if the kernel lets it; whoever
    /// waits is heard in any case. What is ready then is an edge once more.
    fn move_to(&mut self, core: u32, fd: BorrowedFd<'_>, from: Home) {
        if self.register(core, fd).is_ok() {
            super::deregister(from.core() as usize, Some(fd));
        }
    }

    fn patience(&mut self, fd: BorrowedFd<'_>, interest: Interest) -> io::Result<Option<Patience>> {
        self.options.patience(fd, interest, || self.flag.is_programs(fd))
    }

    fn queue(&mut self, interest: Interest) -> &mut Ring<Waiter> {
        match interest {
            Interest::Read => &mut self.readers,
            Interest::Write => &mut self.writers,
        }
    }

    /// Queues a waiter: behind all others, unless it has waited before.
    ///
    /// # Safety
    ///
    /// The waiter is in no queue, and stays where it is until it has been taken out.
    unsafe fn enqueue(&mut self, interest: Interest, waiter: &Waiter, is_first_wait: bool) {
        let queue = self.queue(interest);
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
    }

    /// Takes up to `n` waiters out and claims their tasks.
    fn wake(
        &mut self,
        side: &Side,
        interest: Interest,
        n: usize,
        ready: &mut List,
        outside: &mut Outside,
    ) {
        for _ in 0..n {
            let Some(waiter) = self.queue(interest).pop_front() else { return };
            side.count_waiting(-1);
            // SAFETY: a queued waiter's frame lasts until it has seen the mark or taken the lock, which is
            // held here.
            unsafe { Waiter::wake(waiter, ready, outside) };
        }
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

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

//! Parking: how a thread waits, green or not.
//!
//! Everything above waits through [`wait`] and [`wake`], a futex in user space, through
//! [`sleep_until`], or through the reactor; and all of these park a green thread through [`park`].
//!
//! # The rule of wakers
//!
//! A waker finds a waiter in a list, under the list's lock, and takes it out. Then it *claims* its task
//! (`task::state`), tells the waiter that it is woken, and schedules what it got by the claim. Between the claim and
//! the scheduling the task cannot run, so it cannot go away either.
//!
//! A waiter with one waker (no deadline) parks before it looks whether it was woken. It runs again
//! only because of that waker's claim, after which the waker leaves it alone: it may return. Where
//! there is one waiter too, they need no list: see [`Sleeper`].
//!
//! A waiter with two (a list and a timer) may look at any time. It returns when neither has anything left to do
//! with the task: when it was told, or has taken itself out, under the list's lock. So it is claimed before it is told.
//! The second claim is cleared ([`settle`]), so that the next wait, which may have one waker only, does not mistake it
//! for its own.
//!
//! So a wait leaves nothing behind that could touch the task, or wake it, later.
//!
//! A wait that a third party may end has one waker more, and so is one with two at least: see `interrupt`.
//!
//! # Turns
//!
//! A lock whose word is free after an unlock goes to whoever is first, and that is seldom the one who was
//! woken for it: it still has to run. So a lock waits by [`wait_turn`], which keeps the order in which
//! threads have come, whatever becomes of a wake-up. It is passed on by [`pass_on`] or [`grant`]: a thread
//! that has waited for longer than a millisecond gets the lock itself. The word is not free in between, so
//! nobody can come before it.

mod interrupt;
mod sleeper;
mod wait_queue;

pub use interrupt::Interrupt;
pub use sleeper::Sleeper;
pub use sylvan_sight::Reason as WaitReason;

use std::ptr::{self, NonNull};
use std::time::{Duration, Instant};

use crate::clock;
use crate::context::Switch;
use crate::current;
use crate::moment::Moment;
use crate::primitive::{AtomicU32, Ordering, global, hint};
use crate::sys::{futex, thread};
use crate::task::{Header, Runnable};
use crate::timer::{self, Alarm};
use wait_queue::NO_TURN;
pub(crate) use wait_queue::{Table, Waiter};

global! {
    /// Every waiter of the process, by address.
    pub(crate) static TABLE: Table = Table::new();
}

/// How a [`wait`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The word was not what was expected: there was no wait.
    Changed,
    /// Somebody called [`wake`].
    Woken,
    /// The deadline has passed.
    TimedOut,
    /// The wait was ended by its [`Interrupt`], or that of an OS thread by a signal's handler.
    Interrupted,
}

/// How a [`wait_turn`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The word was not what was expected: there was no wait.
    Changed,
    /// Somebody called [`wake`], or left the word free.
    Woken,
    /// Somebody handed over what the word stands for.
    Granted,
    /// The deadline has passed.
    TimedOut,
    /// The wait was ended by its [`Interrupt`], or that of an OS thread by a signal's handler.
    Interrupted,
}

/// Parks the calling thread while `*word == expected`, until [`wake`] or until `deadline`.
///
/// The comparison and the start of the wait are one step with respect to [`wake`], as in the
/// kernel's futex: a thread that changes the word and then wakes loses nobody. From an ordinary
/// thread, blocks it.
///
/// ```
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::sync::Arc;
///
/// let flag = Arc::new(AtomicU32::new(0));
/// let setter = Arc::clone(&flag);
/// let thread = sylvan::spawn(move || {
///     setter.store(1, Ordering::Release);
///     sylvan::wake(&*setter, 1);
/// });
/// while flag.load(Ordering::Acquire) == 0 {
///     sylvan::wait(&flag, 0, None, sylvan::WaitReason::Futex);
/// }
/// thread.join().unwrap();
/// ```
pub fn wait(
    word: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    reason: WaitReason,
) -> Wait {
    match current::green() {
        Some(task) => wait_green(task, word, expected, deadline, reason),
        None => wait_os_thread(word, expected, deadline, reason, None),
    }
}

/// As [`wait`], until `interrupt` is raised: it is the calling thread's. That of an OS thread is ended by a
/// signal's handler, too, unless it was installed to go on (`SA_RESTART`).
///
/// ```
/// use std::sync::atomic::AtomicU32;
/// use sylvan::contract::{Interrupt, wait_interruptible};
/// use sylvan::{Wait, WaitReason};
///
/// static INTERRUPT: Interrupt = Interrupt::new();
/// let thread = sylvan::spawn(|| {
///     let word = AtomicU32::new(0);
///     wait_interruptible(&word, 0, None, WaitReason::Futex, &INTERRUPT)
/// });
/// INTERRUPT.raise();
/// assert_eq!(thread.join().unwrap(), Wait::Interrupted);
/// ```
// Inlined, as what it calls is: see `thread::yield_now`.
#[inline(always)]
pub fn wait_interruptible(
    word: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    reason: WaitReason,
    interrupt: &Interrupt,
) -> Wait {
    let Some(task) = current::green() else {
        return wait_os_thread(word, expected, deadline, reason, Some(interrupt));
    };
    let waiter = Waiter::new(word, Some(task), NO_TURN, reason).that_may_leave();
    if !TABLE.enqueue(&waiter, || word.load(Ordering::Relaxed) == expected) {
        return Wait::Changed;
    }
    let end =
        park_guarded(task, reason, deadline.map(clock::ns), Some(interrupt), || waiter.is_woken());
    let still_waits = TABLE.dequeue(&waiter);
    settle(task);
    if still_waits { end } else { Wait::Woken }
}

/// Where threads wait for their turn at a lock: a word of it, and where it says who has it, if it does.
#[derive(Clone, Copy, Debug)]
pub struct LockWord<'a> {
    word: &'a AtomicU32,
    owner_above: u8,
}

impl<'a> LockWord<'a> {
    /// The word of a lock that has, in `owner`, the number by which libc knows who has it, and 0 where it does not
    /// know: so who looks at those who wait knows it as well. No more than 255 bytes are between them.
    #[inline]
    pub fn with_owner(word: &'a AtomicU32, owner: &AtomicU32) -> Self {
        let above = ptr::from_ref(owner).addr().wrapping_sub(ptr::from_ref(word).addr());
        Self { word, owner_above: u8::try_from(above).unwrap_or(0) }
    }
}

impl<'a> From<&'a AtomicU32> for LockWord<'a> {
    #[inline]
    fn from(word: &'a AtomicU32) -> Self {
        Self { word, owner_above: 0 }
    }
}

/// Parks the calling thread while `*word == expected`, until it is woken or granted what the word stands
/// for; blocks an ordinary thread.
///
/// It stands behind those that wait at the word since an earlier time, and before those since a later
/// one. So who was woken and finds the lock taken comes again with the same `since`.
pub fn wait_turn(word: &AtomicU32, expected: u32, since: Instant, reason: WaitReason) -> Turn {
    let task = current::green();
    let waiter = Waiter::new(word, task, clock::ns(since), reason);
    if !TABLE.enqueue(&waiter, || word.load(Ordering::Relaxed) == expected) {
        return Turn::Changed;
    }
    match task {
        Some(task) => park_until(task, reason, || waiter.is_woken()),
        None => {
            while !waiter.is_woken() {
                futex::wait(waiter.os_word(), wait_queue::WAITING, None);
            }
        }
    }
    waiter.turn()
}

/// As [`wait_turn`], until `deadline`, or until `interrupt` is raised: see [`wait_interruptible`]. That of an OS
/// thread is not looked at: if there is one, a signal's handler ends the wait.
pub fn wait_turn_interruptible(
    lock: LockWord<'_>,
    expected: u32,
    since: Instant,
    deadline: Option<Instant>,
    reason: WaitReason,
    interrupt: Option<&Interrupt>,
) -> Turn {
    let LockWord { word, owner_above } = lock;
    let task = current::green();
    let waiter = Waiter::new(word, task, clock::ns(since), reason);
    let waiter = waiter.that_may_leave().with_owner_above(owner_above);
    if !TABLE.enqueue(&waiter, || word.load(Ordering::Relaxed) == expected) {
        return Turn::Changed;
    }
    let end = match task {
        Some(task) => {
            park_guarded(task, reason, deadline.map(clock::ns), interrupt, || waiter.is_woken())
        }
        None => block_until_woken(&waiter, deadline, interrupt.is_some()),
    };
    let still_waits = TABLE.dequeue(&waiter);
    if let Some(task) = task {
        settle(task);
    }
    match end {
        Wait::TimedOut if still_waits => Turn::TimedOut,
        _ if still_waits => Turn::Interrupted,
        _ => waiter.turn(),
    }
}

/// Gives up what `word` stands for: stores `granted`, and hands it over to the thread that has waited
/// longest in [`wait_turn`], if that is longer than a millisecond. Else stores `free`, and wakes that
/// thread if there is one.
///
/// The word is not touched once somebody else may have what it stands for.
pub fn pass_on(word: &AtomicU32, free: u32, granted: u32) {
    let _moment = Moment::begin();
    TABLE.pass_on(word, free, granted);
}

/// For how long the thread has waited that has waited longest in [`wait_turn`] at `word`, if that is
/// longer than a millisecond.
pub fn overdue(word: *const AtomicU32) -> Option<Duration> {
    let _moment = Moment::begin();
    TABLE.overdue(word)
}

/// Grants what `word` stands for to up to `n` threads in [`wait_turn`], those that have waited longest
/// first, and returns to how many.
///
/// Before, it calls `settle` with that number, under the lock of the queue: nobody begins or ends a wait
/// at the word meanwhile. `settle` must not wait for anything.
pub fn grant(word: *const AtomicU32, n: usize, settle: &dyn Fn(usize)) -> usize {
    let _moment = Moment::begin();
    TABLE.grant(word, n, settle)
}

fn wait_green(
    task: &Header,
    word: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    reason: WaitReason,
) -> Wait {
    let waiter = Waiter::new(word, Some(task), NO_TURN, reason);
    let waiter = if deadline.is_some() { waiter.that_may_leave() } else { waiter };
    if !TABLE.enqueue(&waiter, || word.load(Ordering::Relaxed) == expected) {
        return Wait::Changed;
    }
    let Some(deadline) = deadline else {
        park_until(task, reason, || waiter.is_woken());
        return Wait::Woken;
    };
    park_guarded(task, reason, Some(clock::ns(deadline)), None, || waiter.is_woken());
    let timed_out = TABLE.dequeue(&waiter);
    settle(task);
    if timed_out { Wait::TimedOut } else { Wait::Woken }
}

/// For a wait with two wakers or more: parks until it is woken, has waited long enough, or is interrupted.
/// The alarm and the interrupt have finished with the task then; the caller takes the lock of its list, and
/// settles.
#[inline]
pub(crate) fn park_guarded(
    task: &Header,
    reason: WaitReason,
    deadline_ns: Option<u64>,
    interrupt: Option<&Interrupt>,
    is_woken: impl Fn() -> bool,
) -> Wait {
    let is_late = || deadline_ns.is_some_and(|deadline_ns| clock::now_ns() >= deadline_ns);
    let alarm = deadline_ns.map(|deadline_ns| Alarm::new(task, deadline_ns));
    if let Some(alarm) = &alarm {
        timer::set(alarm);
    }
    if let Some(interrupt) = interrupt {
        interrupt.open(task);
    }
    let end = loop {
        if is_woken() {
            break Wait::Woken;
        }
        if interrupt.is_some_and(Interrupt::is_raised) {
            break Wait::Interrupted;
        }
        if is_late() {
            break Wait::TimedOut;
        }
        park(task, reason);
    };
    if let Some(interrupt) = interrupt {
        interrupt.close();
    }
    if let Some(alarm) = &alarm {
        timer::cancel(alarm);
    }
    end
}

#[cold]
fn wait_os_thread(
    word: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    reason: WaitReason,
    interrupt: Option<&Interrupt>,
) -> Wait {
    let waiter = Waiter::new(word, None, NO_TURN, reason).that_may_leave();
    if !TABLE.enqueue(&waiter, || word.load(Ordering::Relaxed) == expected) {
        return Wait::Changed;
    }
    let end = match interrupt {
        None => block_until_woken(&waiter, deadline, false),
        Some(interrupt) => {
            let outer = interrupt.open_os_thread(&waiter);
            let end = loop {
                // Else it would not block again after a nudge whose reason a handler has seen to.
                waiter.forget_nudge();
                if interrupt.is_raised() {
                    break Wait::Interrupted;
                }
                if let Some(end) = block(&waiter, deadline, true) {
                    break end;
                }
            };
            interrupt.close_os_thread(outer);
            end
        }
    };
    if TABLE.dequeue(&waiter) { end } else { Wait::Woken }
}

/// Blocks an OS thread until a waker has taken out its waiter, until `deadline`, or until a signal's handler has
/// run.
fn block_until_woken(waiter: &Waiter, deadline: Option<Instant>, is_interruptible: bool) -> Wait {
    loop {
        if let Some(end) = block(waiter, deadline, is_interruptible) {
            return end;
        }
    }
}

/// Blocks an OS thread once; `None` if nothing is known to have happened.
fn block(waiter: &Waiter, deadline: Option<Instant>, is_interruptible: bool) -> Option<Wait> {
    if waiter.is_woken() {
        return Some(Wait::Woken);
    }
    let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    if left.is_some_and(|left| left.is_zero()) {
        return Some(Wait::TimedOut);
    }
    let is_interrupted = futex::wait(waiter.os_word(), wait_queue::WAITING, left);
    (is_interrupted && is_interruptible).then_some(Wait::Interrupted)
}

/// Wakes up to `n` threads that wait at `word`, those that have waited longest first, and returns
/// how many.
///
/// `word` is compared, never read: it may be gone already.
pub fn wake(word: *const AtomicU32, n: usize) -> usize {
    let _moment = Moment::begin();
    TABLE.wake(word, n)
}

/// In a child of a fork: those who waited are not there.
///
/// # Safety
///
/// The process has one thread, which is in none of the functions of this module.
#[cfg(not(sylvan_loom))]
pub(crate) unsafe fn forget() {
    // SAFETY: as the caller promises.
    unsafe { TABLE.forget() };
}

/// Parks the calling green thread until `deadline`; blocks an ordinary one.
pub fn sleep_until(deadline: Instant) {
    let Some(task) = current::green() else {
        while sleep_os_thread(deadline) {}
        return;
    };
    let deadline_ns = clock::ns(deadline);
    if clock::now_ns() >= deadline_ns {
        return;
    }
    let alarm = Alarm::new(task, deadline_ns);
    timer::set(&alarm);
    park_until(task, WaitReason::Sleep, || alarm.has_rung());
}

/// As [`sleep_until`], until `interrupt` is raised (see [`wait_interruptible`]): whether it was, before the
/// deadline. That of an OS thread is ended by each handler of a signal.
pub fn sleep_interruptible(deadline: Instant, interrupt: &Interrupt) -> bool {
    let Some(task) = current::green() else { return sleep_os_thread(deadline) };
    let end =
        park_guarded(task, WaitReason::Sleep, Some(clock::ns(deadline)), Some(interrupt), || false);
    settle(task);
    end == Wait::Interrupted
}

/// Blocks an ordinary thread until `deadline`; whether a signal's handler has ended that.
fn sleep_os_thread(deadline: Instant) -> bool {
    // Nobody wakes this word: what ends the wait is the time.
    let word = AtomicU32::new(0);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        if futex::wait(&word, 0, Some(left)) {
            return true;
        }
    }
}

/// Between two looks at what changes in a moment: whoever changes it has no more than a few instructions
/// left, unless it has lost its processor.
fn pause(n_looks: &mut u32) {
    /// Looks before the processor goes to somebody else.
    const SPINS: u32 = if cfg!(sylvan_loom) { 0 } else { 64 };
    if *n_looks < SPINS {
        *n_looks += 1;
        hint::spin_loop();
    } else {
        thread::yield_now();
    }
}

/// Switches the calling green thread off until somebody claims it, or already has.
#[inline]
pub(crate) fn park(task: &Header, reason: WaitReason) {
    switch_off(task, reason);
    task.state.resume();
}

/// For a wait with one waker: parks first, then looks whether that has come.
#[inline]
pub(crate) fn park_until(task: &Header, reason: WaitReason, is_woken: impl Fn() -> bool) {
    park_until_some(task, reason, || is_woken().then_some(()));
}

/// As `park_until`, for a waker that leaves word.
#[inline]
pub(crate) fn park_until_some<T>(
    task: &Header,
    reason: WaitReason,
    end: impl Fn() -> Option<T>,
) -> T {
    loop {
        switch_off(task, reason);
        task.state.resume_claimed();
        if let Some(end) = end() {
            return end;
        }
    }
}

// Inlined, with the switch in it: see `thread::yield_now`.
#[inline]
fn switch_off(task: &Header, reason: WaitReason) {
    task.reason.store(reason as u8, Ordering::Relaxed);
    task.suspend(Switch::Parked);
}

/// Wakes a task that waits for one waker.
///
/// # Safety
///
/// The caller is that waker, and this is the one time that it wakes it.
#[inline]
pub(crate) unsafe fn call(task: NonNull<Header>) {
    // SAFETY: the task waits, so it is alive until it is claimed; the claim says whether the right
    // to run it is ours. If it is not, the task is on its way again, and touched no more.
    unsafe {
        if task.as_ref().state.claim() {
            Runnable::from_raw(task).schedule();
        }
    }
}

/// For a wait with two wakers that have both finished: forgets the claim of the second, if there was one. Both
/// have released what they did, so it is seen.
#[inline]
pub(crate) fn settle(task: &Header) {
    if task.state.is_claimed() {
        task.state.resume();
    }
}

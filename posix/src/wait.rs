//! Waiting, for the calls of this crate: the runtime's verbs, ended by what interrupts a thread.
//!
//! Every green wait of this crate goes through here, so that a signal for the thread, or its cancellation,
//! ends any of them. Then the thread, on its own stack, has its signals delivered (`signal`), and the wait
//! goes on or ends with `EINTR`, as [`Restart`] and the handlers that have run say. Where a cancellation is
//! due it ends in any case but one; the caller is a cancellation point and acts on it.
//!
//! A wait that goes on is begun anew, with the deadline that it had.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sylvan::contract::io::{Attempt, Interest, Mode};
use sylvan::contract::{Interrupt, LockWord, SingleFlight, Throttle, Turn};
use sylvan::{Wait, WaitReason};

use crate::calls::Waits;
use crate::cancel;
use crate::signal::delivery::{deliver, go_on_in_handler, leave_handler};
use crate::signal::own::{Signals, own};
use crate::socket;

/// The call is to end with `EINTR`: a handler has run, or a cancellation is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interrupted;

/// Whether a call goes on after a handler has run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    /// As the handler's `SA_RESTART` says: reading, writing, `waitpid`, a mutex's kin with a deadline. Never, once
    /// a part is read or written.
    AsAsked,
    /// It never does: sleeping, `poll`, `select`, `epoll_wait`, and sockets with a timeout.
    Never,
    /// It does, and ends for a cancellation alone: a condition, a join.
    UnlessCancelled,
    /// It always does, whatever is due: a mutex, a barrier.
    Always,
}

/// What an OS thread's wait names, which nobody raises: a handler ends that in the kernel.
static NONE: Interrupt = Interrupt::new();

/// Parks while `*word == expected`: see [`sylvan::wait`].
pub(crate) fn futex(
    word: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    reason: WaitReason,
    restart: Restart,
) -> Result<Wait, Interrupted> {
    futex_inlined(word, expected, deadline, reason, restart)
}

/// The same, for a caller whose frame is to be the one above the switch: each is a return that the processor does not
/// predict.
// Without a closure for the wait: one that is in several functions is a function of its own.
#[inline(always)]
pub(crate) fn futex_inlined(
    word: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    reason: WaitReason,
    restart: Restart,
) -> Result<Wait, Interrupted> {
    let Some(signals) = own() else {
        return futex_of_os_thread(word, expected, deadline, reason, restart);
    };
    loop {
        let is_in_handler = begin_to_move(signals);
        let interrupt = &signals.interrupt;
        let end = sylvan::contract::wait_interruptible(word, expected, deadline, reason, interrupt);
        end_move(signals, is_in_handler);
        match end {
            Wait::Interrupted => heed(signals, restart)?,
            end => return Ok(end),
        }
    }
}

#[cold]
fn futex_of_os_thread(
    word: &AtomicU32,
    expected: u32,
    deadline: Option<Instant>,
    reason: WaitReason,
    restart: Restart,
) -> Result<Wait, Interrupted> {
    cancel::by_os_thread(restart, |interrupt| match interrupt {
        Some(interrupt) => {
            match sylvan::contract::wait_interruptible(word, expected, deadline, reason, interrupt)
            {
                Wait::Interrupted => Err(Interrupted),
                end => Ok(end),
            }
        }
        None => Ok(sylvan::wait(word, expected, deadline, reason)),
    })
}

/// Parks while the word of a lock is `expected`, in turn: see [`sylvan::contract::wait_turn`].
pub(crate) fn turn(
    lock: LockWord<'_>,
    expected: u32,
    since: Instant,
    deadline: Option<Instant>,
    reason: WaitReason,
    restart: Restart,
) -> Result<Turn, Interrupted> {
    interruptibly(restart, |interrupt| {
        match sylvan::contract::wait_turn_interruptible(
            lock, expected, since, deadline, reason, interrupt,
        ) {
            Turn::Interrupted => Err(Interrupted),
            end => Ok(end),
        }
    })
}

/// Parks until `deadline`.
pub(crate) fn sleep_until(deadline: Instant) -> Result<(), Interrupted> {
    interruptibly(Restart::Never, |interrupt| match interrupt {
        Some(interrupt) if sylvan::contract::sleep_interruptible(deadline, interrupt) => {
            Err(Interrupted)
        }
        Some(_) => Ok(()),
        None => {
            sylvan::sleep_until(deadline);
            Ok(())
        }
    })
}

impl Waits for Restart {
    fn attempt<T: Send>(
        self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        mut op: impl FnMut(BorrowedFd<'_>, Mode) -> io::Result<Attempt<T>> + Send,
    ) -> io::Result<T> {
        let has_part = AtomicBool::new(false);
        let mut op = |fd: BorrowedFd<'_>, mode| {
            let attempt = op(fd, mode);
            if let Ok(Attempt::More(_)) = attempt {
                has_part.store(true, Relaxed);
            }
            attempt
        };
        // As in the kernel a call does not go on after a part, nor on a socket that has a timeout.
        let goes_on = || !has_part.load(Relaxed) && !socket::has_timeout(fd.as_raw_fd(), interest);
        let restart = || match self {
            Self::AsAsked if !goes_on() => Self::Never,
            restart => restart,
        };
        until_ended(restart, |interrupt| match interrupt {
            Some(interrupt) => {
                sylvan::contract::io::attempt_interruptible(fd, interest, interrupt, &mut op)
            }
            None => sylvan::contract::io::attempt(fd, interest, &mut op),
        })
    }

    fn ready(
        self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        deadline: Option<Instant>,
    ) -> io::Result<bool> {
        until_ended(
            || self,
            |interrupt| match interrupt.or_else(|| of_os_thread(self)) {
                Some(interrupt) => {
                    sylvan::contract::io::ready_interruptible(fd, interest, deadline, interrupt)
                }
                None => sylvan::ready(fd, interest, deadline),
            },
        )
    }

    fn section<T: Send>(self, call: impl FnOnce() -> T + Send) -> T {
        section(call)
    }
}

/// Waits until `ask` has an answer, until `deadline`, or until a handler has run: see [`sylvan::contract::poll_by`].
pub(crate) fn poll(
    fds: impl Iterator<Item = libc::pollfd> + Clone,
    deadline: Option<Instant>,
    mut ask: impl FnMut(Option<Duration>) -> io::Result<usize> + Send,
) -> io::Result<usize> {
    until_ended(
        || Restart::Never,
        |interrupt| sylvan::contract::poll_by(fds.clone(), deadline, interrupt, &mut ask),
    )
}

/// Calls `op` until it finds something, until `deadline`, or until a handler has run: see
/// [`sylvan::contract::io::attempt_shared`].
pub(crate) fn shared<T: Send>(
    fd: BorrowedFd<'_>,
    interest: Interest,
    deadline: Option<Instant>,
    restart: Restart,
    mut op: impl FnMut(BorrowedFd<'_>) -> io::Result<Option<T>> + Send,
) -> io::Result<Option<T>> {
    until_ended(
        || restart,
        |interrupt| {
            sylvan::contract::io::attempt_shared(fd, interest, deadline, interrupt, &mut op)
        },
    )
}

/// A green thread's wait, until it ends by itself, or is to end.
fn until_ended<T>(
    restart: impl Fn() -> Restart,
    mut wait: impl FnMut(Option<&Interrupt>) -> io::Result<T>,
) -> io::Result<T> {
    let Some(signals) = own() else { return wait(None) };
    loop {
        match moving(signals, || wait(Some(&signals.interrupt))) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                if heed(signals, restart()).is_err() {
                    return Err(error);
                }
            }
            end => return end,
        }
    }
}

/// Makes a wait until it ends by itself, or is to end.
#[inline(always)]
fn interruptibly<T>(
    restart: Restart,
    mut wait: impl FnMut(Option<&Interrupt>) -> Result<T, Interrupted>,
) -> Result<T, Interrupted> {
    let Some(signals) = own() else { return cancel::by_os_thread(restart, wait) };
    loop {
        match moving(signals, || wait(Some(&signals.interrupt))) {
            Err(Interrupted) => heed(signals, restart)?,
            end => return end,
        }
    }
}

/// What an OS thread names if its wait is to be ended by a handler. The kernel has seen to `SA_RESTART`.
fn of_os_thread(restart: Restart) -> Option<&'static Interrupt> {
    let ends = matches!(restart, Restart::AsAsked | Restart::Never) && !sylvan::is_green();
    ends.then_some(&NONE)
}

/// A wait was interrupted: what is left for the thread is seen to; whether the wait is to end.
#[cold]
fn heed(signals: &Signals, restart: Restart) -> Result<(), Interrupted> {
    signals.interrupt.take();
    let ran = deliver(signals, None);
    if restart == Restart::Always && cancel::is_due_at_once() {
        // No cancellation point, but the thread lets itself be cancelled wherever it is.
        cancel::point();
    }
    if signals.pending() & signals.waits_for() != 0 {
        // It waits for that, blocked as it is.
        return Err(Interrupted);
    }
    let is_over = match restart {
        Restart::Never => ran.any || signals.is_cancelled(),
        Restart::AsAsked => ran.any_that_ends || signals.is_cancelled(),
        Restart::UnlessCancelled => signals.is_cancelled(),
        Restart::Always => false,
    };
    if is_over { Err(Interrupted) } else { Ok(()) }
}

/// Makes a call that blocks its OS thread, with what the caller of this crate has passed: see
/// [`sylvan::blocking`]. A poke ends the call (`signal::attendant`), and what is left for the thread is seen
/// to after it.
pub(crate) fn section<T>(call: impl FnOnce() -> T) -> T {
    let call = Callers(call);
    in_section(|| sylvan::blocking(move || Callers(call.into_inner()())).into_inner())
}

#[inline(always)]
fn in_section<T>(section: impl FnOnce() -> T) -> T {
    let Some(signals) = own() else { return section() };
    let result = moving(signals, section);
    if signals.interrupt.is_raised() {
        let _ = heed(signals, Restart::Always);
    }
    result
}

/// The same, behind a throttle.
pub(crate) fn throttled_section<T>(throttle: &Throttle, call: impl FnOnce() -> T) -> T {
    in_section(|| throttled(throttle, call))
}

fn throttled<T>(throttle: &Throttle, call: impl FnOnce() -> T) -> T {
    let call = Callers(call);
    throttle.blocking(move || Callers(call.into_inner()())).into_inner()
}

/// The same, for a call that many may make at a time: one does, for all who ask the same.
pub(crate) fn section_once<K: Clone + Ord, T: Clone>(
    flights: &SingleFlight<K, T>,
    question: &K,
    throttle: &Throttle,
    call: impl FnOnce() -> T,
) -> T {
    in_section(|| flights.run(question.clone(), || throttled(throttle, call)))
}

/// Has others run; what is left for the thread is seen to after it.
#[inline(always)]
pub(crate) fn yield_now() {
    in_section(sylvan::yield_now);
}

/// Makes a call.
pub(crate) fn plainly<T>(call: impl FnOnce() -> T) -> T {
    call()
}

/// What the caller of this crate has passed, a call with that, or what it returns.
pub(crate) struct Callers<T>(pub(crate) T);

// SAFETY: the caller waits for it, and has promised that what it has passed may be used until it returns.
unsafe impl<T> Send for Callers<T> {}

impl<T> Callers<T> {
    pub(crate) fn get(&mut self) -> &mut T {
        &mut self.0
    }

    fn into_inner(self) -> T {
        self.0
    }
}

/// Runs `wait`, which may move the thread to another OS thread.
#[inline(always)]
fn moving<T>(signals: &Signals, wait: impl FnOnce() -> T) -> T {
    let is_in_handler = begin_to_move(signals);
    let end = wait();
    end_move(signals, is_in_handler);
    end
}

/// Before a wait that may do so; whether the thread is in a handler of signals.
#[inline(always)]
fn begin_to_move(signals: &Signals) -> bool {
    let is_in_handler = signals.depth.get() > 0;
    if is_in_handler {
        leave_handler(signals);
    }
    is_in_handler
}

/// After it.
#[inline(always)]
fn end_move(signals: &Signals, is_in_handler: bool) {
    if is_in_handler {
        go_on_in_handler(signals);
    }
}

/// Defines functions of libc's that are made in a blocking section: `sections!(name(argument: type, ...) -> type)`,
/// as cancellation points (`sections!(cancellation points: ...)`), behind a throttle where there is one (`sections!(THROTTLE: ...)`), and by a function that calls what it
/// gets (`sections!(THROTTLE, function: ...)`).
macro_rules! sections {
    ($($name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty;)+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C-unwind" fn $name($($argument: $type),*) -> $result {
            // SAFETY: as the caller promises.
            $crate::wait::section(|| unsafe {
                $crate::next::call_next!($name($($type),*) -> $result, $($argument),*)
            })
        }
    )+};
    (cancellation points: $($name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty;)+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C-unwind" fn $name($($argument: $type),*) -> $result {
            // SAFETY: as the caller promises.
            $crate::cancel::around(|| $crate::wait::section(|| unsafe {
                $crate::next::call_next!($name($($type),*) -> $result, $($argument),*)
            }))
        }
    )+};
    ($throttle:ident: $($all:tt)+) => {
        $crate::wait::sections! { $throttle, $crate::wait::plainly: $($all)+ }
    };
    ($throttle:ident, $around:path: $($name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty;)+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C-unwind" fn $name($($argument: $type),*) -> $result {
            // SAFETY: as the caller promises.
            $crate::wait::throttled_section(&$throttle, || unsafe {
                $around(|| $crate::next::call_next!($name($($type),*) -> $result, $($argument),*))
            })
        }
    )+};
}

pub(crate) use sections;

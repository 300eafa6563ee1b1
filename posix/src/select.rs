//! `select` and `pselect`.
//!
//! The kernel's own call answers, on copies of the caller's sets, which it would clear; the runtime waits in
//! between, for what the sets ask about (`sylvan::contract::poll_by`). As on Linux `select` leaves in its timeout what
//! is left of it.
//!
//! Sets of more than `FD_SETSIZE` descriptors are the kernel's, in a blocking section: how much of them
//! counts it alone knows.

use std::ffi::{c_int, c_long};
use std::io;
use std::time::{Duration, Instant};

use libc::{
    FD_SETSIZE, POLLERR, POLLIN, POLLOUT, POLLPRI, POLLRDBAND, POLLWRBAND, fd_set, pollfd,
    sigset_t, timespec, timeval,
};

use crate::cancel;
use crate::errno::fails;
use crate::kernel;
use crate::next::call_next;
use crate::poll::{answer, at_once, from_now, length, masked, to_result, to_timespec};
use crate::wait;

const BITS: usize = u64::BITS as usize;
const MOST_WORDS: usize = FD_SETSIZE / BITS;
const US_PER_SEC: i64 = 1_000_000;

/// What each set asks for, in `poll`'s words.
const ASKED: [i16; 3] = [POLLIN | POLLRDBAND, POLLOUT | POLLWRBAND, POLLPRI];

/// To read, to write, of urgent data.
type Sets = [*mut fd_set; 3];
type Words = [[u64; MOST_WORDS]; 3];

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn select(
    n: c_int,
    readers: *mut fd_set,
    writers: *mut fd_set,
    urgent: *mut fd_set,
    timeout: *mut timeval,
) -> c_int {
    let next = || {
        // SAFETY: as the caller promises.
        unsafe {
            call_next!(
                select(c_int, *mut fd_set, *mut fd_set, *mut fd_set, *mut timeval) -> c_int,
                n,
                readers,
                writers,
                urgent,
                timeout,
            )
        }
    };
    if !sylvan::is_green() {
        return next();
    }
    if is_large(n) {
        return wait::section(next);
    }
    let sets = [readers, writers, urgent];
    if timeout.is_null() {
        // SAFETY: as the caller promises.
        return cancel::around(|| unsafe { select_green(n, sets, None, false) });
    }
    // SAFETY: as the caller promises.
    let timeval { tv_sec, tv_usec } = unsafe { timeout.read() };
    let (Ok(seconds), Ok(micros)) = (u64::try_from(tv_sec), u64::try_from(tv_usec)) else {
        return fails(libc::EINVAL);
    };
    let begin = Instant::now();
    let length = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
    // SAFETY: as the caller promises.
    let result = cancel::around(|| unsafe { select_green(n, sets, Some(length), false) });
    let left = length.saturating_sub(begin.elapsed());
    let tv_sec = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
    let left = timeval { tv_sec, tv_usec: i64::from(left.subsec_micros()) % US_PER_SEC };
    // SAFETY: as the caller promises.
    unsafe { timeout.write(left) };
    result
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pselect(
    n: c_int,
    readers: *mut fd_set,
    writers: *mut fd_set,
    urgent: *mut fd_set,
    timeout: *const timespec,
    mask: *const sigset_t,
) -> c_int {
    let next = |mask| {
        // SAFETY: as the caller promises.
        unsafe {
            call_next!(
                pselect(
                    c_int,
                    *mut fd_set,
                    *mut fd_set,
                    *mut fd_set,
                    *const timespec,
                    *const sigset_t,
                ) -> c_int,
                n,
                readers,
                writers,
                urgent,
                timeout,
                mask,
            )
        }
    };
    if !sylvan::is_green() {
        return next(mask);
    }
    if is_large(n) {
        return wait::section(|| next(mask));
    }
    // SAFETY: as the caller promises.
    let Ok(timeout) = (unsafe { length(timeout) }) else { return fails(libc::EINVAL) };
    let sets = [readers, writers, urgent];
    // SAFETY: as the caller promises, here and in it.
    cancel::around(|| unsafe { masked(mask, || select_green(n, sets, timeout, !mask.is_null())) })
}

fn is_large(n: c_int) -> bool {
    usize::try_from(n).is_ok_and(|n| n > FD_SETSIZE)
}

/// The question of a green thread, about [`FD_SETSIZE`] descriptors at most.
///
/// # Safety
///
/// As for `select`.
unsafe fn select_green(n: c_int, sets: Sets, timeout: Option<Duration>, has_mask: bool) -> c_int {
    let Ok(n_bits) = usize::try_from(n) else { return fails(libc::EINVAL) };
    let n_words = n_bits.div_ceil(BITS);
    let mut asked: Words = [[0; MOST_WORDS]; 3];
    for (words, set) in asked.iter_mut().zip(sets).filter(|(_, set)| !set.is_null()) {
        // SAFETY: as the caller promises; the kernel reads whole words, too.
        unsafe { words.as_mut_ptr().copy_from_nonoverlapping(set.cast(), n_words) };
    }
    let mut found = asked;
    let is_there = sets.map(|set| !set.is_null());
    let mut ask = |left: Option<Duration>| {
        found = asked;
        ask(n, &mut found, is_there, left)
    };
    let result = if timeout == Some(Duration::ZERO) {
        at_once(ask(timeout), has_mask)
    } else {
        let wanted = (0..n).filter_map(|fd| wanted(&asked, fd));
        wait::poll(wanted, from_now(timeout), ask)
    };
    if result.is_ok() {
        for (words, set) in found.iter().zip(sets).filter(|(_, set)| !set.is_null()) {
            // SAFETY: as the caller promises; the kernel writes whole words, too.
            unsafe { set.cast::<u64>().copy_from_nonoverlapping(words.as_ptr(), n_words) };
        }
    }
    to_result(result)
}

/// What is asked of a descriptor, if anything.
fn wanted(asked: &Words, fd: c_int) -> Option<pollfd> {
    let number = usize::try_from(fd).ok()?;
    let events = asked.iter().zip(ASKED).fold(0, |events, (words, wanted)| {
        let is_asked = words[number / BITS] & 1 << (number % BITS) != 0;
        if is_asked { events | wanted } else { events }
    });
    // Errors come unasked.
    (events != 0).then_some(pollfd { fd, events: events & !POLLERR, revents: 0 })
}

/// The kernel's own call.
fn ask(
    n: c_int,
    found: &mut Words,
    is_there: [bool; 3],
    left: Option<Duration>,
) -> io::Result<usize> {
    let mut at = [0; 3];
    for ((at, words), is_there) in at.iter_mut().zip(found).zip(is_there) {
        if is_there {
            *at = words.as_mut_ptr().expose_provenance() as c_long;
        }
    }
    let [readers, writers, urgent] = at;
    let mut left = left.map(to_timespec);
    let left = left.as_mut().map_or(0, |left| (&raw mut *left).expose_provenance() as c_long);
    let arguments = [c_long::from(n), readers, writers, urgent, left, 0];
    // SAFETY: sets of that many, which outlive the call, as the time does.
    answer(unsafe { kernel::enter(libc::SYS_pselect6, arguments) })
}

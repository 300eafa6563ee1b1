//! What was said with a signal: the `siginfo_t` of each that is left for a thread.
//!
//! They are in lists through a pool, since whoever sends a signal may have interrupted an allocator. The
//! kernel has such a limit, too (`RLIMIT_SIGPENDING`): where there is no room a signal that must not be lost
//! is refused, and of others what was said with it is.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;

use libc::siginfo_t;

use super::lock::Held;

/// As many as the system has room for, for all threads together.
const N: usize = 1024;

/// No entry.
const NONE: u16 = 0;

/// Whether a signal is queued each time that it is sent.
pub(crate) fn is_real_time(signal: i32) -> bool {
    signal >= 32
}

/// The oldest and the youngest of a thread.
#[derive(Debug)]
pub(crate) struct Queue {
    first: u16,
    last: u16,
}

struct Entry {
    info: MaybeUninit<siginfo_t>,
    /// It was sent to the process.
    is_for_process: bool,
    next: u16,
}

struct Pool {
    /// The number `i` is that of entry `i - 1`.
    entries: [Entry; N],
    /// Those that were given back.
    free: u16,
    /// So many have been in use.
    n_used: u16,
}

struct Shared(UnsafeCell<Pool>);

// SAFETY: reached under the lock.
unsafe impl Sync for Shared {}

static POOL: Shared = Shared(UnsafeCell::new(Pool {
    entries: [const { Entry { info: MaybeUninit::uninit(), is_for_process: false, next: NONE } };
        N],
    free: NONE,
    n_used: 0,
}));

impl Queue {
    pub(crate) const fn new() -> Self {
        Self { first: NONE, last: NONE }
    }
}

#[expect(clippy::mut_from_ref, reason = "one has the lock, and each use ends before the next")]
fn pool(_: &Held) -> &mut Pool {
    // SAFETY: the lock is held.
    unsafe { &mut *POOL.0.get() }
}

impl Pool {
    fn at(&mut self, number: u16) -> &mut Entry {
        &mut self.entries[usize::from(number) - 1]
    }

    fn get(&mut self) -> Option<u16> {
        if self.free != NONE {
            let number = self.free;
            self.free = self.at(number).next;
            return Some(number);
        }
        if usize::from(self.n_used) == N {
            return None;
        }
        self.n_used += 1;
        Some(self.n_used)
    }

    fn give_back(&mut self, number: u16) {
        self.at(number).next = self.free;
        self.free = number;
    }
}

/// Appends one; whether there was room.
pub(crate) fn push(held: &Held, queue: &mut Queue, info: &siginfo_t, is_for_process: bool) -> bool {
    let pool = pool(held);
    let Some(number) = pool.get() else { return false };
    *pool.at(number) = Entry { info: MaybeUninit::new(*info), is_for_process, next: NONE };
    match queue.last {
        NONE => queue.first = number,
        last => pool.at(last).next = number,
    }
    queue.last = number;
    true
}

/// Takes out the oldest of a signal, if there is one; whether there is no other.
pub(crate) fn take(held: &Held, queue: &mut Queue, signal: i32) -> (Option<siginfo_t>, bool) {
    let pool = pool(held);
    let (mut found, mut before, mut at) = (None, NONE, queue.first);
    while at != NONE {
        let entry = pool.at(at);
        // SAFETY: what is in a list was written by `push`.
        let (info, next) = (unsafe { entry.info.assume_init() }, entry.next);
        if info.si_signo == signal {
            if found.is_some() {
                return (found, false);
            }
            found = Some(info);
            match before {
                NONE => queue.first = next,
                before => pool.at(before).next = next,
            }
            if next == NONE {
                queue.last = before;
            }
            pool.give_back(at);
        } else {
            before = at;
        }
        at = next;
    }
    (found, true)
}

/// Takes all out; those that were sent to the process go to `give_back`.
pub(crate) fn clear(held: &Held, queue: &mut Queue, give_back: impl Fn(&siginfo_t)) {
    let pool = pool(held);
    while queue.first != NONE {
        let number = queue.first;
        let entry = pool.at(number);
        queue.first = entry.next;
        if entry.is_for_process {
            // SAFETY: as in `take`.
            give_back(unsafe { entry.info.assume_init_ref() });
        }
        pool.give_back(number);
    }
    queue.last = NONE;
}

//! Until when the threads that wait for a descriptor do so: its bell.
//!
//! Nearly every wait with a deadline ends long before it, and the next one for the same descriptor has a later
//! one. So a wait sets no alarm of its own. A number has one bell ([`Bell`]) for all who wait there, in both
//! directions. It stays set when a wait ends, also when the number goes to another file, and is moved when it
//! rings: as a rule once in each time-out, however many waits begin and end.
//!
//! ```text
//!            who waits is not to wait for so long
//!   SILENT ---------------------------------------> SET --+
//!     ^                                             ^  ^  | the same: it is set for that
//!     |                                             |  +--+
//!     |                 one waits until a time, for which it is set
//!     |                 +---------------------------+   |
//!     |                 |                               | its time has come: out of the timers
//!     +-------------- RINGING <-------------------------+
//!       nobody waits until a time
//! ```
//!
//! `rings_ns` says by when it rings: [`Call::NEVER`] where SILENT. While it is RINGING, whoever has taken it
//! out of the timers owes the entry a visit ([`Entry::ring`]), and `rings_ns` still says that it is SET.
//!
//! # Why nobody is forgotten
//!
//! Under the entry's lock `rings_ns` is never later than the time until which anybody in a queue may be kept
//! waiting. Whoever queues up compares the two, and sets the bell if need be. A visit takes out all whose
//! deadline has passed, and then sets the bell for the first of the others. Both hold the lock. Whoever
//! queues up between the taking out of the bell and the visit is seen by the visit. One that sets the bell in
//! between makes it SET, and the visit sets it once more.
//!
//! The timers' lock is taken under the entry's. A ringer takes the bell out under the timers' lock, lets go of
//! that, and only then visits.
//!
//! # Who wakes
//!
//! A visit takes waiters out of the entry's queue under its lock, as an event does, and marks them LATE. So a wait
//! with a deadline has one waker, whoever takes it out of the queue (`park`), and takes no second lock when it ends.
//!
//! # Never early
//!
//! A deadline is no earlier than the time at the beginning of the wait and the timeout, and a visit compares it
//! with the time. The bell says only when to visit: late by up to a 128th of the timeout, and by half a
//! millisecond.
//!
//! # No look at the clock
//!
//! A wait for long, half a second or more, does not look at the clock if the core has done so within the last
//! four milliseconds ([`LastLook::after`]). It takes the time of that look *and these four milliseconds* for its
//! beginning. So it ends no earlier than it would with a look, and later by at most a 128th.
//!
//! What is left to be sure of is that they have not passed. The number of runs since the look tells nothing, for
//! one run may compute for a second. The processor's counter does (`sys::counter`). A core notes what the counter
//! says *before* it looks at the clock, and a wait reads the counter *after* it has read the note. Both can but
//! make the look seem older. So can whatever happens in between: the OS thread loses its processor; it runs in
//! another machine, whose counter is behind, and the difference is huge; the core has looked once more and the
//! wait sees one half of that note, which is the time. That the counters of two processors say the same the
//! kernel has found out, where its own clock goes by them; else they are not used.
//!
//! - A note is the core's own, written between two runs. A thread that has lost its core reads it all the same:
//!   what holds of it does not depend on who reads.
//! - The counter goes on at one rate, or it is not used. How fast is not measured, but at least 500 MHz, where the
//!   slowest processors have 800 and most have 2,000 or more: there "four milliseconds" is one.
//!
//! A worker that is to sleep until a bell rings does the same: it may sleep for four milliseconds too long, if it
//! is to sleep for half a second or more.
//!
//! [`LastLook::after`]: crate::clock::LastLook::after

use super::super::waiter::EntryWaiter;
use super::super::{Call, Interest, looked};
use super::{Entry, State};
use crate::clock;
use crate::scheduler;
use crate::task::list::List;
use crate::timer::{self, Bell};

impl State {
    /// Until when a call that is about to wait may be kept waiting, by the descriptor's timeout; `None` if
    /// its time is up.
    #[inline]
    pub(super) fn latest(&self, core: u32, interest: Interest, call: &mut Call<'_>) -> Option<u64> {
        // How long it may wait is settled when it begins to, as in the kernel: what the program sets from
        // then on is for the next one.
        if call.turn == 0
            && call.deadline_ns == Call::NEVER
            && let Some(timeout_ns) = self.options.timeout_ns(interest)
        {
            call.deadline_ns = looked(core as usize).after(timeout_ns);
            return Some(call.deadline_ns.saturating_add(timer::lateness_ns(timeout_ns)));
        }
        call.latest_ns()
    }

    /// Sets the bell for who waits until then, on its core. Whether that core is to be woken, without any lock.
    #[cold]
    pub(super) fn set_bell(&mut self, bell: &'static Bell, core: u32, deadline_ns: u64) -> bool {
        let (rings_ns, too_late) = bell.set(deadline_ns, clock::now_ns(), core);
        self.rings_ns = rings_ns;
        too_late
    }
}

impl Entry {
    /// The bell has rung, which is its own: whose time is up is told, and the bell set for the next one.
    pub(crate) fn ring(&self, bell: &'static Bell, now_ns: u64, ready: &mut List) {
        let mut state = self.state.lock();
        let mut next_ns = Call::NEVER;
        for interest in [Interest::Read, Interest::Write] {
            self.with_waiters(&mut state, interest, |queue| {
                let mut at = queue.first();
                while let Some(this) = at {
                    // SAFETY: waiters in the queue are alive while the entry's lock is held.
                    let waiter = unsafe { this.as_ref() };
                    at = queue.after(waiter);
                    if waiter.deadline_ns <= now_ns {
                        // SAFETY: it is in this queue, and the lock is held.
                        unsafe {
                            queue.remove(waiter);
                            EntryWaiter::tell_late(this, ready);
                        }
                    } else {
                        next_ns = next_ns.min(waiter.deadline_ns);
                    }
                }
            });
        }
        if next_ns == Call::NEVER {
            state.rings_ns = Call::NEVER;
            return;
        }
        let core = bell.core();
        if state.set_bell(bell, core, next_ns) {
            drop(state);
            scheduler::wake_core(core as usize);
        }
    }
}

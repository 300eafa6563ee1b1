//! What memory says of what a thread waits for, beside where it is: the value of a semaphore, how many have come to a
//! barrier, which signals.
//!
//! All of it is there anyway, but for which signals: those lie beside the word at which a thread waits for them.

use std::mem::{offset_of, size_of};
use std::sync::atomic::AtomicU32;

use crate::copies::{Copies, Record};
use crate::memory::Memory;
use crate::reason::Reason;
use crate::signals;
use crate::threads::Thread;
use crate::waits::Wait;

/// A barrier: what libc's and the mirror's begin with. Who waits does so at its round.
#[derive(Debug)]
#[repr(C)]
pub struct Barrier {
    /// How many have arrived in this round.
    pub arrived: u32,
    /// Which round it is.
    pub round: AtomicU32,
    /// How many a round takes.
    pub n_threads: u32,
}

/// Where a thread waits for signals.
#[derive(Debug)]
#[repr(C)]
pub struct Awaited {
    /// The word at which it waits.
    pub word: AtomicU32,
    by: u32,
    set: u64,
}

/// How a thread waits for signals: for any that is not blocked.
pub const PAUSE: u32 = 0;
/// The same, with another mask.
pub const SIGSUSPEND: u32 = 1;
/// For one of a set, with no handler.
pub const SIGWAIT: u32 = 2;

impl Awaited {
    /// Signals of this set, bit 0 of which is signal 1.
    #[must_use]
    pub const fn new(by: u32, set: u64) -> Self {
        Self { word: AtomicU32::new(0), by, set }
    }
}

/// What is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// A channel is empty, and so many may send.
    Senders(u64),
    /// The word has this value.
    Value(u32),
    /// So many have come to a barrier.
    Arrived {
        /// How many.
        n: u32,
        /// Of how many.
        of: u32,
    },
    /// Signals of this set.
    Signals {
        /// [`PAUSE`], [`SIGSUSPEND`] or [`SIGWAIT`].
        by: u32,
        /// Bit 0 is signal 1.
        set: u64,
    },
}

/// As much is read at an address, from the beginning of what is there.
const LEN: u64 = size_of::<Awaited>() as u64;

/// Why each of these threads waits, and for what.
pub(crate) fn of_threads<'a>(
    threads: &'a [Thread],
    waits: &'a mut [Wait],
) -> impl Iterator<Item = (Option<Reason>, &'a mut Wait)> {
    threads.iter().map(|thread| thread.reason).zip(waits)
}

/// Finds it, and says so in these.
pub(crate) fn find<'a, M: Memory + ?Sized>(
    memory: &M,
    waits: impl Iterator<Item = (Option<Reason>, &'a mut Wait)>,
) {
    let mut wanted = Vec::new();
    for (reason, wait) in waits {
        let (Some(reason), Some(address)) = (reason, &mut wait.address) else { continue };
        if reason == Reason::Barrier {
            // Its round is not where it begins.
            *address = address.wrapping_sub(offset_of!(Barrier, round) as u64);
        }
        let is_detailed = [Reason::Futex, Reason::Semaphore, Reason::Barrier, Reason::Signal];
        if is_detailed.contains(&reason) {
            wanted.push((reason, *address, &mut wait.detail));
        }
    }
    let places = |len| {
        let places: Vec<_> = wanted.iter().map(|(_, address, _)| *address).collect();
        Copies::read(memory, &places, len)
    };
    // What is behind a word may be nowhere, and is of no interest to most.
    let (long, short) = (places(LEN), places(size_of::<u32>() as u64));
    let copies: Vec<_> =
        long.iter().zip(short.iter()).map(|(long, short)| long.or(short)).collect();
    for ((reason, _, detail), copy) in wanted.into_iter().zip(copies) {
        *detail = copy.map(|copy| detail_of(reason, copy));
    }
}

fn detail_of(reason: Reason, copy: Record<'_>) -> Detail {
    let half = |at: usize| copy.half(at as u64);
    match reason {
        Reason::Barrier => Detail::Arrived {
            n: half(offset_of!(Barrier, arrived)),
            of: half(offset_of!(Barrier, n_threads)),
        },
        Reason::Signal => Detail::Signals {
            by: half(offset_of!(Awaited, by)),
            set: copy.word(offset_of!(Awaited, set) as u64),
        },
        _ => Detail::Value(half(0)),
    }
}

/// What a thread waits for in memory, in words.
#[must_use]
pub fn words(reason: Reason, address: Option<u64>, detail: Option<Detail>) -> String {
    let what = match reason {
        Reason::Send => "channel",
        Reason::Blocking => return "a call by another OS thread".to_owned(),
        Reason::Turn => return "a turn to make a call that blocks".to_owned(),
        Reason::Answer => return "another thread's call that asks the same".to_owned(),
        Reason::LookUp => return "look-up of a name".to_owned(),
        Reason::Child => return "the start of a child".to_owned(),
        Reason::Start => return "the start of a thread".to_owned(),
        Reason::Signal => return signal(detail),
        reason => reason.text(),
    };
    let what = address.map_or(what.to_owned(), |address| format!("{what} {address:#x}"));
    match detail {
        Some(Detail::Senders(1)) => what + ", empty, 1 sender",
        Some(Detail::Senders(n)) => format!("{what}, empty, {n} senders"),
        Some(Detail::Value(value)) => format!("{what}, value {value}"),
        Some(Detail::Arrived { n, of }) => format!("{what}, {n} of {of}"),
        _ if reason == Reason::Send => what + ", full",
        _ if reason == Reason::Destroy => what + ", which is in use",
        _ => what,
    }
}

/// A wait for signals, in words.
fn signal(detail: Option<Detail>) -> String {
    /// More are not named.
    const NAMED_MAX: usize = 4;
    let Some(Detail::Signals { by, set }) = detail else { return "a signal".to_owned() };
    let all: Vec<_> = (1..=u64::BITS).filter(|n| set >> (n - 1) & 1 != 0).collect();
    let names = || all.iter().map(|n| signals::name(n.cast_signed())).collect::<Vec<_>>();
    match by {
        SIGWAIT if all.is_empty() => "a signal of an empty set (sigwait)".to_owned(),
        SIGWAIT if all.len() > NAMED_MAX => format!("one of {} signals (sigwait)", all.len()),
        SIGWAIT => format!("{} (sigwait)", names().join(" or ")),
        SIGSUSPEND => "a signal (sigsuspend)".to_owned(),
        _ => "a signal (pause)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_has_words_of_its_own() {
        let mut seen: Vec<_> =
            Reason::ALL.iter().map(|reason| words(*reason, Some(16), None)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), Reason::ALL.len(), "{seen:?}");
    }

    #[test]
    fn the_words_say_what_memory_does() {
        let said = |reason, detail| words(reason, Some(16), Some(detail));
        assert_eq!(said(Reason::Semaphore, Detail::Value(0)), "semaphore 0x10, value 0");
        assert_eq!(said(Reason::Barrier, Detail::Arrived { n: 2, of: 3 }), "barrier 0x10, 2 of 3");
        assert_eq!(said(Reason::Channel, Detail::Senders(2)), "channel 0x10, empty, 2 senders");
        let set = 1 << (libc::SIGINT - 1) | 1 << (libc::SIGTERM - 1);
        let signals = |by, set| said(Reason::Signal, Detail::Signals { by, set });
        assert_eq!(signals(SIGWAIT, set), "SIGINT or SIGTERM (sigwait)");
        assert_eq!(signals(SIGWAIT, u64::MAX), "one of 64 signals (sigwait)");
        assert_eq!(signals(SIGWAIT, 1 << 39), "signal 40 (sigwait)");
        assert_eq!(signals(PAUSE, set), "a signal (pause)");
    }
}

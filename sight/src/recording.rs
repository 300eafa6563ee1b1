//! How a recording lies in the memory of the process: what the runtime writes, and who looks from outside
//! reads.
//!
//! ```text
//!   Control --> the ring that was made last --> the one before it --> ... --> 0
//!                 |
//!                 +--> slots: `capacity` events; number n lies in slot n % capacity
//! ```
//!
//! Rings are made when a recording begins, or a worker comes to be while one goes on, and stay. Each has one
//! writer at a time, or, those that all share, any number of them: each takes a number and fills its slot.
//! A ring's events of before this recording have numbers below `from`.
//!
//! # From outside
//!
//! The table leads to the control ([`Roots`](crate::table::Roots)), and its version is for what is here, too.
//!
//! Who wants a recording writes first `n_events`, then `until_ns`, and the runtime begins when its monitor
//! comes by: within ten milliseconds, or once there is anything to do at all. It ends it itself at that
//! time, also if who asked is gone by then, and [`LINGER_NS`] later gives the memory of the events back. A
//! process that records from its start, since the environment
//! says so, goes on.
//!
//! A reader copies the slots while writers go on, so it reads `n` before and after. Of what it has copied,
//! number n is whole if it lies within `capacity - SLACK` of the `n` afterwards.

/// A recording, as a static of the runtime's.
#[derive(Debug)]
#[repr(C)]
pub struct Control<W = u64> {
    /// Until when somebody from outside wants one, by the clock that never jumps (`CLOCK_MONOTONIC`); 0 for
    /// never.
    pub until_ns: W,
    /// How many events each ring is to have that is made for it.
    pub n_events: W,
    /// What is going on: [`OFF`], [`ASKED`] or [`FROM_START`].
    pub state: W,
    /// When it began, by the same clock.
    pub began_ns: W,
    /// The same, in nanoseconds since 1970.
    pub began_unix_ns: W,
    /// The address of the ring that was made last.
    pub rings: W,
    /// How many cores the runtime has; 0 before it has started.
    pub n_cores: W,
}

/// A ring.
#[derive(Debug)]
#[repr(C)]
pub struct Ring<W = u64> {
    /// The address of the one that was made before.
    pub next: W,
    /// The address of its slots.
    pub slots: W,
    /// How many slots there are: a power of two.
    pub capacity: W,
    /// How many events it was ever given.
    pub n: W,
    /// The first number of this recording.
    pub from: W,
    /// The OS thread that it is of in the lower half, and its core in the upper one; 0 if all share it.
    pub place: W,
}

/// Nothing is recorded.
pub const OFF: u64 = 0;
/// Somebody from outside has asked.
pub const ASKED: u64 = 1;
/// From the start of the process.
pub const FROM_START: u64 = 2;

/// Events at the old end of a ring that may be written over while it is read.
pub const SLACK: u64 = 64;

/// How long events are there to be read once the time is over that was asked for.
pub const LINGER_NS: u64 = 30_000_000_000;

/// Events of a ring that is made from outside, or by default: 16 MB.
pub const N_EVENTS: u64 = 1 << 20;

impl Control {
    /// How long it is.
    pub const LEN: usize = size_of::<Self>();

    /// What lies in memory.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut words = words(bytes);
        let mut word = || words.next().unwrap_or_default();
        Self {
            until_ns: word(),
            n_events: word(),
            state: word(),
            began_ns: word(),
            began_unix_ns: word(),
            rings: word(),
            n_cores: word(),
        }
    }
}

impl Ring {
    /// How long it is.
    pub const LEN: usize = size_of::<Self>();

    /// What lies in memory.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let mut words = words(bytes);
        let mut word = || words.next().unwrap_or_default();
        Self {
            next: word(),
            slots: word(),
            capacity: word(),
            n: word(),
            from: word(),
            place: word(),
        }
    }

    /// The numbers of the events that it has kept of this recording, when it had been given `n` and later
    /// was found to have been given `n_after`; and how many it has lost.
    #[must_use]
    pub fn kept(&self, n: u64, n_after: u64) -> (std::ops::Range<u64>, u64) {
        let is_full = n_after.saturating_sub(self.from) > self.capacity.saturating_sub(SLACK);
        let oldest = n_after.saturating_sub(self.capacity.saturating_sub(SLACK));
        let first = if is_full { oldest.max(self.from).min(n) } else { self.from.min(n) };
        (first..n, first - self.from.min(n))
    }
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_written_over_is_not_read() {
        let of = |from| Ring { next: 0, slots: 0, capacity: 1024, n: 0, from, place: 0 };
        assert_eq!(of(0).kept(10, 10), (0..10, 0));
        assert_eq!(of(7).kept(10, 12), (7..10, 0));
        assert_eq!(of(0).kept(2_000, 2_000), (1_040..2_000, 1_040));
        assert_eq!(of(500).kept(2_000, 2_100), (1_140..2_000, 640));
        assert_eq!(of(1_990).kept(2_000, 2_000), (1_990..2_000, 0));
        assert_eq!(of(0).kept(2_000, 9_000), (2_000..2_000, 2_000), "it was too slow");
    }
}

//! The events of a run: what happens to green threads and on workers, 16 bytes each.
//!
//! ```text
//!   bits of the first word     what
//!   0..48                      when, in nanoseconds since the trace began (78 hours)
//!   48..56                     the kind
//!   56..64                     a detail: of a park its reason
//!   bits of the second word
//!   0..32                      the green thread that it happens to: the lower half of its number
//!   32..64                     another one, or a count: see the kind
//! ```
//!
//! Each worker has a ring of its own, so an event does not say where it was: whoever reads the ring knows.
//! Half a number is enough to tell threads apart, for a ring does not reach back over four thousand million
//! spawns.

/// An event, as it lies in a ring and in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Event(pub [u64; 2]);

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A thread was spawned; the other one has spawned it, or 0 for an OS thread.
    Spawn = 1,
    /// A thread's first run begins, on this worker.
    Start = 2,
    /// A later run begins, on this worker.
    Run = 3,
    /// The run ends: the thread waits. The detail is the reason.
    Park = 4,
    /// The run ends: the thread lets others run.
    Yield = 5,
    /// The run ends, and so does the thread.
    End = 6,
    /// A thread that waited may run; the other one has woken it, or 0 for an event or a deadline.
    Wake = 7,
    /// A blocking section begins in the run.
    Section = 8,
    /// The blocking section ends.
    SectionEnd = 9,
    /// The worker has lost its core to another, in a run or a section.
    HandOver = 10,
    /// The worker looks at its event loop; the other is how many events there were.
    Look = 11,
    /// The worker took threads from another core; the other is how many.
    Steal = 12,
    /// The worker sleeps until something comes.
    Sleep = 13,
    /// It is awake again.
    Awake = 14,
}

const KINDS: [Kind; 14] = [
    Kind::Spawn,
    Kind::Start,
    Kind::Run,
    Kind::Park,
    Kind::Yield,
    Kind::End,
    Kind::Wake,
    Kind::Section,
    Kind::SectionEnd,
    Kind::HandOver,
    Kind::Look,
    Kind::Steal,
    Kind::Sleep,
    Kind::Awake,
];

impl Event {
    const TIME: u64 = (1 << 48) - 1;

    /// An event at `at_ns`.
    #[inline]
    #[must_use]
    pub const fn new(at_ns: u64, kind: Kind, detail: u8, thread: u32, other: u32) -> Self {
        let first = at_ns & Self::TIME | (kind as u64) << 48 | (detail as u64) << 56;
        Self([first, thread as u64 | (other as u64) << 32])
    }

    /// When, in nanoseconds since the trace began.
    #[must_use]
    pub const fn at_ns(self) -> u64 {
        self.0[0] & Self::TIME
    }

    /// What has happened; `None` if this is no event.
    #[must_use]
    pub fn kind(self) -> Option<Kind> {
        let number = (self.0[0] >> 48) as u8;
        KINDS.get(usize::from(number).checked_sub(1)?).copied()
    }

    /// The detail of its kind.
    #[must_use]
    pub const fn detail(self) -> u8 {
        (self.0[0] >> 56) as u8
    }

    /// The thread that it happens to; 0 for none.
    #[must_use]
    pub const fn thread(self) -> u32 {
        self.0[1] as u32
    }

    /// The other thread, or the count.
    #[must_use]
    pub const fn other(self) -> u32 {
        (self.0[1] >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_says_what_it_was_made_of() {
        assert_eq!(size_of::<Event>(), 16);
        for kind in KINDS {
            let event = Event::new(Event::TIME, kind, 255, u32::MAX, 7);
            assert_eq!(event.kind(), Some(kind));
            let rest = (event.at_ns(), event.detail(), event.thread(), event.other());
            assert_eq!(rest, (Event::TIME, 255, u32::MAX, 7));
        }
        assert_eq!(Event([0, 0]).kind(), None);
        assert_eq!(Event([15 << 48, 0]).kind(), None);
    }
}

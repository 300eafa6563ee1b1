//! What is known of the readiness of one direction of a descriptor.
//!
//! A word of the *file*, which counts those that have come and gone under the number, a *tick*, which
//! counts the kernel's edges, and flags:
//!
//! | flag | meaning |
//! |---|---|
//! | UNSTEADY | a call may stop short although more is there: an error or urgent data has come, or it is no stream that a program has brought along. Never EMPTY again |
//! | CLOSED | no further edge is to be expected, since the direction is shut: never EMPTY again |
//! | MARKED | a read has to wait until there is as much as the program has asked for (`SO_RCVLOWAT`), which the kernel alone can do |
//!
//! And a note: the word at which a call has last found nothing, or has left nothing. While the two are
//! the same the direction is EMPTY, and trying is in vain.
//!
//! A caller looks at both first. Unless the direction is EMPTY it tries. What it learns it notes of the
//! word that it saw: an edge in between has changed the tick, and the note means nothing. Nor does it
//! when another one overwrites it: then a try is made that was in vain.
//!
//! So a stream that was read short is EMPTY, and the next read waits without a system call.
//!
//! A word never comes again. So what a caller has seen of an earlier file, or before the descriptor was
//! announced once more, is never taken for the present state. (The tick wraps, after more edges than
//! there are between a look and what follows it.)

use crate::primitive::{AtomicU64, Ordering};

const UNSTEADY: u64 = 1;
const CLOSED: u64 = 2;
const MARKED: u64 = 4;
const TICK: u64 = 8;
/// The tick's bits: 0 until an edge of the file is known.
const TICKS: u64 = FILE - TICK;
const FILE: u64 = 1 << 32;

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
    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.is_empty
    }

    /// Whether the direction is shut.
    #[inline]
    pub(super) fn is_closed(self) -> bool {
        self.word & CLOSED != 0
    }

    /// Whether a read has to wait for more than something.
    #[inline]
    pub(crate) fn is_marked(self) -> bool {
        self.word & MARKED != 0
    }
}

/// What has happened since a caller looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    /// It may be worth while to try.
    Some,
    /// The number does not mean the file any more.
    OtherFile,
}

/// One direction. What changes the word does so under the entry's lock.
pub(super) struct Side {
    word: AtomicU64,
    /// The word at which there was nothing.
    empty_at: AtomicU64,
}

impl Side {
    pub(super) fn new() -> Self {
        Self { word: AtomicU64::new(0), empty_at: AtomicU64::new(NEVER) }
    }

    #[inline]
    pub(super) fn look(&self) -> Seen {
        // Acquire pairs with the release in `set`: the try that follows sees what came.
        let word = self.word.load(Ordering::Acquire);
        // Orders nothing, like the note itself: a hint about the kernel's state at that word.
        Seen { word, is_empty: self.empty_at.load(Ordering::Relaxed) == word }
    }

    /// A call has found nothing, or has left nothing, since `seen`.
    #[inline]
    pub(super) fn note_empty(&self, seen: Seen) {
        // Before an edge none may ever come that could make the note void.
        if seen.word & (CLOSED | UNSTEADY | MARKED) == 0 && seen.word & TICKS != 0 {
            self.empty_at.store(seen.word, Ordering::Relaxed);
        }
    }

    /// Nothing is noted any more.
    pub(super) fn forget_note(&self) {
        self.empty_at.store(NEVER, Ordering::Relaxed);
    }

    /// What has happened since `seen`. Nothing is missed under the entry's lock, or by who was woken.
    #[inline]
    pub(super) fn news(&self, seen: Seen) -> News {
        let changed = self.word.load(Ordering::Relaxed) ^ seen.word;
        match changed {
            0 => News::None,
            _ if changed < FILE => News::Some,
            _ => News::OtherFile,
        }
    }

    /// Whether the number means another file than it did at `seen`.
    pub(super) fn is_other_file(&self, seen: Seen) -> bool {
        self.news(seen) == News::OtherFile
    }

    fn word(&self) -> u64 {
        self.word.load(Ordering::Relaxed)
    }

    fn set(&self, word: u64) {
        // Release pairs with the acquire in `look`.
        self.word.store(word, Ordering::Release);
    }

    /// The kernel's edge.
    pub(super) fn edge(&self, closed: bool, unsteady: bool) {
        let flag = |set, flag| if set { flag } else { 0 };
        let word = self.word();
        let tick = (word + TICK) & TICKS;
        self.set(word & !TICKS | tick | flag(closed, CLOSED) | flag(unsteady, UNSTEADY));
    }

    /// The descriptor is announced, perhaps once more: nothing is known of it.
    pub(super) fn begin(&self) {
        self.forget_note();
        let word = self.word();
        if word & TICKS != 0 {
            self.edge(false, false);
        }
        self.set(self.word() & !(UNSTEADY | CLOSED | MARKED));
    }

    /// The number means another file from now on.
    pub(super) fn next_file(&self) {
        self.forget_note();
        self.set((self.word() | (FILE - 1)).wrapping_add(1));
    }

    /// Nothing is EMPTY from now on, until the descriptor goes out.
    pub(super) fn distrust(&self) {
        self.set(self.word() | UNSTEADY);
    }

    pub(super) fn is_distrusted(&self) -> bool {
        self.word() & UNSTEADY != 0
    }

    /// Says whether a read has to wait for more than something.
    pub(super) fn set_marked(&self, marked: bool) {
        let word = self.word();
        self.set(if marked { word | MARKED } else { word & !MARKED });
    }

    pub(super) fn is_marked(&self) -> bool {
        self.word() & MARKED != 0
    }
}

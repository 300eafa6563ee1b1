//! Which blocking sections are going to last, by how others of their kind did.
//!
//! A section keeps its worker's core until the monitor has seen that it lasts (`sections`). That is
//! right for one that does not block, and a loss for one that does. For some 50 µs, or longer beside
//! many short ones, nobody uses the core, and each look takes time from somebody. So where sections
//! of a kind have lasted, the next one hands the core off before it makes its call.
//!
//! A kind is the name of the type of the function that blocks: a function of a program, as good as
//! always. What is known of it is a number:
//!
//! | the section | the number |
//! |---|---|
//! | lost its core | one more |
//! | handed it off, and took long | one more |
//! | kept its core, or handed it off in vain | one less |
//!
//! From two on a section hands its core off. So it takes two in a row to begin with. Where fewer than
//! half of them last it does not stay so. A call that only waited for a processor, on a machine with
//! too much to do, makes no difference.
//!
//! Two kinds may share a number, and two sections change it at the same time: it is no more than a
//! guess, and orders nothing.

use std::any;
use std::time::Duration;

use crate::primitive::{AtomicU8, Ordering};

/// A prime, so that names of one length do not meet.
const KINDS: usize = 61;

const LASTS: u8 = 2;
const MOST: u8 = 4;

/// What a core is worth being handed off for: two switches and a wake-up of an OS thread.
const LONG: Duration = Duration::from_micros(50);

pub(super) struct Habits([AtomicU8; KINDS]);

/// That of one kind.
#[derive(Clone, Copy)]
pub(super) struct Habit<'a>(&'a AtomicU8);

impl Habits {
    pub(super) fn new() -> Self {
        Self([const { AtomicU8::new(0) }; KINDS])
    }

    /// The habit of sections that run an `F`.
    pub(super) fn of<F>(&self) -> Habit<'_> {
        Habit(&self.0[any::type_name::<F>().as_ptr().addr() % KINDS])
    }
}

impl Habit<'_> {
    /// Whether the next section of this kind is going to last, as far as one can tell.
    #[inline]
    pub(super) fn lasts(self) -> bool {
        self.0.load(Ordering::Relaxed) >= LASTS
    }

    /// A section is over that had its core at the beginning.
    #[inline]
    pub(super) fn note(self, kept: bool) {
        let number = self.0.load(Ordering::Relaxed);
        let next = if kept { number.saturating_sub(1) } else { MOST.min(number + 1) };
        // Most sections are short: then this is one more reader, and nobody writes.
        if next != number {
            self.0.store(next, Ordering::Relaxed);
        }
    }

    /// A section is over that has handed its core off, and took so long.
    pub(super) fn note_handed_off(self, took_ns: u64) {
        self.note(u128::from(took_ns) < LONG.as_nanos());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_that_last_make_a_habit_and_one_does_not() {
        let habits = Habits::new();
        let habit = habits.of::<()>();
        habit.note(false);
        assert!(!habit.lasts());
        habit.note(true);
        habit.note(false);
        assert!(!habit.lasts());
        habit.note(false);
        assert!(habit.lasts());
    }

    #[test]
    fn short_ones_end_it_however_long_it_was() {
        let habits = Habits::new();
        let habit = habits.of::<()>();
        (0..1_000).for_each(|_| habit.note(false));
        (0..3).for_each(|_| habit.note(true));
        assert!(!habit.lasts());
    }

    #[test]
    fn who_hands_off_in_vain_does_not_for_ever() {
        let habits = Habits::new();
        let habit = habits.of::<()>();
        (0..3).for_each(|_| habit.note(false));
        while habit.lasts() {
            habit.note_handed_off(0);
        }
    }
}

//! What a thread wears: a byte that says which signals it has blocked.
//!
//! The kernel has a signal mask for each OS thread, POSIX one for each thread. A green thread's own is put
//! on the OS thread that runs it. Most programs never change one, so all wear the same, and a switch has
//! nothing to do. What it costs them is a byte of the next task, compared with that of the last one, where
//! the question was whether the next has started.
//!
//! | byte of a task | |
//! |---|---|
//! | up to 61 | the number of its mask in a table (below): `FIRST` is that of who started the runtime, and `COVERED` blocks all there is to block |
//! | `ATTENDED` | each of its runs begins and ends the slow way, where its mask is put on, if the table has no room for it, and its processor time counted, if it has asked for that |
//! | `IN_RUN` | the same while it runs: no task that waits has an equal byte |
//! | with `UNSTARTED` | it has not started: no task that runs has an equal byte |
//! | with `LASTS` | its last run was a long one, and its next goes `apart`: no task that runs has an equal byte |
//!
//! The lease of a worker has such a byte, too: what the worker wears, `IN_RUN` being the mask of one that
//! is attended.
//!
//! Who puts on what, and when, is in `scheduler::wardrobe`.
//!
//! # The table
//!
//! It holds each mask that a thread has had, once, and only grows, so that a number means the same
//! forever. An entry is free until somebody writes a mask to it, by an exchange. Who comes second finds
//! the mask of the first: either it is the same, or the search goes on behind it. So the entries in use
//! are the first ones, and no mask is there twice: whoever looks for it passes the place where it was
//! entered.
//!
//! A number comes with whatever hands a task from one thread to the next. An entry never changes, and so
//! its readers need no order but that.

use crate::primitive::{AtomicU64, Ordering, global};

/// Masks that have a number.
#[cfg(not(sylvan_loom))]
const N_MASKS: usize = 62;
#[cfg(sylvan_loom)]
const N_MASKS: usize = 2;

/// No mask: in each of them this bit is zero, for nobody can block SIGKILL.
const FREE: u64 = 1 << 8;

global! {
    static MASKS: Table = Table::new();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dress(u8);

impl Dress {
    pub(crate) const FIRST: Self = Self(0);
    pub(crate) const COVERED: Self = Self(1);
    pub(crate) const ATTENDED: Self = Self(0x3e);
    pub(crate) const IN_RUN: Self = Self(0x3f);

    /// That of a thread with this mask; `None` if the table is full of others.
    pub(crate) fn of(mask: u64) -> Option<Self> {
        MASKS.number(mask).map(Self)
    }

    /// The mask, where it says which.
    pub(crate) fn mask(self) -> Option<u64> {
        MASKS.get(self.running().0)
    }

    /// The same for a thread that has not started.
    pub(crate) const fn unstarted(self) -> Self {
        Self(self.0 | UNSTARTED)
    }

    /// The same for a thread that runs.
    pub(crate) fn running(self) -> Self {
        Self(self.0 & !(UNSTARTED | LASTS))
    }

    /// The same for a thread whose next run is expected to be a long one.
    pub(crate) fn lasting(self) -> Self {
        Self(self.0 | LASTS)
    }

    /// Of a thread that waits for its turn: whether it is `lasting`.
    pub(crate) fn lasts(self) -> bool {
        self.0 & LASTS != 0
    }

    pub(crate) fn to_byte(self) -> u8 {
        self.0
    }

    pub(crate) fn from_byte(byte: u8) -> Self {
        Self(byte)
    }
}

const UNSTARTED: u8 = 0x80;
const LASTS: u8 = 0x40;

/// `FIRST` and `COVERED` are that mask. Before anybody wears anything.
#[cfg(all(not(sylvan_loom), target_os = "linux"))]
pub(crate) fn cover(mask: u64) {
    MASKS.0[Dress::FIRST.0 as usize].store(mask, Ordering::Relaxed);
    MASKS.0[Dress::COVERED.0 as usize].store(mask, Ordering::Relaxed);
}

pub(crate) struct Table([AtomicU64; N_MASKS]);

impl Table {
    #[cfg(not(sylvan_loom))]
    pub(crate) const fn new() -> Self {
        let mut masks = [const { AtomicU64::new(FREE) }; N_MASKS];
        masks[Dress::COVERED.0 as usize] = AtomicU64::new(crate::sys::signal::ALL);
        Self(masks)
    }

    #[cfg(sylvan_loom)]
    pub(crate) fn new() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(FREE)))
    }

    /// The number of `mask`, entered if need be; `None` if there is no room.
    pub(crate) fn number(&self, mask: u64) -> Option<u8> {
        let is_it = |entry: &AtomicU64| {
            // Orders nothing, here and below: the entry is all there is to see.
            let found = match entry.load(Ordering::Relaxed) {
                FREE => entry
                    .compare_exchange(FREE, mask, Ordering::Relaxed, Ordering::Relaxed)
                    .map_or_else(|found| found, |_| mask),
                found => found,
            };
            found == mask
        };
        let number = self.0.iter().position(is_it)?;
        Some(number as u8)
    }

    /// The mask of that number, if it is one.
    pub(crate) fn get(&self, number: u8) -> Option<u64> {
        let mask = self.0.get(usize::from(number))?.load(Ordering::Relaxed);
        (mask != FREE).then_some(mask)
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_mask_has_one_number_and_each_state_a_byte_of_its_own() {
        let table = Table::new();
        let numbers = (0..N_MASKS as u8).filter(|number| *number != Dress::COVERED.0);
        for number in numbers.clone() {
            assert_eq!(table.number(number.into()), Some(number));
        }
        for number in numbers {
            assert_eq!(table.number(number.into()), Some(number));
            assert_eq!(table.get(number), Some(number.into()));
        }
        assert_eq!(table.number(crate::sys::signal::ALL), Some(Dress::COVERED.0));
        assert_eq!(table.number(1 << 40), None);
        let numbers = (0..N_MASKS as u8).map(Dress::from_byte);
        for dress in numbers.chain([Dress::ATTENDED]) {
            assert!(!Dress::IN_RUN.lasts());
            for of_one_that_waits in [dress, dress.unstarted(), dress.lasting()] {
                assert_eq!(of_one_that_waits.running(), dress);
                assert_eq!(of_one_that_waits.mask(), dress.mask());
                assert_eq!(of_one_that_waits.lasts(), of_one_that_waits == dress.lasting());
                assert!(of_one_that_waits != Dress::IN_RUN);
            }
        }
    }
}

//! A short look at a word before a thread parks for it.
//!
//! A lock is mostly held for less time than it takes to park and to be woken, so the one who finds
//! it held looks again a few times. How often depends on what parking costs and on who could
//! change the word meanwhile:
//!
//! - An ordinary thread pays two system calls and two switches of the OS, some microseconds, and
//!   the holder runs on another processor or is about to. So 100 looks, as std does.
//! - A green thread pays some hundred nanoseconds, and the holder may be a green thread that waits
//!   for this very worker, which no look will ever see finish. So a handful of looks.
//!
//! Both are bounded: who still finds the word unsettled then parks.

use std::hint;
use std::sync::atomic::Ordering::Relaxed;

use super::primitive::{AtomicU32, is_green};

/// Looks of an ordinary thread; a `spin_loop` is 10 to 50 ns, so this is a few microseconds.
const LOOKS_ORDINARY: u32 = 100;

/// Looks of a green thread: about what it costs to park instead.
const LOOKS_GREEN: u32 = 4;

/// Reads `word` until `settled` accepts it or it is time to park; returns what was read last.
///
/// The read is relaxed: it is a hint, and who acts on it does so by a read-modify-write.
pub(super) fn until(word: &AtomicU32, settled: impl Fn(u32) -> bool) -> u32 {
    let mut seen = word.load(Relaxed);
    if settled(seen) {
        return seen;
    }
    let looks = if is_green() { LOOKS_GREEN } else { LOOKS_ORDINARY };
    for _ in 0..looks {
        hint::spin_loop();
        seen = word.load(Relaxed);
        if settled(seen) {
            break;
        }
    }
    seen
}

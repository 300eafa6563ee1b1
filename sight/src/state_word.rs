//! The word of a task's state, which says since when it is in it.
//!
//! | value | the task | since |
//! |---|---|---|
//! | [`RUNNING`] | runs, or has yielded or not started | is not known |
//! | below [`PARKED`], odd | was woken | the value, in units of 2^19 ns; of [`NOTIFIED`] it is not known |
//! | [`PARKED`] and above | has parked | what is above [`PARKED`], in units of 2^27 ns (134 ms) |
//!
//! Times are by the runtime's clock, as somebody has last read it before: 10 ms earlier, at most, while the machine
//! is not too busy for that. The time of a wake-up begins anew after 13 days. That of parking stays at its highest
//! value after nine years.

use std::time::Duration;

/// The task runs, or may run but was not woken.
pub const RUNNING: u32 = 0;
/// It was woken. In the low bits of each such word.
pub const NOTIFIED: u32 = 1;
/// The lowest word of a task that has parked.
pub const PARKED: u32 = 1 << 31;

const NOTIFIED_SHIFT: u32 = 19;
pub(crate) const PARKED_SHIFT: u32 = 27;

/// The word of a task that was woken at this time.
#[inline]
#[must_use]
pub const fn notified(now_ns: u64) -> u32 {
    (now_ns >> NOTIFIED_SHIFT) as u32 & !PARKED | NOTIFIED
}

/// The word of a task that has parked at this time.
#[inline]
#[must_use]
pub const fn parked(now_ns: u64) -> u32 {
    let n = now_ns >> PARKED_SHIFT;
    if n < PARKED as u64 { PARKED + n as u32 } else { u32::MAX }
}

/// For how long a task has been in the state that the word says, at this time; `None` if it is not known.
#[must_use]
pub fn age(word: u32, now_ns: u64) -> Option<Duration> {
    let ns = match word {
        RUNNING | NOTIFIED => return None,
        PARKED.. => now_ns.saturating_sub(u64::from(word - PARKED) << PARKED_SHIFT),
        _ => {
            let n = notified(now_ns).wrapping_sub(word) & !PARKED;
            // Whoever looks has read the clock before the task was woken.
            let n = if n > PARKED / 2 { 0 } else { n };
            u64::from(n) << NOTIFIED_SHIFT
        }
    };
    Some(Duration::from_nanos(ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const DAY: u64 = 86_400 * SECOND;

    fn seconds(age: Option<Duration>) -> f64 {
        age.expect("it is known").as_secs_f64()
    }

    #[test]
    fn the_age_of_a_parked_thread_is_good_to_134_ms_for_nine_years() {
        for begin in [0, SECOND, 3 * DAY, 9 * 365 * DAY] {
            for waited in [0, SECOND / 3, 14 * SECOND, 200 * DAY] {
                let age = seconds(age(parked(begin), begin + waited));
                let late = age - Duration::from_nanos(waited).as_secs_f64();
                assert!((0.0..0.135).contains(&late), "{begin} {waited}: {age}");
            }
        }
    }

    #[test]
    fn the_age_of_one_that_was_woken_is_good_to_a_millisecond_also_where_its_time_begins_anew() {
        for begin in [SECOND, 13 * DAY, 13 * DAY + DAY / 32 - SECOND, 400 * DAY] {
            for waited in [0, SECOND / 50, 14 * SECOND, DAY] {
                let age = seconds(age(notified(begin), begin + waited));
                let off = age - Duration::from_nanos(waited).as_secs_f64();
                assert!(off.abs() < 0.0011, "{begin} {waited}: {age}");
            }
        }
    }

    #[test]
    fn what_has_begun_behind_the_look_has_lasted_for_no_time() {
        assert_eq!(age(notified(2 * SECOND), SECOND), Some(Duration::ZERO));
        assert_eq!(age(parked(2 * SECOND), SECOND), Some(Duration::ZERO));
    }

    #[test]
    fn of_a_thread_that_was_not_woken_or_at_no_known_time_no_age_is_known() {
        assert_eq!(age(RUNNING, SECOND), None);
        assert_eq!(age(NOTIFIED, SECOND), None);
    }

    #[test]
    fn each_state_has_words_of_its_own() {
        for now_ns in [0, SECOND, 13 * DAY, 10_000 * DAY, u64::MAX] {
            assert!((NOTIFIED..PARKED).contains(&notified(now_ns)), "{now_ns}");
            assert!(parked(now_ns) >= PARKED, "{now_ns}");
        }
    }
}

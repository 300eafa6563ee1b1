//! Deadlines as POSIX has them: a time of a clock, or a length of time from now on.
//!
//! A wait counts by the monotonic clock. A deadline of the real-time clock is as far ahead as that clock
//! says when the wait begins; where it is set anew meanwhile the wait does not follow.

use std::time::{Duration, Instant};

use libc::{CLOCK_MONOTONIC, CLOCK_REALTIME, c_int, clockid_t, timespec};

const NS_PER_SEC: i64 = 1_000_000_000;

/// The clock is none that a wait can go by, or the time is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Invalid;

/// Until when a wait lasts.
pub(crate) type Deadline = Option<Instant>;

/// Whether a wait can go by this clock.
pub(crate) fn is_clock(clock: clockid_t) -> bool {
    clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC
}

fn nanoseconds(time: &timespec) -> Result<u32, Invalid> {
    u32::try_from(time.tv_nsec).ok().filter(|_| time.tv_nsec < NS_PER_SEC).ok_or(Invalid)
}

/// A time of a clock. What lies before the clock's beginning has passed, and what is too far ahead never
/// comes.
pub(crate) fn at(clock: clockid_t, time: &timespec) -> Result<Deadline, Invalid> {
    let nanoseconds = nanoseconds(time)?;
    if !is_clock(clock) {
        return Err(Invalid);
    }
    let Ok(seconds) = u64::try_from(time.tv_sec) else { return Ok(Some(Instant::now())) };
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the time.
    let read: c_int = unsafe { libc::clock_gettime(clock, &raw mut now) };
    debug_assert_eq!(read, 0, "both clocks are always there");
    let now_of_clock =
        Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0));
    let left = Duration::new(seconds, nanoseconds).saturating_sub(now_of_clock);
    Ok(Instant::now().checked_add(left))
}

/// A length of time.
pub(crate) fn length(time: &timespec) -> Result<Duration, Invalid> {
    let seconds = u64::try_from(time.tv_sec).map_err(|_| Invalid)?;
    Ok(Duration::new(seconds, nanoseconds(time)?))
}

/// A length of time from now on.
pub(crate) fn after(time: &timespec) -> Result<Deadline, Invalid> {
    Ok(Instant::now().checked_add(length(time)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(tv_sec: i64, tv_nsec: i64) -> timespec {
        timespec { tv_sec, tv_nsec }
    }

    #[test]
    fn what_is_no_time_of_no_clock_is_refused() {
        assert_eq!(at(CLOCK_REALTIME, &time(1, -1)), Err(Invalid));
        assert_eq!(at(CLOCK_REALTIME, &time(1, NS_PER_SEC)), Err(Invalid));
        assert_eq!(at(libc::CLOCK_PROCESS_CPUTIME_ID, &time(1, 0)), Err(Invalid));
        assert_eq!(after(&time(-1, 0)), Err(Invalid));
    }

    #[test]
    fn the_past_is_over_and_the_far_future_never_comes() {
        for clock in [CLOCK_REALTIME, CLOCK_MONOTONIC] {
            assert!(at(clock, &time(-5, 0)).unwrap().unwrap() <= Instant::now());
            assert!(at(clock, &time(0, 0)).unwrap().unwrap() <= Instant::now());
            let never = at(clock, &time(i64::MAX, 0)).unwrap();
            assert!(
                never.is_none_or(|never| never > Instant::now() + Duration::from_secs(1 << 40))
            );
        }
        assert!(after(&time(i64::MAX, 0)).is_ok());
    }

    #[test]
    fn a_second_from_now_is_one_by_both_clocks() {
        for clock in [CLOCK_REALTIME, CLOCK_MONOTONIC] {
            let mut now = time(0, 0);
            // SAFETY: a place for the time.
            unsafe { libc::clock_gettime(clock, &raw mut now) };
            let before = Instant::now();
            let deadline = at(clock, &time(now.tv_sec + 1, now.tv_nsec)).unwrap().unwrap();
            assert!(deadline <= Instant::now() + Duration::from_secs(1));
            assert!(deadline > before + Duration::from_millis(500));
        }
    }
}

//! `epoll`, edge-triggered, with an `eventfd` to wake a wait.
//!
//! The eventfd is readable for good, and registered edge-triggered. To modify the registration is an
//! edge once more: that is how a wait is woken. Nothing is written, so that a number that the program has
//! taken away meanwhile comes to no harm: the call fails, unless both numbers are what they were.
//!
//! A wait is an `epoll_pwait2`, whose timeout is in nanoseconds: a `sleep` of 100 µs is to take about
//! that long. Where there is no such call (before Linux 5.11, in Valgrind) it is an `epoll_pwait`, and
//! deadlines are late by up to a millisecond.
//!
//! The kernel may be late by a thousandth of a timeout, and by a two hundredth in a thread that is nice, up to
//! 100 ms; a thread of the OS's that sleeps is late by 50 µs at most. So a long wait is ended early by that much, and
//! the worker, which finds nothing due, waits for the rest (`asked`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
#[cfg(not(target_os = "android"))]
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::{BATCH, Event, file, high, kernel};
use crate::primitive::{AtomicBool, AtomicI32, Ordering};

/// The token of the wake-up descriptor; no registration has it.
const WAKE: u64 = u64::MAX;

/// Whether the kernel has been found to have the older call alone.
static IN_MILLISECONDS: AtomicBool = AtomicBool::new(false);

/// Timeouts from here on are asked for in parts: a thousandth of it is what a sleep may be late by.
const LONG: Duration = Duration::from_millis(64);

/// The kernel is late by no more than this.
const LATE_MAX: Duration = Duration::from_millis(100);

/// What is asked for of the eventfd.
const WAKE_FLAGS: epoll::EventFlags = epoll::EventFlags::IN.union(epoll::EventFlags::ET);

/// One event loop of the kernel. Once the runtime has started it lasts to the end of the process.
#[derive(Debug)]
pub(crate) struct Poller {
    /// The numbers of the two descriptors, which may change.
    epoll: AtomicI32,
    wake: AtomicI32,
}

/// An event loop within the event loop: a descriptor that is readable while one of those in it is
/// ready, by their levels.
#[derive(Debug)]
pub(crate) struct Nested(OwnedFd);

impl Nested {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Puts `fd` in, with the `events` of `poll`, of which epoll's are the same bits; `false` if it
    /// is not open.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, events: i16) -> io::Result<bool> {
        let flags = epoll::EventFlags::from_bits_retain(events.cast_unsigned().into());
        match epoll::add(&self.0, fd, epoll::EventData::new_u64(0), flags) {
            Ok(()) => Ok(true),
            Err(Errno::BADF) => Ok(false),
            // What cannot be waited for is always ready, for whatever `poll` would have told.
            Err(Errno::PERM) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    pub(crate) fn into_fd(self) -> OwnedFd {
        self.0
    }
}

/// A descriptor that is readable once the process of this number has ended: a pidfd (Linux 5.3).
///
/// # Errors
///
/// What the kernel says: `ESRCH` if there is no such process, `ENOSYS` where there are no pidfds.
#[cfg(not(target_os = "android"))]
pub fn watch_exit(process: u32) -> io::Result<OwnedFd> {
    let process = Pid::from_raw(process.cast_signed()).ok_or(Errno::SRCH)?;
    Ok(pidfd_open(process, PidfdFlags::empty())?)
}

/// The same. Filters of system calls end a program of Android's that asks.
///
/// # Errors
///
/// That there is none.
#[cfg(target_os = "android")]
pub fn watch_exit(_: u32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Where a wait puts what it found.
pub(crate) struct Events(Vec<epoll::Event>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }

    /// How many the last wait has found, calls of `wake` included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the last wait has found that somebody calls `wake`.
    pub(crate) fn any_wake(&self) -> bool {
        self.0.iter().any(|event| event.data.u64() == WAKE)
    }

    /// What the last wait has found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        let registered = self.0.iter().filter(|event| event.data.u64() != WAKE);
        registered.map(|event| {
            let flags = event.flags;
            let has = |any| flags.intersects(any);
            let (hung_up, failed) = (epoll::EventFlags::HUP, epoll::EventFlags::ERR);
            let shut = epoll::EventFlags::RDHUP | hung_up;
            Event {
                token: event.data.u64(),
                readable: has(epoll::EventFlags::IN | epoll::EventFlags::PRI | shut | failed),
                writable: has(epoll::EventFlags::OUT | hung_up | failed),
                read_closed: has(shut),
                write_closed: has(hung_up),
                unsteady: has(epoll::EventFlags::PRI | failed),
            }
        })
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let [epoll, wake] = Self::make(0)?;
        Ok(Self { epoll: AtomicI32::new(epoll), wake: AtomicI32::new(wake) })
    }

    /// Both descriptors, under numbers above that one if they can be had.
    fn make(above: RawFd) -> io::Result<[RawFd; 2]> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(1, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let [epoll, wake] = [epoll, wake].map(|fd| high::moved_above(fd, above));
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), WAKE_FLAGS)?;
        Ok([epoll.into_raw_fd(), wake.into_raw_fd()])
    }

    /// Makes both descriptors anew: they are lost. `above` is the highest number that any of them had: a
    /// call that is on its way with an old number must not meet a new one.
    pub(crate) fn renew(&self, above: RawFd) -> io::Result<()> {
        let [epoll, wake] = Self::make(above)?;
        // Nothing goes by their order.
        self.epoll.store(epoll, Ordering::Relaxed);
        self.wake.store(wake, Ordering::Relaxed);
        Ok(())
    }

    /// The numbers that the program is to be kept from.
    pub(crate) fn numbers(&self) -> [RawFd; 2] {
        [&self.epoll, &self.wake].map(|number| number.load(Ordering::Relaxed))
    }

    /// If this is one of the two descriptors, has another number for it from now on: whether it is.
    pub(crate) fn move_away(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let [epoll, wake] = self.numbers();
        if fd.as_raw_fd() == epoll {
            self.epoll.store(high::duplicate(fd)?.into_raw_fd(), Ordering::Relaxed);
        } else if fd.as_raw_fd() == wake {
            let new = high::duplicate(fd)?;
            epoll::add(self.epoll(), &new, epoll::EventData::new_u64(WAKE), WAKE_FLAGS)?;
            self.wake.store(new.into_raw_fd(), Ordering::Relaxed);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What can be polled for whether a wait would find anything.
    pub(crate) fn pollable(&self) -> BorrowedFd<'_> {
        self.epoll()
    }

    fn epoll(&self) -> BorrowedFd<'_> {
        // SAFETY: not -1. Where the number is not this event loop's any more, what is asked of it fails.
        unsafe { BorrowedFd::borrow_raw(self.epoll.load(Ordering::Relaxed)) }
    }

    fn wake_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: as in `epoll`.
        unsafe { BorrowedFd::borrow_raw(self.wake.load(Ordering::Relaxed)) }
    }

    /// In a child of a fork: closes the descriptors, which are the parent's, too, and have to be left as
    /// they are. Unless the program has closed them, and may have others under their numbers: that the
    /// one is in the other says that they are ours.
    pub(crate) fn abandon(&self) {
        let nothing = epoll::EventFlags::empty();
        let [epoll, wake] = [self.epoll(), self.wake_fd()];
        match epoll::add(epoll, wake, epoll::EventData::new_u64(WAKE), nothing) {
            Err(Errno::EXIST) => {
                for number in self.numbers() {
                    // SAFETY: nobody uses the poller in the child, which does not drop it either.
                    unsafe { file::close(number) };
                }
            }
            // Another event loop.
            Ok(()) => drop(epoll::delete(epoll, wake)),
            Err(_) => {}
        }
    }

    /// Asks for edges of `fd` in both directions; a direction that is ready now is an edge.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::PRI
            | epoll::EventFlags::ET;
        match epoll::add(self.epoll(), fd, epoll::EventData::new_u64(token), flags) {
            // The same open file under the same number, left over from an owner that has gone
            // without saying so: it is ours now.
            Err(Errno::EXIST) => {
                epoll::modify(self.epoll(), fd, epoll::EventData::new_u64(token), flags)?;
            }
            other => other?,
        }
        Ok(())
    }

    /// Takes back `add`.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(self.epoll(), fd)?)
    }

    /// Waits for events, for at most `timeout` (`None`: without limit). A wait that is interrupted, or whose timeout is
    /// long, may end early, and empty.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.0.clear();
        let timeout = timeout.map(asked);
        let waited = if IN_MILLISECONDS.load(Ordering::Relaxed) {
            self.fill_in_milliseconds(events, timeout)
        } else {
            match self.fill(events, timeout) {
                // Some sandboxes forbid what they have not heard of.
                Err(Errno::NOSYS | Errno::PERM) => {
                    IN_MILLISECONDS.store(true, Ordering::Relaxed);
                    self.fill_in_milliseconds(events, timeout)
                }
                other => other,
            }
        };
        match waited {
            Err(Errno::INTR) => Ok(()),
            other => Ok(other?),
        }
    }

    fn fill(&self, events: &mut Events, timeout: Option<Duration>) -> Result<(), Errno> {
        let timeout = timeout.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let room = rustix::buffer::spare_capacity(&mut events.0);
        epoll::wait(self.epoll(), room, timeout.as_ref()).map(drop)
    }

    /// As `fill`, by the older call. What it cannot say (24 days) ends early, as a wait may.
    #[cold]
    fn fill_in_milliseconds(
        &self,
        events: &mut Events,
        timeout: Option<Duration>,
    ) -> Result<(), Errno> {
        let ms = timeout.map_or(-1, |left| {
            i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        let room = events.0.spare_capacity_mut();
        // `rustix` has but one of the two calls.
        // SAFETY: the kernel writes at most as many events as there is room for, in the layout of
        // its own that `epoll::Event` has, and is given no mask of signals.
        let waited = unsafe {
            let epoll = self.epoll.load(Ordering::Relaxed) as usize;
            let to = room.as_mut_ptr().expose_provenance();
            kernel::call(libc::SYS_epoll_pwait, [epoll, to, room.len(), ms as usize, 0, 0])
        };
        let n = waited.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))?;
        // SAFETY: the kernel has written that many, from the start of the empty vector on.
        unsafe { events.0.set_len(n) };
        Ok(())
    }

    /// Ends the wait that is going on, or the next one. An error: a descriptor is lost.
    pub(crate) fn wake(&self) -> io::Result<()> {
        Ok(epoll::modify(
            self.epoll(),
            self.wake_fd(),
            epoll::EventData::new_u64(WAKE),
            WAKE_FLAGS,
        )?)
    }
}

/// For how long the kernel is asked to wait at first.
fn asked(timeout: Duration) -> Duration {
    if timeout < LONG { timeout } else { timeout - (timeout / 128).min(LATE_MAX) }
}

impl Drop for Poller {
    /// Of one that was made in vain: the program has not had time for its numbers.
    fn drop(&mut self) {
        for number in self.numbers() {
            // SAFETY: owned, and not used after this.
            unsafe { file::close(number) };
        }
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However late the kernel is, no part of a long wait goes beyond the whole; and there are few parts.
        #[test]
        fn a_long_wait_is_late_by_less_than_a_short_one(ms in 1_u64..100_000_000, late_by in 200_u32..2_000) {
            let mut left = Duration::from_millis(ms);
            for _ in 0..4 {
                if left < LONG {
                    prop_assert_eq!(asked(left), left);
                    return Ok(());
                }
                let waited = asked(left) + (asked(left) / late_by).min(LATE_MAX);
                prop_assert!(waited <= left);
                left -= waited;
            }
            prop_assert!(false, "{left:?} are left of {ms} ms");
        }
    }
}

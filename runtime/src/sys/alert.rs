//! A wait that another thread ends, at once or a while later.
//!
//! The while is the kernel's to keep: whoever raises an alert for later does nothing more, and sleeps or runs on. On
//! Linux that is a timer of the waiting thread's own (`timer_create` with `SIGEV_THREAD_ID`), which the thread takes as
//! a signal (`rt_sigtimedwait`). It has no descriptor, so the program cannot close it, and no child of a fork has it.
//! The signal is the one that C libraries keep for timers of their own, and use the same way; it is blocked where it
//! is waited for, and no other thread ever gets one.
//!
//! Where there are no such timers, an alert for later is raised at once: its waiter looks too early.
//!
//! # Why none is lost
//!
//! A signal is pending until it is taken, and so an alert that comes before the wait ends it. If the kernel turns out to
//! refuse the wait, the waiter withdraws the timer and looks once more what it was to be alerted for. Whoever raises
//! an alert has written that before, and then looks for the timer, sequentially consistent like its withdrawal: so
//! the waiter sees what was written, or the other one finds no timer and changes the word.

use std::time::Duration;

use super::futex;
use crate::primitive::{AtomicU32, Ordering};

pub(crate) struct Alert {
    timer: timer::Timer,
    /// Where there is no timer: whether one was raised since the last wait.
    raised: AtomicU32,
}

impl Alert {
    pub(crate) const fn new() -> Self {
        Self { timer: timer::Timer::new(), raised: AtomicU32::new(0) }
    }

    /// For the thread that is going to wait, before anybody may raise one.
    pub(crate) fn open(&self) {
        self.timer.open();
    }

    /// Waits for the next one, for at most `timeout`; may return early.
    pub(crate) fn wait(&self, timeout: Option<Duration>) {
        if !self.timer.wait(timeout) && self.raised.swap(0, Ordering::SeqCst) == 0 {
            futex::wait(&self.raised, 0, timeout);
        }
    }

    /// Has the wait end, or the next one, in a while, and not when one was to that was raised before.
    pub(crate) fn raise(&self, after: Duration) {
        if !self.timer.set(after) {
            self.raised.store(1, Ordering::SeqCst);
            futex::wake(&self.raised, 1);
        }
    }

    /// Has the wait not end, unless it is too late.
    pub(crate) fn withdraw(&self) {
        self.timer.unset();
    }
}

#[cfg(target_os = "linux")]
mod timer {
    use std::mem;
    use std::ptr;
    use std::time::Duration;

    use crate::primitive::{AtomicI32, Ordering};
    use crate::sys::{kernel, signal, thread};

    /// What C libraries on Linux keep for their own timers, below those that a program may use.
    const SIGNAL: i32 = 32;

    const NONE: i32 = -1;

    /// The kernel's number of the timer.
    pub(super) struct Timer(AtomicI32);

    impl Timer {
        pub(super) const fn new() -> Self {
            Self(AtomicI32::new(NONE))
        }

        /// For the calling thread.
        pub(super) fn open(&self) {
            if signal::change(libc::SIG_BLOCK, Some(signal::bit(SIGNAL))).is_err() {
                return;
            }
            // SAFETY: a plain structure of numbers and a pointer.
            let mut event: libc::sigevent = unsafe { mem::zeroed() };
            event.sigev_notify = libc::SIGEV_THREAD_ID;
            event.sigev_signo = SIGNAL;
            event.sigev_notify_thread_id = thread::id().cast_signed();
            let mut timer = NONE;
            let clock = libc::CLOCK_MONOTONIC as usize;
            let (event, to) = (&raw const event, &raw mut timer);
            let what = [clock, event.expose_provenance(), to.expose_provenance(), 0, 0, 0];
            // SAFETY: the kernel reads the event, and writes the number.
            if unsafe { kernel::call(libc::SYS_timer_create, what) }.is_ok() {
                self.0.store(timer, Ordering::SeqCst);
            }
        }

        /// Waits for it; whether there is one to wait for.
        pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
            if self.0.load(Ordering::Relaxed) == NONE {
                return false;
            }
            let signals = signal::bit(SIGNAL);
            let timeout = timeout.map(timespec);
            let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
            let from = (&raw const signals).expose_provenance();
            let what = [from, 0, timeout.expose_provenance(), size_of::<u64>(), 0, 0];
            // SAFETY: the kernel reads eight bytes of signals, and the time if there is one.
            let taken = unsafe { kernel::call(libc::SYS_rt_sigtimedwait, what) };
            let is_refused = taken.is_err_and(|error| {
                !matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR))
            });
            if is_refused {
                self.0.store(NONE, Ordering::SeqCst);
            }
            true
        }

        /// Sets it; `false` if there is none.
        pub(super) fn set(&self, after: Duration) -> bool {
            // Zero would unset it.
            self.set_time(after.max(Duration::from_nanos(1)))
        }

        pub(super) fn unset(&self) {
            self.set_time(Duration::ZERO);
        }

        fn set_time(&self, after: Duration) -> bool {
            let timer = self.0.load(Ordering::SeqCst);
            if timer == NONE {
                return false;
            }
            let it_interval = timespec(Duration::ZERO);
            let spec = libc::itimerspec { it_interval, it_value: timespec(after) };
            let from = (&raw const spec).expose_provenance();
            // SAFETY: the kernel reads the times.
            unsafe { kernel::call(libc::SYS_timer_settime, [timer as usize, 0, from, 0, 0, 0]) }
                .is_ok()
        }
    }

    fn timespec(time: Duration) -> libc::timespec {
        libc::timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: time.subsec_nanos().into(),
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod timer {
    use std::time::Duration;

    /// There is none.
    pub(super) struct Timer;

    impl Timer {
        pub(super) const fn new() -> Self {
            Self
        }

        #[expect(clippy::unused_self, reason = "as on Linux")]
        pub(super) fn open(&self) {}

        #[expect(clippy::unused_self, reason = "as on Linux")]
        pub(super) fn wait(&self, _: Option<Duration>) -> bool {
            false
        }

        #[expect(clippy::unused_self, reason = "as on Linux")]
        pub(super) fn set(&self, _: Duration) -> bool {
            false
        }

        #[expect(clippy::unused_self, reason = "as on Linux")]
        pub(super) fn unset(&self) {}
    }
}

#[cfg(all(test, not(sylvan_loom)))]
#[allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::Alert;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn an_alert_ends_the_wait_when_its_time_has_come() {
        let alert = Arc::new(Alert::new());
        let (tell, told) = mpsc::channel();
        let theirs = Arc::clone(&alert);
        let waiter = thread::spawn(move || {
            theirs.open();
            tell.send(()).unwrap();
            let begin = Instant::now();
            theirs.wait(Some(LONG));
            begin.elapsed()
        });
        told.recv().unwrap();
        let after = Duration::from_millis(50);
        let begin = Instant::now();
        alert.raise(after);
        let waited = waiter.join().unwrap();
        assert!(waited < LONG, "nobody has ended it");
        if cfg!(target_os = "linux") {
            assert!(begin.elapsed() >= after);
        }
    }

    #[test]
    fn one_that_was_raised_before_ends_the_wait_at_once() {
        let alert = Alert::new();
        alert.open();
        alert.raise(Duration::ZERO);
        let begin = Instant::now();
        alert.wait(Some(LONG));
        assert!(begin.elapsed() < LONG);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn one_that_was_withdrawn_does_not_come() {
        let alert = Alert::new();
        alert.open();
        alert.raise(Duration::from_millis(20));
        alert.withdraw();
        let begin = Instant::now();
        alert.wait(Some(Duration::from_millis(60)));
        assert!(begin.elapsed() >= Duration::from_millis(60));
    }

    #[test]
    fn a_wait_without_an_alert_ends_with_its_time() {
        let alert = Alert::new();
        alert.open();
        alert.wait(Some(Duration::from_millis(5)));
    }
}

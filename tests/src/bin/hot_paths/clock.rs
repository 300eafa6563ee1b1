//! The clock of a process that is counted, which goes on by readings.
//!
//! What a worker does depends on how much time has passed since it last looked at the clock, and on
//! how long it takes to read it: one who reads the kernel's page while the kernel writes it reads it
//! again. Where each instruction is a stop, both depend on the machine. So once the clock is stopped
//! each reading finds it a fixed time later than the one before.
//!
//! The C library's `clock_gettime`, which std calls, is this program's own: a symbol that a program
//! defines comes before the library's.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use libc::{SYS_clock_gettime, c_int, clockid_t, timespec};

/// From one reading to the next: more than the 20 µs within which a worker does not look at its
/// event loop again, so that looks are counted.
const STEP: Duration = Duration::from_micros(50);

/// What the next reading finds, in nanoseconds; 0 while the clock goes by itself.
static NEXT_NS: AtomicU64 = AtomicU64::new(0);

/// From now on the clock of this process goes on by readings.
pub(crate) fn stop() {
    let mut now = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: as the function below asks for.
    unsafe { clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    NEXT_NS.store(Duration::new(now.tv_sec as u64, now.tv_nsec as u32).as_nanos() as u64, Relaxed);
}

/// # Safety
///
/// `time` may be written to, as with the C library's.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if clock != libc::CLOCK_MONOTONIC || NEXT_NS.load(Relaxed) == 0 {
        // SAFETY: the caller's.
        return unsafe { libc::syscall(SYS_clock_gettime, clock, time) } as c_int;
    }
    let now = Duration::from_nanos(NEXT_NS.fetch_add(STEP.as_nanos() as u64, Relaxed));
    // SAFETY: the caller's.
    unsafe {
        *time = timespec { tv_sec: now.as_secs() as i64, tv_nsec: now.subsec_nanos().into() }
    };
    0
}

//! Starting a thread, and the ways of a thread to wait.

use std::time::{Duration, Instant};

use super::builder::Builder;
use super::join_handle::JoinHandle;
use crate::bridge;

/// Starts a green thread that runs `f`, and returns the handle to join it with.
///
/// [`Builder`] gives it a name or another stack size.
///
/// This corresponds to [`std::thread::spawn`].
///
/// # Panics
///
/// When the thread cannot be started; [`Builder::spawn`] returns an error instead.
///
/// # Examples
///
/// ```
/// use std_shim::thread;
///
/// let words = vec!["one", "two"];
/// let count = thread::spawn(move || words.len());
/// assert_eq!(count.join().unwrap(), 2);
/// ```
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T,
    F: Send + 'static,
    T: Send + 'static,
{
    Builder::new().spawn(f).expect("failed to spawn thread")
}

/// Lets the other threads that are ready to run go first.
///
/// Sends the calling green thread to the end of the queue; from an ordinary thread, yields to the
/// operating system.
///
/// This corresponds to [`std::thread::yield_now`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::atomic::{AtomicBool, Ordering};
/// use std_shim::thread;
///
/// let is_done = AtomicBool::new(false);
/// thread::scope(|scope| {
///     scope.spawn(|| is_done.store(true, Ordering::Release));
///     while !is_done.load(Ordering::Acquire) {
///         thread::yield_now();
///     }
/// });
/// ```
#[inline]
pub fn yield_now() {
    bridge::yield_now();
}

/// Waits for at least `dur`.
///
/// Parks the calling green thread; from an ordinary thread, blocks it.
///
/// This corresponds to [`std::thread::sleep`].
///
/// # Examples
///
/// ```
/// use std_shim::thread;
/// use std_shim::time::{Duration, Instant};
///
/// let start = Instant::now();
/// thread::sleep(Duration::from_millis(5));
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
pub fn sleep(dur: Duration) {
    match Instant::now().checked_add(dur) {
        Some(deadline) => bridge::sleep_until(deadline),
        // Beyond what the clock can say lies no deadline that anybody could see pass.
        None => loop {
            bridge::sleep_until(Instant::now() + CENTURY);
        },
    }
}

const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Waits for at least `ms` milliseconds.
///
/// This corresponds to [`std::thread::sleep_ms`].
#[deprecated(since = "1.6.0", note = "replaced by `std::thread::sleep`")]
pub fn sleep_ms(ms: u32) {
    sleep(Duration::from_millis(ms.into()));
}

/// Waits until the calling thread has its park token, and takes it.
///
/// [`Thread::unpark`](super::Thread::unpark) gives the token; given before, it is there at once.
/// May also return without a reason, so it belongs in a loop that looks for one. Never panics.
///
/// Parks the calling green thread; from an ordinary thread, blocks it.
///
/// This corresponds to [`std::thread::park`].
///
/// # Examples
///
/// ```
/// use std_shim::sync::Arc;
/// use std_shim::sync::atomic::{AtomicBool, Ordering};
/// use std_shim::thread;
///
/// let flag = Arc::new(AtomicBool::new(false));
/// let waiter = thread::spawn({
///     let flag = flag.clone();
///     move || {
///         while !flag.load(Ordering::Acquire) {
///             thread::park();
///         }
///     }
/// });
/// flag.store(true, Ordering::Release);
/// waiter.thread().unpark();
/// waiter.join().unwrap();
/// ```
pub fn park() {
    bridge::park();
}

/// Waits for the park token as [`park`] does, but no longer than about `ms` milliseconds.
///
/// This corresponds to [`std::thread::park_timeout_ms`].
#[deprecated(since = "1.6.0", note = "replaced by `std::thread::park_timeout`")]
pub fn park_timeout_ms(ms: u32) {
    park_timeout(Duration::from_millis(ms.into()));
}

/// Waits for the park token as [`park`] does, but no longer than about `dur`.
///
/// Does not tell whether it took the token.
///
/// Parks the calling green thread; from an ordinary thread, blocks it.
///
/// This corresponds to [`std::thread::park_timeout`].
///
/// # Examples
///
/// ```
/// use std_shim::thread;
/// use std_shim::time::{Duration, Instant};
///
/// // It may return early, so it belongs in a loop.
/// let deadline = Instant::now() + Duration::from_millis(5);
/// while let Some(left) = deadline.checked_duration_since(Instant::now()) {
///     thread::park_timeout(left);
/// }
/// ```
pub fn park_timeout(dur: Duration) {
    match Instant::now().checked_add(dur) {
        Some(deadline) => bridge::park_until(deadline),
        None => bridge::park(),
    }
}

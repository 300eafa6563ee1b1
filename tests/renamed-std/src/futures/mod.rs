//! A future run by a thread that parks: `Future`, `Wake`, `Pin`, channels and time.
//!
//! A module in a directory of its name.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Runs a future on the calling thread, which parks while there is nothing to do.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Is ready at its deadline; a thread of its own sees to that.
#[derive(Debug)]
pub struct Timer {
    deadline: Instant,
}

impl Timer {
    /// Returns a future that is ready after `time`.
    pub fn after(time: Duration) -> Timer {
        Timer { deadline: Instant::now() + time }
    }
}

impl Future for Timer {
    type Output = Instant;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Instant> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Poll::Ready(self.deadline);
        }
        let waker = context.waker().clone();
        thread::spawn(move || {
            thread::sleep(left);
            waker.wake();
        });
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_future_wakes_the_thread_that_waits_for_it() {
        let both = async {
            let first = Timer::after(Duration::from_millis(5)).await;
            let second = async { Timer::after(Duration::from_millis(5)).await };
            second.await.duration_since(first)
        };
        assert!(block_on(both) >= Duration::from_millis(5));
        assert_eq!(block_on(std::future::ready(7)), 7);
        assert_eq!(block_on(std::future::poll_fn(|_| Poll::Ready('7'))), '7');
    }
}

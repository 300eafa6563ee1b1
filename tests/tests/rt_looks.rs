//! The event loop is looked at, however many wait for their turn, and what it has not told yet counts.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use std_shim::os::unix::net::UnixStream;
use std_shim::thread;

use tests::counts::eventually;
use tests::process::Process;

tests::in_each_mode!(
    an_event_is_heard_beside_more_deadlines_than_can_be_met,
    data_that_came_in_time_is_read_after_the_timeout,
    a_wait_that_a_long_run_comes_before_has_all_of_its_time,
);

fn compute(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Three hundred threads want a tenth of the processor each, thirty times of what there is: their
/// deadlines alone keep the queue full for good.
fn an_event_is_heard_beside_more_deadlines_than_can_be_met(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let over = Arc::new(AtomicBool::new(false));
        let tick = |over: Arc<AtomicBool>| {
            while !over.load(Relaxed) {
                thread::sleep(Duration::from_millis(1));
                compute(Duration::from_micros(100));
            }
        };
        let start = |_| {
            let over = Arc::clone(&over);
            thread::spawn(move || tick(over))
        };
        let tickers: Vec<_> = (0..300).map(start).collect();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let echo = thread::spawn(move || {
            let mut byte = [0];
            while far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)).is_ok() {}
        });
        let rounds = thread::spawn(move || {
            let begin = Instant::now();
            for _ in 0..5 {
                near.write_all(&[7]).unwrap();
                near.read_exact(&mut [0]).unwrap();
            }
            begin.elapsed()
        });
        // Without a look none of them ever comes back.
        let until = Instant::now() + Duration::from_secs(20);
        while !rounds.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(rounds.is_finished(), "nobody has heard of the event");
        println!("five rounds took {:?}", rounds.join().unwrap());
        over.store(true, Relaxed);
        tickers.into_iter().for_each(|ticker| ticker.join().unwrap());
        echo.join().unwrap();
    });
}

/// The worker has not looked at the clock for as long as the run takes, which is not to count for the wait.
fn a_wait_that_a_long_run_comes_before_has_all_of_its_time(process: &Process) {
    /// Enough for a wait to go by what the worker has seen of the clock.
    const TIMEOUT: Duration = Duration::from_millis(600);
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let wait_after = |run_ms| {
            let (mut near, far) = UnixStream::pair().unwrap();
            near.set_read_timeout(Some(TIMEOUT)).unwrap();
            thread::spawn(move || {
                compute(Duration::from_millis(run_ms));
                let begin = Instant::now();
                let error = near.read(&mut [0]).unwrap_err();
                let waited = begin.elapsed();
                drop(far);
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                assert!(waited >= TIMEOUT, "{waited:?} after {run_ms} ms");
            })
        };
        let waits: Vec<_> = [0, 1, 3, 5, 8, 13, 30, 60].map(wait_after).into();
        waits.into_iter().for_each(|wait| wait.join().unwrap());
    });
}

/// The only worker computes while data comes for more readers than one look takes over, and on until
/// their time is up. std's readers have it.
fn data_that_came_in_time_is_read_after_the_timeout(process: &Process) {
    const READERS: usize = 100;
    const TIMEOUT: Duration = Duration::from_millis(100);
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        // Whether the machine has let the data come in time.
        let is_read_if_in_time = || {
            let (nears, fars): (Vec<_>, Vec<_>) =
                (0..READERS).map(|_| UnixStream::pair().unwrap()).unzip();
            let read = |mut far: UnixStream| {
                far.set_read_timeout(Some(TIMEOUT)).unwrap();
                thread::spawn(move || far.read(&mut [0]).map_err(|error| error.kind()))
            };
            let begin = Instant::now();
            let readers: Vec<_> = fars.into_iter().map(read).collect();
            std::thread::sleep(Duration::from_millis(30));
            let busy = thread::spawn(|| compute(2 * TIMEOUT));
            std::thread::sleep(Duration::from_millis(5));
            for mut near in &nears {
                near.write_all(&[7]).unwrap();
            }
            let is_in_time = begin.elapsed() < TIMEOUT;
            for reader in readers {
                let read = reader.join().unwrap();
                assert!(read == Ok(1) || !is_in_time, "{read:?}");
            }
            busy.join().unwrap();
            is_in_time
        };
        eventually("data comes in time", is_read_if_in_time);
    });
}

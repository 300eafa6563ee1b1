//! `scheduled-thread-pool`, which waits by `parking_lot`: see there.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crates::{Watch, are_thread_locals_shared, green};
use scheduled_thread_pool::ScheduledThreadPool;

const WHY: &str = "scheduled-thread-pool waits by parking_lot, which holds up the worker";

#[test]
fn jobs_run_when_they_are_due_and_not_once_they_are_cancelled() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let watch = Watch::begin();
        let pool = ScheduledThreadPool::new(4);
        let (sender, receiver) = mpsc::channel();
        let begin = Instant::now();
        // The later ones first.
        for n in (1..=10).rev() {
            let sender = sender.clone();
            let due = Duration::from_millis(30 * n);
            pool.execute_after(due, move || {
                assert!(begin.elapsed() >= due);
                sender.send(n).unwrap();
            });
        }
        let never = sender.clone();
        pool.execute_after(Duration::from_millis(200), move || never.send(0).unwrap()).cancel();
        drop(sender);
        let mut ran: Vec<u64> = receiver.iter().collect();
        ran.sort_unstable();
        assert_eq!(ran, (1..=10).collect::<Vec<_>>());
        watch.at_most(32, "four of scheduled-thread-pool's workers");
    });
}

#[test]
fn a_periodic_job_runs_again_until_it_is_cancelled() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let pool = ScheduledThreadPool::new(2);
        let (sender, receiver) = mpsc::channel();
        let period = Duration::from_millis(10);
        let begin = Instant::now();
        let job = pool.execute_at_fixed_rate(period, period, move || {
            let _ = sender.send(());
            thread::sleep(Duration::from_millis(1));
        });
        assert_eq!(receiver.iter().take(10).count(), 10);
        assert!(begin.elapsed() >= 10 * period);
        job.cancel();
        // What the job held is dropped with it.
        for () in receiver {}
    });
}

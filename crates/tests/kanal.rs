//! `kanal`, channels that spin for a while and then wait by std's `park`.

use std::thread;
use std::time::{Duration, Instant};

use crates::{Watch, crowd, green};
use kanal::{ReceiveErrorTimeout, bounded, unbounded};

#[test]
fn hundreds_wait_in_channels_on_few_os_threads() {
    green(|| {
        const CROWD: usize = 300;
        let watch = Watch::begin();
        let (numbers, work) = bounded(1);
        let (squares, results) = unbounded();
        let producer = thread::spawn(move || (0..3000_u64).for_each(|n| numbers.send(n).unwrap()));
        let taken = crowd(CROWD, move |_| {
            std::iter::from_fn(|| work.recv().ok()).map(|n| squares.send(n * n).unwrap()).count()
        });
        producer.join().unwrap();
        watch.at_most(CROWD / 2, "300 receivers of a bounded channel of kanal's");
        assert_eq!(taken.into_iter().sum::<usize>(), 3000);
        let sum: u64 = std::iter::from_fn(|| results.recv().ok()).sum();
        assert_eq!(sum, (0..3000).map(|n| n * n).sum());
    });
}

#[test]
fn a_sender_without_a_buffer_waits_for_who_receives() {
    green(|| {
        let (sender, receiver) = bounded::<u32>(0);
        let begin = Instant::now();
        let late = Duration::from_millis(50);
        let thread = thread::spawn(move || {
            thread::sleep(late);
            receiver.recv().unwrap()
        });
        sender.send(7).unwrap();
        assert!(begin.elapsed() >= late);
        assert_eq!(thread.join().unwrap(), 7);
    });
}

#[test]
fn a_timeout_is_on_time() {
    green(|| {
        let (sender, receiver) = unbounded::<u8>();
        let begin = Instant::now();
        let timeout = Duration::from_millis(50);
        assert_eq!(receiver.recv_timeout(timeout), Err(ReceiveErrorTimeout::Timeout));
        assert!(begin.elapsed() >= timeout);
        drop(sender);
    });
}

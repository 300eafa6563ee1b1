//! `signal-hook`: who waits for signals waits at a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crates::{Watch, green};
use signal_hook::consts::{SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use signal_hook::low_level::raise;

#[test]
fn forty_threads_wait_for_a_signal_and_each_hears_of_it() {
    green(|| {
        const CROWD: usize = 40;
        let watch = Watch::begin();
        let (heard, all) = channel();
        let waiters: Vec<_> = (0..CROWD)
            .map(|_| {
                let mut signals = Signals::new([SIGUSR1]).unwrap();
                let (handle, heard) = (signals.handle(), heard.clone());
                let waiter = thread::spawn(move || {
                    signals.forever().inspect(|_| heard.send(()).unwrap()).collect::<Vec<_>>()
                });
                (handle, waiter)
            })
            .collect();
        // They wait already, most likely.
        thread::sleep(Duration::from_millis(100));
        raise(SIGUSR1).unwrap();
        assert_eq!(all.iter().take(CROWD).count(), CROWD);
        watch.at_most(CROWD / 2, "forty who wait for a signal by signal-hook");
        for (handle, waiter) in waiters {
            handle.close();
            assert_eq!(waiter.join().unwrap(), [SIGUSR1]);
        }
    });
}

#[test]
fn a_flag_is_set() {
    green(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let id = signal_hook::flag::register(SIGUSR2, Arc::clone(&flag)).unwrap();
        raise(SIGUSR2).unwrap();
        while !flag.load(Relaxed) {
            thread::yield_now();
        }
        assert!(signal_hook::low_level::unregister(id));
    });
}

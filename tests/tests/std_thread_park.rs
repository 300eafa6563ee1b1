//! `std::thread`: park and its token, sleep, yield.
//!
//! `park` may return without a reason. Where a body claims that it does wait, it therefore asks
//! that it does so once in many attempts; a token that should not be there would end a few of
//! them, no more.

tests::on_each! {
    items {
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::{Acquire, Relaxed, Release}};
        use std::thread::{self, Thread};
        use std::time::{Duration, Instant};

        const SHORT: Duration = Duration::from_millis(10);
        const LONG: Duration = Duration::from_secs(30);

        fn wait_for(flag: &AtomicBool) {
            while !flag.load(Acquire) {
                thread::park();
            }
        }

        /// Whether `park_timeout` lasts its time, at least at the `attempts`th attempt.
        fn parks_within(attempts: usize) -> bool {
            (0..attempts).any(|_| {
                let start = Instant::now();
                thread::park_timeout(SHORT);
                start.elapsed() >= SHORT
            })
        }
    }

    fn unpark_before_park_returns_at_once() {
        let start = Instant::now();
        thread::current().unpark();
        thread::park_timeout(LONG);
        assert!(start.elapsed() < LONG);

        thread::current().unpark();
        thread::park();
    }

    fn unpark_ends_a_park() {
        let flag = Arc::new(AtomicBool::new(false));
        let parked = thread::spawn({
            let flag = flag.clone();
            move || wait_for(&flag)
        });
        thread::sleep(SHORT);
        assert!(!parked.is_finished());
        flag.store(true, Release);
        parked.thread().unpark();
        parked.join().unwrap();
    }

    fn unpark_crosses_between_ordinary_threads_and_these() {
        let flags = Arc::new([const { AtomicBool::new(false) }; 2]);
        let ordinary = ::std::thread::spawn({
            let (flags, caller) = (flags.clone(), thread::current());
            move || {
                let here = thread::current();
                let spawned = thread::spawn({
                    let flags = flags.clone();
                    move || {
                        wait_for(&flags[0]);
                        flags[1].store(true, Release);
                        here.unpark();
                    }
                });
                thread::sleep(SHORT);
                flags[0].store(true, Release);
                spawned.thread().unpark();
                wait_for(&flags[1]);
                spawned.join().unwrap();
                caller.unpark();
            }
        });
        wait_for(&flags[1]);
        ordinary.join().unwrap();
    }

    fn two_threads_hand_the_turn_to_each_other() {
        const ROUNDS: usize = 1000;

        fn take_turns(turn: &AtomicUsize, parity: usize, other: &Thread) {
            for n in (parity..2 * ROUNDS).step_by(2) {
                while turn.load(Acquire) != n {
                    thread::park();
                }
                turn.store(n + 1, Release);
                other.unpark();
            }
        }

        let turn = Arc::new(AtomicUsize::new(0));
        let other = thread::spawn({
            let (turn, caller) = (turn.clone(), thread::current());
            move || take_turns(&turn, 1, &caller)
        });
        take_turns(&turn, 0, other.thread());
        other.join().unwrap();
        assert_eq!(turn.load(Relaxed), 2 * ROUNDS);
    }

    fn tokens_do_not_add_up() {
        for _ in 0..100 {
            thread::current().unpark();
        }
        thread::park();
        assert!(parks_within(50));
    }

    fn a_timed_park_takes_the_token_even_without_time() {
        let taken = (0..20).any(|_| {
            thread::current().unpark();
            thread::park_timeout(Duration::ZERO);
            parks_within(1)
        });
        assert!(taken);
    }

    fn a_token_is_its_own_threads() {
        let other = thread::spawn(|| thread::sleep(SHORT));
        other.thread().unpark();
        assert!(parks_within(50));
        other.join().unwrap();
    }

    fn a_timed_park_ends_with_its_time() {
        let start = Instant::now();
        while start.elapsed() < SHORT {
            thread::park_timeout(SHORT.saturating_sub(start.elapsed()));
        }
        assert!(start.elapsed() < LONG);
    }

    fn unpark_ends_a_timed_park() {
        let flag = Arc::new(AtomicBool::new(false));
        let waker = thread::spawn({
            let (flag, caller) = (flag.clone(), thread::current());
            move || {
                thread::sleep(SHORT);
                flag.store(true, Release);
                caller.unpark();
            }
        });
        let start = Instant::now();
        while !flag.load(Acquire) {
            thread::park_timeout(LONG);
        }
        assert!(start.elapsed() < LONG);
        waker.join().unwrap();
    }

    fn park_with_the_longest_timeout_waits_for_the_token() {
        let flag = Arc::new(AtomicBool::new(false));
        let parked = thread::spawn({
            let flag = flag.clone();
            move || {
                while !flag.load(Acquire) {
                    thread::park_timeout(Duration::MAX);
                }
            }
        });
        thread::sleep(SHORT);
        assert!(!parked.is_finished());
        flag.store(true, Release);
        parked.thread().unpark();
        parked.join().unwrap();
    }

    fn unpark_of_an_ended_thread_does_nothing() {
        let handle = thread::spawn(|| ());
        let thread = handle.thread().clone();
        handle.join().unwrap();
        thread.unpark();
        thread.clone().unpark();
    }

    fn sleep_lasts_as_long_as_asked() {
        for millis in [0, 1, 20, 50] {
            let time = Duration::from_millis(millis);
            let start = Instant::now();
            thread::sleep(time);
            assert!(start.elapsed() >= time);
        }
    }

    fn unpark_does_not_end_a_sleep() {
        let start = Instant::now();
        let sleeper = thread::spawn(|| thread::sleep(SHORT * 5));
        while !sleeper.is_finished() {
            sleeper.thread().unpark();
            thread::yield_now();
        }
        assert!(start.elapsed() >= SHORT * 5);
    }

    fn sleepers_sleep_at_the_same_time() {
        let start = Instant::now();
        let sleepers: Vec<_> =
            (0..200).map(|_| thread::spawn(|| thread::sleep(Duration::from_millis(100)))).collect();
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
        assert!(start.elapsed() < Duration::from_secs(10));
    }

    fn the_longest_sleep_neither_panics_nor_ends() {
        let sleeper = thread::spawn(|| thread::sleep(Duration::MAX));
        thread::sleep(SHORT * 3);
        assert!(!sleeper.is_finished());
    }

    fn yield_lets_the_others_run() {
        let flag = Arc::new(AtomicBool::new(false));
        let waiters: Vec<_> = (0..8)
            .map(|_| {
                let flag = flag.clone();
                thread::spawn(move || {
                    while !flag.load(Acquire) {
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let setter = thread::spawn(move || flag.store(true, Release));
        for thread in waiters.into_iter().chain([setter]) {
            thread.join().unwrap();
        }
    }

    #[allow(deprecated, reason = "the deprecated functions are there, too")]
    fn the_millisecond_functions_measure_milliseconds() {
        let start = Instant::now();
        thread::sleep_ms(10);
        assert!(start.elapsed() >= SHORT);

        thread::current().unpark();
        thread::park_timeout_ms(30_000);
        assert!(start.elapsed() < LONG);
    }
}

//! `std::sync::Condvar`.

tests::on_each! {
    items {
        use std::panic::{self, AssertUnwindSafe};
        use std::sync::{Arc, Condvar, Mutex};
        use std::thread;
        use std::time::{Duration, Instant};

        const SHORT: Duration = Duration::from_millis(20);
        const LONG: Duration = Duration::from_secs(30);

        type Shared<T> = Arc<(Mutex<T>, Condvar)>;

        fn shared<T>(value: T) -> Shared<T> {
            Arc::new((Mutex::new(value), Condvar::new()))
        }
    }

    fn notify_without_waiters_is_forgotten() {
        let condvar = Condvar::new();
        condvar.notify_one();
        condvar.notify_all();
        let mutex = Mutex::new(());
        let (_guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap();
        assert!(result.timed_out());
    }

    fn notify_one_wakes_a_thread_that_waits() {
        let pair = shared(false);
        let other = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_one();
        });
        let mut ready = pair.0.lock().unwrap();
        while !*ready {
            ready = pair.1.wait(ready).unwrap();
        }
        drop(ready);
        thread.join().unwrap();
    }

    fn notify_all_wakes_all_threads_that_wait() {
        const THREADS: usize = 10;
        // (how many wait, whether they may go)
        let pair = shared((0, false));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let pair = Arc::clone(&pair);
                thread::spawn(move || {
                    let mut state = pair.0.lock().unwrap();
                    state.0 += 1;
                    if state.0 == THREADS {
                        pair.1.notify_all();
                    }
                    drop(pair.1.wait_while(state, |state| !state.1).unwrap());
                })
            })
            .collect();
        let state = pair.0.lock().unwrap();
        let mut state = pair.1.wait_while(state, |state| state.0 < THREADS).unwrap();
        state.1 = true;
        drop(state);
        pair.1.notify_all();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn each_notify_one_lets_at_least_one_of_many_through() {
        const THREADS: usize = 10;
        let pair = shared(0);
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let pair = Arc::clone(&pair);
                thread::spawn(move || {
                    let permits = pair.0.lock().unwrap();
                    let mut permits = pair.1.wait_while(permits, |permits| *permits == 0).unwrap();
                    *permits -= 1;
                })
            })
            .collect();
        for _ in 0..THREADS {
            *pair.0.lock().unwrap() += 1;
            pair.1.notify_one();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*pair.0.lock().unwrap(), 0);
    }

    fn turns_alternate_between_two_threads() {
        const ROUNDS: usize = 1_000;
        let pair = shared(0);
        let other = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            for _ in 0..ROUNDS {
                let turn = other.0.lock().unwrap();
                let mut turn = other.1.wait_while(turn, |turn| *turn % 2 == 0).unwrap();
                *turn += 1;
                other.1.notify_one();
            }
        });
        for _ in 0..ROUNDS {
            let turn = pair.0.lock().unwrap();
            let mut turn = pair.1.wait_while(turn, |turn| *turn % 2 == 1).unwrap();
            *turn += 1;
            pair.1.notify_one();
        }
        thread.join().unwrap();
        assert_eq!(*pair.0.lock().unwrap(), 2 * ROUNDS);
    }

    fn the_mutex_is_free_during_the_wait_and_held_after_it() {
        let pair = shared(0);
        let guard = pair.0.lock().unwrap();
        let other = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            *other.0.lock().unwrap() = 1;
            other.1.notify_one();
        });
        let guard = pair.1.wait_while(guard, |value| *value == 0).unwrap();
        assert!(pair.0.try_lock().is_err());
        drop(guard);
        thread.join().unwrap();
    }

    fn wait_timeout_says_that_the_time_passed() {
        let pair = shared(());
        let start = Instant::now();
        let guard = pair.0.lock().unwrap();
        let (guard, result) = pair.1.wait_timeout(guard, SHORT).unwrap();
        assert!(result.timed_out());
        assert!(start.elapsed() >= SHORT);
        assert!(pair.0.try_lock().is_err());
        drop(guard);
    }

    fn wait_timeout_says_that_a_notification_came() {
        let pair = shared(());
        let guard = pair.0.lock().unwrap();
        let other = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            // Not before the other thread waits.
            drop(other.0.lock().unwrap());
            other.1.notify_one();
        });
        let (guard, result) = pair.1.wait_timeout(guard, LONG).unwrap();
        assert!(!result.timed_out());
        drop(guard);
        thread.join().unwrap();
    }

    fn wait_timeout_of_no_time_at_all_times_out() {
        let pair = shared(());
        let guard = pair.0.lock().unwrap();
        let (_guard, result) = pair.1.wait_timeout(guard, Duration::ZERO).unwrap();
        assert!(result.timed_out());
    }

    fn wait_timeout_of_more_than_the_clock_can_tell_has_no_end() {
        let pair = shared(false);
        let guard = pair.0.lock().unwrap();
        let other = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_one();
        });
        let mut guard = guard;
        while !*guard {
            let (next, result) = pair.1.wait_timeout(guard, Duration::MAX).unwrap();
            assert!(!result.timed_out());
            guard = next;
        }
        drop(guard);
        thread.join().unwrap();
    }

    fn wait_timeout_ms_is_true_unless_the_time_passed() {
        let pair = shared(());
        let guard = pair.0.lock().unwrap();
        #[expect(deprecated, reason = "it is there")]
        let (guard, notified) = pair.1.wait_timeout_ms(guard, 5).unwrap();
        assert!(!notified);
        drop(guard);
    }

    fn wait_while_does_not_wait_for_what_is_so_already() {
        let pair = shared(1);
        let mut calls = 0;
        let guard = pair.1.wait_while(pair.0.lock().unwrap(), |value| {
            calls += 1;
            *value += 1;
            false
        });
        assert_eq!((*guard.unwrap(), calls), (2, 1));
    }

    fn wait_timeout_while_ends_by_the_condition_or_by_the_time() {
        let pair = shared(false);
        let guard = pair.0.lock().unwrap();
        let (guard, result) = pair.1.wait_timeout_while(guard, LONG, |done| *done).unwrap();
        assert!(!result.timed_out());
        let (guard, result) = pair.1.wait_timeout_while(guard, SHORT, |done| !*done).unwrap();
        assert!(result.timed_out());
        let other = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_one();
        });
        let (guard, result) = pair.1.wait_timeout_while(guard, LONG, |done| !*done).unwrap();
        assert!(*guard && !result.timed_out());
        drop(guard);
        thread.join().unwrap();
    }

    fn notifications_without_the_condition_do_not_prolong_wait_timeout_while() {
        let pair = shared(false);
        let other = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            while !*other.0.lock().unwrap() {
                other.1.notify_all();
                thread::sleep(Duration::from_millis(1));
            }
        });
        let start = Instant::now();
        let guard = pair.0.lock().unwrap();
        let (mut guard, result) = pair.1.wait_timeout_while(guard, SHORT, |_| true).unwrap();
        assert!(result.timed_out() && start.elapsed() >= SHORT && start.elapsed() < LONG);
        *guard = true;
        drop(guard);
        thread.join().unwrap();
    }

    fn a_mutex_poisoned_during_the_wait_is_an_error() {
        let pair = shared(false);
        let guard = pair.0.lock().unwrap();
        let other = Arc::clone(&pair);
        let thread = thread::spawn(move || {
            let mut done = other.0.lock().unwrap();
            *done = true;
            other.1.notify_one();
            panic!("on purpose");
        });
        let error = pair.1.wait_while(guard, |done| !*done).unwrap_err();
        assert!(**error.get_ref());
        drop(error);
        assert!(thread.join().is_err());
        let guard = pair.0.lock().unwrap_err().into_inner();
        let error = pair.1.wait_timeout(guard, Duration::ZERO).unwrap_err();
        assert!(error.get_ref().1.timed_out());
    }

    fn a_condition_that_panics_poisons_the_mutex() {
        let pair = shared(());
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            let guard = pair.0.lock().unwrap();
            drop(pair.1.wait_while(guard, |_| panic!("on purpose")));
        }));
        assert!(panicked.is_err());
        assert!(pair.0.is_poisoned());
    }

    fn one_condvar_serves_two_mutexes_in_turn() {
        let condvar = Condvar::new();
        for mutex in [Mutex::new(()), Mutex::new(())] {
            let guard = mutex.lock().unwrap();
            assert!(condvar.wait_timeout(guard, Duration::from_millis(1)).unwrap().1.timed_out());
        }
    }

    fn a_queue_of_bounded_size_loses_nothing() {
        const ITEMS: u64 = 2_000;
        const ROOM: usize = 4;
        let queue = Arc::new((Mutex::new(Vec::new()), Condvar::new(), Condvar::new()));
        let producers: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    for item in 1..=ITEMS {
                        let items = queue.0.lock().unwrap();
                        let mut items = queue.1.wait_while(items, |v| v.len() == ROOM).unwrap();
                        items.push(item);
                        queue.2.notify_one();
                    }
                })
            })
            .collect();
        let consumers: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    let mut sum = 0;
                    for _ in 0..ITEMS {
                        let items = queue.0.lock().unwrap();
                        let mut items = queue.2.wait_while(items, |v| v.is_empty()).unwrap();
                        sum += items.pop().unwrap();
                        queue.1.notify_one();
                    }
                    sum
                })
            })
            .collect();
        for producer in producers {
            producer.join().unwrap();
        }
        let sum: u64 = consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum();
        assert_eq!(sum, 3 * ITEMS * (ITEMS + 1) / 2);
    }

    fn debug_and_default() {
        assert_eq!(format!("{:?}", Condvar::default()), "Condvar { .. }");
        let pair = shared(());
        let guard = pair.0.lock().unwrap();
        let (_guard, result) = pair.1.wait_timeout(guard, Duration::ZERO).unwrap();
        assert_eq!(format!("{result:?}"), "WaitTimeoutResult(true)");
        let copy = result;
        assert_eq!(copy, result);
    }
}

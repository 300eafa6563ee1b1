//! `std::sync::Once`.

tests::on_each! {
    items {
        use std::panic::{self, AssertUnwindSafe};
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
        use std::sync::{Arc, Barrier, Once};
        use std::thread;
        use std::time::Duration;

        const A_WHILE: Duration = Duration::from_millis(20);

        /// Panics in a closure of `once`.
        fn poison(once: &Once) {
            let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
                once.call_once_force(|_| panic!("on purpose"));
            }));
            assert!(panicked.is_err());
        }

        /// What `f` panics with.
        fn message_of(f: impl FnOnce()) -> String {
            let panic = panic::catch_unwind(AssertUnwindSafe(f)).unwrap_err();
            (*panic.downcast_ref::<&str>().unwrap()).to_owned()
        }
    }

    fn the_closure_runs_once() {
        static ONCE: Once = Once::new();
        let mut runs = 0;
        assert!(!ONCE.is_completed());
        ONCE.call_once(|| runs += 1);
        assert!(ONCE.is_completed());
        ONCE.call_once(|| runs += 1);
        ONCE.call_once_force(|_| runs += 1);
        assert_eq!(runs, 1);
    }

    fn of_many_threads_one_runs_and_all_see_what_it_did() {
        for _ in 0..50 {
            let shared = Arc::new((Once::new(), AtomicUsize::new(0), Barrier::new(6)));
            let threads: Vec<_> = (0..6)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        shared.2.wait();
                        shared.0.call_once(|| {
                            thread::yield_now();
                            shared.1.fetch_add(1, Ordering::Relaxed);
                        });
                        assert_eq!(shared.1.load(Ordering::Relaxed), 1);
                    })
                })
                .collect();
            for thread in threads {
                thread.join().unwrap();
            }
        }
    }

    fn the_others_wait_until_the_closure_has_returned() {
        let shared = Arc::new((Once::new(), AtomicBool::new(false), Barrier::new(5)));
        let threads: Vec<_> = (0..5)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.2.wait();
                    shared.0.call_once(|| {
                        thread::sleep(A_WHILE);
                        shared.1.store(true, Ordering::Relaxed);
                    });
                    shared.1.load(Ordering::Relaxed)
                })
            })
            .collect();
        for thread in threads {
            assert!(thread.join().unwrap());
        }
    }

    fn a_panic_poisons() {
        let once = Once::new();
        poison(&once);
        assert!(!once.is_completed());
        let poisoned = "Once instance has previously been poisoned";
        assert_eq!(message_of(|| once.call_once(|| unreachable!())), poisoned);
        assert_eq!(message_of(|| once.wait()), poisoned);
        // And remains.
        assert_eq!(message_of(|| once.call_once(|| unreachable!())), poisoned);
    }

    fn force_runs_after_a_panic_and_ends_the_poison() {
        let once = Once::new();
        poison(&once);
        poison(&once);
        let mut runs = 0;
        once.call_once_force(|state| {
            assert!(state.is_poisoned());
            assert_eq!(format!("{state:?}"), "OnceState { poisoned: true }");
            runs += 1;
        });
        assert_eq!(runs, 1);
        assert!(once.is_completed());
        once.call_once(|| unreachable!());
        once.wait();
    }

    fn force_is_told_that_nothing_happened_before() {
        let once = Once::new();
        once.call_once_force(|state| {
            assert!(!state.is_poisoned());
            assert_eq!(format!("{state:?}"), "OnceState { poisoned: false }");
        });
        assert!(once.is_completed());
    }

    fn threads_that_wait_for_a_closure_that_panics_panic_or_take_over() {
        let shared = Arc::new((Once::new(), Barrier::new(2), AtomicUsize::new(0)));
        let other = Arc::clone(&shared);
        let panics = thread::spawn(move || {
            other.0.call_once(|| {
                other.1.wait();
                thread::sleep(A_WHILE);
                panic!("on purpose");
            });
        });
        shared.1.wait();
        let other = Arc::clone(&shared);
        let waits = thread::spawn(move || other.0.call_once(|| unreachable!()));
        let other = Arc::clone(&shared);
        let forces = thread::spawn(move || {
            other.0.call_once_force(|state| {
                assert!(state.is_poisoned());
                other.2.fetch_add(1, Ordering::Relaxed);
            });
        });
        assert!(panics.join().is_err());
        forces.join().unwrap();
        assert_eq!(shared.2.load(Ordering::Relaxed), 1);
        // Either it saw the poison, or it came after the second attempt had succeeded.
        let _ = waits.join();
        assert!(shared.0.is_completed());
    }

    fn wait_ends_when_a_closure_has_returned() {
        let shared = Arc::new((Once::new(), AtomicBool::new(false)));
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    if n % 2 == 0 { shared.0.wait() } else { shared.0.wait_force() }
                    shared.1.load(Ordering::Relaxed)
                })
            })
            .collect();
        thread::sleep(A_WHILE);
        shared.0.call_once(|| shared.1.store(true, Ordering::Relaxed));
        for thread in threads {
            assert!(thread.join().unwrap());
        }
        shared.0.wait();
        shared.0.wait_force();
    }

    fn wait_force_outlasts_a_panic_and_wait_does_not() {
        let once = Arc::new(Once::new());
        let other = Arc::clone(&once);
        let forces = thread::spawn(move || other.wait_force());
        let other = Arc::clone(&once);
        let waits = thread::spawn(move || other.wait());
        thread::sleep(A_WHILE);
        poison(&once);
        assert!(waits.join().is_err());
        assert!(!forces.is_finished());
        once.call_once_force(|_| ());
        forces.join().unwrap();
    }

    fn a_closure_may_use_another_once() {
        let (outer, inner) = (Once::new(), Once::new());
        let mut order = Vec::new();
        outer.call_once(|| {
            inner.call_once(|| order.push("inner"));
            order.push("outer");
        });
        assert!(inner.is_completed() && outer.is_completed());
        assert_eq!(order, ["inner", "outer"]);
    }

    fn a_closure_that_asks_for_its_own_once_waits_for_ever() {
        let (once, begun) = (Arc::new(Once::new()), Arc::new(AtomicBool::new(false)));
        let (own, has_begun) = (Arc::clone(&once), Arc::clone(&begun));
        let stuck = thread::spawn(move || {
            own.call_once(|| {
                has_begun.store(true, Ordering::Release);
                own.call_once(|| ());
            });
        });
        while !begun.load(Ordering::Acquire) {
            thread::yield_now();
        }
        thread::sleep(A_WHILE);
        assert!(!stuck.is_finished() && !once.is_completed());
    }

    fn debug_and_the_old_constant() {
        #[expect(deprecated, reason = "it is there")]
        let once = std::sync::ONCE_INIT;
        assert_eq!(format!("{once:?}"), "Once { .. }");
        assert!(!once.is_completed());
    }
}

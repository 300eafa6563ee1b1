//! `thread_local!` and `panicking`: what each thread has of its own, whoever else runs beside it.

tests::on_each! {
    items {
        use std::cell::{Cell, RefCell};
        use std::panic::catch_unwind;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::{Acquire, Relaxed, Release}};
        use std::thread;
        use std::thread_local;
        use std::time::Duration;

        const SHORT: Duration = Duration::from_millis(5);

        /// Runs what it holds when it is dropped.
        struct OnDrop<F: FnMut()>(F);

        impl<F: FnMut()> Drop for OnDrop<F> {
            fn drop(&mut self) {
                (self.0)();
            }
        }
    }

    fn a_thread_local_starts_afresh_in_each_thread() {
        if tests::are_thread_locals_shared() {
            return;
        }
        thread_local! {
            static VALUE: Cell<u32> = const { Cell::new(1) };
            static TEXT: RefCell<String> = RefCell::new(String::from("new"));
        }
        VALUE.set(2);
        TEXT.replace(String::from("mine"));
        let other = thread::spawn(|| (VALUE.replace(3), TEXT.take()));
        assert_eq!(other.join().unwrap(), (1, String::from("new")));
        assert_eq!((VALUE.get(), TEXT.take()), (2, String::from("mine")));
    }

    fn a_thread_local_stays_the_threads_own_across_waits() {
        if tests::are_thread_locals_shared() {
            return;
        }
        thread_local!(static OWN: Cell<usize> = const { Cell::new(0) });
        let threads: Vec<_> = (1..=100)
            .map(|n| {
                thread::spawn(move || {
                    OWN.set(n);
                    let address = OWN.with(|own| std::ptr::from_ref(own).addr());
                    for round in 0..20 {
                        match (n + round) % 3 {
                            0 => thread::yield_now(),
                            1 => thread::park_timeout(Duration::from_micros(50)),
                            _ => thread::sleep(Duration::from_micros(50)),
                        }
                        assert_eq!(OWN.get(), n);
                        assert_eq!(OWN.with(|own| std::ptr::from_ref(own).addr()), address);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn destructors_run_before_join_returns() {
        if tests::are_thread_locals_shared() {
            return;
        }
        static DROPPED: AtomicUsize = AtomicUsize::new(0);
        struct Slow;
        impl Drop for Slow {
            fn drop(&mut self) {
                thread::sleep(SHORT);
                DROPPED.fetch_add(1, Relaxed);
            }
        }
        thread_local! {
            static FIRST: Slow = const { Slow };
            static SECOND: Slow = const { Slow };
            static UNUSED: Slow = const { Slow };
        }
        thread::spawn(|| {
            FIRST.with(|_| ());
            SECOND.with(|_| ());
        })
        .join()
        .unwrap();
        assert_eq!(DROPPED.load(Relaxed), 2);

        thread::scope(|s| s.spawn(|| FIRST.with(|_| ())).join().unwrap());
        assert_eq!(DROPPED.load(Relaxed), 3);

        thread::spawn(|| {
            FIRST.with(|_| ());
            panic!("destructors run all the same");
        })
        .join()
        .unwrap_err();
        assert_eq!(DROPPED.load(Relaxed), 4);
        // `UNUSED` would have made it five.
        assert!(UNUSED.try_with(|_| ()).is_ok());
    }

    fn a_result_is_dropped_before_the_thread_locals_are() {
        if tests::are_thread_locals_shared() {
            return;
        }
        thread_local!(static ALIVE: Cell<String> = const { Cell::new(String::new()) });
        static REACHED: AtomicBool = AtomicBool::new(false);
        let may_end = Arc::new(AtomicBool::new(false));
        drop(thread::spawn({
            let may_end = may_end.clone();
            move || {
                ALIVE.set(String::from("needs to be dropped"));
                while !may_end.load(Acquire) {
                    thread::yield_now();
                }
                OnDrop(|| REACHED.store(ALIVE.try_with(|_| ()).is_ok(), Release))
            }
        }));
        may_end.store(true, Release);
        while !REACHED.load(Acquire) {
            thread::yield_now();
        }
    }

    fn a_destroyed_thread_local_says_so() {
        if tests::are_thread_locals_shared() {
            return;
        }
        static SAID: AtomicBool = AtomicBool::new(false);
        struct Asks;
        impl Drop for Asks {
            fn drop(&mut self) {
                let error = GONE.try_with(|_| ()).unwrap_err();
                assert_eq!(error, error.clone());
                SAID.store(true, Relaxed);
            }
        }
        thread_local!(static GONE: Asks = const { Asks });
        thread::spawn(|| GONE.with(|_| ())).join().unwrap();
        assert!(SAID.load(Relaxed));
    }

    fn a_thread_is_panicking_only_while_it_unwinds() {
        static WHILE_UNWINDING: AtomicBool = AtomicBool::new(false);
        let caught = catch_unwind(|| {
            let _on_drop = OnDrop(|| WHILE_UNWINDING.store(thread::panicking(), Relaxed));
            assert!(!thread::panicking());
            panic!("to unwind");
        });
        assert!(caught.is_err());
        assert!(WHILE_UNWINDING.load(Relaxed));
        assert!(!thread::panicking());
    }

    fn a_thread_that_waits_while_it_unwinds_is_the_only_one_that_panics() {
        if tests::are_thread_locals_shared() {
            return;
        }
        static UNWINDING: AtomicBool = AtomicBool::new(false);
        static SEEN: AtomicBool = AtomicBool::new(false);
        let calm = thread::spawn(|| {
            while !UNWINDING.load(Acquire) {
                thread::yield_now();
            }
            assert!(!thread::panicking());
            catch_unwind(|| panic!("and one of its own")).unwrap_err();
            assert!(!thread::panicking());
            SEEN.store(true, Release);
        });
        let unwinds = thread::spawn(|| {
            let _on_drop = OnDrop(|| {
                UNWINDING.store(true, Release);
                while !SEEN.load(Acquire) {
                    thread::sleep(Duration::from_micros(100));
                    assert!(thread::panicking());
                }
                assert!(!thread::spawn(thread::panicking).join().unwrap());
            });
            panic!("to unwind, with a wait on the way");
        });
        calm.join().unwrap();
        assert_eq!(
            unwinds.join().unwrap_err().downcast_ref(),
            Some(&"to unwind, with a wait on the way")
        );
        assert!(!thread::panicking());
    }
}

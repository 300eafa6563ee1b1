//! `std::thread::scope`: borrowing, waiting, and who gets to see a panic.

tests::on_each! {
    items {
        use std::any::Any;
        use std::io::ErrorKind;
        use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
        use std::sync::mpsc;
        use std::thread::{self, Builder, Scope, ScopedJoinHandle};
        use std::time::Duration;

        const SHORT: Duration = Duration::from_millis(10);

        /// Counts when it is dropped, after a while: whoever does not wait is too early.
        struct CountDrop<'a>(&'a AtomicUsize);

        impl Drop for CountDrop<'_> {
            fn drop(&mut self) {
                thread::sleep(SHORT);
                self.0.fetch_add(1, Relaxed);
            }
        }

        fn panic_of<T>(f: impl FnOnce() -> T) -> &'static str {
            message(catch_unwind(AssertUnwindSafe(f)).err().expect("a panic"))
        }

        fn message(panic: Box<dyn Any + Send>) -> &'static str {
            panic.downcast_ref::<&str>().expect("a message")
        }

        fn wait_until_finished<T>(handle: &ScopedJoinHandle<'_, T>) {
            while !handle.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn threads_borrow_from_around_the_scope() {
        let words = vec![String::from("a"), String::from("bc")];
        let (mut count, mut length) = (0, 0);
        thread::scope(|s| {
            s.spawn(|| count = words.len());
            s.spawn(|| length = words.iter().map(String::len).sum());
        });
        drop(words);
        assert_eq!((count, length), (2, 3));
    }

    fn scope_returns_what_its_closure_returns() {
        let kept = String::from("kept");
        assert_eq!(thread::scope(|_| &kept), "kept");
        assert_eq!(thread::scope(|s| s.spawn(|| kept.len()).join().unwrap()), 4);
    }

    fn scope_waits_for_the_threads_that_nobody_joined() {
        let ended = AtomicUsize::new(0);
        thread::scope(|s| {
            for n in 0..20 {
                let ended = &ended;
                s.spawn(move || {
                    thread::sleep(Duration::from_millis(n));
                    ended.fetch_add(1, Relaxed);
                });
            }
        });
        assert_eq!(ended.load(Relaxed), 20);
    }

    fn a_thousand_threads_end_before_their_scope() {
        let ended = AtomicUsize::new(0);
        thread::scope(|s| {
            for _ in 0..1000 {
                s.spawn(|| ended.fetch_add(1, Relaxed));
            }
        });
        assert_eq!(ended.load(Relaxed), 1000);
    }

    fn scope_waits_for_threads_that_its_threads_start() {
        fn chain<'scope>(s: &'scope Scope<'scope, '_>, ended: &'scope AtomicUsize, left: usize) {
            if left > 0 {
                s.spawn(move || {
                    thread::sleep(Duration::from_millis(1));
                    chain(s, ended, left - 1);
                    ended.fetch_add(1, Relaxed);
                });
            }
        }
        let ended = AtomicUsize::new(0);
        thread::scope(|s| chain(s, &ended, 10));
        assert_eq!(ended.load(Relaxed), 10);
    }

    fn scopes_nest() {
        let outer = AtomicUsize::new(0);
        thread::scope(|s| {
            for _ in 0..3 {
                s.spawn(|| {
                    let inner = AtomicUsize::new(0);
                    thread::scope(|s| {
                        for _ in 0..3 {
                            s.spawn(|| inner.fetch_add(1, Relaxed));
                            s.spawn(|| outer.fetch_add(1, Relaxed));
                        }
                    });
                    assert_eq!(inner.into_inner(), 3);
                });
            }
        });
        assert_eq!(outer.load(Relaxed), 9);
    }

    fn unparking_its_caller_does_not_end_a_scope() {
        let ended = AtomicBool::new(false);
        let caller = thread::current();
        thread::scope(|s| {
            s.spawn(|| {
                for _ in 0..20 {
                    caller.unpark();
                    thread::sleep(Duration::from_millis(1));
                }
                ended.store(true, Relaxed);
            });
        });
        assert!(ended.load(Relaxed));
    }

    fn the_panic_of_a_thread_that_nobody_joined_is_the_scopes() {
        let ended = AtomicBool::new(false);
        let panic = panic_of(|| {
            thread::scope(|s| {
                s.spawn(|| panic!("of the thread"));
                s.spawn(|| {
                    thread::sleep(SHORT);
                    ended.store(true, Relaxed);
                });
            })
        });
        assert_eq!(panic, "a scoped thread panicked");
        assert!(ended.load(Relaxed));
    }

    fn the_panic_of_a_joined_thread_is_the_joiners() {
        let panic = thread::scope(|s| s.spawn(|| panic!("of the thread")).join().unwrap_err());
        assert_eq!(message(panic), "of the thread");
    }

    fn the_panic_in_a_dropped_handle_is_the_scopes() {
        let panic = panic_of(|| {
            thread::scope(|s| {
                let handle = s.spawn(|| panic!("of the thread"));
                wait_until_finished(&handle);
                drop(handle);
            })
        });
        assert_eq!(panic, "a scoped thread panicked");
    }

    fn the_closures_own_panic_comes_after_the_wait_and_before_the_threads() {
        let ended = AtomicBool::new(false);
        let panic = panic_of(|| {
            thread::scope(|s| {
                s.spawn(|| {
                    thread::sleep(SHORT);
                    ended.store(true, Relaxed);
                    panic!("of the thread");
                });
                panic!("of the closure");
            })
        });
        assert_eq!(panic, "of the closure");
        assert!(ended.load(Relaxed));
    }

    fn a_panic_is_the_innermost_scopes() {
        thread::scope(|s| {
            let inner = s.spawn(|| {
                panic_of(|| {
                    thread::scope(|s| {
                        s.spawn(|| panic!("of the thread"));
                    })
                })
            });
            assert_eq!(inner.join().unwrap(), "a scoped thread panicked");
        });
    }

    fn results_are_dropped_before_the_scope_returns() {
        let dropped = AtomicUsize::new(0);
        thread::scope(|s| {
            s.spawn(|| CountDrop(&dropped));
            drop(s.spawn(|| CountDrop(&dropped)));
        });
        assert_eq!(dropped.load(Relaxed), 2);
    }

    fn the_result_of_a_finished_thread_is_dropped_with_its_handle() {
        let dropped = AtomicUsize::new(0);
        thread::scope(|s| {
            let handle = s.spawn(|| CountDrop(&dropped));
            wait_until_finished(&handle);
            assert_eq!(dropped.load(Relaxed), 0);
            drop(handle);
            assert_eq!(dropped.load(Relaxed), 1);
        });
    }

    fn a_joined_result_is_the_joiners() {
        let dropped = AtomicUsize::new(0);
        thread::scope(|s| {
            let result = s.spawn(|| CountDrop(&dropped)).join().unwrap();
            assert_eq!(dropped.load(Relaxed), 0);
            drop(result);
            assert_eq!(dropped.load(Relaxed), 1);
        });
    }

    fn captures_and_payloads_are_dropped_before_the_scope_returns() {
        static PAYLOADS: AtomicUsize = AtomicUsize::new(0);
        let captures = AtomicUsize::new(0);
        let panic = panic_of(|| {
            thread::scope(|s| {
                let captured = CountDrop(&captures);
                s.spawn(move || {
                    let _captured = &captured;
                    panic_any(CountDrop(&PAYLOADS));
                });
            })
        });
        assert_eq!(panic, "a scoped thread panicked");
        assert_eq!((captures.load(Relaxed), PAYLOADS.load(Relaxed)), (1, 1));
    }

    fn a_handle_may_move_into_another_thread_of_the_scope() {
        let base = 20;
        let sum = thread::scope(|s| {
            let first = s.spawn(|| base + 1);
            let second = s.spawn(move || first.join().unwrap() * 2);
            second.join().unwrap()
        });
        assert_eq!(sum, 42);
    }

    fn a_handle_kept_by_another_thread_delays_the_scope() {
        let (go, wait) = mpsc::channel::<()>();
        let dropped = AtomicUsize::new(0);
        thread::scope(|s| {
            let kept = s.spawn(|| CountDrop(&dropped));
            s.spawn(move || {
                wait.recv().unwrap();
                assert_eq!(kept.thread().name(), None);
            });
            s.spawn(move || {
                thread::sleep(SHORT);
                go.send(()).unwrap();
            });
        });
        assert_eq!(dropped.load(Relaxed), 1);
    }

    fn a_scoped_thread_has_a_name_and_an_id() {
        thread::scope(|s| {
            let builder = Builder::new().name("scoped".to_owned());
            let handle = builder.spawn_scoped(s, thread::current).unwrap();
            assert_eq!(format!("{handle:?}"), "ScopedJoinHandle { .. }");
            assert_eq!(handle.thread().name(), Some("scoped"));
            let id = handle.thread().id();
            assert_eq!(handle.join().unwrap().id(), id);
        });
    }

    fn a_thread_that_cannot_start_is_not_waited_for() {
        let text = String::from("borrowed");
        let error = thread::scope(|s| {
            Builder::new().stack_size(1 << 60).spawn_scoped(s, || text.len()).unwrap_err()
        });
        assert_eq!(error.kind(), ErrorKind::WouldBlock);

        let named = Builder::new().name("nul\0inside".to_owned());
        catch_unwind(AssertUnwindSafe(|| {
            thread::scope(|s| named.spawn_scoped(s, || text.len()).map(drop))
        }))
        .unwrap_err();
    }
}

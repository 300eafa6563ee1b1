//! `std::sync::RwLock`.

tests::on_each! {
    items {
        use std::panic::{self, AssertUnwindSafe};
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
        use std::sync::{
            Arc, Barrier, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError, mpsc,
        };
        use std::thread;
        use std::time::Duration;

        const A_WHILE: Duration = Duration::from_millis(20);

        /// Panics with `lock` locked for writing.
        fn poison<T>(lock: &RwLock<T>) {
            let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
                let _guard = lock.write();
                panic!("on purpose");
            }));
            assert!(panicked.is_err());
        }

        fn would_block<T>(result: Result<T, TryLockError<T>>) -> bool {
            matches!(result, Err(TryLockError::WouldBlock))
        }
    }

    fn readers_share() {
        let lock = RwLock::new(1);
        let one = lock.read().unwrap();
        let two = lock.try_read().unwrap();
        assert_eq!(*one + *two, 2);
        assert!(would_block(lock.try_write()));
        drop(one);
        assert!(would_block(lock.try_write()));
        drop(two);
        *lock.try_write().unwrap() = 2;
        assert_eq!(*lock.read().unwrap(), 2);
    }

    fn a_writer_is_alone() {
        let lock = RwLock::new(1);
        let guard = lock.write().unwrap();
        assert!(would_block(lock.try_read()));
        assert!(would_block(lock.try_write()));
        drop(guard);
        assert!(lock.try_read().is_ok());
    }

    fn readers_in_several_threads_meet_inside() {
        let lock = Arc::new((RwLock::new(5), Barrier::new(4)));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    let value = lock.0.read().unwrap();
                    lock.1.wait();
                    *value
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 5);
        }
    }

    fn a_reader_waits_for_the_writer() {
        let lock = Arc::new(RwLock::new(0));
        let mut guard = lock.write().unwrap();
        let readers: Vec<_> = (0..5)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || *lock.read().unwrap())
            })
            .collect();
        thread::sleep(A_WHILE);
        *guard = 1;
        drop(guard);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 1);
        }
    }

    fn a_writer_waits_for_all_readers() {
        let lock = Arc::new(RwLock::new(0));
        let one = lock.read().unwrap();
        let two = lock.read().unwrap();
        let other = Arc::clone(&lock);
        let (written, is_written) = mpsc::channel();
        let writer = thread::spawn(move || {
            *other.write().unwrap() = 1;
            written.send(()).unwrap();
        });
        drop(one);
        assert!(is_written.recv_timeout(A_WHILE).is_err());
        assert_eq!(*two, 0);
        drop(two);
        is_written.recv().unwrap();
        writer.join().unwrap();
        assert_eq!(*lock.read().unwrap(), 1);
    }

    fn a_waiting_writer_keeps_new_readers_out() {
        let lock = Arc::new(RwLock::new(0));
        let guard = lock.read().unwrap();
        let other = Arc::clone(&lock);
        let writer = thread::spawn(move || *other.write().unwrap() = 1);
        while lock.try_read().is_ok() {
            thread::yield_now();
        }
        assert_eq!(*guard, 0);
        let other = Arc::clone(&lock);
        let (here, is_here) = mpsc::channel();
        let reader = thread::spawn(move || {
            here.send(()).unwrap();
            *other.read().unwrap()
        });
        is_here.recv().unwrap();
        thread::sleep(A_WHILE);
        drop(guard);
        writer.join().unwrap();
        // The writer was first.
        assert_eq!(reader.join().unwrap(), 1);
    }

    fn readers_and_writers_of_many_threads_keep_the_data_whole() {
        const THREADS: usize = 6;
        const ROUNDS: usize = 1_000;
        let lock = Arc::new(RwLock::new((0, 0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    for round in 0..ROUNDS {
                        if (thread + round) % 4 == 0 {
                            let mut pair = lock.write().unwrap();
                            pair.0 += 1;
                            if round % 16 == 0 {
                                thread::yield_now();
                            }
                            pair.1 += 1;
                        } else {
                            let pair = lock.read().unwrap();
                            assert_eq!(pair.0, pair.1);
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.read().unwrap(), (THREADS * ROUNDS / 4, THREADS * ROUNDS / 4));
    }

    fn a_writer_that_panics_poisons() {
        let lock = Arc::new(RwLock::new(1));
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || {
            let _guard = other.write().unwrap();
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(lock.is_poisoned());
        assert_eq!(**lock.read().unwrap_err().get_ref(), 1);
        *lock.write().unwrap_err().into_inner() = 2;
        assert!(matches!(lock.try_read(), Err(TryLockError::Poisoned(_))));
        assert!(matches!(lock.try_write(), Err(TryLockError::Poisoned(_))));
        lock.clear_poison();
        assert_eq!(*lock.read().unwrap(), 2);
    }

    fn a_reader_that_panics_does_not_poison() {
        let lock = RwLock::new(1);
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            let _guard = lock.read().unwrap();
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(!lock.is_poisoned());
        *lock.write().unwrap() = 2;
    }

    fn a_writer_that_panics_after_downgrade_does_not_poison() {
        let lock = RwLock::new(1);
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            let _guard = RwLockWriteGuard::downgrade(lock.write().unwrap());
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(!lock.is_poisoned());
    }

    fn get_mut_and_into_inner_tell_of_the_poison() {
        let mut lock = RwLock::new(1);
        *lock.get_mut().unwrap() = 2;
        poison(&lock);
        **lock.get_mut().unwrap_err().get_mut() = 3;
        assert_eq!(lock.into_inner().unwrap_err().into_inner(), 3);
        assert_eq!(RwLock::new(4).into_inner().unwrap(), 4);
    }

    fn downgrade_keeps_writers_out_and_lets_readers_in() {
        let lock = RwLock::new(1);
        let mut guard = lock.write().unwrap();
        *guard = 2;
        let guard: RwLockReadGuard<'_, i32> = RwLockWriteGuard::downgrade(guard);
        assert_eq!(*guard, 2);
        assert!(would_block(lock.try_write()));
        assert_eq!(*lock.try_read().unwrap(), 2);
        drop(guard);
        *lock.try_write().unwrap() = 3;
    }

    fn downgrade_wakes_the_readers_that_wait() {
        let lock = Arc::new((RwLock::new(0), Barrier::new(4)));
        let mut guard = lock.0.write().unwrap();
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    let guard = lock.0.read().unwrap();
                    // All three meet the one who downgraded inside.
                    lock.1.wait();
                    *guard
                })
            })
            .collect();
        thread::sleep(A_WHILE);
        *guard = 1;
        let guard = RwLockWriteGuard::downgrade(guard);
        lock.1.wait();
        drop(guard);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 1);
        }
    }

    fn downgrade_lets_no_writer_come_between() {
        const ROUNDS: usize = 200;
        let lock = Arc::new(RwLock::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        let mut guard = lock.write().unwrap();
                        *guard += 1;
                        let mine = *guard;
                        let guard = RwLockWriteGuard::downgrade(guard);
                        thread::yield_now();
                        assert_eq!(*guard, mine);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.read().unwrap(), 4 * ROUNDS);
    }

    fn a_stream_of_readers_does_not_starve_a_writer() {
        let lock = Arc::new((RwLock::new(()), AtomicBool::new(false), AtomicUsize::new(0)));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let lock = Arc::clone(&lock);
                thread::spawn(move || {
                    while !lock.1.load(Ordering::Relaxed) {
                        let _guard = lock.0.read().unwrap();
                        lock.2.fetch_add(1, Ordering::Relaxed);
                        thread::yield_now();
                    }
                })
            })
            .collect();
        for _ in 0..10 {
            let before = lock.2.load(Ordering::Relaxed);
            while lock.2.load(Ordering::Relaxed) == before {
                thread::yield_now();
            }
            drop(lock.0.write().unwrap());
        }
        lock.1.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    }

    fn debug_shows_the_data_or_that_it_is_locked() {
        let lock = RwLock::new(7);
        let reader = lock.read().unwrap();
        assert_eq!(format!("{lock:?}"), "RwLock { data: 7, poisoned: false, .. }");
        assert_eq!(format!("{reader:?} {reader}"), "7 7");
        drop(reader);
        let writer = lock.write().unwrap();
        assert_eq!(format!("{lock:?}"), "RwLock { data: <locked>, poisoned: false, .. }");
        assert_eq!(format!("{writer:?} {writer}"), "7 7");
        drop(writer);
        poison(&lock);
        assert_eq!(format!("{lock:?}"), "RwLock { data: 7, poisoned: true, .. }");
    }

    fn data_may_be_unsized() {
        let lock: &RwLock<[i32]> = &RwLock::new([1, 2]);
        lock.write().unwrap()[0] = 3;
        assert_eq!(*lock.read().unwrap(), [3, 2]);
    }

    fn who_writes_while_it_reads_waits_for_ever() {
        let lock = Arc::new(RwLock::new(()));
        let own = Arc::clone(&lock);
        let stuck = thread::spawn(move || {
            let _first = own.read();
            let _second = own.write();
        });
        while lock.try_write().is_ok() {
            thread::yield_now();
        }
        thread::sleep(A_WHILE);
        assert!(!stuck.is_finished());
    }

    fn a_read_guard_is_covariant() {
        fn shorten<'a>(
            guard: RwLockReadGuard<'a, &'static str>,
            _to: &'a str,
        ) -> RwLockReadGuard<'a, &'a str> {
            guard
        }
        let text = String::from("short");
        let lock = RwLock::new("long");
        assert_eq!(*shorten(lock.read().unwrap(), &text), "long");
    }

    fn a_static_default_and_from() {
        static LOCK: RwLock<i32> = RwLock::new(1);
        assert_eq!(*LOCK.read().unwrap(), 1);
        assert_eq!(*RwLock::<i32>::default().read().unwrap(), 0);
        assert_eq!(*RwLock::from(2).read().unwrap(), 2);
    }
}

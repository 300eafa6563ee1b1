//! `std::sync::Mutex`.

tests::on_each! {
    items {
        use std::panic::{self, AssertUnwindSafe};
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::{Arc, Mutex, TryLockError};
        use std::thread;
        use std::time::Duration;

        /// Panics with `mutex` locked.
        fn poison<T>(mutex: &Mutex<T>) {
            let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
                let _guard = mutex.lock();
                panic!("on purpose");
            }));
            assert!(panicked.is_err());
        }
    }

    fn increments_of_many_threads_are_all_counted() {
        const THREADS: usize = 8;
        const ROUNDS: usize = 5_000;
        let count = Arc::new(Mutex::new(0));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let count = Arc::clone(&count);
                thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        *count.lock().unwrap() += 1;
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*count.lock().unwrap(), THREADS * ROUNDS);
    }

    fn only_one_thread_is_inside_even_if_it_yields() {
        let inside = Arc::new((Mutex::new(()), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let inside = Arc::clone(&inside);
                thread::spawn(move || {
                    for _ in 0..200 {
                        let _guard = inside.0.lock().unwrap();
                        assert_eq!(inside.1.fetch_add(1, Ordering::Relaxed), 0);
                        thread::yield_now();
                        assert_eq!(inside.1.fetch_sub(1, Ordering::Relaxed), 1);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
    }

    fn all_threads_that_wait_get_in_after_an_unlock() {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock().unwrap();
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                thread::spawn(move || *mutex.lock().unwrap() += 1)
            })
            .collect();
        thread::sleep(Duration::from_millis(20));
        assert_eq!(*guard, 0);
        drop(guard);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*mutex.lock().unwrap(), 20);
    }

    fn try_lock_of_a_held_mutex_would_block() {
        let mutex = Mutex::new(1);
        let guard = mutex.try_lock().unwrap();
        assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        drop(guard);
        *mutex.try_lock().unwrap() += 1;
        assert_eq!(*mutex.lock().unwrap(), 2);
    }

    fn try_lock_from_another_thread_would_block() {
        let mutex = Arc::new(Mutex::new(1));
        let _guard = mutex.lock().unwrap();
        let other = Arc::clone(&mutex);
        let would_block = thread::spawn(move || {
            matches!(other.try_lock(), Err(TryLockError::WouldBlock))
        });
        assert!(would_block.join().unwrap());
    }

    fn a_panic_with_the_lock_held_poisons() {
        let mutex = Arc::new(Mutex::new(1));
        assert!(!mutex.is_poisoned());
        let other = Arc::clone(&mutex);
        let thread = thread::spawn(move || {
            *other.lock().unwrap() = 2;
            let _guard = other.lock().unwrap();
            panic!("on purpose");
        });
        assert!(thread.join().is_err());
        assert!(mutex.is_poisoned());
        let error = mutex.lock().unwrap_err();
        assert_eq!(**error.get_ref(), 2);
        assert_eq!(error.to_string(), "poisoned lock: another task failed inside");
        assert_eq!(format!("{error:?}"), "PoisonError { .. }");
    }

    fn the_guard_of_a_poisoned_mutex_gives_access_and_unlocks() {
        let mutex = Mutex::new(1);
        poison(&mutex);
        *mutex.lock().unwrap_err().into_inner() += 1;
        assert_eq!(**mutex.lock().unwrap_err().get_ref(), 2);
        assert!(mutex.is_poisoned());
    }

    fn a_thread_that_waits_learns_of_the_poison() {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock().unwrap();
        let other = Arc::clone(&mutex);
        let waits = thread::spawn(move || other.lock().is_err());
        thread::sleep(Duration::from_millis(10));
        let panicked = panic::catch_unwind(AssertUnwindSafe(move || {
            let _guard = guard;
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert!(waits.join().unwrap());
    }

    fn try_lock_of_a_poisoned_mutex_contains_the_guard() {
        let mutex = Mutex::new(1);
        poison(&mutex);
        match mutex.try_lock() {
            Err(TryLockError::Poisoned(error)) => assert_eq!(**error.get_ref(), 1),
            _ => panic!("the mutex is poisoned and free"),
        }
        let guard = mutex.lock().unwrap_err().into_inner();
        assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        drop(guard);
    }

    fn clear_poison_clears_it() {
        let mutex = Mutex::new(1);
        poison(&mutex);
        mutex.clear_poison();
        assert!(!mutex.is_poisoned());
        assert_eq!(*mutex.lock().unwrap(), 1);
    }

    fn a_lock_taken_and_given_up_while_panicking_does_not_poison() {
        struct LocksInDrop<'a>(&'a Mutex<i32>);
        impl Drop for LocksInDrop<'_> {
            fn drop(&mut self) {
                assert!(thread::panicking());
                *self.0.lock().unwrap() += 1;
            }
        }
        let mutex = Mutex::new(1);
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            let _locks = LocksInDrop(&mutex);
            panic!("on purpose");
        }));
        assert!(panicked.is_err());
        assert_eq!(*mutex.lock().unwrap(), 2);
    }

    fn get_mut_and_into_inner_need_no_lock() {
        let mut mutex = Mutex::new(String::from("a"));
        mutex.get_mut().unwrap().push('b');
        assert_eq!(mutex.into_inner().unwrap(), "ab");
    }

    fn get_mut_and_into_inner_tell_of_the_poison() {
        let mut mutex = Mutex::new(String::from("a"));
        poison(&mutex);
        mutex.get_mut().unwrap_err().get_mut().push('b');
        assert_eq!(mutex.into_inner().unwrap_err().into_inner(), "ab");
    }

    fn into_inner_gives_the_value_up_and_drop_drops_it_once() {
        struct Counted(Arc<AtomicUsize>);
        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let drops = Arc::new(AtomicUsize::new(0));
        let inner = Mutex::new(Counted(Arc::clone(&drops))).into_inner().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(inner);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        drop(Mutex::new(Counted(Arc::clone(&drops))));
        assert_eq!(drops.load(Ordering::Relaxed), 2);
    }

    fn debug_shows_the_data_or_that_it_is_locked() {
        let mutex = Mutex::new(7);
        assert_eq!(format!("{mutex:?}"), "Mutex { data: 7, poisoned: false, .. }");
        poison(&mutex);
        assert_eq!(format!("{mutex:?}"), "Mutex { data: 7, poisoned: true, .. }");
        let guard = mutex.lock().unwrap_err().into_inner();
        assert_eq!(format!("{guard:?} {guard}"), "7 7");
        let locked = format!("{mutex:?}");
        assert!(locked.contains("<locked>"), "{locked}");
    }

    fn try_lock_errors_print_as_ever() {
        let mutex = Mutex::new(());
        let guard = mutex.lock().unwrap();
        let error = mutex.try_lock().unwrap_err();
        assert_eq!(error.to_string(), "try_lock failed because the operation would block");
        assert_eq!(format!("{error:?}"), "\"WouldBlock\"");
        drop(error);
        drop(guard);
        poison(&mutex);
        let error = mutex.try_lock().unwrap_err();
        assert_eq!(error.to_string(), "poisoned lock: another task failed inside");
        assert_eq!(format!("{error:?}"), "\"Poisoned(..)\"");
    }

    fn errors_are_those_of_std() {
        fn locks(mutex: &Mutex<i32>) -> Result<i32, Box<dyn ::std::error::Error + '_>> {
            Ok(*mutex.lock()?)
        }
        let mutex = Mutex::new(1);
        assert_eq!(locks(&mutex).unwrap(), 1);
        poison(&mutex);
        assert!(locks(&mutex).is_err());
        let error: ::std::sync::PoisonError<_> = mutex.lock().unwrap_err();
        drop(error);
        let error: ::std::sync::TryLockError<_> = mutex.try_lock().unwrap_err();
        drop(error);
    }

    fn data_may_be_unsized() {
        let mutex: &Mutex<[i32]> = &Mutex::new([1, 2, 3]);
        mutex.lock().unwrap()[0] = 4;
        assert_eq!(*mutex.lock().unwrap(), [4, 2, 3]);
        let boxed: Box<Mutex<dyn Fn() -> i32 + Send>> = Box::new(Mutex::new(|| 5));
        assert_eq!((boxed.lock().unwrap())(), 5);
    }

    fn a_static_needs_no_setup() {
        static COUNT: Mutex<Vec<i32>> = Mutex::new(Vec::new());
        let thread = thread::spawn(|| COUNT.lock().unwrap().push(1));
        thread.join().unwrap();
        assert_eq!(*COUNT.lock().unwrap(), [1]);
    }

    fn default_and_from_wrap_a_value() {
        assert_eq!(Mutex::<i32>::default().into_inner().unwrap(), 0);
        assert_eq!(Mutex::from(3).into_inner().unwrap(), 3);
    }

    fn who_locks_what_it_has_locked_waits_for_ever() {
        let mutex = Arc::new(Mutex::new(()));
        let guard = mutex.lock().unwrap();
        let own = Arc::clone(&mutex);
        let stuck = thread::spawn(move || {
            let _first = own.lock();
            let _second = own.lock();
        });
        drop(guard);
        thread::sleep(Duration::from_millis(20));
        assert!(!stuck.is_finished());
    }

    fn a_guard_may_be_forgotten() {
        let mutex = Mutex::new(1);
        std::mem::forget(mutex.lock().unwrap());
        assert!(matches!(mutex.try_lock(), Err(TryLockError::WouldBlock)));
        assert_eq!(mutex.into_inner().unwrap(), 1);
    }
}

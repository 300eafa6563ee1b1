//! `std::sync::LazyLock`.

tests::on_each! {
    items {
        use std::panic::{self, AssertUnwindSafe};
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::{Arc, Barrier, LazyLock};
        use std::thread;
        use std::time::Duration;

        const POISONED: &str = "LazyLock instance has previously been poisoned";

        /// What `f` panics with.
        fn message_of<T>(f: impl FnOnce() -> T) -> String {
            let panic = panic::catch_unwind(AssertUnwindSafe(|| drop(f()))).unwrap_err();
            (*panic.downcast_ref::<&str>().unwrap()).to_owned()
        }

        /// Adds one to a count when dropped.
        struct Counted(Arc<AtomicUsize>);

        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn the_value_is_made_when_asked_for() {
        let made = AtomicUsize::new(0);
        let lazy = LazyLock::new(|| made.fetch_add(1, Ordering::Relaxed) + 10);
        assert_eq!(made.load(Ordering::Relaxed), 0);
        assert_eq!(*lazy, 10);
        assert_eq!(*LazyLock::force(&lazy), 10);
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    fn a_static_is_made_by_one_of_many_threads() {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        static LAZY: LazyLock<Vec<usize>> = LazyLock::new(|| {
            thread::sleep(Duration::from_millis(20));
            vec![MADE.fetch_add(1, Ordering::Relaxed)]
        });
        let barrier = Arc::new(Barrier::new(6));
        let threads: Vec<_> = (0..6)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                thread::spawn(move || {
                    barrier.wait();
                    LAZY.len()
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 1);
        }
        assert_eq!(MADE.load(Ordering::Relaxed), 1);
    }

    fn get_does_not_make_it() {
        let mut lazy = LazyLock::new(|| 1);
        assert_eq!(LazyLock::get(&lazy), None);
        assert_eq!(LazyLock::get_mut(&mut lazy), None);
        LazyLock::force(&lazy);
        assert_eq!(LazyLock::get(&lazy), Some(&1));
        *LazyLock::get_mut(&mut lazy).unwrap() = 2;
        assert_eq!(*lazy, 2);
    }

    fn force_mut_and_deref_mut_make_it() {
        let mut lazy = LazyLock::new(|| vec![1]);
        LazyLock::force_mut(&mut lazy).push(2);
        lazy.push(3);
        assert_eq!(*lazy, [1, 2, 3]);
        let mut other = LazyLock::<Vec<i32>>::default();
        other.push(4);
        assert_eq!(*other, [4]);
    }

    fn a_panic_poisons_for_good() {
        let lazy: LazyLock<i32> = LazyLock::new(|| panic!("on purpose"));
        assert_eq!(message_of(|| *lazy), "on purpose");
        assert_eq!(message_of(|| *lazy), POISONED);
        assert_eq!(message_of(|| *lazy), POISONED);
        assert_eq!(LazyLock::get(&lazy), None);
        assert_eq!(format!("{lazy:?}"), "LazyLock(<uninit>)");
    }

    fn a_panic_poisons_for_the_owner_too() {
        let mut lazy: LazyLock<i32> = LazyLock::new(|| panic!("on purpose"));
        assert_eq!(message_of(|| LazyLock::force_mut(&mut lazy)), "on purpose");
        assert_eq!(message_of(|| LazyLock::force_mut(&mut lazy)), POISONED);
        assert_eq!(message_of(|| *lazy), POISONED);
        assert_eq!(LazyLock::get_mut(&mut lazy), None);
    }

    fn a_thread_that_waits_for_a_closure_that_panics_panics() {
        let barrier = Arc::new(Barrier::new(2));
        let inside = Arc::clone(&barrier);
        let lazy: Arc<LazyLock<i32, _>> = Arc::new(LazyLock::new(move || {
            inside.wait();
            thread::sleep(Duration::from_millis(20));
            panic!("on purpose")
        }));
        let other = Arc::clone(&lazy);
        let makes = thread::spawn(move || message_of(|| **other));
        barrier.wait();
        assert_eq!(message_of(|| **lazy), POISONED);
        assert_eq!(makes.join().unwrap(), "on purpose");
    }

    fn the_closure_is_dropped_when_it_has_run_or_with_the_lock() {
        let drops = Arc::new(AtomicUsize::new(0));
        let count = || drops.load(Ordering::Relaxed);
        let capture = Counted(Arc::clone(&drops));
        let lazy = LazyLock::new(move || {
            let _capture = &capture;
            1
        });
        assert_eq!((count(), *lazy, count()), (0, 1, 1));
        drop(lazy);
        assert_eq!(count(), 1);
        let capture = Counted(Arc::clone(&drops));
        drop(LazyLock::new(move || {
            let _capture = &capture;
        }));
        assert_eq!(count(), 2);
        let capture = Counted(Arc::clone(&drops));
        let lazy: LazyLock<i32, _> = LazyLock::new(move || {
            let _capture = &capture;
            panic!("on purpose")
        });
        message_of(|| *lazy);
        assert_eq!(count(), 3);
        drop(lazy);
        assert_eq!(count(), 3);
    }

    fn the_value_is_dropped_with_the_lock() {
        let drops = Arc::new(AtomicUsize::new(0));
        let lazy = LazyLock::new(|| Counted(Arc::clone(&drops)));
        LazyLock::force(&lazy);
        assert_eq!(drops.load(Ordering::Relaxed), 0);
        drop(lazy);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
        drop(LazyLock::new(|| Counted(Arc::clone(&drops))));
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }

    fn value_and_closure_may_differ_in_size_and_alignment() {
        let (a, b, c) = ([1_u8; 33], 2_u128, 3_u16);
        let lazy = LazyLock::new(move || u64::from(a[32]) + u64::try_from(b).unwrap());
        assert_eq!(*lazy, 3);
        let lazy = LazyLock::new(move || [u128::from(c); 5]);
        assert_eq!(*lazy, [3; 5]);
    }

    fn one_lazy_value_may_use_another() {
        static FIRST: LazyLock<i32> = LazyLock::new(|| *SECOND + 1);
        static SECOND: LazyLock<i32> = LazyLock::new(|| 1);
        assert_eq!(*FIRST, 2);
    }

    fn debug_shows_the_value_once_made() {
        let lazy = LazyLock::new(|| 1);
        assert_eq!(format!("{lazy:?}"), "LazyLock(<uninit>)");
        LazyLock::force(&lazy);
        assert_eq!(format!("{lazy:?}"), "LazyLock(1)");
    }
}

/// std has this since 1.96, so the mirror alone is asked until that is required.
#[test]
fn a_value_that_is_there_already_is_not_made() {
    use std_shim::sync::LazyLock;

    let mut lazy: LazyLock<String> = LazyLock::from(String::from("there"));
    assert_eq!(LazyLock::get(&lazy).map(String::as_str), Some("there"));
    lazy.push_str(" already");
    assert_eq!(*lazy, "there already");
}

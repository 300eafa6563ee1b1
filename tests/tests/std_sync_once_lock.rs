//! `std::sync::OnceLock`.

tests::on_each! {
    items {
        use std::panic::{self, AssertUnwindSafe};
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::{Arc, Barrier, OnceLock};
        use std::thread;
        use std::time::Duration;

        const A_WHILE: Duration = Duration::from_millis(20);

        /// Adds one to a count when dropped.
        #[derive(Clone)]
        struct Counted(Arc<AtomicUsize>);

        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn the_first_value_stays() {
        static CELL: OnceLock<String> = OnceLock::new();
        assert_eq!(CELL.get(), None);
        assert_eq!(CELL.set("one".into()), Ok(()));
        assert_eq!(CELL.get().unwrap(), "one");
        assert_eq!(CELL.set("two".into()), Err("two".into()));
        assert_eq!(CELL.get_or_init(|| unreachable!()), "one");
        assert_eq!(CELL.wait(), "one");
    }

    fn get_or_init_makes_the_value_where_there_is_none() {
        let cell = OnceLock::new();
        assert_eq!(cell.get_or_init(|| 1), &1);
        assert_eq!(cell.get_or_init(|| 2), &1);
    }

    fn of_many_threads_one_makes_the_value() {
        let shared = Arc::new((OnceLock::new(), Barrier::new(8), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.1.wait();
                    *shared.0.get_or_init(|| {
                        shared.2.fetch_add(1, Ordering::Relaxed);
                        thread::sleep(A_WHILE);
                        n
                    })
                })
            })
            .collect();
        let values: Vec<i32> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(values.iter().all(|value| *value == values[0]));
        assert_eq!(shared.2.load(Ordering::Relaxed), 1);
    }

    fn of_many_threads_one_sets_the_value() {
        let shared = Arc::new((OnceLock::new(), Barrier::new(8)));
        let threads: Vec<_> = (0..8)
            .map(|n| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.1.wait();
                    shared.0.set(n).err()
                })
            })
            .collect();
        let refused: Vec<i32> =
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(refused.len(), 7);
        assert!(!refused.contains(shared.0.get().unwrap()));
    }

    fn wait_ends_when_the_value_is_there() {
        let cell = Arc::new(OnceLock::new());
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let cell = Arc::clone(&cell);
                thread::spawn(move || *cell.wait())
            })
            .collect();
        thread::sleep(A_WHILE);
        cell.set(5).unwrap();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 5);
        }
    }

    fn get_does_not_wait_for_a_value_in_the_works() {
        let shared = Arc::new((OnceLock::new(), Barrier::new(2)));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            other.0.get_or_init(|| {
                other.1.wait();
                other.1.wait();
                1
            });
        });
        shared.1.wait();
        assert_eq!(shared.0.get(), None);
        assert_eq!(format!("{:?}", shared.0), "OnceLock(<uninit>)");
        shared.1.wait();
        thread.join().unwrap();
        assert_eq!(shared.0.get(), Some(&1));
    }

    fn a_closure_that_panics_leaves_the_cell_empty() {
        let mut cell = OnceLock::new();
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            cell.get_or_init(|| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        assert_eq!(cell.get(), None);
        assert_eq!(cell.get_mut(), None);
        assert_eq!(cell.take(), None);
        assert_eq!(cell.get_or_init(|| 1), &1);
    }

    fn wait_outlasts_a_closure_that_panics() {
        let cell = Arc::new(OnceLock::new());
        let other = Arc::clone(&cell);
        let waits = thread::spawn(move || *other.wait());
        thread::sleep(A_WHILE);
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            cell.get_or_init(|| panic!("on purpose"));
        }));
        assert!(panicked.is_err());
        cell.set(2).unwrap();
        assert_eq!(waits.join().unwrap(), 2);
    }

    fn get_mut_take_and_into_inner_give_the_value() {
        let mut cell = OnceLock::new();
        assert_eq!(cell.get_mut(), None);
        cell.set(1).unwrap();
        *cell.get_mut().unwrap() += 1;
        assert_eq!(cell.take(), Some(2));
        assert_eq!(cell.get(), None);
        assert_eq!(cell.take(), None);
        cell.set(3).unwrap();
        assert_eq!(cell.into_inner(), Some(3));
        assert_eq!(OnceLock::<i32>::new().into_inner(), None);
    }

    fn a_value_is_dropped_once() {
        let drops = Arc::new(AtomicUsize::new(0));
        let count = || drops.load(Ordering::Relaxed);
        drop(OnceLock::from(Counted(Arc::clone(&drops))));
        assert_eq!(count(), 1);
        let cell = OnceLock::new();
        assert!(cell.set(Counted(Arc::clone(&drops))).is_ok());
        assert!(cell.set(Counted(Arc::clone(&drops))).is_err());
        assert_eq!(count(), 2);
        let inner = cell.into_inner();
        assert_eq!(count(), 2);
        drop(inner);
        assert_eq!(count(), 3);
        drop(OnceLock::<Counted>::new());
        let mut cell = OnceLock::new();
        cell.get_or_init(|| Counted(Arc::clone(&drops)));
        drop(cell.take());
        drop(cell);
        assert_eq!(count(), 4);
    }

    fn the_cell_may_refer_to_what_goes_before_it() {
        let cell = OnceLock::new();
        let text = String::from("text");
        cell.set(&text).unwrap();
        assert_eq!(*cell.get().unwrap(), "text");
        // `text` is dropped first.
    }

    fn a_value_of_any_size_and_alignment_is_where_it_belongs() {
        #[repr(align(64))]
        #[derive(Debug, PartialEq)]
        struct Aligned([u8; 70]);
        let cell = OnceLock::new();
        let value: *const Aligned = cell.get_or_init(|| Aligned([7; 70]));
        assert!(value.is_aligned());
        assert_eq!(cell.get(), Some(&Aligned([7; 70])));
        assert_eq!(OnceLock::from(Aligned([8; 70])).get(), Some(&Aligned([8; 70])));
        assert_eq!(cell.into_inner(), Some(Aligned([7; 70])));
        assert_eq!(OnceLock::from(()).get(), Some(&()));
        assert_eq!(OnceLock::from([1_u8, 2, 3]).get(), Some(&[1, 2, 3]));
        assert_eq!(OnceLock::from(None::<Box<u8>>).get(), Some(&None));
        let byte = OnceLock::new();
        byte.set(true).unwrap();
        assert_eq!(byte.into_inner(), Some(true));
    }

    fn clone_compare_default_debug() {
        let empty = OnceLock::<i32>::default();
        assert_eq!(format!("{empty:?} {:?}", OnceLock::from(1)), "OnceLock(<uninit>) OnceLock(1)");
        assert_eq!(empty.clone(), empty);
        assert_eq!(OnceLock::from(1).clone(), OnceLock::from(1));
        assert_ne!(OnceLock::from(1), OnceLock::from(2));
        assert_ne!(OnceLock::from(1), empty);
    }
}

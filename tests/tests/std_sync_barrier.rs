//! `std::sync::Barrier`.

tests::on_each! {
    items {
        use std::sync::atomic::{AtomicUsize, Ordering};
        use std::sync::mpsc::{self, TryRecvError};
        use std::sync::{Arc, Barrier};
        use std::thread;
        use std::time::Duration;
    }

    fn nobody_leaves_before_the_last_has_come_and_one_leads() {
        const THREADS: usize = 10;
        let barrier = Arc::new(Barrier::new(THREADS));
        let (gone, went) = mpsc::channel();
        for _ in 1..THREADS {
            let barrier = Arc::clone(&barrier);
            let gone = gone.clone();
            thread::spawn(move || gone.send(barrier.wait().is_leader()).unwrap());
        }
        thread::sleep(Duration::from_millis(20));
        assert_eq!(went.try_recv(), Err(TryRecvError::Empty));
        let mut leaders = usize::from(barrier.wait().is_leader());
        for _ in 1..THREADS {
            leaders += usize::from(went.recv().unwrap());
        }
        assert_eq!(leaders, 1);
    }

    fn a_barrier_works_round_after_round() {
        const THREADS: usize = 5;
        const ROUNDS: usize = 300;
        let shared = Arc::new((Barrier::new(THREADS), AtomicUsize::new(0), AtomicUsize::new(0)));
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    for round in 1..=ROUNDS {
                        shared.1.fetch_add(1, Ordering::Relaxed);
                        if shared.0.wait().is_leader() {
                            shared.2.fetch_add(1, Ordering::Relaxed);
                        }
                        assert_eq!(shared.1.load(Ordering::Relaxed), round * THREADS);
                        shared.0.wait();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(shared.2.load(Ordering::Relaxed), ROUNDS);
    }

    fn more_threads_than_the_barrier_is_for_leave_in_groups() {
        let barrier = Arc::new(Barrier::new(3));
        let threads: Vec<_> = (0..12)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                thread::spawn(move || barrier.wait().is_leader())
            })
            .collect();
        let leaders = threads.into_iter().map(|t| t.join().unwrap());
        assert_eq!(leaders.filter(|is_leader| *is_leader).count(), 4);
    }

    fn a_barrier_for_none_or_one_waits_for_nobody() {
        for n in [0, 1] {
            let barrier = Barrier::new(n);
            assert!(barrier.wait().is_leader());
            assert!(barrier.wait().is_leader());
        }
    }

    fn what_was_done_before_is_seen_after() {
        let shared = Arc::new((Barrier::new(4), [const { AtomicUsize::new(0) }; 4]));
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || {
                    shared.1[n].store(1, Ordering::Relaxed);
                    shared.0.wait();
                    shared.1.iter().map(|seen| seen.load(Ordering::Relaxed)).sum::<usize>()
                })
            })
            .collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 4);
        }
    }

    fn debug() {
        let barrier = Barrier::new(1);
        assert_eq!(format!("{barrier:?}"), "Barrier { .. }");
        assert_eq!(format!("{:?}", barrier.wait()), "BarrierWaitResult { is_leader: true }");
    }

    fn a_static_needs_no_setup() {
        static BARRIER: Barrier = Barrier::new(2);
        let thread = thread::spawn(|| BARRIER.wait().is_leader());
        let here = BARRIER.wait().is_leader();
        assert_ne!(thread.join().unwrap(), here);
    }
}

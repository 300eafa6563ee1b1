//! Thread-locals across 5,000 threads and every kind of wait: one address for a thread's life, its
//! own value, and a destructor that runs once, at the thread's end, before `join` returns.

tests::on_std_and_in_each_mode! {
    items {
        use std::cell::{Cell, RefCell};
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;
        use std::panic;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::{Acquire, Relaxed, Release}};
        use std::thread::{self, Builder};
        use std::thread_local;
        use std::time::Duration;

        use tests::process::{Process, Way};

        /// How many were made, and dropped.
        static N_MADE: AtomicUsize = AtomicUsize::new(0);
        static N_DROPPED: AtomicUsize = AtomicUsize::new(0);

        /// A value of a thread's own; its end is seen by who joins the thread.
        struct Owned {
            n: Cell<usize>,
            ended: RefCell<Option<Arc<AtomicUsize>>>,
        }

        impl Owned {
            fn new() -> Self {
                N_MADE.fetch_add(1, Relaxed);
                Self { n: Cell::new(0), ended: RefCell::new(None) }
            }
        }

        impl Drop for Owned {
            fn drop(&mut self) {
                N_DROPPED.fetch_add(1, Relaxed);
                // A thread-local without a destructor of its own still says who this is.
                assert_eq!(PLAIN.get(), self.n.get());
                if let Some(ended) = self.ended.take() {
                    ended.fetch_add(1, Release);
                }
            }
        }

        thread_local! {
            static OWNED: Owned = Owned::new();
            static PLAIN: Cell<usize> = const { Cell::new(0) };
            static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
        }

        /// Where this thread's values are.
        fn addresses() -> [usize; 3] {
            [
                OWNED.with(|owned| ::std::ptr::from_ref(owned).addr()),
                PLAIN.with(|plain| ::std::ptr::from_ref(plain).addr()),
                TEXT.with(|text| ::std::ptr::from_ref(text).addr()),
            ]
        }

        /// Waits, in the way of this number.
        fn wait(way: usize, (near, far): &mut (UnixStream, UnixStream)) {
            match way % 9 {
                0 => thread::sleep(Duration::from_micros(200)),
                1 => thread::yield_now(),
                2 => thread::park_timeout(Duration::from_micros(100)),
                3 => thread::spawn(|| ()).join().unwrap(),
                4 => {
                    let this = thread::current();
                    let come = Arc::new(AtomicBool::new(false));
                    drop(thread::spawn({
                        let come = come.clone();
                        move || {
                            come.store(true, Release);
                            this.unpark();
                        }
                    }));
                    while !come.load(Acquire) {
                        thread::park();
                    }
                }
                5 => {
                    thread::scope(|s| {
                        s.spawn(|| near.write_all(&[1]).unwrap());
                        far.read_exact(&mut [0]).unwrap();
                    });
                }
                6 => sylvan::blocking(|| ::std::thread::sleep(Duration::from_micros(200))),
                7 => {
                    let caught = panic::catch_unwind(|| {
                        struct Waits;
                        impl Drop for Waits {
                            fn drop(&mut self) {
                                thread::sleep(Duration::from_micros(50));
                            }
                        }
                        let _waits = Waits;
                        panic::resume_unwind(Box::new(()));
                    });
                    caught.unwrap_err();
                }
                // SAFETY: waits for a tenth of a millisecond.
                _ => assert_eq!(unsafe { libc::usleep(100) }, 0),
            }
        }

        fn holds(process: &Process) -> bool {
            if process.way() == Way::Shared {
                println!("does not hold in the shared mode: thread-locals are the worker's");
            }
            process.way() != Way::Shared
        }
    }

    fn each_of_five_thousand_threads_has_its_own_for_its_whole_life(process) {
        if !holds(process) {
            return;
        }
        process.passes(|| {
            const N: usize = 5_000;
            let threads: Vec<_> = (1..=N)
                .map(|n| {
                    let ended = Arc::new(AtomicUsize::new(0));
                    let at_the_end = ended.clone();
                    let body = move || {
                        OWNED.with(|owned| {
                            assert_eq!(owned.n.replace(n), 0, "somebody was here before");
                            assert!(owned.ended.replace(Some(at_the_end)).is_none());
                        });
                        assert_eq!(PLAIN.replace(n), 0);
                        assert_eq!(TEXT.replace(n.to_string()), "");
                        let at = addresses();
                        let mut pair = (n % 10 == 0).then(|| UnixStream::pair().unwrap());
                        for round in 0..4 {
                            match &mut pair {
                                Some(pair) => wait(n / 10 + round, pair),
                                None => thread::sleep(Duration::from_micros((n % 700) as u64)),
                            }
                            assert_eq!(addresses(), at);
                            assert_eq!(OWNED.with(|owned| owned.n.get()), n);
                            assert_eq!(PLAIN.get(), n);
                            TEXT.with_borrow(|text| assert_eq!(*text, n.to_string()));
                        }
                        n
                    };
                    (ended, Builder::new().stack_size(128 << 10).spawn(body).unwrap())
                })
                .collect();
            for (n, (ended, thread)) in (1..).zip(threads) {
                assert_eq!(thread.join().unwrap(), n);
                assert_eq!(ended.load(Acquire), 1, "its destructor has run, and once");
            }
            assert_eq!(N_MADE.load(Relaxed), N);
            assert_eq!(N_DROPPED.load(Relaxed), N);
        });
    }

    fn a_thread_that_waits_in_every_way_stays_who_it_is(process) {
        // In the shared mode the addresses stay the same, too; what is there does not.
        let own = holds(process);
        process.passes(|| {
            let threads: Vec<_> = (1..=60)
                .map(|n| {
                    thread::spawn(move || {
                        let mut pair = UnixStream::pair().unwrap();
                        let (id, at) = (thread::current().id(), addresses());
                        OWNED.with(|owned| owned.n.set(n));
                        PLAIN.set(n);
                        for round in 0..45 {
                            wait(n + round, &mut pair);
                            assert_eq!(thread::current().id(), id);
                            assert_eq!(addresses(), at);
                            let values = (OWNED.with(|owned| owned.n.get()), PLAIN.get());
                            assert!(values == (n, n) || !own);
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert!(N_MADE.load(Relaxed) == N_DROPPED.load(Relaxed) || !own);
        });
    }

    fn no_two_threads_that_live_at_a_time_share_an_address(process) {
        if !holds(process) {
            return;
        }
        process.passes(|| {
            const THREADS: usize = 500;
            let (go, n_there) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (go, n_there) = (go.clone(), n_there.clone());
                    thread::spawn(move || {
                        let at = addresses();
                        n_there.fetch_add(1, Relaxed);
                        while !go.load(Acquire) {
                            thread::park();
                        }
                        assert_eq!(addresses(), at);
                        at
                    })
                })
                .collect();
            tests::counts::eventually("all live", || n_there.load(Relaxed) == THREADS);
            go.store(true, Release);
            threads.iter().for_each(|thread| thread.thread().unpark());
            let mut all: Vec<usize> =
                threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
            all.sort_unstable();
            let n = all.len();
            all.dedup();
            assert_eq!(all.len(), n);
        });
    }
}

//! A busy core's work is everybody's: what a thread that computes for 8 ms has started, woken, or keeps
//! from an event or a deadline on its worker goes on beside it, on another processor.
//!
//! Each scene does so again and again, and the median delay counts. The machine may be busy with other
//! things for a while: what it makes an OS thread wait is allowed for, and a fact that does not hold fails
//! each time.

/// One scene at a time: they would disturb each other.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

tests::on_std_and_in_each_mode! {
    items {
        use std::fs;
        use std::io::{Read, Write};
        use std::os::unix::net::UnixStream;
        use std::panic;
        use std::sync::{Arc, Mutex, mpsc};
        use std::thread;
        use std::time::{Duration, Instant};

        use tests::process::{Process, Way};

        const BURST: Duration = Duration::from_millis(8);
        const BOUND: Duration = Duration::from_millis(3);
        const BURSTS: usize = 21;

        fn compute() {
            compute_for(BURST);
        }

        fn compute_for(burst: Duration) {
            let begin = Instant::now();
            while begin.elapsed() < burst {
                ::std::hint::spin_loop();
            }
        }

        /// The median delay of what `start` starts, each time before the thread that has started it
        /// computes.
        fn delay<T>(start: impl Fn() -> T, end: impl Fn(T) -> Duration) -> Duration {
            let delay = |_| {
                let other = start();
                compute();
                end(other)
            };
            let mut delays: Vec<_> = (0..BURSTS).map(delay).collect();
            delays.sort_unstable();
            delays[BURSTS / 2]
        }

        /// Whether what `start` starts is delayed by no more than the machine makes an OS thread wait.
        fn is_seen_to(start: fn() -> thread::JoinHandle<Duration>) -> bool {
            let scene = move || delay(start, |other| other.join().unwrap());
            let delay_here = thread::spawn(scene).join().unwrap();
            let os_thread = || {
                let begin = Instant::now();
                ::std::thread::spawn(move || begin.elapsed())
            };
            let machine = delay(os_thread, |other| other.join().unwrap());
            println!("delayed by {delay_here:?}, an OS thread by {machine:?}");
            delay_here < BOUND + machine
        }

        const THREADS: usize = 16;
        const TURNS: usize = 24;

        /// Many threads compute for a millisecond, do one of the things that end or stop a run, and so on. How
        /// many turns they have had.
        fn do_everything() -> usize {
            let n_done = Arc::new(Mutex::new(0));
            let threads = (0..THREADS).map(|number| {
                let n_done = Arc::clone(&n_done);
                thread::spawn(move || {
                    let (mut near, mut far) = UnixStream::pair().unwrap();
                    let (sender, receiver) = mpsc::channel();
                    let echo = thread::spawn(move || {
                        let mut byte = [0];
                        while far.read_exact(&mut byte).is_ok() {
                            far.write_all(&byte).unwrap();
                        }
                    });
                    for turn in 0..TURNS {
                        compute_for(Duration::from_millis(1));
                        match (number + turn) % 8 {
                            0 => thread::yield_now(),
                            1 => thread::sleep(Duration::from_micros(300)),
                            2 => {
                                near.write_all(&[1]).unwrap();
                                near.read_exact(&mut [0]).unwrap();
                            }
                            3 => {
                                let sender = sender.clone();
                                let other = thread::spawn(move || sender.send(turn).unwrap());
                                assert_eq!(receiver.recv(), Ok(turn));
                                other.join().unwrap();
                            }
                            4 => {
                                // In a blocking section.
                                assert!(fs::metadata("/proc/self/status").unwrap().is_file());
                            }
                            5 => {
                                let held = n_done.lock().unwrap();
                                compute_for(Duration::from_micros(200));
                                drop(held);
                            }
                            6 => thread::park_timeout(Duration::from_micros(100)),
                            _ => {
                                let caught = panic::catch_unwind(|| panic::resume_unwind(Box::new(turn)));
                                assert_eq!(*caught.unwrap_err().downcast::<usize>().unwrap(), turn);
                            }
                        }
                        *n_done.lock().unwrap() += 1;
                    }
                    drop(near);
                    echo.join().unwrap();
                })
            });
            let threads: Vec<_> = threads.collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            *n_done.lock().unwrap()
        }

        /// Whether nine of ten exchanges beside a thread that computes most of the time, and that the
        /// runtime has come to know, take hardly longer than those of OS threads.
        fn exchanges_go_on() -> bool {
            const EXCHANGES: usize = 400;
            const KNOWN: usize = 100;
            const PAUSE: Duration = Duration::from_millis(2);
            macro_rules! nine_of_ten_within {
                ($thread:path, $stream:path) => {{
                    use $stream as Stream;
                    use $thread as thread;
                    let is_over = ::std::sync::Arc::new(::std::sync::atomic::AtomicBool::new(false));
                    let until = is_over.clone();
                    let busy = thread::spawn(move || {
                        while !until.load(::std::sync::atomic::Ordering::Relaxed) {
                            compute_for(Duration::from_millis(1));
                            thread::sleep(Duration::from_micros(250));
                        }
                    });
                    let (mut near, mut far) = Stream::pair().unwrap();
                    let echo = thread::spawn(move || {
                        let mut word = [0; 8];
                        while far.read_exact(&mut word).is_ok() {
                            far.write_all(&word).unwrap();
                        }
                    });
                    let asking = thread::spawn(move || {
                        let ask = |_| {
                            let due = Instant::now() + PAUSE;
                            thread::sleep(PAUSE);
                            near.write_all(&[1; 8]).unwrap();
                            near.read_exact(&mut [0; 8]).unwrap();
                            due.elapsed()
                        };
                        let mut took: Vec<_> = (0..EXCHANGES).map(ask).skip(KNOWN).collect();
                        took.sort_unstable();
                        took[took.len() * 9 / 10]
                    });
                    let within = asking.join().unwrap();
                    is_over.store(true, ::std::sync::atomic::Ordering::Relaxed);
                    busy.join().unwrap();
                    echo.join().unwrap();
                    within
                }};
            }
            let here = nine_of_ten_within!(thread, UnixStream);
            let machine = nine_of_ten_within!(::std::thread, ::std::os::unix::net::UnixStream);
            println!("nine of ten within {here:?}, those of OS threads within {machine:?}");
            here < Duration::from_micros(250) + 2 * machine
        }

        fn is_done_beside(process: &Process, start: fn() -> thread::JoinHandle<Duration>) {
            let _turn = super::TURN.lock();
            process.env("SYLVAN_WORKERS", "2").passes(|| {
                assert!((0..8).any(|_| is_seen_to(start)), "each time");
            });
        }

        /// Computes for a millisecond beside a thread that does so too, and again; whether two thirds of those
        /// threads began in the first half of it.
        fn halves_go_on_together() -> bool {
            const PAIRS: usize = 100;
            let pair = |_: &usize| {
                let begin = Instant::now();
                let other = thread::spawn(move || {
                    let delay = begin.elapsed();
                    compute_for(Duration::from_millis(1));
                    delay
                });
                compute_for(Duration::from_millis(1));
                other.join().unwrap() < Duration::from_micros(500)
            };
            thread::spawn(move || (0..PAIRS).filter(pair).count() > PAIRS * 2 / 3).join().unwrap()
        }

        /// Whether the fact is one of this mode.
        fn holds(process: &Process) -> bool {
            if process.way() == Way::Shared {
                println!(
                    "does not hold in the shared mode: a thread that has started stays on its \
                     worker, whose thread-locals it sees"
                );
            }
            process.way() != Way::Shared
        }

        /// A thread that has started and is about to wait, on the worker of who computes; `wait` tells
        /// when it could have gone on.
        fn waiting(
            wait: impl FnOnce(mpsc::Receiver<Instant>) -> Instant + Send + 'static,
        ) -> (thread::JoinHandle<Duration>, mpsc::Sender<Instant>) {
            let (sender, receiver) = mpsc::channel();
            let (ready, is_ready) = mpsc::channel();
            let other = thread::spawn(move || {
                ready.send(()).unwrap();
                let due = wait(receiver);
                due.elapsed()
            });
            is_ready.recv().unwrap();
            // It goes on to its wait.
            thread::yield_now();
            (other, sender)
        }
    }

    fn a_thread_runs_beside_the_one_that_has_spawned_it(process) {
        is_done_beside(process, || {
            let begin = Instant::now();
            thread::spawn(move || begin.elapsed())
        });
    }

    fn a_thread_runs_beside_the_one_that_has_woken_it(process) {
        if holds(process) {
            is_done_beside(process, || {
                let (other, sender) = waiting(|receiver| receiver.recv().unwrap());
                sender.send(Instant::now()).unwrap();
                other
            });
        }
    }

    fn an_event_is_seen_to_beside_a_thread_that_computes(process) {
        if holds(process) {
            is_done_beside(process, || {
                let (mut near, mut far) = UnixStream::pair().unwrap();
                let (other, sender) = waiting(move |receiver| {
                    far.read_exact(&mut [0; 8]).unwrap();
                    receiver.recv().unwrap()
                });
                sender.send(Instant::now()).unwrap();
                near.write_all(&[1; 8]).unwrap();
                other
            });
        }
    }

    fn a_deadline_is_kept_beside_a_thread_that_computes(process) {
        if holds(process) {
            is_done_beside(process, || {
                let (other, _) = waiting(|_| {
                    let due = Instant::now() + Duration::from_millis(1);
                    thread::sleep(Duration::from_millis(1));
                    due
                });
                other
            });
        }
    }

    fn halves_of_a_millisecond_go_on_together_soon_after_the_start(process) {
        const PROCESSES: usize = 10;
        // The shared mode finds its step later. What else the machine does may spoil some.
        let enough = if process.way() == Way::Shared { 5 } else { 8 };
        if process.way() == Way::OsThreads {
            println!("does not hold for OS threads: the kernel starts both on one processor");
            return;
        }
        let _turn = super::TURN.lock();
        let process = process.env("SYLVAN_WORKERS", "2");
        let together = |_: &usize| {
            process.passes(|| println!("together: {}", halves_go_on_together())).said("together:") == "true"
        };
        assert!((0..2).any(|_| (0..PROCESSES).filter(together).count() >= enough), "each time");
    }

    fn those_that_compute_again_and_again_hold_up_no_exchange(process) {
        if holds(process) {
            let _turn = super::TURN.lock();
            // So that what comes waits for the one worker.
            process.env("SYLVAN_WORKERS", "1").passes(|| {
                assert!((0..8).any(|_| exchanges_go_on()), "each time");
            });
        }
    }

    fn those_that_compute_do_all_else_that_threads_do(process) {
        let _turn = super::TURN.lock();
        for (workers, os_threads) in [("1", "2"), ("2", "64"), ("3", "4")] {
            let process = process.env("SYLVAN_WORKERS", workers).env("SYLVAN_MAX_THREADS", os_threads);
            process.passes(|| {
                let done = do_everything();
                assert_eq!(done, THREADS * TURNS);
            });
        }
    }
}

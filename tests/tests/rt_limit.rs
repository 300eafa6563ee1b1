//! At the limit of OS threads what blocks for long takes more, and all else goes on beside it.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std_shim::thread::{self, JoinHandle};

use tests::counts::{address_space, eventually, os_threads};
use tests::process::{Ended, Process, Way};

/// What holds on OS threads, too: the limit is beyond what is started.
mod as_on_os_threads {
    tests::on_std_and_in_each_mode! {
        items {
            use std::fs::{self, File};
            use std::io::{Read, Write};
            use std::path::PathBuf;
            use std::sync::Arc;
            use std::sync::atomic::{AtomicUsize, Ordering::*};
            use std::thread::{self, JoinHandle};
            use std::time::{Duration, Instant};

            const MANY: usize = 600;

            struct Scratch(PathBuf);

            impl Scratch {
                fn new() -> Self {
                    let path = std::env::temp_dir().join(format!("limit-{}", std::process::id()));
                    fs::create_dir(&path).unwrap();
                    Self(path)
                }
            }

            impl Drop for Scratch {
                fn drop(&mut self) {
                    let _ = fs::remove_dir_all(&self.0);
                }
            }

            /// Starts many that count themselves, and then wait.
            fn start(wait: impl Fn() + Clone + Send + 'static) -> (Arc<AtomicUsize>, Vec<JoinHandle<()>>) {
                let n_begun = Arc::new(AtomicUsize::new(0));
                let one = |_| {
                    let (wait, n_begun) = (wait.clone(), Arc::clone(&n_begun));
                    let main = move || {
                        n_begun.fetch_add(1, SeqCst);
                        wait();
                    };
                    thread::Builder::new().stack_size(64 << 10).spawn(main).unwrap()
                };
                let threads = (0..MANY).map(one).collect();
                (n_begun, threads)
            }

            /// Returns once all of them wait, as good as certainly, and timers have gone on meanwhile.
            fn await_all(n_begun: &AtomicUsize) {
                let mut latest = Duration::ZERO;
                let mut n_ticks_after = 0;
                let begin = Instant::now();
                while n_ticks_after < 100 {
                    n_ticks_after += usize::from(n_begun.load(SeqCst) == MANY);
                    let tick = Instant::now();
                    thread::sleep(Duration::from_millis(1));
                    latest = latest.max(tick.elapsed());
                }
                println!("all wait after {:?}; a tick has come {latest:?} late", begin.elapsed());
                assert!(latest < Duration::from_secs(2), "{latest:?}");
            }
        }

        fn those_who_wait_for_a_lock_of_a_file_keep_nobody_from_giving_it_up(process) {
            process.passes(|| thread::spawn(|| {
                let scratch = Scratch::new();
                let path = scratch.0.join("file");
                let mut file = File::create(&path).unwrap();
                file.lock().unwrap();
                let (n_begun, threads) = start(move || {
                    let file = File::open(&path).unwrap();
                    file.lock().unwrap();
                    file.unlock().unwrap();
                });
                await_all(&n_begun);
                assert!(threads.iter().all(|thread| !thread.is_finished()));
                file.write_all(b"done").unwrap();
                file.unlock().unwrap();
                threads.into_iter().for_each(|thread| thread.join().unwrap());
            }).join().unwrap());
        }

        fn those_who_wait_to_open_a_fifo_keep_nobody_from_opening_its_other_end(process) {
            process.passes(|| thread::spawn(|| {
                let scratch = Scratch::new();
                let path = scratch.0.join("fifo");
                rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
                let n_open = Arc::new(AtomicUsize::new(0));
                let (n_begun, threads) = {
                    let (path, n_open) = (path.clone(), Arc::clone(&n_open));
                    start(move || {
                        let mut file = File::open(&path).unwrap();
                        n_open.fetch_add(1, SeqCst);
                        assert_eq!(file.read(&mut [0]).unwrap(), 0);
                    })
                };
                await_all(&n_begun);
                assert!(threads.iter().all(|thread| !thread.is_finished()));
                let other_end = File::options().write(true).open(&path).unwrap();
                // Who comes to open it when it is closed again would wait for the next one.
                while n_open.load(SeqCst) < MANY {
                    thread::sleep(Duration::from_millis(1));
                }
                drop(other_end);
                threads.into_iter().for_each(|thread| thread.join().unwrap());
            }).join().unwrap());
        }
    }
}

tests::in_each_mode!(
    a_warning_says_once_how_many_there_are_and_what_to_do,
    those_who_wait_for_a_lock_that_is_none_of_ours_keep_nobody_from_giving_it_up,
    thousands_that_block_come_within_seconds_whatever_the_limit,
    beside_those_that_compute_what_blocks_goes_on,
    those_that_compute_keep_to_the_limit,
    above_the_limit_idle_os_threads_end_soon,
    where_the_system_refuses_an_os_thread_what_can_go_on_does,
    where_no_helper_can_be_had_who_needs_one_makes_the_call_itself,
);

/// Calls that block until the writing end is gone.
struct Gate {
    reader: Arc<OwnedFd>,
    writer: OwnedFd,
    n_begun: Arc<AtomicUsize>,
}

impl Gate {
    fn new() -> Self {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        Self { reader: Arc::new(reader), writer, n_begun: Arc::default() }
    }

    fn spawn_waiter(&self) -> JoinHandle<()> {
        let (reader, n_begun) = (Arc::clone(&self.reader), Arc::clone(&self.n_begun));
        let main = move || {
            let waits = || {
                n_begun.fetch_add(1, SeqCst);
                rustix::io::read(&*reader, &mut [0_u8]).unwrap()
            };
            assert_eq!(sylvan::blocking(waits), 0);
        };
        thread::Builder::new().stack_size(64 << 10).spawn(main).unwrap()
    }

    /// Starts so many that wait, and returns when they do.
    fn spawn_waiters(&self, n: usize) -> Vec<JoinHandle<()>> {
        let waiters = (0..n).map(|_| self.spawn_waiter()).collect();
        eventually("all block", || self.n_begun.load(SeqCst) == n);
        waiters
    }

    fn open(self, waiters: Vec<JoinHandle<()>>) {
        drop(self.writer);
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    }
}

/// A limit of `n` OS threads, two workers included.
fn limited(process: &Process, n: usize) -> Process {
    process.env("SYLVAN_WORKERS", "2").env("SYLVAN_MAX_THREADS", n.to_string())
}

fn warnings(ended: &Ended) -> Vec<&str> {
    ended.stderr.lines().filter(|line| line.starts_with("sylvan: ")).collect()
}

/// Runs `scene` on a green thread.
fn green(scene: impl FnOnce() + Send + 'static) {
    thread::spawn(scene).join().unwrap();
}

fn a_warning_says_once_how_many_there_are_and_what_to_do(process: &Process) {
    let ended = limited(process, 16).passes(|| {
        for _ in 0..2 {
            let gate = Gate::new();
            let waiters = gate.spawn_waiters(40);
            gate.open(waiters);
        }
    });
    let [warning] = warnings(&ended)[..] else { panic!("one warning: {:?}", ended.stderr) };
    assert!(
        warning.contains("16 OS threads") && warning.contains("SYLVAN_MAX_THREADS"),
        "{warning}"
    );
}

fn those_who_wait_for_a_lock_that_is_none_of_ours_keep_nobody_from_giving_it_up(process: &Process) {
    let is_own = process.way() == Way::Own;
    process.passes(|| {
        green(move || {
            let lock = Arc::new(std::sync::Mutex::new(0));
            let mut held = lock.lock().unwrap();
            let one = |_| {
                let lock = Arc::clone(&lock);
                let add = move || *lock.lock().unwrap() += 1;
                // Where the runtime sees no such wait it has to be told.
                let main = move || if is_own { add() } else { sylvan::blocking(add) };
                thread::Builder::new().stack_size(64 << 10).spawn(main).unwrap()
            };
            let waiters: Vec<_> = (0..600).map(one).collect();
            let begin = Instant::now();
            let mut n_before = 0;
            // Until no more come.
            while n_before < 600 || os_threads() != n_before {
                assert!(begin.elapsed() < Duration::from_secs(20), "{n_before} OS threads");
                n_before = os_threads();
                thread::sleep(Duration::from_millis(50));
            }
            println!("all wait after {:?}", begin.elapsed());
            *held += 1;
            drop(held);
            waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
            assert_eq!(*lock.lock().unwrap(), 601);
        });
    });
}

fn thousands_that_block_come_within_seconds_whatever_the_limit(process: &Process) {
    for limit in [4, 512] {
        limited(process, limit).passes(|| {
            green(|| {
                let (gate, begin) = (Gate::new(), Instant::now());
                let waiters = gate.spawn_waiters(2_000);
                println!("after {:?}", begin.elapsed());
                gate.open(waiters);
            });
        });
    }
}

/// Spins until it is told.
fn compute(stop: &AtomicBool) {
    while !stop.load(Relaxed) {
        std::hint::spin_loop();
    }
}

fn beside_those_that_compute_what_blocks_goes_on(process: &Process) {
    if process.way() == Way::Shared {
        // There a thread that computes keeps its worker in any case.
        return;
    }
    limited(process, 4).passes(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || compute(&stop))
        };
        // Two without a core; the limit leaves no more.
        let mut computing: Vec<_> = (0..2).map(start).collect();
        std::thread::sleep(Duration::from_millis(100));
        let gate = Gate::new();
        let mut waiters = gate.spawn_waiters(20);
        let ticks = thread::spawn(|| (0..20).for_each(|_| thread::sleep(Duration::from_millis(1))));
        ticks.join().unwrap();
        // Those that have blocked for long do not keep others from computing, either.
        computing.push(start(2));
        waiters.push(gate.spawn_waiter());
        eventually("one more blocks", || gate.n_begun.load(SeqCst) == 21);
        gate.open(waiters);
        stop.store(true, Relaxed);
        computing.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

fn those_that_compute_keep_to_the_limit(process: &Process) {
    let ended = limited(process, 6).passes(|| {
        thread::spawn(|| ()).join().unwrap();
        let before = os_threads();
        let stop = Arc::new(AtomicBool::new(false));
        let start = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || compute(&stop))
        };
        let computing: Vec<_> = (0..20).map(start).collect();
        if process.way() == Way::Own {
            eventually("as many compute as may", || os_threads() >= before + 4);
        }
        std::thread::sleep(Duration::from_millis(500));
        let during = os_threads();
        println!("{before} OS threads, {during} while 20 compute");
        stop.store(true, Relaxed);
        computing.into_iter().for_each(|thread| thread.join().unwrap());
        // Two are there from the beginning.
        assert!(during <= before + 4, "{during}");
    });
    let expected = usize::from(process.way() == Way::Own);
    assert_eq!(warnings(&ended).len(), expected, "{}", ended.stderr);
}

fn above_the_limit_idle_os_threads_end_soon(process: &Process) {
    limited(process, 8).passes(|| {
        thread::spawn(|| ()).join().unwrap();
        let before = os_threads();
        let gate = Gate::new();
        let waiters = gate.spawn_waiters(100);
        let during = os_threads();
        assert!(during >= before + 98, "{during}");
        let begin = Instant::now();
        gate.open(waiters);
        eventually("those above the limit have ended", || os_threads() <= before + 6);
        let took = begin.elapsed();
        println!("{before} OS threads, {during} while 100 block, few after {took:?}");
        // Within the limit they would stay for ten.
        assert!(took < Duration::from_secs(5), "{took:?}");
    });
}

/// From here on there is no room for the stack of an OS thread.
fn refuse_os_threads() {
    let most = getrlimit(Resource::As).maximum;
    let current = Some(address_space() + (1 << 20));
    setrlimit(Resource::As, Rlimit { current, maximum: most }).unwrap();
}

fn where_the_system_refuses_an_os_thread_what_can_go_on_does(process: &Process) {
    let ended = limited(process, 100).passes(|| {
        green(|| {
            let gate = Gate::new();
            // In the own mode that leaves one core; in the shared mode two helpers are busy.
            let waiters = gate.spawn_waiters(1);
            refuse_os_threads();
            let readers: Vec<_> = (0..20)
                .map(|_| {
                    thread::spawn(|| {
                        thread::sleep(Duration::from_millis(1));
                        let mut byte = [0];
                        std_shim::fs::metadata("/proc/self/status").unwrap();
                        let zero = || File::open("/dev/zero")?.read(&mut byte);
                        assert_eq!(sylvan::blocking(zero).unwrap(), 1);
                        sylvan::blocking(|| std::thread::sleep(Duration::from_millis(5)));
                    })
                })
                .collect();
            readers.into_iter().for_each(|reader| reader.join().unwrap());
            gate.open(waiters);
        });
    });
    let warnings = warnings(&ended);
    assert!(
        warnings.len() <= 1 && warnings.iter().all(|line| line.contains("refuses")),
        "{warnings:?}"
    );
}

fn where_no_helper_can_be_had_who_needs_one_makes_the_call_itself(process: &Process) {
    if process.way() == Way::Own {
        // There nobody needs one.
        return;
    }
    let ended = limited(process, 100).passes(|| {
        thread::spawn(|| ()).join().unwrap();
        refuse_os_threads();
        let asks = || std_shim::fs::metadata("/proc/self/status").map(drop);
        (0..100).for_each(|_| thread::spawn(asks).join().unwrap().unwrap());
    });
    let [warning] = warnings(&ended)[..] else { panic!("one warning: {:?}", ended.stderr) };
    assert!(warning.contains("refuses") && warning.contains("ulimit -u"), "{warning}");
}

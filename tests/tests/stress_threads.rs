//! Stress: threads that start, end, wake each other and hold the core, more of them than is kind.
//!
//! A scene goes on for `SYLVAN_STRESS_SECONDS`; a failure names the `SYLVAN_SEED` that replays its
//! choices. What is asserted is exact: every wake-up, thread and value is accounted for.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

use std_shim::thread;
use sylvan::{Wait, WaitReason, wait, wake};

use tests::counts::{address_space, descriptors};
use tests::process::Process;
use tests::rng::{Rng, stress_time};

tests::in_each_mode!(
    ten_thousand_threads_play_ping_pong,
    spawn_storms_leave_no_thread_and_no_stack_behind,
    a_deadline_that_races_a_wake_loses_no_wake_up,
    a_deadline_that_races_an_unpark_loses_no_token,
    those_that_spin_do_not_stop_those_that_wait,
    blocking_sections_mixed_with_everything_else,
);

/// A ball between two: each waits for its turn, in one of the ways there are.
struct Table {
    ball: AtomicU32,
    stop: AtomicBool,
}

/// The ball when the game is over.
const OVER: u32 = u32::MAX;

impl Table {
    /// Plays until told to stop; the number of strokes.
    fn play(&self, mine: u32, mut rng: Rng) -> usize {
        let mut n_strokes = 0;
        loop {
            let now = self.ball.load(Acquire);
            if now == OVER {
                return n_strokes;
            }
            if now % 2 != mine {
                let patience = Duration::from_secs(3600);
                let deadline = rng.below(2).eq(&0).then(|| Instant::now() + patience);
                assert_ne!(wait(&self.ball, now, deadline, WaitReason::Futex), Wait::TimedOut);
                continue;
            }
            n_strokes += 1;
            let next = if mine == 0 && self.stop.load(Relaxed) { OVER } else { now + 1 };
            self.ball.store(next, Release);
            assert!(wake(&self.ball, 1) <= 1);
            if rng.below(8) == 0 {
                thread::yield_now();
            }
        }
    }
}

fn ten_thousand_threads_play_ping_pong(process: &Process) {
    process.passes(|| {
        const PAIRS: usize = 5_000;
        let start = |pair: usize, mine: u32, table: Arc<Table>| {
            let rng = Rng::of_this_run(2 * pair + mine as usize);
            thread::spawn(move || table.play(mine, rng))
        };
        let pairs: Vec<_> = (0..PAIRS)
            .map(|pair| {
                let ball = AtomicU32::new(0);
                let table = Arc::new(Table { ball, stop: AtomicBool::new(false) });
                let players = [0, 1].map(|mine| start(pair, mine, Arc::clone(&table)));
                (table, players)
            })
            .collect();
        std::thread::sleep(stress_time());
        pairs.iter().for_each(|(table, _)| table.stop.store(true, Relaxed));
        let (mut n_fewest, mut n_all) = (usize::MAX, 0);
        for (_, players) in pairs {
            let [first, second] = players.map(|player| player.join().unwrap());
            assert_eq!(first, second + 1);
            n_fewest = n_fewest.min(second);
            n_all += second;
        }
        println!("the slowest pair: {n_fewest} rounds of {n_all}");
        assert!(n_fewest > 0, "a pair did not get to play");
    });
}

/// Counts threads that were started and threads that came to their end.
#[derive(Default)]
struct Census {
    started: AtomicUsize,
    ended: AtomicUsize,
}

/// What a thread of a storm unwinds with; no hook runs, so that nothing is printed.
struct Quietly;

/// Starts threads that do the same, `depth` deep, and waits for some of them.
fn storm(census: &Arc<Census>, depth: usize, mut rng: Rng) {
    let mut awaited = Vec::new();
    for _ in 0..rng.below(5) {
        let stack_size = [64 << 10, 100_000, 256 << 10, 2 << 20][rng.below(4)];
        let mut builder = thread::Builder::new().stack_size(stack_size);
        if rng.below(2) == 0 {
            builder = builder.name(format!("at depth {depth}"));
        }
        let (seed, panics) = (rng.next(), rng.below(16) == 0);
        let census_too = Arc::clone(census);
        census.started.fetch_add(1, Relaxed);
        let body = move || {
            if depth > 0 {
                storm(&census_too, depth - 1, Rng::new(seed));
            }
            census_too.ended.fetch_add(1, Release);
            if panics {
                std::panic::resume_unwind(Box::new(Quietly));
            }
            seed
        };
        let handle = builder.spawn(body).unwrap();
        // The others are left to themselves.
        if rng.below(3) != 0 {
            awaited.push((handle, seed, panics));
        }
    }
    for (handle, seed, panics) in awaited {
        match handle.join() {
            Ok(returned) => assert!(!panics && returned == seed),
            Err(panic) => assert!(panics && panic.is::<Quietly>()),
        }
    }
}

fn spawn_storms_leave_no_thread_and_no_stack_behind(process: &Process) {
    process.passes(|| {
        let census = Arc::new(Census::default());
        let round = |n: usize| {
            std::thread::scope(|scope| {
                for side in 0..4 {
                    let (census, rng) = (&census, Rng::of_this_run(4 * n + side));
                    let weather = move || storm(census, 5, rng);
                    // From OS threads and from green ones at once.
                    if side % 2 == 0 {
                        scope.spawn(weather);
                    } else {
                        scope.spawn(|| thread::scope(|green| drop(green.spawn(weather))));
                    }
                }
            });
            tests::counts::eventually("all have ended", || {
                census.ended.load(Acquire) == census.started.load(Relaxed)
            });
        };
        (0..20).for_each(round);
        let (fds, space) = (descriptors(), address_space());
        let begin = Instant::now();
        let mut n_rounds = 20;
        while begin.elapsed() < stress_time() || n_rounds < 60 {
            round(n_rounds);
            n_rounds += 1;
        }
        let n_threads = census.started.load(Relaxed);
        println!("{n_threads} threads in {n_rounds} rounds");
        assert_eq!(descriptors(), fds);
        // A round needs some hundred stacks at a time, and they come out of what is there. The heap
        // may still grow by an arena for each thread that never allocated before.
        let grown_mib = address_space().saturating_sub(space) >> 20;
        println!("the address space has grown by {grown_mib} MiB");
        assert!(grown_mib < 2048, "{grown_mib} MiB: stacks are lost");
    });
}

fn a_deadline_that_races_a_wake_loses_no_wake_up(process: &Process) {
    process.passes(|| {
        const WORDS: usize = 4;
        const WAITERS: usize = 48;
        let words: Arc<[AtomicU32; WORDS]> = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        // Some of them are OS threads, who wait at the same words.
        let waiter = |n: usize| {
            let (words, stop) = (Arc::clone(&words), Arc::clone(&stop));
            move || {
                let mut rng = Rng::of_this_run(n);
                let (mut n_woken, mut n_timed_out) = (0, 0);
                while !stop.load(Relaxed) {
                    let word = &words[rng.below(WORDS)];
                    let deadline = Instant::now() + rng.micros_below(300);
                    match wait(word, 0, Some(deadline), WaitReason::Futex) {
                        Wait::Woken => n_woken += 1,
                        Wait::TimedOut => {
                            assert!(Instant::now() >= deadline, "too early");
                            n_timed_out += 1;
                        }
                        Wait::Changed => unreachable!("nobody changes the word"),
                        Wait::Interrupted => unreachable!("nobody may interrupt it"),
                    }
                }
                (n_woken, n_timed_out)
            }
        };
        let waker = |n: usize| {
            let (words, stop) = (Arc::clone(&words), Arc::clone(&stop));
            move || {
                let mut rng = Rng::of_this_run(1_000 + n);
                let mut n_woken = 0;
                while !stop.load(Relaxed) {
                    n_woken += wake(&words[rng.below(WORDS)], [1, 1, 3, usize::MAX][rng.below(4)]);
                    match rng.below(3) {
                        0 => thread::yield_now(),
                        1 => thread::sleep(rng.micros_below(200)),
                        _ => {}
                    }
                }
                n_woken
            }
        };
        let green: Vec<_> = (0..WAITERS).map(|n| thread::spawn(waiter(n))).collect();
        let os: Vec<_> = (0..4).map(|n| std::thread::spawn(waiter(500 + n))).collect();
        let green_wakers: Vec<_> = (0..2).map(|n| thread::spawn(waker(n))).collect();
        let os_waker = std::thread::spawn(waker(2));
        std::thread::sleep(stress_time());
        stop.store(true, Relaxed);
        let waits = green.into_iter().map(|thread| thread.join().unwrap());
        let waits = waits.chain(os.into_iter().map(|thread| thread.join().unwrap()));
        let (n_woken, n_timed_out) = waits.fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        let wakers = green_wakers.into_iter().map(|thread| thread.join().unwrap());
        let n_wakes = wakers.sum::<usize>() + os_waker.join().unwrap();
        println!("{n_woken} waits were woken, {n_timed_out} timed out");
        // Who was counted as woken knows of it, and nobody else does.
        assert_eq!(n_woken, n_wakes);
        assert!(n_woken > 0 && n_timed_out > 0);
    });
}

/// What two threads pass to each other by `unpark`.
#[derive(Default)]
struct Baton {
    handed_over: AtomicUsize,
    stop: AtomicBool,
}

impl Baton {
    /// Runs each second leg, until told to stop; the number of legs.
    fn run(&self, mine: usize, mut rng: Rng, partner: impl Fn() -> thread::Thread) -> usize {
        loop {
            let now = self.handed_over.load(Acquire);
            if now % 2 == mine {
                thread::sleep(rng.micros_below(100));
                // The one who starts is the one to end it.
                let last = mine == 0 && self.stop.load(Relaxed);
                self.handed_over.store(if last { LAST } else { now + 1 }, Release);
                partner().unpark();
            } else if now >= LAST {
                return now;
            } else if rng.below(4) == 0 {
                // Stuck, if a token was lost.
                thread::park();
            } else {
                thread::park_timeout(rng.micros_below(150));
            }
            if mine == 0 && self.handed_over.load(Relaxed) >= LAST {
                return now;
            }
        }
    }
}

/// The number of the last leg, or more: odd.
const LAST: usize = usize::MAX / 2;

fn a_deadline_that_races_an_unpark_loses_no_token(process: &Process) {
    process.passes(|| {
        let runners: Vec<_> = (0..40)
            .map(|n| {
                let baton = Arc::new(Baton::default());
                let first = Arc::new(std::sync::OnceLock::<thread::Thread>::new());
                let second = {
                    let (baton, first) = (Arc::clone(&baton), Arc::clone(&first));
                    let partner = move || loop {
                        match first.get() {
                            Some(thread) => return thread.clone(),
                            None => thread::yield_now(),
                        }
                    };
                    thread::spawn(move || baton.run(1, Rng::of_this_run(2 * n), partner))
                };
                let partner = second.thread().clone();
                let first_thread = {
                    let baton = Arc::clone(&baton);
                    let rng = Rng::of_this_run(2 * n + 1);
                    thread::spawn(move || baton.run(0, rng, || partner.clone()))
                };
                first.set(first_thread.thread().clone()).unwrap();
                (baton, first_thread, second)
            })
            .collect();
        std::thread::sleep(stress_time());
        runners.iter().for_each(|(baton, ..)| baton.stop.store(true, Relaxed));
        for (_, first, second) in runners {
            assert!(first.join().unwrap() > 0);
            second.join().unwrap();
        }
    });
}

/// Holds the core for this long.
fn spin(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        hint::spin_loop();
    }
}

fn those_that_spin_do_not_stop_those_that_wait(process: &Process) {
    process.passes(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let n_workers = sylvan::workers().unwrap();
        let spinners: Vec<_> = (0..2 * n_workers)
            .map(|n| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    let mut rng = Rng::of_this_run(n);
                    while !stop.load(Relaxed) {
                        spin(rng.micros_below(30_000));
                        // Where a spinner cannot lose its core, this is what lets others run.
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let waiters: Vec<_> = (0..100)
            .map(|n| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    let mut rng = Rng::of_this_run(1_000 + n);
                    let mut n_rounds = 0;
                    while !stop.load(Relaxed) {
                        match rng.below(3) {
                            0 => thread::sleep(rng.micros_below(2_000)),
                            1 => thread::yield_now(),
                            _ => thread::spawn(thread::yield_now).join().unwrap(),
                        }
                        n_rounds += 1;
                    }
                    n_rounds
                })
            })
            .collect();
        std::thread::sleep(stress_time());
        stop.store(true, Relaxed);
        spinners.into_iter().for_each(|thread| thread.join().unwrap());
        let n_fewest = waiters.into_iter().map(|thread| thread.join().unwrap()).min();
        println!("rounds of the slowest: {n_fewest:?}");
        assert!(n_fewest > Some(0));
    });
}

fn blocking_sections_mixed_with_everything_else(process: &Process) {
    process.passes(|| {
        std::thread_local!(static MINE: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });
        let own = sylvan::tls_mode().unwrap() == sylvan::TlsMode::Own;
        let stop = Arc::new(AtomicBool::new(false));
        let threads: Vec<_> = (1..=60)
            .map(|n| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || {
                    MINE.set(n);
                    let mut rng = Rng::of_this_run(n);
                    let mut n_rounds = 0_usize;
                    while !stop.load(Relaxed) || n_rounds == 0 {
                        let time = rng.micros_below(1_500);
                        match rng.below(8) {
                            0 | 1 => sylvan::blocking(|| std::thread::sleep(time)),
                            2 => assert_eq!(sylvan::blocking(|| sylvan::blocking(|| n)), n),
                            3 => {
                                let panic = || std::panic::resume_unwind(Box::new(n));
                                let caught = std::panic::catch_unwind(|| sylvan::blocking(panic));
                                assert_eq!(caught.unwrap_err().downcast_ref(), Some(&n));
                            }
                            4 => thread::sleep(time),
                            5 => spin(time / 4),
                            6 => thread::park_timeout(time),
                            _ => {
                                let child = thread::spawn(move || sylvan::blocking(|| n));
                                assert_eq!(child.join().unwrap(), n);
                            }
                        }
                        if own {
                            assert_eq!(MINE.get(), n);
                        }
                        n_rounds += 1;
                    }
                    n_rounds
                })
            })
            .collect();
        std::thread::sleep(stress_time());
        stop.store(true, Relaxed);
        let n_fewest = threads.into_iter().map(|thread| thread.join().unwrap()).min();
        println!("rounds of the slowest: {n_fewest:?}");
    });
}

//! The small scenes and the ones of many threads at once, on coroutines.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kit::Args;
use may::coroutine::{self, Coroutine, JoinHandle};
use may::go;
use may::sync::{Barrier, Condvar, Mutex, mpsc};

/// A wait that is always ended by the other side long before it is over.
const LONG: Duration = Duration::from_secs(100);

/// Runs `scene` in a coroutine.
fn on_a_coroutine(scene: impl FnOnce() + Send + 'static) {
    join_all([go!(scene)]);
}

fn join_all(coroutines: impl IntoIterator<Item = JoinHandle<()>>) {
    for coroutine in coroutines {
        coroutine.join().expect("a scene does not panic");
    }
}

pub(crate) fn yields(args: &Args) {
    let threads = args.number("threads", 2) as u64;
    kit::measure(args, |count| {
        on_a_coroutine(move || {
            let share = count / threads;
            let all: Vec<_> = (0..threads)
                .map(|_| go!(move || (0..share).for_each(|_| coroutine::yield_now())))
                .collect();
            join_all(all);
        });
    });
}

pub(crate) fn spawn_and_join(args: &Args) {
    kit::measure(args, |count| {
        on_a_coroutine(move || (0..count).for_each(|_| join_all([go!(|| ())])));
    });
}

pub(crate) fn batch(args: &Args) {
    kit::measure_twice(args.number("count", 10_000), |count| {
        on_a_coroutine(move || join_all((0..count).map(|_| go!(|| ())).collect::<Vec<_>>()));
    });
}

pub(crate) fn channel(args: &Args) {
    kit::measure(args, |count| {
        on_a_coroutine(move || {
            let (there, inbox) = mpsc::channel();
            let (back, outbox) = mpsc::channel();
            let other = go!(move || {
                while let Ok(number) = inbox.recv() {
                    back.send(number).expect("the asker waits");
                }
            });
            for number in 0..count {
                there.send(number).expect("the other side listens");
                assert_eq!(outbox.recv(), Ok(number));
            }
            drop(there);
            join_all([other]);
        });
    });
}

pub(crate) fn mutex(args: &Args) {
    let threads = args.number("threads", 1) as u64;
    kit::measure(args, |count| {
        let share = count / threads;
        let shared = Arc::new((Mutex::new(0), Barrier::new(threads as usize)));
        let mine = Arc::clone(&shared);
        on_a_coroutine(move || {
            let one = |_| {
                let shared = Arc::clone(&mine);
                go!(move || {
                    let (sum, start) = &*shared;
                    start.wait();
                    for _ in 0..share {
                        *sum.lock().expect("no holder panics") += 1;
                    }
                })
            };
            join_all((0..threads).map(one).collect::<Vec<_>>());
        });
        assert_eq!(*shared.0.lock().expect("no holder panics"), share * threads);
    });
}

pub(crate) fn condvar(args: &Args) {
    fn play(turn: &(Mutex<bool>, Condvar), mine: bool, count: u64) {
        let (lock, changed) = turn;
        for _ in 0..count {
            let mut now = lock.lock().expect("no player panics");
            while *now != mine {
                now = changed.wait(now).expect("no player panics");
            }
            *now = !mine;
            changed.notify_one();
        }
    }
    kit::measure(args, |count| {
        on_a_coroutine(move || {
            let turn = Arc::new((Mutex::new(false), Condvar::new()));
            let theirs = Arc::clone(&turn);
            let other = go!(move || play(&theirs, true, count));
            play(&turn, false, count);
            join_all([other]);
        });
    });
}

pub(crate) fn park(args: &Args) {
    kit::measure(args, |count| on_a_coroutine(move || ping_pong(count, coroutine::park)));
}

pub(crate) fn timer(args: &Args) {
    kit::measure(args, |count| {
        on_a_coroutine(move || ping_pong(count, || coroutine::park_timeout(LONG)));
    });
}

/// A shared word says whose turn it is, so that a token left over by one wake-up does no harm.
fn ping_pong(count: u64, wait: fn()) {
    /// Plays the rounds whose number has this parity.
    fn play(turn: &AtomicU64, parity: u64, rounds: u64, other: &Coroutine, wait: fn()) {
        for round in (0..rounds).filter(|round| round % 2 == parity) {
            while turn.load(Ordering::Acquire) != round {
                wait();
            }
            // Pairs with the load above in the other coroutine.
            turn.store(round + 1, Ordering::Release);
            other.unpark();
        }
    }

    let turn = Arc::new(AtomicU64::new(0));
    let (theirs, me) = (Arc::clone(&turn), coroutine::current());
    let other = go!(move || play(&theirs, 1, 2 * count, &me, wait));
    play(&turn, 0, 2 * count, other.coroutine(), wait);
    join_all([other]);
}

/// may has no files, so these are std's.
pub(crate) fn file(args: &Args) {
    let threads = args.number("threads", 8) as u64;
    kit::measure(args, |count| {
        on_a_coroutine(move || {
            let read = |_| {
                go!(move || {
                    for _ in 0..count.div_ceil(threads) {
                        let mut file = File::open(kit::FILE).expect("a file");
                        file.read_exact(&mut [0; 64]).expect("it is long enough");
                    }
                })
            };
            join_all((0..threads).map(read).collect::<Vec<_>>());
        });
    });
}

pub(crate) fn cpu(args: &Args) {
    let (shares, rounds) = kit::cpu_shares(args);
    kit::measure_twice(shares as usize, |_| {
        let all: Vec<_> =
            (0..shares).map(|share| go!(move || kit::cpu_share(share, rounds))).collect();
        for coroutine in all {
            coroutine.join().expect("a sum does not panic");
        }
    });
}

pub(crate) fn sleepers(args: &Args) {
    let count = args.number("count", 10_000);
    let asleep = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    for _ in 0..count {
        let mine = Arc::clone(&asleep);
        go!(move || {
            mine.fetch_add(1, Ordering::Relaxed);
            coroutine::sleep(Duration::from_secs(3600));
        });
    }
    while asleep.load(Ordering::Relaxed) < count {
        std::thread::sleep(Duration::from_millis(1));
    }
    kit::ready(start.elapsed().as_nanos());
    std::thread::sleep(Duration::from_secs(3600));
}

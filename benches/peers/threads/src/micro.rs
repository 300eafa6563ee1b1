//! The smallest things a thread does with another one.
//!
//! Each scene runs on a thread that std spawned, never on `main`, and is told how often to do its
//! operation.

use std::fs::File;
use std::io::Read;
use std::net::ToSocketAddrs;
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Condvar, Mutex};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use kit::Args;

/// A wait that is always ended by the other side long before it is over.
const LONG: Duration = Duration::from_secs(100);

/// Runs `scene` on a spawned thread.
fn on_a_thread(scene: impl FnOnce() + Send + 'static) {
    thread::spawn(scene).join().expect("a scene does not panic");
}

fn join_all(threads: impl IntoIterator<Item = JoinHandle<()>>) {
    for thread in threads {
        thread.join().expect("a scene does not panic");
    }
}

/// `threads` threads give way to each other; one operation is one yield.
pub(crate) fn yields(args: &Args) {
    let threads = args.number("threads", 2) as u64;
    kit::measure(args, |count| {
        on_a_thread(move || {
            join_all(
                (0..threads)
                    .map(|_| {
                        thread::spawn(move || {
                            (0..count / threads).for_each(|_| thread::yield_now())
                        })
                    })
                    .collect::<Vec<_>>(),
            );
        });
    });
}

/// Spawns a thread and joins it, over and over.
pub(crate) fn spawn_and_join(args: &Args) {
    kit::measure(args, |count| {
        on_a_thread(move || (0..count).for_each(|_| join_all([thread::spawn(|| ())])));
    });
}

/// Spawns all threads, then joins all.
pub(crate) fn batch(args: &Args) {
    kit::measure_twice(args.number("count", 10_000), |count| {
        on_a_thread(move || {
            join_all((0..count).map(|_| thread::spawn(|| ())).collect::<Vec<_>>());
        });
    });
}

/// A number goes over one channel and comes back over another; one operation is a round trip.
pub(crate) fn channel(args: &Args) {
    kit::measure(args, |count| {
        on_a_thread(move || {
            let (there, inbox) = mpsc::channel();
            let (back, outbox) = mpsc::channel();
            let other = thread::spawn(move || {
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

/// `threads` threads, all there before the first one begins, add to one number; one operation is
/// lock, add, unlock.
pub(crate) fn mutex(args: &Args) {
    let threads = args.number("threads", 1) as u64;
    kit::measure(args, |count| {
        let share = count / threads;
        let shared = Arc::new((Mutex::new(0), Barrier::new(threads as usize)));
        let mine = Arc::clone(&shared);
        on_a_thread(move || {
            let one = |_| {
                let shared = Arc::clone(&mine);
                thread::spawn(move || {
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

/// Two threads take turns over a condition variable; one operation is a round trip.
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
        on_a_thread(move || {
            let turn = Arc::new((Mutex::new(false), Condvar::new()));
            let theirs = Arc::clone(&turn);
            let other = thread::spawn(move || play(&theirs, true, count));
            play(&turn, false, count);
            join_all([other]);
        });
    });
}

/// Two threads wake each other by `unpark`; one operation is a round trip.
pub(crate) fn park(args: &Args) {
    kit::measure(args, |count| on_a_thread(move || ping_pong(count, thread::park)));
}

/// The same with `park_timeout`: each wait also sets a timer and cancels it.
pub(crate) fn timer(args: &Args) {
    kit::measure(args, |count| {
        on_a_thread(move || ping_pong(count, || thread::park_timeout(LONG)))
    });
}

/// A shared word says whose turn it is, so that a token left over by one wake-up does no harm.
fn ping_pong(count: u64, wait: fn()) {
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Plays the rounds whose number has this parity.
    fn play(turn: &AtomicU64, parity: u64, rounds: u64, other: &Thread, wait: fn()) {
        for round in (0..rounds).filter(|round| round % 2 == parity) {
            while turn.load(Ordering::Acquire) != round {
                wait();
            }
            // Pairs with the load above in the other thread.
            turn.store(round + 1, Ordering::Release);
            other.unpark();
        }
    }

    let turn = Arc::new(AtomicU64::new(0));
    let (theirs, me) = (Arc::clone(&turn), thread::current());
    let other = thread::spawn(move || play(&theirs, 1, 2 * count, &me, wait));
    play(&turn, 0, 2 * count, &other.thread().clone(), wait);
    join_all([other]);
}

/// `threads` threads look up the host's own name at the same time; one operation is a look-up.
pub(crate) fn lookup(args: &Args) {
    let threads = args.number("threads", 8) as u64;
    kit::measure(args, |count| {
        on_a_thread(move || {
            join_all(
                (0..threads)
                    .map(|_| {
                        thread::spawn(move || {
                            for _ in 0..count.div_ceil(threads) {
                                let mut found =
                                    ("localhost", 80).to_socket_addrs().expect("a known name");
                                assert!(found.next().is_some());
                            }
                        })
                    })
                    .collect::<Vec<_>>(),
            );
        });
    });
}

/// `threads` threads read the beginning of a file, opened anew each time.
pub(crate) fn file(args: &Args) {
    let threads = args.number("threads", 8) as u64;
    kit::measure(args, |count| {
        on_a_thread(move || {
            let read = |_| {
                thread::spawn(move || {
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

//! The small scenes and the ones of many tasks at once.
//!
//! `park` is `Notify`, the nearest that tokio has to a thread's token; there is no condition
//! variable to compare.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kit::Args;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::{Barrier, Mutex, Notify, mpsc};
use tokio::task::{self, JoinHandle};
use tokio::time;

use crate::Executor;

/// A wait that is always ended by the other side long before it is over.
const LONG: Duration = Duration::from_secs(100);

async fn join_all(tasks: impl IntoIterator<Item = JoinHandle<()>>) {
    for task in tasks {
        task.await.expect("a scene does not panic");
    }
}

pub(crate) fn yields(executor: &Executor, args: &Args) {
    async fn one(share: u64) {
        for _ in 0..share {
            task::yield_now().await;
        }
    }
    let threads = args.number("threads", 2) as u64;
    kit::measure(args, |count| {
        executor.run(async move {
            let share = count / threads;
            join_all((0..threads).map(|_| task::spawn(one(share))).collect::<Vec<_>>()).await;
        });
    });
}

pub(crate) fn spawn_and_join(executor: &Executor, args: &Args) {
    kit::measure(args, |count| {
        executor.run(async move {
            for _ in 0..count {
                join_all([task::spawn(async {})]).await;
            }
        });
    });
}

pub(crate) fn batch(executor: &Executor, args: &Args) {
    kit::measure_twice(args.number("count", 10_000), |count| {
        executor.run(async move {
            join_all((0..count).map(|_| task::spawn(async {})).collect::<Vec<_>>()).await;
        });
    });
}

pub(crate) fn channel(executor: &Executor, args: &Args) {
    kit::measure(args, |count| {
        executor.run(async move {
            let (there, mut inbox) = mpsc::unbounded_channel();
            let (back, mut outbox) = mpsc::unbounded_channel();
            let other = task::spawn(async move {
                while let Some(number) = inbox.recv().await {
                    back.send(number).expect("the asker waits");
                }
            });
            for number in 0..count {
                there.send(number).expect("the other side listens");
                assert_eq!(outbox.recv().await, Some(number));
            }
            drop(there);
            join_all([other]).await;
        });
    });
}

pub(crate) fn mutex(executor: &Executor, args: &Args) {
    let threads = args.number("threads", 1) as u64;
    kit::measure(args, |count| {
        executor.run(async move {
            let share = count / threads;
            let shared = Arc::new((Mutex::new(0), Barrier::new(threads as usize)));
            let tasks: Vec<_> = (0..threads)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    task::spawn(async move {
                        let (sum, start) = &*shared;
                        start.wait().await;
                        for _ in 0..share {
                            *sum.lock().await += 1;
                        }
                    })
                })
                .collect();
            join_all(tasks).await;
            assert_eq!(*shared.0.lock().await, share * threads);
        });
    });
}

pub(crate) fn park(executor: &Executor, args: &Args) {
    kit::measure(args, |count| executor.run(ping_pong(count, false)));
}

/// The same under a timeout: each wait also sets a timer and cancels it.
pub(crate) fn timer(executor: &Executor, args: &Args) {
    kit::measure(args, |count| executor.run(ping_pong(count, true)));
}

/// Two tasks wake each other in turn.
async fn ping_pong(count: u64, timed: bool) {
    async fn wait(token: &Notify, timed: bool) {
        if timed {
            time::timeout(LONG, token.notified()).await.expect("the other side is quick");
        } else {
            token.notified().await;
        }
    }
    let (here, there) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (mine, theirs) = (Arc::clone(&there), Arc::clone(&here));
    let other = task::spawn(async move {
        for _ in 0..count {
            wait(&mine, timed).await;
            theirs.notify_one();
        }
    });
    for _ in 0..count {
        there.notify_one();
        wait(&here, timed).await;
    }
    join_all([other]).await;
}

pub(crate) fn lookup(executor: &Executor, args: &Args) {
    async fn one(count: u64) {
        for _ in 0..count {
            let mut found = tokio::net::lookup_host(("localhost", 80)).await.expect("a known name");
            assert!(found.next().is_some());
        }
    }
    let threads = args.number("threads", 8) as u64;
    kit::measure(args, |count| {
        executor.run(async move {
            let share = count.div_ceil(threads);
            join_all((0..threads).map(|_| task::spawn(one(share))).collect::<Vec<_>>()).await;
        });
    });
}

pub(crate) fn file(executor: &Executor, args: &Args) {
    async fn one(count: u64) {
        for _ in 0..count {
            let mut file = File::open(kit::FILE).await.expect("a file");
            file.read_exact(&mut [0; 64]).await.expect("it is long enough");
        }
    }
    let threads = args.number("threads", 8) as u64;
    kit::measure(args, |count| {
        executor.run(async move {
            let read = |_| task::spawn(one(count.div_ceil(threads)));
            join_all((0..threads).map(read).collect::<Vec<_>>()).await;
        });
    });
}

pub(crate) fn cpu(executor: &Executor, args: &Args) {
    let (shares, rounds) = kit::cpu_shares(args);
    kit::measure_twice(shares as usize, |_| {
        executor.run(async move {
            let tasks: Vec<_> = (0..shares)
                .map(|share| task::spawn(async move { kit::cpu_share(share, rounds) }))
                .collect();
            for task in tasks {
                task.await.expect("a sum does not panic");
            }
        });
    });
}

pub(crate) fn sleepers(executor: &Executor, args: &Args) {
    let count = args.number("count", 10_000);
    executor.run(async move {
        let asleep = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        for _ in 0..count {
            let mine = Arc::clone(&asleep);
            task::spawn(async move {
                mine.fetch_add(1, Ordering::Relaxed);
                time::sleep(Duration::from_secs(3600)).await;
            });
        }
        while asleep.load(Ordering::Relaxed) < count {
            time::sleep(Duration::from_millis(1)).await;
        }
        kit::ready(start.elapsed().as_nanos());
        time::sleep(Duration::from_secs(3600)).await;
    });
}

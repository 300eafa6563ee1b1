//! The small scenes and the ones of many tasks at once. smol has neither park nor a condition
//! variable.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kit::Args;
use smol::fs::File;
use smol::io::AsyncReadExt;
use smol::lock::{Barrier, Mutex};
use smol::{Task, Timer, channel, future, net};

use crate::{run, spawn};

async fn join_all(tasks: impl IntoIterator<Item = Task<()>>) {
    for task in tasks {
        task.await;
    }
}

pub(crate) fn yields(args: &Args) {
    async fn one(share: u64) {
        for _ in 0..share {
            future::yield_now().await;
        }
    }
    let threads = args.number("threads", 2) as u64;
    kit::measure(args, |count| {
        run(async move {
            let share = count / threads;
            join_all((0..threads).map(|_| spawn(one(share))).collect::<Vec<_>>()).await;
        });
    });
}

pub(crate) fn spawn_and_join(args: &Args) {
    kit::measure(args, |count| {
        run(async move {
            for _ in 0..count {
                join_all([spawn(async {})]).await;
            }
        });
    });
}

pub(crate) fn batch(args: &Args) {
    kit::measure_twice(args.number("count", 10_000), |count| {
        run(async move {
            join_all((0..count).map(|_| spawn(async {})).collect::<Vec<_>>()).await;
        });
    });
}

pub(crate) fn channel(args: &Args) {
    kit::measure(args, |count| {
        run(async move {
            let (there, inbox) = channel::unbounded();
            let (back, outbox) = channel::unbounded();
            let other = spawn(async move {
                while let Ok(number) = inbox.recv().await {
                    back.try_send(number).expect("the asker waits");
                }
            });
            for number in 0..count {
                there.try_send(number).expect("the other side listens");
                assert_eq!(outbox.recv().await, Ok(number));
            }
            drop(there);
            join_all([other]).await;
        });
    });
}

pub(crate) fn mutex(args: &Args) {
    let threads = args.number("threads", 1) as u64;
    kit::measure(args, |count| {
        run(async move {
            let share = count / threads;
            let shared = Arc::new((Mutex::new(0), Barrier::new(threads as usize)));
            let tasks: Vec<_> = (0..threads)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    spawn(async move {
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

pub(crate) fn lookup(args: &Args) {
    async fn one(count: u64) {
        for _ in 0..count {
            let found = net::resolve(("localhost", 80)).await.expect("a known name");
            assert!(!found.is_empty());
        }
    }
    let threads = args.number("threads", 8) as u64;
    kit::measure(args, |count| {
        run(async move {
            let share = count.div_ceil(threads);
            join_all((0..threads).map(|_| spawn(one(share))).collect::<Vec<_>>()).await;
        });
    });
}

pub(crate) fn file(args: &Args) {
    async fn one(count: u64) {
        for _ in 0..count {
            let mut file = File::open(kit::FILE).await.expect("a file");
            file.read_exact(&mut [0; 64]).await.expect("it is long enough");
        }
    }
    let threads = args.number("threads", 8) as u64;
    kit::measure(args, |count| {
        run(async move {
            let read = |_| spawn(one(count.div_ceil(threads)));
            join_all((0..threads).map(read).collect::<Vec<_>>()).await;
        });
    });
}

pub(crate) fn cpu(args: &Args) {
    let (shares, rounds) = kit::cpu_shares(args);
    kit::measure_twice(shares as usize, |_| {
        run(async move {
            let tasks: Vec<_> = (0..shares)
                .map(|share| spawn(async move { kit::cpu_share(share, rounds) }))
                .collect();
            for task in tasks {
                task.await;
            }
        });
    });
}

pub(crate) fn sleepers(args: &Args) {
    let count = args.number("count", 10_000);
    run(async move {
        let asleep = Arc::new(AtomicUsize::new(0));
        let start = Instant::now();
        for _ in 0..count {
            let mine = Arc::clone(&asleep);
            spawn(async move {
                mine.fetch_add(1, Ordering::Relaxed);
                Timer::after(Duration::from_secs(3600)).await;
            })
            .detach();
        }
        while asleep.load(Ordering::Relaxed) < count {
            Timer::after(Duration::from_millis(1)).await;
        }
        kit::ready(start.elapsed().as_nanos());
        Timer::after(Duration::from_secs(3600)).await;
    });
}

//! Where there are more workers than processors for them, as many stay awake as get work done.
#![cfg(target_os = "linux")]

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use std_shim::os::unix::net::UnixStream;
use std_shim::thread;

use tests::counts::os_threads_of;
use tests::process::{Process, Way, stay_on_one_processor};

tests::in_each_mode!(
    of_four_workers_on_one_processor_one_does_the_work,
    with_fewer_workers_awake_every_connection_is_served,
);

const N_PAIRS: usize = 64;

/// Pairs of threads that send each other a byte to and fro; how often each has.
fn start_pairs() -> Vec<Arc<AtomicU64>> {
    let start = |_| {
        let (mut near, mut far) = UnixStream::pair().expect("a pair of sockets");
        thread::spawn(move || {
            let mut byte = [0];
            while far.read_exact(&mut byte).and_then(|()| far.write_all(&byte)).is_ok() {}
        });
        let rounds = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&rounds);
        thread::spawn(move || {
            loop {
                near.write_all(&[7]).expect("the other one reads");
                near.read_exact(&mut [0]).expect("the other one answers");
                count.fetch_add(1, Relaxed);
            }
        });
        rounds
    };
    (0..N_PAIRS).map(start).collect()
}

/// For how long each worker has used a processor, in ns.
fn worker_times() -> HashMap<i32, u64> {
    let mut threads = os_threads_of(process::id()).expect("the threads of this process");
    threads.retain(|thread| thread.name.starts_with("sylvan-worker"));
    let used = |stat: &str| stat.split(' ').next().and_then(|time| time.parse().ok()).unwrap_or(0);
    threads.into_iter().map(|thread| (thread.number, used(&thread.read("schedstat")))).collect()
}

/// Whether one worker did nearly all of the work of a tenth of a second.
fn one_does_the_work() -> bool {
    let before = worker_times();
    std::thread::sleep(Duration::from_millis(100));
    let after = worker_times();
    let used = |name| after.get(name).zip(before.get(name)).map_or(0, |(b, a)| b - a);
    let times: Vec<u64> = after.keys().map(used).collect();
    println!("{times:?}");
    let (all, most) = (times.iter().sum::<u64>(), times.iter().max().copied().unwrap_or(0));
    all > 0 && most >= all / 100 * 95
}

/// The kernel shares the processor among all that are awake. Now and then another one is, to see
/// whether it is of use by now.
fn of_four_workers_on_one_processor_one_does_the_work(process: &Process) {
    if process.way() == Way::Shared {
        println!("where thread-locals are shared each core has tasks that no other may run");
        return;
    }
    if fs::read_to_string("/proc/thread-self/schedstat").is_err() {
        println!("this kernel does not tell how long a thread has waited for a processor");
        return;
    }
    process.env("SYLVAN_WORKERS", "4").passes(|| {
        stay_on_one_processor();
        let _rounds = start_pairs();
        // Three times in a row, and as often as it takes: other programs want the processor, too.
        let mut in_a_row = 0;
        for _ in 0..300 {
            in_a_row = if one_does_the_work() { in_a_row + 1 } else { 0 };
            if in_a_row == 3 {
                return;
            }
        }
        panic!("the workers go on to share the work");
    });
}

/// Those whose event loop belonged to a worker that is to sleep, too.
fn with_fewer_workers_awake_every_connection_is_served(process: &Process) {
    process.env("SYLVAN_WORKERS", "4").passes(|| {
        stay_on_one_processor();
        let rounds = start_pairs();
        for _ in 0..30 {
            let before: Vec<u64> = rounds.iter().map(|n| n.load(Relaxed)).collect();
            std::thread::sleep(Duration::from_millis(50));
            tests::counts::eventually("each pair goes on", || {
                rounds.iter().zip(&before).all(|(now, before)| now.load(Relaxed) > *before)
            });
        }
    });
}

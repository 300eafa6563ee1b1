//! Threads that wait for nothing: `parked N` parks N of them and says so; `parked N SECONDS` has
//! one more wake up at that interval, for comparison.
#![deny(unsafe_code)]

use std::env;
use std::time::Duration;

use std_shim::sync::{Arc, Barrier};
use std_shim::thread;

fn main() {
    let mut args = env::args().skip(1);
    let n: usize = args.next().and_then(|n| n.parse().ok()).expect("the number of threads");
    let interval = args.next().map(|seconds| seconds.parse().expect("an interval in seconds"));

    let all_started = Arc::new(Barrier::new(n + 1));
    for _ in 0..n {
        let all_started = all_started.clone();
        thread::spawn(move || {
            all_started.wait();
            loop {
                thread::park();
            }
        });
    }
    if let Some(seconds) = interval {
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_secs_f64(seconds));
            }
        });
    }
    all_started.wait();
    println!("parked");
    loop {
        thread::park();
    }
}

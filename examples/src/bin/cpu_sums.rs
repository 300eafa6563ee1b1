//! Work for all processors: fifteen sums of `i % x` below 10,000,000, a thread a sum.
//!
//! ```text
//! cargo run --release --bin cpu_sums
//! ```
//!
//! It prints the sums (and how long they took, on the error output):
//!
//! ```text
//! i % 1: 0
//! i % 2: 5000000
//! i % 3: 9999999
//! ...
//! i % 15: 69999975
//! 15 sums on 2 processors took 0.19 s
//! ```

use std::thread;
use std::time::Instant;

const LIMIT: u64 = 10_000_000;

fn main() {
    let start = Instant::now();
    let sums: Vec<_> = (1..=15).map(|x| (x, thread::spawn(move || sum(x)))).collect();
    for (x, sum) in sums {
        println!("i % {x}: {}", sum.join().unwrap());
    }
    let n_processors = thread::available_parallelism().map_or(1, |n| n.get());
    let took_s = start.elapsed().as_secs_f64();
    eprintln!("15 sums on {n_processors} processors took {took_s:.2} s");
}

fn sum(x: u64) -> u64 {
    let mut sum = 0;
    for i in 0..LIMIT {
        sum += i % x;
    }
    sum
}

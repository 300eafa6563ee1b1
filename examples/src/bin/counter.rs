//! A locked counter: five threads start together at a barrier and add 100,000 each.
//!
//! ```text
//! cargo run --release --bin counter
//! ```
//!
//! No addition is lost:
//!
//! ```text
//! 500000
//! ```

use std::sync::{Arc, Barrier, Mutex};
use std::thread;

const N_THREADS: usize = 5;
const N_ADDITIONS: usize = 100_000;

fn main() {
    let counter = Arc::new(Mutex::new(0));
    let start = Arc::new(Barrier::new(N_THREADS));
    let threads: Vec<_> = (0..N_THREADS)
        .map(|_| {
            let counter = Arc::clone(&counter);
            let start = Arc::clone(&start);
            thread::spawn(move || {
                start.wait();
                for _ in 0..N_ADDITIONS {
                    *counter.lock().unwrap() += 1;
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    println!("{}", counter.lock().unwrap());
}

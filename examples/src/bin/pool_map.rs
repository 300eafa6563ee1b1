//! A pool of eight threads and its `map`: results in the order of the items, however long each took.
//!
//! ```text
//! cargo run --release --bin pool_map
//! ```
//!
//! The later the item, the shorter its sleep, and still:
//!
//! ```text
//! 0 1 4 9 16 25 36 49 64 81 100 121 144 169 196 225 256 289 324 361
//! ```

use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

fn main() {
    let pool = Pool::new(8);
    let squares = pool.map((0..20).collect(), |n: u64| {
        thread::sleep(Duration::from_millis(20 - n));
        n * n
    });
    let words: Vec<String> = squares.iter().map(u64::to_string).collect();
    println!("{}", words.join(" "));
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that take jobs from one channel; dropping it waits for them.
struct Pool {
    jobs: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    fn new(n_threads: usize) -> Pool {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let threads = (0..n_threads)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    loop {
                        // The lock is held while waiting, so that one thread at a time waits for
                        // the channel, and released before the job runs.
                        let job = queue.lock().unwrap().recv();
                        match job {
                            Ok(job) => job(),
                            Err(mpsc::RecvError) => break,
                        }
                    }
                })
            })
            .collect();
        Pool { jobs: Some(jobs), threads }
    }

    fn map<T, R>(&self, items: Vec<T>, f: impl Fn(T) -> R + Send + Sync + 'static) -> Vec<R>
    where
        T: Send + 'static,
        R: Send + 'static,
    {
        let n_items = items.len();
        let f = Arc::new(f);
        let (results, finished) = mpsc::channel();
        for (i, item) in items.into_iter().enumerate() {
            let f = Arc::clone(&f);
            let results = results.clone();
            let job = Box::new(move || results.send((i, f(item))).unwrap());
            self.jobs.as_ref().expect("a pool not yet dropped").send(job).unwrap();
        }
        drop(results);
        let mut results: Vec<(usize, R)> = finished.iter().collect();
        assert_eq!(results.len(), n_items, "a job panicked");
        results.sort_by_key(|&(i, _)| i);
        results.into_iter().map(|(_, result)| result).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Without a sender the channel ends, and so do the threads.
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A thread whose job panicked has said so.
            let _ = thread.join();
        }
    }
}

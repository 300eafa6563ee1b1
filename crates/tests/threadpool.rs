//! `threadpool`, whose workers are green threads here.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier};
use std::thread;

use crates::{Watch, green};
use threadpool::ThreadPool;

const WORKERS: usize = 64;

#[test]
fn sixty_four_workers_wait_for_sockets_at_once() {
    green(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // It answers nobody until all are there.
        let server = thread::spawn(move || {
            let streams: Vec<_> = listener.incoming().take(WORKERS).map(Result::unwrap).collect();
            for mut stream in streams {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                stream.write_all(&byte).unwrap();
            }
        });
        let watch = Watch::begin();
        let pool = ThreadPool::new(WORKERS);
        let sum = Arc::new(AtomicUsize::new(0));
        for n in 0..WORKERS {
            let sum = Arc::clone(&sum);
            pool.execute(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(&[n as u8]).unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                sum.fetch_add(usize::from(byte[0]), Relaxed);
            });
        }
        pool.join();
        watch.at_most(WORKERS / 2, "64 of threadpool's workers, at sockets");
        assert_eq!(sum.load(Relaxed), WORKERS * (WORKERS - 1) / 2);
        server.join().unwrap();
    });
}

#[test]
fn a_worker_that_panics_is_replaced() {
    green(|| {
        let pool = ThreadPool::new(4);
        (0..8).for_each(|_| pool.execute(|| panic!("as it should")));
        pool.join();
        assert_eq!(pool.panic_count(), 8);
        // There are four all the same.
        let barrier = Arc::new(Barrier::new(5));
        for _ in 0..4 {
            let barrier = Arc::clone(&barrier);
            pool.execute(move || drop(barrier.wait()));
        }
        barrier.wait();
        pool.join();
        assert_eq!(pool.panic_count(), 8);
    });
}

//! `rayon`, whose workers are green threads here.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crates::{Watch, are_thread_locals_shared, green};
use rayon::prelude::*;

const WHY: &str = "a worker of rayon's knows itself by a thread-local";

#[test]
fn sums_and_sorts_come_out_right() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let sum: u64 = (0..1_000_000_u64).into_par_iter().map(|n| n * n % 7).sum();
        assert_eq!(sum, (0..1_000_000_u64).map(|n| n * n % 7).sum());
        let mut numbers: Vec<u32> =
            (0..200_000_u32).map(|n| n.wrapping_mul(2_654_435_761)).collect();
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        numbers.par_sort_unstable();
        assert_eq!(numbers, sorted);
    });
}

#[test]
fn a_pool_may_have_more_workers_than_there_are_cores_and_wait_for_sockets() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // It answers nobody until all are there.
        let server = thread::spawn(move || {
            let streams: Vec<_> = listener.incoming().take(64).map(Result::unwrap).collect();
            for mut stream in streams {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                stream.write_all(&byte).unwrap();
            }
        });
        let watch = Watch::begin();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(64).build().unwrap();
        let bytes: Vec<u8> = pool.install(|| {
            let clients = (0..64_u8).into_par_iter().with_max_len(1).map(|n| {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(&[n]).unwrap();
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                byte[0]
            });
            clients.collect()
        });
        watch.at_most(32, "64 of rayon's workers, at sockets");
        assert_eq!(bytes, (0..64).collect::<Vec<u8>>());
        server.join().unwrap();
    });
}

//! Servers as many are: one end of a connection is read and written by two descriptors, which set their timeouts
//! for each request. `options N` has each of some connections answer N requests, says `done`, and then they
//! all wait.
#![deny(unsafe_code)]

use std::env;
use std::time::Duration;

use std_shim::io::{Read, Write};
use std_shim::os::unix::net::UnixStream;
use std_shim::sync::{Arc, Barrier};
use std_shim::thread;

const CONNECTIONS: usize = 4;

/// Nobody waits for so long.
const LONG: Duration = Duration::from_secs(600);

fn main() {
    let n: u64 = env::args().nth(1).and_then(|n| n.parse().ok()).expect("the number of requests");
    let all_done = Arc::new(Barrier::new(CONNECTIONS + 1));
    for _ in 0..CONNECTIONS {
        let (mut near, mut reader) = UnixStream::pair().expect("a connection");
        let mut writer = reader.try_clone().expect("a second descriptor");
        let all_done = all_done.clone();
        thread::spawn(move || {
            let mut request = [0; 8];
            for n in 0.. {
                let timeout = Some(LONG + Duration::from_secs(n % 2));
                reader.set_read_timeout(timeout).expect("an option");
                reader.read_exact(&mut request).expect("a request");
                writer.set_write_timeout(timeout).expect("an option");
                writer.write_all(&request).expect("room for an answer");
            }
        });
        thread::spawn(move || {
            let mut answer = [0; 8];
            for n in 0..n {
                near.write_all(&n.to_le_bytes()).expect("room for a request");
                near.read_exact(&mut answer).expect("an answer");
                assert_eq!(answer, n.to_le_bytes());
            }
            all_done.wait();
            thread::park();
        });
    }
    all_done.wait();
    println!("done");
    loop {
        thread::park();
    }
}

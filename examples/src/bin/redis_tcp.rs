//! Many threads that all look up the name of a Redis server, connect, and count their visit.
//!
//! The arguments are the server, the number of threads and the number of rounds, in each of which
//! every thread looks the name up anew:
//!
//! ```text
//! cargo run --release --bin redis_tcp localhost:6379 200 5
//! ```
//!
//! It prints how many OS threads the process had at most in each round. To look up a name blocks an
//! OS thread, so some help the workers out; but no more look-ups are under way at a time than there
//! are workers (two, where there is one), and a helper serves one after the other.
//!
//! ```text
//! round 1: OS threads: 6
//! round 2: OS threads: 6
//! round 3: OS threads: 6
//! round 4: OS threads: 6
//! round 5: OS threads: 6
//! 1000 visits
//! ```

use std::env;
use std::error::Error;
use std::io;
use std::net::TcpStream;
use std::process;
use std::thread;

use os_threads::Most;
use resp::{Client, Reply};

#[path = "../parts/os_threads.rs"]
mod os_threads;
#[path = "../parts/resp.rs"]
mod resp;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [server, n_threads, n_rounds] = &arguments[..] else {
        return Err("usage: redis_tcp HOST:PORT THREADS ROUNDS".into());
    };
    let (n_threads, n_rounds): (usize, usize) = (n_threads.parse()?, n_rounds.parse()?);

    for round in 1..=n_rounds {
        let visitors: Vec<_> = (0..n_threads)
            .map(|_| {
                let server = server.clone();
                thread::spawn(move || visit(&server))
            })
            .collect();
        let most = Most::until(|| visitors.iter().all(thread::JoinHandle::is_finished));
        for visitor in visitors {
            visitor.join().unwrap()?;
        }
        println!("round {round}: {most}");
    }
    let mut client = Client::new(TcpStream::connect(server)?);
    let visits = client.ask(&["GETDEL", &counter()])?;
    let Reply::Bulk(Some(n_visits)) = visits else { return Err("nobody was there".into()) };
    println!("{n_visits} visits");
    Ok(())
}

/// The name of the counter.
fn counter() -> String {
    format!("visits:{}", process::id())
}

/// Looks the server's name up, connects, and counts one more visit.
fn visit(server: &str) -> io::Result<()> {
    let mut client = Client::new(TcpStream::connect(server)?);
    match client.ask(&["INCR", &counter()])? {
        Reply::Number(1..) => Ok(()),
        other => Err(io::Error::other(format!("no count: {other:?}"))),
    }
}

//! A ring of threads, each of which waits for Redis: a token goes from thread to thread, through a
//! list of the server's for each, over connections of their own to a Unix socket.
//!
//! The arguments are the socket's path, how many threads there are and how often the token goes
//! round:
//!
//! ```text
//! redis-server --port 0 --unixsocket /tmp/redis.sock --save '' &
//! cargo run --release --bin redis_unix /tmp/redis.sock 100 10
//! ```
//!
//! It prints how many steps the token has made, and how many OS threads the process had at most:
//! the workers, one a processor, and beside them `main` and the runtime's monitor.
//!
//! ```text
//! 1000 steps of 100 threads
//! OS threads: 4
//! ```

use std::env;
use std::error::Error;
use std::io;
use std::os::unix::net::UnixStream;
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
    let [path, n_threads, n_rounds] = &arguments[..] else {
        return Err("usage: redis_unix PATH THREADS ROUNDS".into());
    };
    let (n_threads, n_rounds): (usize, usize) = (n_threads.parse()?, n_rounds.parse()?);

    let threads: Vec<_> = (0..n_threads)
        .map(|n| {
            let path = path.clone();
            let pass = move || pass_on(&path, &list(n), &list((n + 1) % n_threads), n_rounds);
            thread::Builder::new().name(format!("ring {n}")).spawn(pass)
        })
        .collect::<Result<_, _>>()?;
    let mut client = Client::new(UnixStream::connect(path)?);
    client.ask(&["RPUSH", &list(0), "0"])?;
    let most = Most::until(|| threads.iter().all(thread::JoinHandle::is_finished));
    for thread in threads {
        thread.join().unwrap()?;
    }
    let token = client.ask(&["LPOP", &list(0)])?;
    let Reply::Bulk(Some(n_steps)) = token else { return Err("the token is lost".into()) };
    println!("{n_steps} steps of {n_threads} threads");
    println!("{most}");
    Ok(())
}

/// The name of a thread's list.
fn list(n: usize) -> String {
    format!("ring:{}:{n}", process::id())
}

/// Takes the token from one list, counts the step, and puts it into the next.
fn pass_on(path: &str, from: &str, to: &str, n_rounds: usize) -> io::Result<()> {
    let mut client = Client::new(UnixStream::connect(path)?);
    for _ in 0..n_rounds {
        // Waits at the server until there is something, for ever if need be.
        let answer = client.ask(&["BLPOP", from, "0"])?;
        let token = match &answer {
            Reply::List(Some(list)) => list.get(1),
            _ => None,
        };
        let Some(Reply::Bulk(Some(token))) = token else {
            return Err(io::Error::other(format!("no token: {answer:?}")));
        };
        let n_steps: u64 = token.parse().map_err(io::Error::other)?;
        client.ask(&["RPUSH", to, &(n_steps + 1).to_string()])?;
    }
    Ok(())
}

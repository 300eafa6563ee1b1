//! A Fibonacci server: a number per line in, its Fibonacci number per line out, a thread a client.
//!
//! The recursion is naive on purpose: a large number keeps a processor busy, and must not keep the
//! other clients waiting. Run it, then `fib_long` or `fib_rate`, then ask for 36 with
//! `nc 127.0.0.1 25000`:
//!
//! ```text
//! cargo run --release --bin fib_server
//! ```
//!
//! Another address can be given as the first argument. It prints what connects and leaves:
//!
//! ```text
//! listening on 127.0.0.1:25000
//! 127.0.0.1:49152 connected
//! 127.0.0.1:49152 left after 3 requests
//! ```

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// The largest n whose Fibonacci number fits 64 bits.
const N_MAX: u64 = 93;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:25000".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (client, peer) = listener.accept()?;
        thread::Builder::new().name(format!("client {peer}")).spawn(move || {
            println!("{peer} connected");
            match serve(&client) {
                Ok(n_requests) => println!("{peer} left after {n_requests} requests"),
                Err(error) => eprintln!("{peer} left: {error}"),
            }
        })?;
    }
}

/// Answers each line; returns how many there were.
fn serve(mut client: &TcpStream) -> io::Result<usize> {
    client.set_nodelay(true)?;
    let mut n_requests = 0;
    for line in BufReader::new(client).lines() {
        let line = line?;
        let answer = match line.trim().parse() {
            Ok(n) if n <= N_MAX => format!("{}\n", fib(n)),
            _ => format!("error: expected a number from 0 to {N_MAX}, got `{line}`\n"),
        };
        client.write_all(answer.as_bytes())?;
        n_requests += 1;
    }
    Ok(n_requests)
}

fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

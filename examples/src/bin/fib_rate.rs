//! Load for `fib_server`: as many short requests as it answers, counted each second.
//!
//! Run it, ask for 36 with `nc 127.0.0.1 25000`, and see how far the rate falls:
//!
//! ```text
//! cargo run --release --bin fib_rate
//! ```
//!
//! Another address can be given as the first argument, and for how many seconds to go on as the
//! second (else until it is stopped). It prints the rate:
//!
//! ```text
//! 61342 requests/s
//! 60987 requests/s
//! ```

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:25000".to_owned());
    let n_seconds = env::args().nth(2).map_or(Ok(u64::MAX), |seconds| seconds.parse())?;

    let server = TcpStream::connect(address)?;
    server.set_nodelay(true)?;
    let n_answers = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&n_answers);
    thread::spawn(move || {
        if let Err(error) = ask_forever(&server, &counter) {
            eprintln!("the server has left: {error}");
            process::exit(1);
        }
    });
    for _ in 0..n_seconds {
        thread::sleep(Duration::from_secs(1));
        println!("{} requests/s", n_answers.swap(0, Ordering::Relaxed));
    }
    Ok(())
}

fn ask_forever(mut server: &TcpStream, n_answers: &AtomicU64) -> io::Result<()> {
    let mut answers = BufReader::new(server);
    let mut answer = String::new();
    loop {
        server.write_all(b"1\n")?;
        answer.clear();
        answers.read_line(&mut answer)?;
        if answer != "1\n" {
            return Err(io::Error::other(format!("expected `1`, got `{}`", answer.trim_end())));
        }
        n_answers.fetch_add(1, Ordering::Relaxed);
    }
}

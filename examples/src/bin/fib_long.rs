//! Load for `fib_server`: one long request after the other, each timed.
//!
//! Run it once, and again beside itself, and see how the requests share the processors:
//!
//! ```text
//! cargo run --release --bin fib_long
//! ```
//!
//! Another address can be given as the first argument, and how many requests to make as the second
//! (else it goes on until it is stopped). It prints how long each took:
//!
//! ```text
//! fib(30) = 832040 took 2.7 ms
//! fib(30) = 832040 took 2.7 ms
//! ```

use std::env;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:25000".to_owned());
    let n_requests = env::args().nth(2).map_or(Ok(usize::MAX), |count| count.parse())?;

    let mut server = TcpStream::connect(address)?;
    let mut answers = BufReader::new(server.try_clone()?).lines();
    for _ in 0..n_requests {
        let start = Instant::now();
        server.write_all(b"30\n")?;
        let answer = answers.next().ok_or("the server has left")??;
        let took_ms = start.elapsed().as_secs_f64() * 1000.0;
        println!("fib(30) = {answer} took {took_ms:.1} ms");
    }
    Ok(())
}

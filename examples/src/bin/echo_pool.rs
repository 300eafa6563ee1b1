//! Ten threads that all accept on one listener: up to ten clients at once, the next ones queue.
//!
//! Run it, and talk to it with `nc 127.0.0.1 37564`:
//!
//! ```text
//! cargo run --release --bin echo_pool
//! ```
//!
//! Another address can be given as the first argument. It prints what connects, arrives and
//! leaves, and which of the ten it was:
//!
//! ```text
//! listening on 127.0.0.1:37564
//! [acceptor-0] 127.0.0.1:49152 connected
//! [acceptor-0] 127.0.0.1:49152 sent 6 bytes
//! [acceptor-0] 127.0.0.1:49152 left after 6 bytes
//! ```

use std::env;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

const N_THREADS: usize = 10;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:37564".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    thread::scope(|scope| {
        for i in 0..N_THREADS {
            let acceptor = thread::Builder::new().name(format!("acceptor-{i}"));
            acceptor.spawn_scoped(scope, || accept_forever(&listener))?;
        }
        Ok(())
    })
}

fn accept_forever(listener: &TcpListener) {
    let current = thread::current();
    let me = current.name().unwrap_or("?");
    loop {
        match listener.accept() {
            Ok((client, peer)) => {
                let who = format!("[{me}] {peer}");
                println!("{who} connected");
                match echo(client, &who) {
                    Ok(total) => println!("{who} left after {total} bytes"),
                    Err(error) => eprintln!("{who} left: {error}"),
                }
            }
            Err(error) => {
                eprintln!("[{me}] accept: {error}");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Sends back what arrives until the client has said all; returns how many bytes that was.
fn echo(mut client: TcpStream, who: &str) -> io::Result<usize> {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Ok(total);
        }
        println!("{who} sent {n} bytes");
        client.write_all(&buffer[..n])?;
        total += n;
    }
}

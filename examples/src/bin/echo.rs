//! A thread a client: the echo server as one writes it with std.
//!
//! Run it, and talk to it from as many terminals as you like with `nc 127.0.0.1 37564`:
//!
//! ```text
//! cargo run --release --bin echo
//! ```
//!
//! Another address can be given as an argument. It prints what connects, arrives and leaves (with
//! `-- --quiet` only where it listens):
//!
//! ```text
//! listening on 127.0.0.1:37564
//! 127.0.0.1:49152 connected
//! 127.0.0.1:49152 sent 6 bytes
//! 127.0.0.1:49152 left after 6 bytes
//! ```

use std::env;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

fn main() -> io::Result<()> {
    let (options, addresses): (Vec<_>, Vec<_>) =
        env::args().skip(1).partition(|argument| argument.starts_with("--"));
    let quiet = options.iter().any(|option| option == "--quiet");
    let address = addresses.first().map_or("127.0.0.1:37564", String::as_str);

    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        match listener.accept() {
            Ok((client, peer)) => {
                thread::spawn(move || serve(client, peer, quiet));
            }
            Err(error) => {
                // Out of descriptors, say: those connected go on, and some will leave.
                eprintln!("accept: {error}");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn serve(client: TcpStream, peer: SocketAddr, quiet: bool) {
    if !quiet {
        println!("{peer} connected");
    }
    match echo(client, peer, quiet) {
        Ok(total) if !quiet => println!("{peer} left after {total} bytes"),
        Ok(_) => {}
        Err(error) => eprintln!("{peer} left: {error}"),
    }
}

/// Sends back what arrives until the client has said all; returns how many bytes that was.
fn echo(mut client: TcpStream, peer: SocketAddr, quiet: bool) -> io::Result<usize> {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Ok(total);
        }
        if !quiet {
            println!("{peer} sent {n} bytes");
        }
        client.write_all(&buffer[..n])?;
        total += n;
    }
}

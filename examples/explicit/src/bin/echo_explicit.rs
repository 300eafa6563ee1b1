//! The explicit way in: the imports say `std_shim` where they said `std`; the rest is unchanged.
//!
//! A thread a client, as in `echo`. Run it, and talk to it with `nc 127.0.0.1 37564`:
//!
//! ```text
//! cargo run --release --bin echo_explicit
//! ```
//!
//! Another address can be given as the first argument. It prints what connects, arrives and
//! leaves:
//!
//! ```text
//! listening on 127.0.0.1:37564
//! 127.0.0.1:49152 connected
//! 127.0.0.1:49152 sent 6 bytes
//! 127.0.0.1:49152 left after 6 bytes
//! ```

use std::env;
use std::io::{self, Read, Write};

use std_shim::net::{SocketAddr, TcpListener, TcpStream};
use std_shim::thread;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:37564".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (client, peer) = listener.accept()?;
        thread::spawn(move || serve(client, peer));
    }
}

fn serve(client: TcpStream, peer: SocketAddr) {
    println!("{peer} connected");
    match echo(client, peer) {
        Ok(total) => println!("{peer} left after {total} bytes"),
        Err(error) => eprintln!("{peer} left: {error}"),
    }
}

/// Sends back what arrives until the client has said all; returns how many bytes that was.
fn echo(mut client: TcpStream, peer: SocketAddr) -> io::Result<usize> {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Ok(total);
        }
        println!("{peer} sent {n} bytes");
        client.write_all(&buffer[..n])?;
        total += n;
    }
}

//! One thread, one client at a time: who comes second waits until the first has left.
//!
//! Run it, and talk to it from two terminals with `nc 127.0.0.1 37564`; the second is answered
//! when the first ends:
//!
//! ```text
//! cargo run --release --bin echo_one_at_a_time
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
use std::net::{SocketAddr, TcpListener, TcpStream};

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:37564".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    for client in listener.incoming() {
        let client = client?;
        let peer = client.peer_addr()?;
        println!("{peer} connected");
        match echo(client, peer) {
            Ok(total) => println!("{peer} left after {total} bytes"),
            Err(error) => eprintln!("{peer} left: {error}"),
        }
    }
    Ok(())
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

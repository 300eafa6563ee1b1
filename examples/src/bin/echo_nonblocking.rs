//! One thread, many clients, no blocking call: `set_nonblocking` and a loop around `WouldBlock`.
//!
//! Who asks for non-blocking sockets gets them. When nobody has anything to say, the loop sleeps a
//! millisecond, so that an idle server leaves the processor alone.
//!
//! Run it, and talk to it with `nc 127.0.0.1 37564`:
//!
//! ```text
//! cargo run --release --bin echo_nonblocking
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
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:37564".to_owned());
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    println!("listening on {}", listener.local_addr()?);

    let mut clients: Vec<Client> = Vec::new();
    loop {
        let mut idle = true;
        match listener.accept() {
            Ok((stream, peer)) => {
                idle = false;
                stream.set_nonblocking(true)?;
                println!("{peer} connected");
                clients.push(Client { stream, peer, unsent: Vec::new(), total: 0 });
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => eprintln!("accept: {error}"),
        }
        clients.retain_mut(|client| match client.turn() {
            Ok(Turn::Worked) => {
                idle = false;
                true
            }
            Ok(Turn::Idle) => true,
            Ok(Turn::Left) => {
                println!("{} left after {} bytes", client.peer, client.total);
                false
            }
            Err(error) => {
                eprintln!("{} left: {error}", client.peer);
                false
            }
        });
        if idle {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    /// What has arrived and is still to go back; nothing more is read before it has gone.
    unsent: Vec<u8>,
    total: usize,
}

enum Turn {
    Worked,
    Idle,
    Left,
}

impl Client {
    /// Does what can be done without waiting.
    fn turn(&mut self) -> io::Result<Turn> {
        let mut turn = Turn::Idle;
        if self.unsent.is_empty() {
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(Turn::Left),
                Ok(n) => {
                    println!("{} sent {n} bytes", self.peer);
                    self.unsent.extend_from_slice(&buffer[..n]);
                    self.total += n;
                    turn = Turn::Worked;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        if !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(n) => {
                    self.unsent.drain(..n);
                    turn = Turn::Worked;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(turn)
    }
}

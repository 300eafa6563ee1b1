//! One green thread, many clients, and `poll` to say which of them has something: what a server
//! built on `select` looks like.
//!
//! `poll` parks this one thread alone: whatever other threads the program has go on beside it.
//!
//! Run it, and talk to it with `nc 127.0.0.1 37564`:
//!
//! ```text
//! cargo run --release --bin echo_poll
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
use std::os::fd::{AsRawFd, RawFd};

use libc::{POLLIN, POLLOUT, pollfd};
use std_shim::net::{SocketAddr, TcpListener, TcpStream};
use std_shim::thread;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:37564".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    thread::spawn(move || serve(&listener)).join().expect("the server does not panic")
}

fn serve(listener: &TcpListener) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut clients: Vec<Client> = Vec::new();
    loop {
        let mut fds = vec![wanted(listener.as_raw_fd(), POLLIN)];
        fds.extend(clients.iter().map(Client::wanted));
        sylvan::poll(&mut fds, None)?;

        // A client that left is taken out, so from here on the answers go with those that were asked.
        let mut answers = fds[1..].iter();
        clients.retain_mut(|client| {
            let is_ready = answers.next().is_some_and(|answer| answer.revents != 0);
            !is_ready || client.turn()
        });
        if fds[0].revents != 0 {
            match listener.accept() {
                Ok((stream, peer)) => {
                    stream.set_nonblocking(true)?;
                    println!("{peer} connected");
                    clients.push(Client { stream, peer, unsent: Vec::new(), total: 0 });
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => eprintln!("accept: {error}"),
            }
        }
    }
}

fn wanted(fd: RawFd, events: i16) -> pollfd {
    pollfd { fd, events, revents: 0 }
}

struct Client {
    stream: TcpStream,
    peer: SocketAddr,
    /// What has arrived and is still to go back; nothing more is read before it has gone.
    unsent: Vec<u8>,
    total: usize,
}

impl Client {
    /// What it waits for: for room while something is to go back, else for more.
    fn wanted(&self) -> pollfd {
        wanted(self.stream.as_raw_fd(), if self.unsent.is_empty() { POLLIN } else { POLLOUT })
    }

    /// Does what can be done without waiting; whether the client stays.
    fn turn(&mut self) -> bool {
        match self.echo() {
            Ok(true) => return true,
            Ok(false) => println!("{} left after {} bytes", self.peer, self.total),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
            Err(error) => eprintln!("{} left: {error}", self.peer),
        }
        false
    }

    fn echo(&mut self) -> io::Result<bool> {
        if self.unsent.is_empty() {
            let mut buffer = [0; 4096];
            let n = self.stream.read(&mut buffer)?;
            if n == 0 {
                return Ok(false);
            }
            println!("{} sent {n} bytes", self.peer);
            self.unsent.extend_from_slice(&buffer[..n]);
            self.total += n;
        }
        let n = self.stream.write(&self.unsent)?;
        self.unsent.drain(..n);
        Ok(true)
    }
}

//! Echo clients, all connected at once and mostly idle.
//!
//! One thread drives them: it sends a message on each connection, then collects the answers. So
//! the clients cost no more than their sockets, and a server that serves one client at a time
//! shows itself: the second client gets no answer.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::report::count;

/// How long a client waits for the server to listen, and for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a client waits before its first message: a handler that reads has nothing to read.
const PAUSE: Duration = Duration::from_millis(1);

/// Clients of an echo server.
#[derive(Debug)]
pub struct Clients {
    streams: Vec<TcpStream>,
    messages: usize,
}

impl Clients {
    /// Connects `n` clients, one after another; each has its first message echoed before the next
    /// one comes. The server may take a while to listen.
    ///
    /// # Errors
    ///
    /// When a client cannot connect, gets no answer, or gets other bytes than it sent.
    pub fn connect(address: impl ToSocketAddrs, n: usize) -> io::Result<Self> {
        Self::connect_while(address, n, || Ok(()))
    }

    /// The same, as long as there is no reason not to wait until the server listens.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect), and what `may_come` says.
    pub fn connect_while(
        address: impl ToSocketAddrs,
        n: usize,
        mut may_come: impl FnMut() -> io::Result<()>,
    ) -> io::Result<Self> {
        let mut clients = Self { streams: Vec::with_capacity(n), messages: 0 };
        for i in 0..n {
            let connected = match i {
                0 => first(&address, &mut may_come),
                _ => TcpStream::connect(&address),
            };
            let stream = connected.map_err(|error| of_client(i, error))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            clients.streams.push(stream);
            thread::sleep(PAUSE);
            clients.send(i)?;
            clients.receive(i)?;
            clients.messages += 1;
        }
        Ok(clients)
    }

    /// Sends a message on each connection, then compares what comes back on each.
    ///
    /// # Errors
    ///
    /// When a client gets no answer, or other bytes than it sent.
    pub fn round(&mut self) -> io::Result<()> {
        for i in 0..self.streams.len() {
            self.send(i)?;
        }
        for i in 0..self.streams.len() {
            self.receive(i)?;
        }
        self.messages += self.streams.len();
        Ok(())
    }

    /// Returns how many messages were echoed, byte for byte.
    pub fn messages(&self) -> usize {
        self.messages
    }

    fn send(&self, i: usize) -> io::Result<()> {
        (&self.streams[i]).write_all(self.message(i).as_bytes()).map_err(|e| of_client(i, e))
    }

    fn receive(&self, i: usize) -> io::Result<()> {
        let message = self.message(i);
        let mut answer = vec![0; message.len()];
        (&self.streams[i]).read_exact(&mut answer).map_err(|error| of_client(i, error))?;
        if answer != message.as_bytes() {
            let answer = String::from_utf8_lossy(&answer);
            let text = format!("client {}: sent {message:?}, got back {answer:?}", i + 1);
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        Ok(())
    }

    /// Different for each client in each round.
    fn message(&self, i: usize) -> String {
        format!("client {} after {} messages\n", i + 1, self.messages / self.streams.len())
    }
}

impl fmt::Display for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (clients, messages) = (self.streams.len(), self.messages);
        write!(f, "{} connected at once, ", count(clients, "client"))?;
        write!(f, "{} echoed byte for byte", count(messages, "message"))
    }
}

fn first(
    address: &impl ToSocketAddrs,
    may_come: &mut impl FnMut() -> io::Result<()>,
) -> io::Result<TcpStream> {
    let give_up = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Err(error)
                if error.kind() == ErrorKind::ConnectionRefused && Instant::now() < give_up =>
            {
                may_come()?;
                thread::sleep(Duration::from_millis(50));
            }
            connected => return connected,
        }
    }
}

fn of_client(i: usize, error: io::Error) -> io::Error {
    let text = match error.kind() {
        ErrorKind::WouldBlock => format!("no answer within {} s", PATIENCE.as_secs()),
        ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
        _ => error.to_string(),
    };
    io::Error::new(error.kind(), format!("client {}: {text}", i + 1))
}

/// Allows this process, and those it starts from now on, the open files that `clients` take.
///
/// # Errors
///
/// When the system's own limit is lower.
pub fn allow_open_files(clients: usize) -> io::Result<()> {
    // A program has a few files open beside its connections.
    let wanted = clients as u64 + 128;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    if maximum.is_some_and(|maximum| maximum < wanted) {
        return Err(io::Error::other(format!(
            "{clients} clients take {wanted} open files, the limit is {} (see `ulimit -Hn`)",
            maximum.unwrap_or_default()
        )));
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?)
}

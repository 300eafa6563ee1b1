//! Connections that stay, each with at most one exchange under way.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::{Histogram, Outcome, Span, Watch, now_or_later};
use crate::child::Server;
use crate::failure::{Failure, failed};
use crate::sys::{Epoll, Socket};

/// Connections opened at a time. Each has had a reply before more are opened, so no listener's
/// queue overflows, however short it is: what is measured is not the kernel's retry of a SYN.
const WINDOW: usize = 64;

/// How long one step of opening a connection may take.
const OPENING: Duration = Duration::from_secs(5);

/// How long it may take to open all of them.
const OPENING_ALL: Duration = Duration::from_secs(20);

/// How to reach a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
    Unix,
}

impl Transport {
    pub(crate) fn connect(self, address: &str) -> Result<Socket, Failure> {
        let inet = || address.parse::<SocketAddr>().map_err(|e| failed(format!("{address}: {e}")));
        let descriptor: OwnedFd = match self {
            Transport::Tcp => {
                let stream = TcpStream::connect_timeout(&inet()?, OPENING)?;
                stream.set_nodelay(true)?;
                stream.into()
            }
            Transport::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                socket.connect(inet()?)?;
                socket.into()
            }
            Transport::Unix => UnixStream::connect(address)?.into(),
        };
        let socket = Socket::from(descriptor);
        socket.set_timeout(OPENING)?;
        Ok(socket)
    }
}

/// What one exchange is: the bytes that go out, the number that comes back, and what it counts as.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    request: Vec<u8>,
    reply_length: usize,
    requests: u64,
}

impl Exchange {
    /// The bytes themselves come back.
    pub(crate) fn echo(length: usize) -> Exchange {
        let request: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        Exchange { reply_length: length, request, requests: 1 }
    }

    /// So many HTTP requests in one go.
    pub(crate) fn http(depth: usize) -> Exchange {
        let one = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\n\
            User-Agent: suite\r\nAccept: text/plain\r\n\r\n";
        Exchange { request: one.repeat(depth), reply_length: 0, requests: depth as u64 }
    }

    /// Does the first exchange of a connection, which still blocks, and looks at every byte. For
    /// HTTP it also learns how long the replies are: they are all alike.
    fn open(&mut self, socket: &Socket) -> Result<(), Failure> {
        let mut reply = vec![0; self.reply_length.max(1 << 16)];
        socket.send(&self.request)?;
        let mut filled = 0;
        loop {
            if self.reply_length == 0 {
                self.reply_length = http_reply_length(&reply[..filled])? * self.requests as usize;
            }
            if self.reply_length > 0 && filled >= self.reply_length {
                break;
            }
            filled += receive_in_time(socket, &mut reply[filled..])?;
        }
        let reply = &reply[..filled];
        let http = self.request.starts_with(b"GET");
        let right = if http {
            let one = self.reply_length / self.requests as usize;
            filled == self.reply_length
                && reply.chunks(one).all(|one| {
                    one.starts_with(b"HTTP/1.1 200") && one.ends_with(b"\r\n\r\nHello, World!")
                })
        } else {
            reply == self.request
        };
        if right { Ok(()) } else { Err(failed("the server's reply is wrong")) }
    }
}

/// Receives on a connection that still blocks; an end and a silence are failures.
pub(super) fn receive_in_time(socket: &Socket, bytes: &mut [u8]) -> Result<usize, Failure> {
    match now_or_later(socket.receive(bytes))? {
        Some(0) => Err(failed("the server closed a new connection")),
        Some(n) => Ok(n),
        None => Err(failed(format!("no reply on a new connection for {} s", OPENING.as_secs()))),
    }
}

/// The length of the HTTP response that `bytes` begin with; 0 while its header is incomplete.
fn http_reply_length(bytes: &[u8]) -> Result<usize, Failure> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(0);
    };
    let header = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = header.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length = length.and_then(|text| text.trim().parse::<usize>().ok());
    length.map(|length| end + 4 + length).ok_or_else(|| failed("a response without its length"))
}

/// The state of one connection in an exchange.
#[derive(Debug)]
struct Connection {
    socket: Socket,
    sent: usize,
    received: usize,
    /// When the exchange began, or was due, in nanoseconds of the watch; nothing while there is
    /// none.
    began: Option<u64>,
    /// When the ones after it were due; only an open loop has any.
    due: VecDeque<u64>,
}

/// Open connections to one server.
pub(crate) struct Fleet {
    epoll: Epoll,
    connections: Vec<Connection>,
    exchange: Exchange,
    bytes: Vec<u8>,
}

impl Fleet {
    /// Opens `count` connections; each has done one exchange, byte by byte right, when this
    /// returns.
    pub(crate) fn connect(
        transport: Transport,
        server: &Server,
        count: usize,
        mut exchange: Exchange,
    ) -> Result<Fleet, Failure> {
        let epoll = Epoll::new()?;
        let mut connections = Vec::with_capacity(count);
        let patience = Instant::now() + OPENING_ALL;
        while connections.len() < count {
            if Instant::now() > patience {
                return Err(failed(format!("opened {} connections only", connections.len())));
            }
            let window = WINDOW.min(count - connections.len());
            let opened = (0..window).map(|_| transport.connect(server.address()));
            for socket in opened.collect::<Result<Vec<_>, _>>()? {
                exchange.open(&socket)?;
                socket.set_nonblocking()?;
                epoll.add(&socket, connections.len())?;
                let due = VecDeque::new();
                connections.push(Connection { socket, sent: 0, received: 0, began: None, due });
            }
        }
        let bytes = vec![0; exchange.reply_length + 1];
        Ok(Fleet { epoll, connections, exchange, bytes })
    }

    /// A closed loop over the first `busy` connections. Their last exchanges are still under way when
    /// it returns.
    pub(crate) fn run(
        &mut self,
        server: &Server,
        busy: usize,
        span: Span,
    ) -> Result<Outcome, Failure> {
        let mut watch = Watch::new(server, span);
        for index in 0..busy {
            self.connections[index].began = Some(watch.now());
            self.go_on(index)?;
        }
        loop {
            let moved =
                self.poll(10, &mut watch, |connection, now| connection.began = Some(now))?;
            if let Some(mut outcome) = watch.check(moved)? {
                self.count_waiting(&mut outcome.latency, watch.now());
                return Ok(outcome);
            }
        }
    }

    /// Waits for the replies that are still to come, and asks for no more.
    pub(crate) fn settle(&mut self, server: &Server) -> Result<(), Failure> {
        let mut watch = Watch::new(server, Span::NONE);
        while self.connections.iter().any(|connection| connection.began.is_some()) {
            let moved = self.poll(10, &mut watch, |_, _| ())?;
            watch.expect(moved)?;
        }
        Ok(())
    }

    /// Adds the exchanges that have waited unusually long already and are not complete yet: a
    /// server that forgets a connection would not be seen to otherwise.
    fn count_waiting(&self, latency: &mut Histogram, now: u64) {
        let usual = latency.quantile(0.99);
        let waited = self.connections.iter().filter_map(|connection| Some(now - connection.began?));
        waited.filter(|&waited| waited > usual).for_each(|waited| latency.record(waited));
    }

    /// An open loop at `rate` requests per second, over all connections in turn.
    pub(crate) fn run_at(
        &mut self,
        server: &Server,
        rate: f64,
        span: Span,
    ) -> Result<Outcome, Failure> {
        let mut watch = Watch::new(server, span);
        for request in 0_u64.. {
            let due = (request as f64 / rate * 1e9) as u64;
            // The wait spins: the load has a processor of its own, and a sleep would be late.
            while watch.now() < due {
                let moved = self.poll(0, &mut watch, |connection, _| {
                    connection.began = connection.due.pop_front();
                })?;
                if let Some(outcome) = watch.check(moved)? {
                    return Ok(outcome);
                }
            }
            let index = request as usize % self.connections.len();
            let connection = &mut self.connections[index];
            match connection.began {
                Some(_) => connection.due.push_back(due),
                None => {
                    connection.began = Some(due);
                    self.go_on(index)?;
                }
            }
        }
        unreachable!("the watch ends the loop")
    }

    /// Handles one batch of events; `next` says when, if at all, the next exchange of a
    /// connection begins that has just completed one. Returns whether any was completed.
    fn poll(
        &mut self,
        timeout_ms: i32,
        watch: &mut Watch<'_>,
        next: impl Fn(&mut Connection, u64),
    ) -> Result<bool, Failure> {
        let mut moved = false;
        for event in 0..self.epoll.wait(timeout_ms)? {
            let index = self.epoll.key(event);
            if self.connections[index].began.is_some() && self.go_on(index)? {
                let now = watch.now();
                let connection = &mut self.connections[index];
                let began = connection.began.take().unwrap_or(now);
                watch.record(self.exchange.requests, now - began);
                (connection.sent, connection.received) = (0, 0);
                next(connection, now);
                moved = true;
                if self.connections[index].began.is_some() {
                    self.go_on(index)?;
                }
            }
        }
        Ok(moved)
    }

    /// Sends and receives as far as it goes; says whether the exchange is complete. To be called to
    /// start an exchange, and at each event after that.
    fn go_on(&mut self, index: usize) -> io::Result<bool> {
        let Fleet { connections, exchange, bytes, .. } = self;
        let connection = &mut connections[index];
        let fresh = connection.sent == 0;
        while connection.sent < exchange.request.len() {
            let rest = &exchange.request[connection.sent..];
            match now_or_later(connection.socket.send(rest))? {
                Some(n) => connection.sent += n,
                None => break,
            }
        }
        if fresh {
            // A reply cannot be there yet; its arrival is an event of its own.
            return Ok(false);
        }
        // There is room for more than a reply, so one receive takes all there is; what comes later
        // is another event.
        match now_or_later(connection.socket.receive(bytes))? {
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(n) => connection.received += n,
            None => return Ok(false),
        }
        if connection.received > exchange.reply_length {
            return Err(io::Error::other("the server sent more than it was asked for"));
        }
        Ok(connection.received == exchange.reply_length)
    }
}

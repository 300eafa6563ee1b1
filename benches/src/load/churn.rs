//! Connections that live for one exchange: connect, send, receive, close.
//!
//! A fixed number of them is under way at any time. Each comes from another address of this host
//! (127.1.0.0/16), because the side that closes first keeps the pair of ports for a minute, and
//! one address has ports for a second or two only.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};

use super::{Outcome, Span, Watch, now_or_later};
use crate::child::Server;
use crate::failure::{Failure, failed};
use crate::sys::{Epoll, Socket};

struct Visit {
    socket: Socket,
    began: u64,
    sent: bool,
    received: usize,
}

/// Keeps `under_way` connections going, each with one message of `length` bytes.
pub(crate) fn run(
    server: &Server,
    under_way: usize,
    length: usize,
    span: Span,
) -> Result<Outcome, Failure> {
    let to = server.address().parse().map_err(|_| failed("the server has no IPv4 address"))?;
    let mut load = Churn {
        to,
        epoll: Epoll::new()?,
        visits: Vec::new(),
        message: vec![7; length],
        reply: vec![0; length + 1],
        opened: 0,
    };
    let mut watch = Watch::new(server, span);
    for key in 0..under_way {
        let visit = load.begin(key, watch.now())?;
        load.visits.push(visit);
    }
    loop {
        let mut moved = false;
        for event in 0..load.epoll.wait(10)? {
            let key = load.epoll.key(event);
            if load.go_on(key)? {
                let now = watch.now();
                watch.record(1, now - load.visits[key].began);
                // The new visit takes the place of the old one, whose socket closes here.
                load.visits[key] = load.begin(key, now)?;
                moved = true;
            }
        }
        if let Some(outcome) = watch.check(moved)? {
            return Ok(outcome);
        }
    }
}

struct Churn {
    to: SocketAddrV4,
    epoll: Epoll,
    visits: Vec<Visit>,
    message: Vec<u8>,
    reply: Vec<u8>,
    opened: u32,
}

impl Churn {
    fn begin(&mut self, key: usize, began: u64) -> io::Result<Visit> {
        let [_, _, high, low] = self.opened.to_be_bytes();
        self.opened += 1;
        let socket = Socket::begin_tcp(Ipv4Addr::new(127, 1, high, low.max(1)), self.to)?;
        self.epoll.add(&socket, key)?;
        Ok(Visit { socket, began, sent: false, received: 0 })
    }

    /// Does what an event lets a visit do; says whether it is complete.
    fn go_on(&mut self, key: usize) -> io::Result<bool> {
        let visit = &mut self.visits[key];
        if !visit.sent {
            // An event before the connection stands brings the error of `connect`, or nothing.
            match visit.socket.send(&self.message) {
                Ok(n) => assert_eq!(n, self.message.len(), "an empty socket takes a message"),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(e) => return Err(e),
            }
            visit.sent = true;
            return Ok(false);
        }
        match now_or_later(visit.socket.receive(&mut self.reply))? {
            Some(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Some(n) => visit.received += n,
            None => return Ok(false),
        }
        Ok(visit.received >= self.message.len())
    }
}

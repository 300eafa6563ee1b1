//! One connection: what it is owed, and how far it has come.

use std::io;
use std::os::fd::OwnedFd;

use kit::http::Exchange;

use crate::sys;

/// What is served.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Service {
    Echo,
    Http,
}

#[derive(Debug)]
pub(crate) struct Connection {
    stream: OwnedFd,
    exchange: Option<Exchange>,
    /// What the socket did not take; while there is any, nothing more is read.
    unsent: Vec<u8>,
}

impl Connection {
    pub(crate) fn new(stream: OwnedFd, service: Service, buffer: usize) -> Connection {
        let exchange = match service {
            Service::Echo => None,
            Service::Http => Some(Exchange::new(buffer)),
        };
        Connection { stream, exchange, unsent: Vec::new() }
    }

    /// Goes on as far as the socket lets it; an error means that the connection is over.
    pub(crate) fn advance(&mut self, readiness: u32, bytes: &mut [u8]) -> io::Result<()> {
        let resumed = !self.unsent.is_empty();
        if resumed {
            let unsent = std::mem::take(&mut self.unsent);
            self.send(&unsent)?;
        }
        // An edge that came while output was held back is gone, so look again in any case.
        let hung_up = readiness & (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) as u32 != 0;
        if !resumed && !hung_up && readiness & libc::EPOLLIN as u32 == 0 {
            return Ok(());
        }
        while self.unsent.is_empty() {
            let Some((n, drained)) = self.exchange_once(bytes)? else { break };
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if drained && !hung_up {
                break;
            }
        }
        Ok(())
    }

    /// One read and its answer: the number of bytes and whether the read was short, or nothing
    /// when there was nothing to read.
    fn exchange_once(&mut self, bytes: &mut [u8]) -> io::Result<Option<(usize, bool)>> {
        let Some(mut exchange) = self.exchange.take() else {
            let Some(n) = sys::receive(&self.stream, bytes)? else { return Ok(None) };
            self.send(&bytes[..n])?;
            return Ok(Some((n, n < bytes.len())));
        };
        let space = exchange.space();
        let room = space.len();
        let received = sys::receive(&self.stream, space)?;
        if let Some(n) = received {
            self.send(exchange.answer(n).map_err(io::Error::other)?)?;
        }
        self.exchange = Some(exchange);
        Ok(received.map(|n| (n, n < room)))
    }

    /// Sends what the socket takes and keeps the rest.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let sent = sys::send(&self.stream, bytes)?.unwrap_or(0);
        self.unsent.extend_from_slice(&bytes[sent..]);
        Ok(())
    }
}

//! A client of a server under test; each read and write is bounded.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::PATIENCE;

pub(crate) struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Client { stream, reader }
    }

    /// How servers name this client in what they print.
    pub(crate) fn name(&self) -> String {
        self.stream.local_addr().unwrap().to_string()
    }

    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(crate) fn say(&self, what: impl AsRef<[u8]>) {
        (&self.stream).write_all(what.as_ref()).expect("a server that reads");
    }

    /// The next `n` bytes.
    pub(crate) fn hear(&mut self, n: usize) -> Vec<u8> {
        let mut heard = vec![0; n];
        self.reader.read_exact(&mut heard).expect("a server that answers");
        heard
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a server that answers by the line");
        assert_eq!(line.pop(), Some('\n'), "a line cut short");
        line
    }

    /// Says `what`, and waits for the same to come back.
    pub(crate) fn echo(&mut self, what: &str) {
        self.say(what);
        assert_eq!(String::from_utf8_lossy(&self.hear(what.len())), what);
    }

    /// Whether nothing arrives for `duration`.
    pub(crate) fn hears_nothing_for(&mut self, duration: Duration) -> bool {
        assert!(self.reader.buffer().is_empty(), "something has arrived before");
        self.stream.set_read_timeout(Some(duration)).unwrap();
        let start = Instant::now();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        match peeked {
            Ok(_) => false,
            Err(error) if error.kind() == ErrorKind::WouldBlock => start.elapsed() >= duration,
            Err(error) => panic!("the connection broke: {error}"),
        }
    }

    /// Has said all.
    pub(crate) fn finish(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a connection to finish");
    }

    /// What is left to hear until the server has said all.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).expect("a server that ends the connection");
        rest
    }

    /// Has said all, and hears what is left.
    pub(crate) fn hang_up(mut self) -> Vec<u8> {
        self.finish();
        self.rest()
    }
}

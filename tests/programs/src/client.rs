//! Clients: an exchange at a time each, many at once, and what comes back is looked at.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Connects.
///
/// # Errors
///
/// Those of the system.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends something, and expects it back.
///
/// # Errors
///
/// Another answer, none in time, and those of the system.
pub fn echo(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    stream.write_all(message)?;
    expect(stream, message)
}

/// Expects exactly this to come next.
///
/// # Errors
///
/// As for [`echo`].
pub fn expect(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut answer = vec![0; bytes.len()];
    stream.read_exact(&mut answer)?;
    if answer == bytes {
        return Ok(());
    }
    let answer = String::from_utf8_lossy(&answer);
    Err(io::Error::other(format!("{answer:?} instead of {:?}", String::from_utf8_lossy(bytes))))
}

/// Asks an HTTP server for one page; returns the answer, from its first line on.
///
/// # Errors
///
/// Those of the system.
pub fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Runs `client` in `n` threads at once, each with its number.
///
/// # Panics
///
/// If one of them fails.
pub fn crowd(n: usize, client: impl Fn(usize) -> io::Result<()> + Sync) {
    let client = &client;
    thread::scope(|scope| {
        let all: Vec<_> = (0..n).map(|i| scope.spawn(move || client(i))).collect();
        for (i, one) in all.into_iter().enumerate() {
            one.join().expect("a client").unwrap_or_else(|error| panic!("client {i}: {error}"));
        }
    });
}

/// `n` clients of an echo server, all connected at once, each with a few messages of its own.
///
/// # Panics
///
/// If one of them fails.
pub fn echo_crowd(address: SocketAddr, n: usize, at_the_height: impl FnOnce()) {
    let streams = (0..n).map(|i| {
        let mut stream = connect(address).unwrap_or_else(|error| panic!("client {i}: {error}"));
        echo(&mut stream, format!("hello from {i}").as_bytes()).expect("the first answer");
        stream
    });
    let mut streams: Vec<TcpStream> = streams.collect();
    for round in 0..3 {
        let message = |i: usize| format!("{round} of {i}").into_bytes();
        for (i, stream) in streams.iter_mut().enumerate() {
            stream.write_all(&message(i)).expect("it is sent");
        }
        for (i, stream) in streams.iter_mut().enumerate() {
            expect(stream, &message(i)).expect("an answer");
        }
    }
    at_the_height();
}

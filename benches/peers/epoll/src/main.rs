//! What the kernel alone costs: epoll loops without threads, tasks or futures.
//!
//! Each worker is one OS thread with an epoll instance of its own. The first one also accepts and
//! deals the connections out in turn. Descriptors are registered once, edge-triggered, and a short
//! read counts as drained, so an echo is one `recv` and one `send`, and each `epoll_wait` is shared
//! by all that is ready.

mod connection;
mod sys;

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread;

use connection::{Connection, Service};
use sys::Epoll;

/// The key of the listener; connections have their descriptor's number, which is never this high.
const LISTENER: u64 = u64::MAX;

fn main() {
    let args = kit::Args::from_env();
    let buffer = args.buffer();
    match args.scene() {
        "echo-tcp" => serve(sys::listen_tcp(), Service::Echo, &args),
        "echo-unix" => serve(sys::listen_unix(args.path()), Service::Echo, &args),
        "http" => serve(sys::listen_tcp(), Service::Http, &args),
        "echo-udp" => echo_udp(buffer),
        _ => kit::unsupported(),
    }
    .expect("the loop goes on until it is killed");
}

/// Accepts on `listener` and serves all connections on as many workers as the suite asks for.
fn serve(
    listener: io::Result<(OwnedFd, String)>,
    service: Service,
    args: &kit::Args,
) -> io::Result<()> {
    let (listener, address) = listener?;
    let epolls: Arc<[Epoll]> =
        (0..args.workers()).map(|_| Epoll::new()).collect::<Result<_, _>>()?;
    epolls[0].add(listener.as_raw_fd(), LISTENER, libc::EPOLLIN)?;
    kit::ready(address);
    let buffer = args.buffer();
    for worker in 1..args.workers() {
        let epolls = Arc::clone(&epolls);
        thread::spawn(move || work(&epolls, worker, None, service, buffer));
    }
    work(&epolls, 0, Some(&listener), service, buffer)
}

/// One worker's loop.
fn work(
    epolls: &[Epoll],
    worker: usize,
    listener: Option<&OwnedFd>,
    service: Service,
    buffer: usize,
) -> io::Result<()> {
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let mut bytes = vec![0; buffer];
    let mut events = sys::Events::new();
    let mut accepted = 0;
    loop {
        for (key, readiness) in epolls[worker].wait(&mut events)? {
            if let (LISTENER, Some(listener)) = (key, listener) {
                while let Some(stream) = sys::accept(listener)? {
                    // From here on the worker it is dealt to owns the descriptor by its number.
                    let number = sys::into_number(stream);
                    epolls[accepted % epolls.len()].add_stream(number)?;
                    accepted += 1;
                }
                continue;
            }
            let index = key as usize;
            if connections.len() <= index {
                connections.resize_with(index + 1, || None);
            }
            let connection = connections[index]
                .get_or_insert_with(|| Connection::new(sys::from_number(key), service, buffer));
            if connection.advance(readiness, &mut bytes).is_err() {
                connections[index] = None;
            }
        }
    }
}

/// One socket that answers everyone.
fn echo_udp(buffer: usize) -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    let epoll = Epoll::new()?;
    epoll.add(socket.as_raw_fd(), 0, libc::EPOLLIN)?;
    kit::ready(socket.local_addr()?);
    let mut bytes = vec![0; buffer];
    let mut events = sys::Events::new();
    loop {
        epoll.wait(&mut events)?.for_each(drop);
        loop {
            match socket.recv_from(&mut bytes) {
                Ok((n, from)) => drop(socket.send_to(&bytes[..n], from)?),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
    }
}

//! Echo and HTTP: `main` accepts, or a thread if that is asked for; each client has its own thread.

use std::io::{self, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixListener;
use std::thread;
use std::time::Duration;

use kit::Args;
use kit::http::Exchange;

pub(crate) fn echo_tcp(args: &Args, timeout: Option<Duration>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    kit::ready(listener.local_addr().expect("a bound listener has an address"));
    let buffer = args.buffer();
    let accept = move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a client");
            stream.set_nodelay(true).expect("a TCP socket has the option");
            if timeout.is_some() {
                stream.set_read_timeout(timeout).expect("a socket has the option");
                stream.set_write_timeout(timeout).expect("a socket has the option");
            }
            thread::spawn(move || echo(stream, buffer));
        }
    };
    match args.text("acceptor") {
        Some("thread") => thread::spawn(accept).join().expect("no panic"),
        _ => accept(),
    }
}

pub(crate) fn echo_unix(args: &Args) {
    let listener = UnixListener::bind(args.path()).expect("a free path");
    kit::ready(args.path());
    let buffer = args.buffer();
    for stream in listener.incoming() {
        let stream = stream.expect("a client");
        thread::spawn(move || echo(stream, buffer));
    }
}

fn echo(mut stream: impl Read + Write, buffer: usize) -> io::Result<()> {
    let mut bytes = vec![0; buffer];
    loop {
        match stream.read(&mut bytes)? {
            0 => return Ok(()),
            n => stream.write_all(&bytes[..n])?,
        }
    }
}

pub(crate) fn echo_udp(args: &Args) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
    kit::ready(socket.local_addr().expect("a bound socket has an address"));
    let buffer = args.buffer();
    let server = thread::spawn(move || -> io::Result<()> {
        let mut bytes = vec![0; buffer];
        loop {
            let (n, from) = socket.recv_from(&mut bytes)?;
            socket.send_to(&bytes[..n], from)?;
        }
    });
    server.join().expect("no panic").expect("no error on a healthy socket");
}

pub(crate) fn http(args: &Args) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    kit::ready(listener.local_addr().expect("a bound listener has an address"));
    let buffer = args.buffer();
    for stream in listener.incoming() {
        let stream = stream.expect("a client");
        stream.set_nodelay(true).expect("a TCP socket has the option");
        thread::spawn(move || answer(stream, buffer));
    }
}

fn answer(mut stream: impl Read + Write, buffer: usize) -> io::Result<()> {
    let mut exchange = Exchange::new(buffer);
    loop {
        match stream.read(exchange.space())? {
            0 => return Ok(()),
            n => stream.write_all(exchange.answer(n).map_err(io::Error::other)?)?,
        }
    }
}

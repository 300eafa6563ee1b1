//! Echo and HTTP: one coroutine accepts, each client has its own.

use std::io::{self, Read, Write};

use kit::Args;
use kit::http::Exchange;
use may::go;
use may::net::{TcpListener, UdpSocket};
use may::os::unix::net::UnixListener;
use may_minihttp::{HttpServer, HttpService, Request, Response};

pub(crate) fn echo_tcp(args: &Args) {
    let buffer = args.buffer();
    accept_tcp(move |stream| echo(stream, buffer));
}

pub(crate) fn echo_with_timeouts(args: &Args) {
    let buffer = args.buffer();
    accept_tcp(move |stream| {
        stream.set_read_timeout(Some(kit::TIMEOUT))?;
        stream.set_write_timeout(Some(kit::TIMEOUT))?;
        echo(stream, buffer)
    });
}

pub(crate) fn http(args: &Args) {
    let buffer = args.buffer();
    accept_tcp(move |stream| answer(stream, buffer));
}

/// Accepts for ever and gives each client a coroutine.
fn accept_tcp(client: impl Fn(may::net::TcpStream) -> io::Result<()> + Copy + Send + 'static) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    kit::ready(listener.local_addr().expect("a bound listener has an address"));
    let server = go!(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a client");
            stream.set_nodelay(true).expect("a TCP socket has the option");
            go!(move || client(stream));
        }
    });
    server.join().expect("no panic");
}

pub(crate) fn echo_unix(args: &Args) {
    let listener = UnixListener::bind(args.path()).expect("a free path");
    kit::ready(args.path());
    let buffer = args.buffer();
    let server = go!(move || {
        for stream in listener.incoming() {
            let stream = stream.expect("a client");
            go!(move || echo(stream, buffer));
        }
    });
    server.join().expect("no panic");
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
    let server = go!(move || -> io::Result<()> {
        let mut bytes = vec![0; buffer];
        loop {
            let (n, from) = socket.recv_from(&mut bytes)?;
            socket.send_to(&bytes[..n], from)?;
        }
    });
    server.join().expect("no panic").expect("no error on a healthy socket");
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

#[derive(Clone)]
struct Hello;

impl HttpService for Hello {
    fn call(&mut self, _request: Request, response: &mut Response) -> io::Result<()> {
        response.header("Content-Type: text/plain").body("Hello, World!");
        Ok(())
    }
}

/// may_minihttp binds by itself and does not say where, so a port that was free a moment ago
/// has to do.
pub(crate) fn minihttp() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|probe| probe.local_addr());
    let address = free.expect("a free port");
    let server = HttpServer(Hello).start(address).expect("the port is still free");
    kit::ready(address);
    server.wait();
}

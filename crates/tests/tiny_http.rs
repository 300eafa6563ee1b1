//! `tiny_http`, a server of threads: two hundred connections kept open at once, and `ab`.
//!
//! Its pool starts a thread for a connection only if none was idle a moment ago, so that in a rush
//! one may be kept waiting until another one closes, on std as here. So these tests open those that
//! stay open one after the other, and let `ab` open a new one for each request.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use crates::clients::ab_is_answered;
use crates::{Watch, crowd, green};
use tiny_http::{Response, Server};

const BODY: &str = "as it was";
const CLIENTS: usize = 200;
const HANDLERS: usize = 8;

/// A server that answers everything, until it is dropped.
struct Running {
    server: Arc<Server>,
    address: SocketAddr,
    handlers: Vec<thread::JoinHandle<()>>,
}

impl Running {
    fn start() -> Self {
        let server = Arc::new(Server::http("127.0.0.1:0").unwrap());
        let address = server.server_addr().to_ip().unwrap();
        let handlers = (0..HANDLERS).map(|_| {
            let server = Arc::clone(&server);
            thread::spawn(move || {
                for request in server.incoming_requests() {
                    // A client that is gone is none of the server's business.
                    let _ = request.respond(Response::from_string(BODY));
                }
            })
        });
        let handlers = handlers.collect();
        Self { server, address, handlers }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Each call ends one of them, whichever it is.
        self.handlers.iter().for_each(|_| self.server.unblock());
        for handler in self.handlers.drain(..) {
            handler.join().unwrap();
        }
    }
}

/// Sends a request, and reads the answer's body.
fn ask(stream: &mut BufReader<TcpStream>) -> String {
    stream.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n").unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

#[test]
fn two_hundred_kept_connections_take_few_os_threads() {
    green(|| {
        let running = Running::start();
        let address = running.address;
        let watch = Watch::begin();
        let (turn, all_are_connected) = (Mutex::new(()), Barrier::new(CLIENTS));
        crowd(CLIENTS, move |_| {
            let mine = turn.lock().unwrap();
            let mut stream = BufReader::new(TcpStream::connect(address).unwrap());
            assert_eq!(ask(&mut stream), BODY);
            drop(mine);
            all_are_connected.wait();
            for _ in 0..10 {
                assert_eq!(ask(&mut stream), BODY);
            }
        });
        watch.at_most(CLIENTS / 2, "tiny_http and its 200 clients");
    });
}

#[test]
fn ab_has_all_its_requests_answered() {
    green(|| {
        let running = Running::start();
        ab_is_answered(running.address, "tiny_http and 200 clients of ab's");
    });
}

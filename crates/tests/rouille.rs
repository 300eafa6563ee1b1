//! `rouille`, a server of threads, with `ab` and with clients on the mirror.

use std::io::{Read, Write};
use std::net::TcpStream;

use crates::clients::ab_is_answered;
use crates::{Watch, crowd, green};
use rouille::{Request, Response, Server};

const CLIENTS: usize = 100;

/// The name that a path asks for, and the body of the request.
fn answer(request: &Request) -> Response {
    let mut body = String::new();
    request.data().expect("nobody has taken it").read_to_string(&mut body).expect("text");
    Response::text(format!("{} {body}", request.url()))
}

#[test]
fn ab_has_all_its_requests_answered() {
    green(|| {
        let server = Server::new("127.0.0.1:0", answer).unwrap();
        let address = server.server_addr();
        let (thread, stop) = server.stoppable();
        ab_is_answered(address, "rouille and 200 clients of ab's");
        stop.send(()).unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn each_of_a_hundred_gets_back_what_it_posts() {
    green(|| {
        let server = Server::new("127.0.0.1:0", answer).unwrap();
        let address = server.server_addr();
        let (thread, stop) = server.stoppable();
        let watch = Watch::begin();
        crowd(CLIENTS, move |i| {
            let body = format!("from {i}");
            let mut stream = TcpStream::connect(address).unwrap();
            write!(
                stream,
                "POST /{i} HTTP/1.1\r\nHost: here\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len(),
            )
            .unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            assert!(answer.ends_with(&format!("/{i} from {i}")), "{answer}");
        });
        watch.at_most(CLIENTS / 2, "rouille and its hundred clients");
        stop.send(()).unwrap();
        thread.join().unwrap();
    });
}

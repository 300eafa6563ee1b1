//! An HTTP/1.1 server: a thread a client, keep-alive and pipelining, parsed by `httparse`.
//!
//! Run it, and ask with `curl -i 127.0.0.1:37564`, or load it with any HTTP load generator:
//!
//! ```text
//! cargo run --release --bin http
//! ```
//!
//! Another address can be given as the first argument. It prints where it listens, and answers
//! `GET /` with `Hello, World!` and anything else with 404:
//!
//! ```text
//! listening on 127.0.0.1:37564
//! ```

use std::env;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use httparse::{EMPTY_HEADER, Request, Status};

const N_HEADERS_MAX: usize = 64;
const HEAD_LEN_MAX: usize = 16 * 1024;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:37564".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (client, peer) = listener.accept()?;
        thread::spawn(move || {
            if let Err(error) = serve(client) {
                eprintln!("{peer} left: {error}");
            }
        });
    }
}

/// Answers requests until the client has made the last one. All that arrived together are answered
/// together, in one write.
fn serve(mut client: TcpStream) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut buffer = [0; 4096];
    let mut received = Vec::new();
    let mut answers = Vec::new();
    let mut n_to_skip = 0;
    loop {
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Ok(());
        }
        received.extend_from_slice(&buffer[..n]);

        let mut rest = &received[..];
        let mut goes_on = true;
        while goes_on {
            // The body of a request says nothing to us.
            let n_skipped = rest.len().min(n_to_skip);
            rest = &rest[n_skipped..];
            n_to_skip -= n_skipped;
            match head(rest) {
                Head::Incomplete => break,
                Head::Complete { head_len, body_len, answer, keep_alive } => {
                    rest = &rest[head_len..];
                    n_to_skip = body_len;
                    answers.extend_from_slice(answer.as_bytes());
                    goes_on = keep_alive;
                }
                Head::Invalid(status) => {
                    answers.extend_from_slice(response(status, "", false, true).as_bytes());
                    goes_on = false;
                }
            }
        }
        let n_left = rest.len();
        received.drain(..received.len() - n_left);

        client.write_all(&answers)?;
        answers.clear();
        if !goes_on {
            return Ok(());
        }
    }
}

enum Head {
    Incomplete,
    Complete { head_len: usize, body_len: usize, answer: String, keep_alive: bool },
    Invalid(&'static str),
}

/// Reads the head of the first request in `received`, and what to answer.
fn head(received: &[u8]) -> Head {
    let mut headers = [EMPTY_HEADER; N_HEADERS_MAX];
    let mut request = Request::new(&mut headers);
    let head_len = match request.parse(received) {
        Ok(Status::Complete(head_len)) => head_len,
        Ok(Status::Partial) if received.len() <= HEAD_LEN_MAX => return Head::Incomplete,
        Ok(Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Head::Invalid("431 Request Header Fields Too Large");
        }
        Err(_) => return Head::Invalid("400 Bad Request"),
    };

    let mut body_len = 0;
    let mut keep_alive = request.version == Some(1);
    for header in request.headers.iter() {
        let value = String::from_utf8_lossy(header.value);
        if header.name.eq_ignore_ascii_case("content-length") {
            match value.trim().parse() {
                Ok(len) => body_len = len,
                Err(_) => return Head::Invalid("400 Bad Request"),
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Head::Invalid("501 Not Implemented");
        } else if header.name.eq_ignore_ascii_case("connection") {
            keep_alive = keep_alive && !value.eq_ignore_ascii_case("close");
        }
    }
    let (status, body) = match (request.method, request.path) {
        (Some("GET" | "HEAD"), Some("/")) => ("200 OK", "Hello, World!"),
        _ => ("404 Not Found", "not found\n"),
    };
    let with_body = request.method != Some("HEAD");
    let answer = response(status, body, !with_body, !keep_alive);
    Head::Complete { head_len, body_len, answer, keep_alive }
}

fn response(status: &str, body: &str, head_only: bool, close: bool) -> String {
    let connection = if close { "Connection: close\r\n" } else { "" };
    let len = body.len();
    let body = if head_only { "" } else { body };
    format!(
        "HTTP/1.1 {status}\r\nServer: example\r\nContent-Type: text/plain\r\n\
         Content-Length: {len}\r\n{connection}\r\n{body}"
    )
}

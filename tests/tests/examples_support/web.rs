//! A web server for the fetcher.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// One that notes how many requests were under way at most.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    pub(crate) n_at_once_max: Arc<AtomicUsize>,
}

impl Web {
    /// `/N` is a page of N bytes; anything else is not found. An answer takes 20 ms.
    pub(crate) fn start() -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let n_at_once = Arc::new(AtomicUsize::new(0));
        let n_at_once_max = Arc::new(AtomicUsize::new(0));
        let max = Arc::clone(&n_at_once_max);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, n_at_once, max) = (client.unwrap(), n_at_once.clone(), max.clone());
                thread::spawn(move || {
                    max.fetch_max(n_at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    thread::sleep(Duration::from_millis(20));
                    // Before the answer: once it has that, the fetcher may begin the next.
                    n_at_once.fetch_sub(1, Ordering::SeqCst);
                    answer(&client);
                });
            }
        });
        Web { address, n_at_once_max }
    }
}

fn answer(mut client: &TcpStream) {
    let lines: Vec<String> = BufReader::new(client)
        .lines()
        .map(Result::unwrap)
        .take_while(|line| !line.is_empty())
        .collect();
    // By whichever of its spellings.
    let is_host = |line: &String| line.to_ascii_lowercase().starts_with("host: localhost:");
    assert!(lines.iter().any(is_host), "{lines:?}");
    let path = lines[0].split(' ').nth(1).unwrap();
    let answer = match path[1..].parse() {
        Ok(n) => format!("HTTP/1.1 200 OK\r\nContent-Length: {n}\r\n\r\n{}", "x".repeat(n)),
        Err(_) => "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone".to_owned(),
    };
    client.write_all(answer.as_bytes()).unwrap();
}

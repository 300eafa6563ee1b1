//! Fetches many pages by host name, at most N at once, a thread a page.
//!
//! The first argument is N, the others are the URLs; without URLs they are read from the input, one
//! per line:
//!
//! ```text
//! cargo run --release --bin fetch 10 http://example.com/ http://example.org/
//! ```
//!
//! It prints how each went, in the order asked for, and how many OS threads the process had at most:
//!
//! ```text
//! http://example.com/: 200 OK, 1256 bytes
//! http://example.org/: 200 OK, 1256 bytes
//! OS threads: 5
//! ```

use std::env;
use std::error::Error;
use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let at_once = arguments.next().ok_or("usage: fetch N [URL]...")?.parse()?;
    let mut urls: Vec<String> = arguments.collect();
    if urls.is_empty() {
        urls = io::stdin().lines().collect::<Result<_, _>>()?;
    }

    let permits = Permits { free: Mutex::new(at_once), returned: Condvar::new() };
    let n_os_threads_max = AtomicUsize::new(0);
    thread::scope(|scope| {
        let pages: Vec<_> = urls
            .iter()
            .enumerate()
            .map(|(n, url)| {
                let one = || {
                    permits.with_one(|| {
                        let page = fetch(url);
                        n_os_threads_max.fetch_max(n_os_threads().unwrap_or(0), Ordering::Relaxed);
                        page
                    })
                };
                let named = thread::Builder::new().name(format!("fetch {}", n + 1));
                named.spawn_scoped(scope, one).unwrap()
            })
            .collect();
        for (url, page) in urls.iter().zip(pages) {
            match page.join().unwrap() {
                Ok(page) => println!("{url}: {}, {} bytes", page.status, page.n_bytes),
                Err(error) => println!("{url}: {error}"),
            }
        }
    });
    match n_os_threads_max.into_inner() {
        0 => println!("OS threads: unknown"),
        n => println!("OS threads: {n}"),
    }
    Ok(())
}

struct Page {
    status: String,
    n_bytes: usize,
}

fn fetch(url: &str) -> io::Result<Page> {
    let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);

    let rest = url.strip_prefix("http://").ok_or_else(|| invalid("expected `http://`"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| invalid("expected a port"))?),
        None => (authority, 80),
    };

    let mut server = TcpStream::connect((host, port))?;
    server.set_read_timeout(Some(TIMEOUT))?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
    server.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;

    let end_of_head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let head_len = end_of_head.ok_or_else(|| invalid("the answer has no head"))?;
    let head = String::from_utf8_lossy(&answer[..head_len]);
    let status_line = head.lines().next().unwrap_or_default();
    let status = status_line.strip_prefix("HTTP/1.1 ").unwrap_or(status_line);
    Ok(Page { status: status.to_owned(), n_bytes: answer.len() - head_len - 4 })
}

/// A semaphore: who holds a permit may go on, the others wait.
struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

impl Permits {
    fn with_one<T>(&self, f: impl FnOnce() -> T) -> T {
        let free = self.free.lock().unwrap();
        *self.returned.wait_while(free, |free| *free == 0).unwrap() -= 1;
        let result = f();
        *self.free.lock().unwrap() += 1;
        self.returned.notify_one();
        result
    }
}

/// How many OS threads this process has now, where the system tells (Linux).
fn n_os_threads() -> Option<usize> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"))?;
    threads.trim().parse().ok()
}

//! Clients in a closed loop: one thread, one epoll; each connection sends its next request when the answer to
//! the last one is complete.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use programs::Program;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::{Sample, usage};

/// How long a first answer may take, and how long there may be none at all.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a client asks, and how an answer ends.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    request: Vec<u8>,
    /// The answer is as long as the request, or ends with this.
    end: Option<&'static [u8]>,
}

impl Exchange {
    /// 64 bytes come back.
    pub(crate) fn echo() -> Self {
        Self { request: (0..64).collect(), end: None }
    }

    /// A page.
    pub(crate) fn http() -> Self {
        let request = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
        Self { request, end: Some(b"Hello, World!") }
    }

    /// A value that is there.
    pub(crate) fn memcached() -> Self {
        Self { request: b"get k\r\n".to_vec(), end: Some(b"END\r\n") }
    }

    fn is_whole(&self, answer: &[u8]) -> bool {
        match self.end {
            Some(end) => answer.ends_with(end),
            None => answer.len() >= self.request.len(),
        }
    }
}

struct Client {
    stream: TcpStream,
    sent: Instant,
    answer: Vec<u8>,
}

/// Connects `n` clients to `address`, and measures what `program` does for them.
pub(crate) fn run(
    program: &Program,
    address: SocketAddr,
    exchange: &Exchange,
    n: usize,
    time: Duration,
) -> io::Result<Sample> {
    let poll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut clients = Vec::with_capacity(n);
    for i in 0..n {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        first(&mut stream, exchange)?;
        stream.set_nonblocking(true)?;
        epoll::add(&poll, &stream, EventData::new_u64(i as u64), EventFlags::IN)?;
        clients.push(Client { stream, sent: Instant::now(), answer: Vec::new() });
    }
    for client in &mut clients {
        client.sent = Instant::now();
        client.stream.write_all(&exchange.request)?;
    }
    let warm = Instant::now() + time / 4;
    let mut begin: Option<(Instant, Duration)> = None;
    let mut times: Vec<f64> = Vec::new();
    let mut events = Vec::with_capacity(256);
    let mut buffer = [0; 4096];
    loop {
        events.clear();
        let patience = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
        epoll::wait(&poll, spare_capacity(&mut events), Some(&patience))?;
        if events.is_empty() {
            return Err(io::Error::other("nobody is answered any more"));
        }
        for event in &events {
            let client = &mut clients[event.data.u64() as usize];
            match client.stream.read(&mut buffer) {
                Ok(0) => return Err(io::Error::other("a connection was closed")),
                Ok(n) => client.answer.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if exchange.is_whole(&client.answer) {
                client.answer.clear();
                if begin.is_some() {
                    times.push(client.sent.elapsed().as_secs_f64() * 1e3);
                }
                client.sent = Instant::now();
                client.stream.write_all(&exchange.request)?;
            }
        }
        let now = Instant::now();
        match begin {
            None if now >= warm => begin = Some((now, usage::cpu(program))),
            Some((from, cpu)) if now >= from + time => {
                return Ok(sample(program, times, now - from, cpu));
            }
            _ => {}
        }
    }
}

/// The first exchange, which blocks: all are served before any are measured.
fn first(stream: &mut TcpStream, exchange: &Exchange) -> io::Result<()> {
    stream.write_all(&exchange.request)?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !exchange.is_whole(&answer) {
        match stream.read(&mut buffer)? {
            0 => return Err(io::Error::other("a new connection was closed")),
            n => answer.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(())
}

fn sample(program: &Program, mut times: Vec<f64>, elapsed: Duration, cpu: Duration) -> Sample {
    let used = usage::of(program);
    times.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let at = (times.len() as f64 * share) as usize;
        times.get(at.min(times.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
    };
    Sample {
        os_threads: used.os_threads as f64,
        rate: times.len() as f64 / elapsed.as_secs_f64(),
        p95: at(0.95),
        p99: at(0.99),
        cpu: (used.cpu - cpu).as_secs_f64() * 1e6 / times.len() as f64,
        memory: used.memory / f64::from(1 << 20),
    }
}

//! A soak: a server and 5,000 clients that come, go, stall and reset, beside children, names, timers and
//! threads that come and go, for ten minutes in one process, on loopback alone.
//!
//! `cargo run --release -p tests --bin soak [SECONDS [CLIENTS]]`
//!
//! It prints what the process takes, twenty times, and fails if that does not level off: in the last third
//! there may be no more memory than there was in the second one, but for a twentieth; and when all have gone
//! there are as many descriptors as before the first one came. Each answer is compared with what was sent.

#![deny(unsafe_code)]

use std::env;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use rustix::process::{Resource, getrlimit, setrlimit};
use std_shim::net::{TcpListener, TcpStream, ToSocketAddrs};
use std_shim::process::{Command, Stdio};
use std_shim::sync::mpsc;
use std_shim::thread;
use tests::counts::{descriptors, os_threads};
use tests::rng::Rng;

/// Addresses to connect to: each has ports of its own, of which a connection that has ended keeps one for a
/// while.
const N_ADDRESSES: usize = 8;

const N_SAMPLES: u32 = 20;

/// What was done so far.
#[derive(Default)]
struct Done {
    visits: AtomicU64,
    answers: AtomicU64,
    resets: AtomicU64,
    stalls: AtomicU64,
    children: AtomicU64,
    names: AtomicU64,
    timers: AtomicU64,
    threads: AtomicU64,
    refused: AtomicU64,
}

struct Soak {
    done: Done,
    is_over: AtomicBool,
    addresses: Vec<SocketAddr>,
}

impl Soak {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Relaxed)
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// What the process takes.
struct Sample {
    resident_kib: u64,
    mapped_kib: u64,
    descriptors: usize,
    os_threads: usize,
}

impl Sample {
    fn take() -> io::Result<Self> {
        let status = fs::read_to_string("/proc/self/status")?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let words = line.and_then(|line| line.split_whitespace().next());
            words.and_then(|kib| kib.parse().ok()).unwrap_or(0)
        };
        Ok(Self {
            resident_kib: kib("VmRSS:"),
            mapped_kib: kib("VmSize:"),
            descriptors: descriptors().len(),
            os_threads: os_threads(),
        })
    }
}

fn main() -> io::Result<ExitCode> {
    let mut args = env::args().skip(1).map(|arg| arg.parse::<u64>().expect("a number"));
    let seconds = args.next().unwrap_or(600);
    let n_clients = args.next().unwrap_or(5000);
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;

    // The runtime's own are there before anything is counted.
    thread::spawn(|| ()).join().expect("a thread");
    let before = Sample::take()?;
    let listeners = (0..N_ADDRESSES)
        .map(|nth| TcpListener::bind((Ipv4Addr::new(127, 0, 0, 1 + nth as u8), 0)))
        .collect::<io::Result<Vec<_>>>()?;
    let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
    let soak = Arc::new(Soak { done: Done::default(), is_over: AtomicBool::new(false), addresses });

    let is_closed = Arc::new(AtomicBool::new(false));
    let serve = |listener| {
        let is_closed = Arc::clone(&is_closed);
        thread::spawn(move || serve(&is_closed, &listener))
    };
    let servers: Vec<_> = listeners.into_iter().map(serve).collect();
    let mut threads = Vec::new();
    let mut start = |n: u64, does: fn(&Soak, Rng)| {
        for _ in 0..n {
            let (soak, rng) = (Arc::clone(&soak), Rng::new(threads.len() as u64));
            threads.push(thread::spawn(move || does(&soak, rng)));
        }
    };
    start(n_clients, client);
    start(3, parent);
    start(2, asks_for_names);
    start(100, waits);
    start(4, spawner);

    println!(
        "| s | resident MiB | mapped MiB | descriptors | OS threads | visits | answers | resets | stalls | children | names | timers | threads |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let begin = Instant::now();
    let mut samples = Vec::new();
    for nth in 1..=N_SAMPLES {
        let until = Duration::from_secs(seconds) * nth / N_SAMPLES;
        ::std::thread::sleep(until.saturating_sub(begin.elapsed()));
        let sample = Sample::take()?;
        report(&sample, begin.elapsed(), &soak.done);
        samples.push(sample);
    }
    soak.is_over.store(true, Relaxed);
    for thread in threads {
        thread.join().expect("no wrong answer");
    }
    // Whoever accepts is told by a last visitor.
    is_closed.store(true, Relaxed);
    soak.addresses.iter().for_each(|address| drop(TcpStream::connect(address)));
    servers.into_iter().for_each(|server| server.join().expect("no panic"));
    // The server's threads see the ends of their connections.
    ::std::thread::sleep(Duration::from_secs(5));
    let after = Sample::take()?;
    report(&after, begin.elapsed(), &soak.done);
    println!("\nconnections that could not be made: {}", soak.done.refused.load(Relaxed));
    Ok(verdict(&before, &samples, &after))
}

fn report(sample: &Sample, at: Duration, done: &Done) {
    let counts = [
        &done.visits,
        &done.answers,
        &done.resets,
        &done.stalls,
        &done.children,
        &done.names,
        &done.timers,
        &done.threads,
    ];
    let counts: Vec<_> = counts.iter().map(|count| count.load(Relaxed).to_string()).collect();
    println!(
        "| {} | {} | {} | {} | {} | {} |",
        at.as_secs(),
        sample.resident_kib >> 10,
        sample.mapped_kib >> 10,
        sample.descriptors,
        sample.os_threads,
        counts.join(" | ")
    );
}

fn verdict(before: &Sample, samples: &[Sample], after: &Sample) -> ExitCode {
    let third = samples.len() / 3;
    let (second, last) = (&samples[third..2 * third], &samples[2 * third..]);
    let most = |samples: &[Sample], of: fn(&Sample) -> u64| {
        samples.iter().map(of).max().expect("some samples")
    };
    let levels_off = |of: fn(&Sample) -> u64| most(last, of) * 20 <= most(second, of) * 21;
    let facts = [
        ("resident memory levels off", levels_off(|sample| sample.resident_kib)),
        ("mapped memory levels off", levels_off(|sample| sample.mapped_kib)),
        ("the descriptors are those of the begin", after.descriptors == before.descriptors),
    ];
    for (fact, holds) in facts {
        println!("{fact}: {}", if holds { "yes" } else { "NO" });
    }
    if facts.iter().all(|(_, holds)| *holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Accepts, a thread for each connection.
fn serve(is_closed: &AtomicBool, listener: &TcpListener) {
    while !is_closed.load(Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let _ = thread::Builder::new().spawn(move || echo(stream));
            }
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// Sends back what comes, until the end, a reset, or half a minute in which nothing comes.
fn echo(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(30)));
    let mut buffer = [0; 1024];
    while let Ok(n) = stream.read(&mut buffer) {
        if n == 0 || stream.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

/// Comes and goes.
fn client(soak: &Soak, mut rng: Rng) {
    while soak.goes_on() {
        thread::sleep(rng.micros_below(4_000_000));
        match visit(soak, &mut rng) {
            Ok(()) => count(&soak.done.visits),
            Err(error) if error.kind() == ErrorKind::AddrNotAvailable => {
                count(&soak.done.refused);
            }
            Err(error) => panic!("a visit: {error}"),
        }
    }
}

/// A visit: some questions, and an end of one kind or another.
fn visit(soak: &Soak, rng: &mut Rng) -> io::Result<()> {
    let address = soak.addresses[rng.below(soak.addresses.len())];
    let mut stream = TcpStream::connect(address)?;
    for _ in 0..1 + rng.below(12) {
        // Not on the heap: of what each thread has given back, libc keeps some for that thread.
        let mut sent = [0; 700];
        let sent = &mut sent[..1 + rng.below(700)];
        sent.fill_with(|| rng.next() as u8);
        let half = sent.len() / 2;
        stream.write_all(&sent[..half])?;
        if rng.below(20) == 0 {
            // Half a question, and then nothing for a while.
            thread::sleep(rng.micros_below(2_000_000));
            count(&soak.done.stalls);
        }
        stream.write_all(&sent[half..])?;
        if rng.below(30) == 0 {
            // Without the answer.
            set_socket_linger(&stream, Some(Duration::ZERO))?;
            count(&soak.done.resets);
            return Ok(());
        }
        let mut answer = [0; 700];
        let answer = &mut answer[..sent.len()];
        stream.read_exact(answer)?;
        assert!(answer == sent, "an answer of other bytes than were sent");
        count(&soak.done.answers);
        thread::sleep(rng.micros_below(1_000_000));
    }
    Ok(())
}

/// Has children.
fn parent(soak: &Soak, mut rng: Rng) {
    while soak.goes_on() {
        let output = Command::new("/bin/echo").arg("hello").output().expect("a child");
        assert_eq!(output.stdout, b"hello\n");
        let mut cat = Command::new("/bin/cat")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a child");
        if rng.below(2) == 0 {
            cat.kill().expect("a child that is there");
        } else {
            drop(cat.stdin.take());
        }
        cat.wait().expect("its end");
        count(&soak.done.children);
        thread::sleep(rng.micros_below(500_000));
    }
}

/// Looks names up.
fn asks_for_names(soak: &Soak, mut rng: Rng) {
    while soak.goes_on() {
        let mut found = ("localhost", 80).to_socket_addrs().expect("a name that is known");
        assert!(found.all(|address| address.ip().is_loopback()));
        count(&soak.done.names);
        thread::sleep(rng.micros_below(100_000));
    }
}

/// Waits for what does not come, in each of three ways.
fn waits(soak: &Soak, mut rng: Rng) {
    let (_sender, receiver) = mpsc::channel::<()>();
    while soak.goes_on() {
        let time = rng.micros_below(100_000);
        match rng.below(3) {
            0 => thread::sleep(time),
            1 => thread::park_timeout(time),
            _ => drop(receiver.recv_timeout(time)),
        }
        count(&soak.done.timers);
    }
}

/// Has threads that end at once, a crowd at a time.
fn spawner(soak: &Soak, mut rng: Rng) {
    while soak.goes_on() {
        let n = 1 + rng.below(200);
        let crowd: Vec<_> = (0..n).map(|nth| thread::spawn(move || nth)).collect();
        let sum: usize = crowd.into_iter().map(|thread| thread.join().expect("no panic")).sum();
        assert_eq!(sum, n * (n - 1) / 2);
        soak.done.threads.fetch_add(n as u64, Relaxed);
        thread::sleep(rng.micros_below(300_000));
    }
}

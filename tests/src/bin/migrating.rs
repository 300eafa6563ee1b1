//! The figures of `docs/migrating.md`: three programs, each built from one file on OS threads and on the
//! mirror, run in turns.
//!
//! ```text
//! cargo build --release -p examples -p examples-os-threads
//! cargo run --release -p tests --bin migrating [ROUNDS]
//! ```
//!
//! It prints the page's table: medians of the rounds, `OS threads → green`. The load and the program share
//! the machine's processors. Memory is what is resident, with page tables and 16 KiB of kernel stack for
//! each OS thread, at its highest.

#![deny(unsafe_code)]

use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use std_shim::net::{TcpListener, TcpStream};
use std_shim::thread;

const N_CLIENTS: u64 = 1_000;
const LOAD: Duration = Duration::from_secs(5);

const N_PAGES: u64 = 2_000;
const N_PAGES_AT_ONCE: u64 = 500;
/// How long the web takes for a page.
const PATIENCE_OF_THE_WEB: Duration = Duration::from_millis(100);

const N_LOGS: u64 = 300;
const N_LINES_EACH: u64 = 10_000;

const KERNEL_STACK_KIB: u64 = 16;

/// What a program takes at one moment.
#[derive(Clone, Copy, Default)]
struct Usage {
    os_threads: u64,
    memory_kib: u64,
    processor: Duration,
}

/// What one run of a program came to.
struct Run {
    os_threads: u64,
    memory_kib: u64,
    per_second: f64,
    processor_us_each: f64,
}

impl Run {
    /// Of `n` things that were done in this time.
    fn new(n: u64, took: Duration, processor: Duration, most: Usage) -> Run {
        Run {
            os_threads: most.os_threads,
            memory_kib: most.memory_kib,
            per_second: n as f64 / took.as_secs_f64(),
            processor_us_each: processor.as_secs_f64() * 1e6 / n as f64,
        }
    }
}

fn main() -> io::Result<()> {
    let n_rounds = env::args().nth(1).map_or(5, |n| n.parse().expect("a number of rounds"));
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;

    println!(
        "| program | OS threads | memory, MiB | requests, pages or lines/s | processor µs each |"
    );
    println!("|---|---:|---:|---:|---:|");
    row(&format!("`http`, {N_CLIENTS} clients"), n_rounds, || serve("http"), || serve("http-os"))?;
    let name = format!("`fetch`, {N_PAGES} pages, {N_PAGES_AT_ONCE} at once");
    row(&name, n_rounds, || crawl("fetch"), || crawl("fetch-os"))?;
    let name = format!("`log_pipelines`, {N_LOGS} times three threads");
    row(&name, n_rounds, || pipe("log_pipelines"), || pipe("log_pipelines-os"))
}

/// Measures both builds in turns, and prints the medians.
fn row(
    name: &str,
    n_rounds: usize,
    green: impl Fn() -> io::Result<Run>,
    os: impl Fn() -> io::Result<Run>,
) -> io::Result<()> {
    let (mut on_os_threads, mut on_green) = (Vec::new(), Vec::new());
    for _ in 0..n_rounds {
        on_os_threads.push(os()?);
        on_green.push(green()?);
    }
    let cell = |of: fn(&Run) -> f64, digits: usize| {
        let median = |runs: &[Run]| {
            let mut all: Vec<f64> = runs.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all[all.len() / 2]
        };
        format!("{:.digits$} → {:.digits$}", median(&on_os_threads), median(&on_green))
    };
    println!(
        "| {name} | {} | {} | {} | {} |",
        cell(|run| run.os_threads as f64, 0),
        cell(|run| run.memory_kib as f64 / 1024.0, 1),
        cell(|run| run.per_second, 0),
        cell(|run| run.processor_us_each, 1)
    );
    Ok(())
}

/// A program that is ended when this is dropped.
struct Program(Child);

impl Program {
    /// It is in the folder that this program is in.
    fn start(name: &str, args: &[&str]) -> io::Result<Program> {
        let path: PathBuf = env::current_exe()?.with_file_name(name);
        let child = Command::new(&path)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        Ok(Program(child))
    }

    /// What it takes now, and what it has used of the processors so far.
    fn usage(&self) -> Usage {
        let read = |file| fs::read_to_string(format!("/proc/{}/{file}", self.0.id()));
        let status = read("status").unwrap_or_default();
        let stat = read("stat").unwrap_or_default();
        // Behind the name, which may have blanks, the twelfth and the thirteenth count ticks.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: u64 =
            fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let word = line.and_then(|line| line.split_whitespace().next());
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        let os_threads: u64 = field("Threads:");
        Usage {
            os_threads,
            memory_kib: field("VmRSS:") + field("VmPTE:") + os_threads * KERNEL_STACK_KIB,
            processor: Duration::from_millis(
                ticks * 1000 / rustix::param::clock_ticks_per_second(),
            ),
        }
    }

    /// Lets it run to its end, which takes it through `n` things; what it took at most.
    fn finish(mut self, n: u64) -> io::Result<Run> {
        // Its output is read beside, so that it never waits for a reader.
        let mut output = self.0.stdout.take().expect("a piped output");
        let reader = ::std::thread::spawn(move || io::copy(&mut output, &mut io::sink()));
        let begin = Instant::now();
        let mut most = Usage::default();
        let status = loop {
            if let Some(status) = self.0.try_wait()? {
                break status;
            }
            let now = self.usage();
            most = Usage {
                os_threads: most.os_threads.max(now.os_threads),
                memory_kib: most.memory_kib.max(now.memory_kib),
                processor: most.processor.max(now.processor),
            };
            sleep(Duration::from_millis(2));
        };
        let took = begin.elapsed();
        reader.join().expect("a reader")?;
        assert!(status.success(), "{status}");
        Ok(Run::new(n, took, most.processor, most))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server, asked by clients that stay connected and have one request under way each.
fn serve(name: &str) -> io::Result<Run> {
    let mut server = Program::start(name, &["127.0.0.1:0"])?;
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().expect("a piped output")).read_line(&mut line)?;
    let address = line.trim().strip_prefix("listening on ").and_then(|it| it.parse().ok());
    let address: SocketAddr = address.expect("a line that says where it listens");

    let n_answers = Arc::new(AtomicU64::new(0));
    let is_over = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..N_CLIENTS {
        // One after the other: std's listener has room for 128 that are not accepted yet.
        let mut stream = TcpStream::connect(address)?;
        ask(&mut stream)?;
        let (n_answers, is_over) = (Arc::clone(&n_answers), Arc::clone(&is_over));
        clients.push(thread::spawn(move || -> io::Result<()> {
            while !is_over.load(Relaxed) {
                ask(&mut stream)?;
                n_answers.fetch_add(1, Relaxed);
            }
            Ok(())
        }));
    }
    // All are under way.
    sleep(LOAD / 10);
    let (begin, before, n_before) = (Instant::now(), server.usage(), n_answers.load(Relaxed));
    sleep(LOAD);
    let (took, after, n) = (begin.elapsed(), server.usage(), n_answers.load(Relaxed) - n_before);
    is_over.store(true, Relaxed);
    for client in clients {
        client.join().expect("a client")?;
    }
    Ok(Run::new(n, took, after.processor - before.processor, after))
}

/// One request, and its answer.
fn ask(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = [0; 512];
    let mut n_read = 0;
    while !answer[..n_read].ends_with(b"Hello, World!") {
        match stream.read(&mut answer[n_read..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => n_read += n,
        }
    }
    Ok(())
}

/// A crawler, and a web that takes its time.
fn crawl(name: &str) -> io::Result<Run> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> io::Result<()> {
        for client in (0..N_PAGES).map(|_| listener.accept()) {
            let (mut client, _) = client?;
            thread::spawn(move || -> io::Result<()> {
                // It comes in one piece.
                if client.read(&mut [0; 512])? == 0 {
                    return Ok(());
                }
                thread::sleep(PATIENCE_OF_THE_WEB);
                client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
            });
        }
        Ok(())
    });
    let urls: String = (0..N_PAGES).map(|n| format!("http://{address}/{n}\n")).collect();
    let mut crawler = Program::start(name, &[&N_PAGES_AT_ONCE.to_string()])?;
    crawler.0.stdin.take().expect("a piped input").write_all(urls.as_bytes())?;
    crawler.finish(N_PAGES)
}

fn pipe(name: &str) -> io::Result<Run> {
    let args = [N_LOGS.to_string(), N_LINES_EACH.to_string()];
    Program::start(name, &[&args[0], &args[1]])?.finish(N_LOGS * N_LINES_EACH)
}

//! The rows: which programs, with how many clients, under which load.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use programs::{Program, Threads, client, servers};

use crate::load::{self, Exchange};
use crate::{Sample, usage};

/// A program under a load.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) clients: usize,
    pub(crate) run: fn(Threads, usize, Duration) -> Sample,
}

const fn row(
    name: &'static str,
    clients: usize,
    run: fn(Threads, usize, Duration) -> Sample,
) -> Row {
    Row { name, clients, run }
}

pub(crate) const ROWS: [Row; 20] = [
    row("CPython, threading", 500, |t, n, time| {
        echo(servers::python(t, "multithread.py"), n, time)
    }),
    row("CPython, threading", 2000, |t, n, time| {
        echo(servers::python(t, "multithread.py"), n, time)
    }),
    row("CPython, ThreadingTCPServer", 500, |t, n, time| {
        echo(servers::python(t, "tcp_server.py"), n, time)
    }),
    row("CPython, ThreadingTCPServer", 1000, |t, n, time| {
        echo(servers::python(t, "tcp_server.py"), n, time)
    }),
    row("CPython, ThreadingTCPServer", 2000, |t, n, time| {
        echo(servers::python(t, "tcp_server.py"), n, time)
    }),
    row("CPython, ThreadingHTTPServer", 500, |t, n, time| {
        asked(&servers::python(t, "http_server.py"), &Exchange::http(), n, time)
    }),
    row("C, echo", 1000, |t, n, time| echo(servers::c(t), n, time)),
    row("C, echo", 8000, |t, n, time| echo(servers::c(t), n, time)),
    row("Java 17, echo", 500, |t, n, time| echo(servers::java(t), n, time)),
    row("Java 17, echo", 2000, |t, n, time| echo(servers::java(t), n, time)),
    row("Ruby 3.1, echo", 500, |t, n, time| echo(servers::ruby(t), n, time)),
    row("memcached 1.6", 500, memcached),
    row("Apache 2.4, worker", 500, |t, n, time| {
        asked(&servers::apache(t, n), &Exchange::http(), n, time)
    }),
    row("stunnel 5.68", 500, stunnel),
    row("MariaDB 10.11, point selects", 4, |t, n, time| sysbench(t, n, time, "oltp_point_select")),
    row("MariaDB 10.11, point selects", 64, |t, n, time| sysbench(t, n, time, "oltp_point_select")),
    row("MariaDB 10.11, point selects", 256, |t, n, time| {
        sysbench(t, n, time, "oltp_point_select")
    }),
    row("MariaDB 10.11, read-write", 4, |t, n, time| sysbench(t, n, time, "oltp_read_write")),
    row("MariaDB 10.11, read-write", 64, |t, n, time| sysbench(t, n, time, "oltp_read_write")),
    row("MariaDB 10.11, idle", 2000, idle),
];

fn echo(program: Program, n: usize, time: Duration) -> Sample {
    asked(&program, &Exchange::echo(), n, time)
}

fn asked(program: &Program, exchange: &Exchange, n: usize, time: Duration) -> Sample {
    asked_at(program, program.address, exchange, n, time)
}

fn asked_at(
    program: &Program,
    at: SocketAddr,
    exchange: &Exchange,
    n: usize,
    time: Duration,
) -> Sample {
    load::run(program, at, exchange, n, time).unwrap_or_else(|error| {
        let log = program.log();
        eprintln!("failed: {error}; it says: {}", log.lines().next().unwrap_or("nothing"));
        Sample::failed()
    })
}

fn memcached(threads: Threads, n: usize, time: Duration) -> Sample {
    let program = servers::memcached(threads);
    let mut stream = client::connect(program.address).expect("it listens");
    stream.write_all(b"set k 0 0 5\r\nvalue\r\n").expect("it is sent");
    client::expect(&mut stream, b"STORED\r\n").expect("it is stored");
    asked(&program, &Exchange::memcached(), n, time)
}

/// The clients speak to a stunnel that speaks TLS to the one that is measured, and behind that is a program
/// that answers.
fn stunnel(threads: Threads, n: usize, time: Duration) -> Sample {
    let behind = servers::c(Threads::Os);
    let program = servers::stunnel(threads, behind.address);
    let before = servers::stunnel_client(program.address);
    asked_at(&program, before.address, &Exchange::echo(), n, time)
}

/// Debian's sysbench: queries a second, and the 95th percentile of its events.
fn sysbench(threads: Threads, n: usize, time: Duration, load: &str) -> Sample {
    let program = servers::mariadb(threads);
    let run = |n: usize, verb: &str| {
        let output = Command::new("sysbench")
            .args([load, "--db-driver=mysql", "--mysql-host=127.0.0.1", "--mysql-user=root"])
            .args(["--mysql-db=d", "--tables=4", "--table-size=10000", "--report-interval=0"])
            .arg(format!("--mysql-port={}", program.address.port()))
            .arg(format!("--threads={n}"))
            .arg(format!("--time={}", time.as_secs().max(1)))
            .arg(verb)
            .output()
            .expect("sysbench runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    run(1, "prepare");
    let (cpu, begin) = (usage::cpu(&program), Instant::now());
    let running = thread::scope(|scope| {
        let bench = scope.spawn(|| run(n, "run"));
        thread::sleep(time / 2);
        let used = usage::of(&program);
        (bench.join().expect("sysbench"), used)
    });
    let (said, used) = running;
    let number = |name: &str| {
        let rest = said.lines().find_map(|line| line.trim().strip_prefix(name)).unwrap_or_default();
        let word = rest.split_whitespace().next().unwrap_or_default();
        word.parse::<f64>().unwrap_or(f64::NAN)
    };
    let queries = number("queries:");
    let cpu = usage::cpu(&program) - cpu;
    Sample {
        os_threads: used.os_threads as f64,
        rate: queries / begin.elapsed().as_secs_f64(),
        p95: number("95th percentile:"),
        cpu: cpu.as_secs_f64() * 1e6 / queries,
        memory: used.memory / f64::from(1 << 20),
        ..Sample::default()
    }
}

/// Connections that have been greeted, and ask nothing.
fn idle(threads: Threads, n: usize, _: Duration) -> Sample {
    let program = servers::mariadb(threads);
    let connections: Vec<_> = (0..n)
        .map(|_| {
            let mut stream = client::connect(program.address).expect("it listens");
            // The server says hello, and waits for a password.
            let _ = stream.read(&mut [0; 256]).expect("a greeting");
            stream
        })
        .collect();
    let used = usage::of(&program);
    drop(connections);
    Sample {
        os_threads: used.os_threads as f64,
        memory: used.memory / f64::from(1 << 20),
        ..Sample::default()
    }
}

//! Servers whose connections stay: echo over TCP, UDP and Unix sockets, HTTP, many idle clients,
//! and a set rate.

use std::time::Duration;

use crate::bench::Bench;
use crate::case::{Case, EVERY, Run, Scene};
use crate::child::{Scratch, Server};
use crate::column::{Column, Sample, aside, cost, gain};
use crate::failure::Failure;
use crate::load::Span;
use crate::load::fleet::{Exchange, Fleet, Transport};
use crate::peer::Peer;
use crate::turns::{SERVED, Standing, Turns, served};

pub(super) const ECHO_TCP: Scene = Scene {
    name: "echo-tcp",
    about: "TCP echo, closed loop, 1 to 8,000 connections, 64 B and 16 KiB",
    quick: true,
    needs: None,
    cases: echo_tcp,
};

pub(super) const TIMEOUTS: Scene = Scene {
    name: "timeouts",
    about: "TCP echo, each read and write of the server with a timeout of 30 s",
    quick: true,
    needs: None,
    cases: |bench| {
        let plan: &[usize] = if bench.quick { &[64, 1_024] } else { &[64, 1_024, 8_000] };
        plan.iter().map(|&n| echo(bench, "timeouts", Transport::Tcp, n, 64, 1)).collect()
    },
};

pub(super) const ECHO_UDP: Scene = Scene {
    name: "echo-udp",
    about: "UDP echo on one socket",
    quick: true,
    needs: None,
    cases: |bench| vec![echo(bench, "echo-udp", Transport::Udp, 64, 64, 1)],
};

pub(super) const ECHO_UNIX: Scene = Scene {
    name: "echo-unix",
    about: "echo over a Unix socket",
    quick: true,
    needs: None,
    cases: |bench| vec![echo(bench, "echo-unix", Transport::Unix, 64, 64, 1)],
};

pub(super) const HTTP: Scene = Scene {
    name: "http",
    about: "HTTP/1.1 plaintext, one request at a time and 16 pipelined",
    quick: true,
    needs: None,
    cases: |bench| [1, 16].map(|depth| http(bench, depth)).into(),
};

pub(super) const IDLE: Scene = Scene {
    name: "idle",
    about: "TCP echo on 64 connections while thousands are idle",
    quick: true,
    needs: None,
    cases: |bench| vec![idle(bench, if bench.quick { 1_000 } else { 10_000 })],
};

pub(super) const ECHO_RATE: Scene = Scene {
    name: "echo-rate",
    about: "TCP echo, open loop at a set rate: latency free of coordinated omission",
    quick: true,
    needs: None,
    cases: |bench| {
        let rates: &[u32] = if bench.quick { &[50_000] } else { &[20, 50_000, 100_000] };
        rates.iter().map(|&rate| echo_rate(bench, rate)).collect()
    },
};

fn echo_tcp(bench: &Bench) -> Vec<Case> {
    let plan: &[(usize, usize, usize)] = if bench.quick {
        &[(64, 64, 1), (1_024, 64, 1), (64, 64, 2)]
    } else {
        &[
            (64, 64, 1),
            (1_024, 64, 1),
            (8_000, 64, 1),
            (1, 64, 1),
            (64, 64, 2),
            (1_024, 64, 2),
            (64, 16_384, 1),
            (1_024, 16_384, 1),
        ]
    };
    let case = |&(connections, length, workers)| {
        echo(bench, "echo-tcp", Transport::Tcp, connections, length, workers)
    };
    plan.iter().map(case).collect()
}

fn echo(
    bench: &Bench,
    scene: &'static str,
    transport: Transport,
    connections: usize,
    length: usize,
    workers: usize,
) -> Case {
    let connections = bench.connections(connections);
    let title = format!("{connections} connections, {length} B, {}", bench.placement(workers));
    let stand = move |bench: &Bench, peer: &Peer| {
        let path = Scratch::new("socket");
        let settings = vec![
            ("buffer", length.max(4096).to_string()),
            ("path", path.path().display().to_string()),
        ];
        let server = bench.start(peer, scene, workers, settings)?.server()?;
        let exchange = Exchange::echo(length);
        stands(server, transport, connections, exchange)
    };
    let turns = Turns::new(bench, workers, connections, stand);
    Case { scene, title, columns: SERVED, rounds: EVERY, run: Run::InTurns(turns) }
}

fn http(bench: &Bench, depth: usize) -> Case {
    let connections = 64;
    let title = format!("{connections} connections, {depth} at a time, {}", bench.placement(1));
    let stand = move |bench: &Bench, peer: &Peer| {
        let settings = vec![("buffer", 4096.to_string())];
        let server = bench.start(peer, "http", 1, settings)?.server()?;
        stands(server, Transport::Tcp, connections, Exchange::http(depth))
    };
    let turns = Turns::new(bench, 1, connections, stand);
    Case { scene: "http", title, columns: SERVED, rounds: EVERY, run: Run::InTurns(turns) }
}

/// A server with `connections` open, all of them busy in its turn.
fn stands(
    mut server: Server,
    transport: Transport,
    connections: usize,
    exchange: Exchange,
) -> Result<Standing, Failure> {
    let mut fleet =
        server.under(|server| Fleet::connect(transport, server, connections, exchange))?;
    Ok(Standing::new(server, move |server, span| {
        let outcome = fleet.run(server, connections, span)?;
        fleet.settle(server)?;
        Ok(outcome)
    }))
}

/// [`SERVED`] and the memory of a connection.
const IDLE_COLUMNS: &[Column] = &[
    cost("CPU/req µs"),
    gain("req/s"),
    aside("p50 µs"),
    aside("p99 µs"),
    aside("max ms"),
    aside("server %"),
    aside("KiB/conn"),
];

fn idle(bench: &Bench, connections: usize) -> Case {
    let (connections, busy) = (bench.connections(connections), 64);
    let title =
        format!("{connections} connections, {busy} of them busy, 64 B, {}", bench.placement(1));
    let run = move |bench: &Bench, peer: &Peer| -> Result<Sample, Failure> {
        bench.start(peer, "echo-tcp", 1, Vec::new())?.serve(|server| {
            let (before, _) = server.memory_kib()?;
            let exchange = Exchange::echo(64);
            let mut fleet = Fleet::connect(Transport::Tcp, server, connections, exchange)?;
            let (after, tables) = server.memory_kib()?;
            let mut sample = served(&fleet.run(server, busy, bench.span)?)?;
            sample.push((after - before + tables) / connections as f64);
            Ok(sample)
        })
    };
    Case { scene: "idle", title, columns: IDLE_COLUMNS, rounds: EVERY, run: Run::alone(run) }
}

/// At a set rate the throughput says nothing; the times do.
const RATE_COLUMNS: &[Column] = &[
    cost("p99 µs"),
    cost("CPU/req µs"),
    aside("p50 µs"),
    aside("p99.9 µs"),
    aside("max ms"),
    aside("server %"),
];

/// However long that takes.
const REQUESTS_MIN: f64 = 20.0;

fn echo_rate(bench: &Bench, rate: u32) -> Case {
    let connections = 256;
    let title =
        format!("{connections} connections, 64 B, {rate} requests/s, {}", bench.placement(1));
    let run = move |bench: &Bench, peer: &Peer| -> Result<Sample, Failure> {
        bench.start(peer, "echo-tcp", 1, Vec::new())?.serve(|server| {
            let exchange = Exchange::echo(64);
            let mut fleet = Fleet::connect(Transport::Tcp, server, connections, exchange)?;
            let seconds = Duration::from_secs_f64(REQUESTS_MIN / f64::from(rate));
            let span = Span { measured: bench.span.measured.max(seconds), ..bench.span };
            let outcome = fleet.run_at(server, f64::from(rate), span)?;
            let sample = served(&outcome)?;
            let micros = |share| outcome.latency.quantile(share) as f64 / 1e3;
            Ok(vec![micros(0.99), sample[0], micros(0.5), micros(0.999), sample[4], sample[5]])
        })
    };
    Case { scene: "echo-rate", title, columns: RATE_COLUMNS, rounds: EVERY, run: Run::alone(run) }
}

//! System calls per request, counted by strace, which is attached once everybody is connected.
//!
//! Under strace a call takes many times as long, so more is ready at each wait than otherwise:
//! the waits per request are a lower bound.

use std::fs::read_to_string;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::bench::Bench;
use crate::case::{Case, ONCE, Run, Scene};
use crate::child::{Scratch, Server};
use crate::column::{Column, Sample, aside, cost};
use crate::failure::{Failure, failed};
use crate::load::Span;
use crate::load::fleet::{Exchange, Fleet, Transport};
use crate::peer::Peer;
use crate::sys;

pub(super) const SYSCALLS: Scene = Scene {
    name: "syscalls",
    about: "system calls per echoed message, under strace",
    quick: false,
    needs: Some("strace"),
    cases: |bench| [64, 1_024].map(|connections| calls(bench, connections)).into(),
};

const COLUMNS: &[Column] = &[
    cost("calls/req"),
    aside("without waits"),
    aside("receive"),
    aside("send"),
    aside("wait"),
    aside("futex"),
    aside("other"),
];

/// Long enough for every connection's turn, slow as everything is under strace.
const MEASURED: Duration = Duration::from_secs(1);

/// The kinds of the columns, by the names of the calls; what is in none of them is `other`.
const KINDS: [&[&str]; 4] = [
    &["read", "readv", "recvfrom", "recvmsg"],
    &["write", "writev", "sendto", "sendmsg"],
    &["epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter"],
    &["futex"],
];

fn calls(bench: &Bench, connections: usize) -> Case {
    let title = format!("{connections} connections, 64 B, {}", bench.placement(1));
    let run = move |bench: &Bench, peer: &Peer| {
        bench.start(peer, "echo-tcp", 1, Vec::new())?.serve(|server| {
            let exchange = Exchange::echo(64);
            let mut fleet = Fleet::connect(Transport::Tcp, server, connections, exchange)?;
            let trace = Trace::attach(server)?;
            let measured = bench.span.measured.max(MEASURED);
            let span = Span { warm_up: Duration::ZERO, measured };
            let outcome = fleet.run(server, connections, span)?;
            per_request(&trace.counts()?, outcome.done)
        })
    };
    Case { scene: "syscalls", title, columns: COLUMNS, rounds: ONCE, run: Run::alone(run) }
}

/// strace at work on a server.
struct Trace {
    strace: Child,
    report: Scratch,
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.strace.kill();
        let _ = self.strace.wait();
    }
}

impl Trace {
    fn attach(server: &Server) -> Result<Trace, Failure> {
        let report = Scratch::new("strace");
        let strace = Command::new("strace")
            .args(["-f", "-q", "-c", "-U", "calls,name", "-o"])
            .arg(report.path())
            .args(["-p", &server.pid().to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed(format!("`strace` does not start: {e}")))?;
        let trace = Trace { strace, report };
        let patience = Instant::now() + Duration::from_secs(5);
        while !traced(server.pid())? {
            if Instant::now() > patience {
                return Err(failed("strace does not attach"));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(trace)
    }

    /// Detaches, and returns how often each call was made.
    fn counts(mut self) -> Result<Vec<(String, u64)>, Failure> {
        sys::interrupt(self.strace.id())?;
        self.strace.wait()?;
        Ok(parse(&read_to_string(self.report.path())?))
    }
}

/// Whether every thread of the process has a tracer.
fn traced(pid: u32) -> Result<bool, Failure> {
    for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = read_to_string(task?.path().join("status"))?;
        if status.lines().any(|line| line == "TracerPid:\t0") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The lines `calls name` of a summary; headings, rules and the total have another form.
fn parse(report: &str) -> Vec<(String, u64)> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let (count, name) = (words.next()?.parse().ok()?, words.next()?);
        (name != "total").then(|| (name.to_owned(), count))
    };
    report.lines().filter_map(line).collect()
}

fn per_request(counts: &[(String, u64)], requests: u64) -> Result<Sample, Failure> {
    if requests == 0 {
        return Err(failed("no request was completed in the interval"));
    }
    let share = |names: &dyn Fn(&str) -> bool| {
        let chosen = counts.iter().filter(|(name, _)| names(name)).map(|(_, count)| count);
        chosen.sum::<u64>() as f64 / requests as f64
    };
    let [.., waits, _] = KINDS;
    let mut sample = vec![share(&|_| true), share(&|name| !waits.contains(&name))];
    sample.extend(KINDS.map(|kind| share(&|name| kind.contains(&name))));
    sample.push(share(&|name| !KINDS.iter().any(|kind| kind.contains(&name))));
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_of_strace_becomes_calls_per_request() {
        let report = "    calls syscall\n--------- ----------------\n    2000 recvfrom\n     \
            1000 sendto\n       10 epoll_wait\n        5 sched_yield\n--------- -------\n     \
            3015 total\n";
        let sample = per_request(&parse(report), 1000).expect("there were requests");
        assert_eq!(sample, [3.015, 3.005, 2.0, 1.0, 0.01, 0.0, 0.005]);
    }
}

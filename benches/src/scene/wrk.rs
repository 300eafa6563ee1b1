//! HTTP under the load that others use, too: wrk, one thread of it, on the load's processor.
//!
//! It measures whole seconds, and the server's processor time is taken around its run, so opening
//! the connections is in it.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::bench::Bench;
use crate::case::{Case, EVERY, Run, Scene};
use crate::child::{Scratch, Server, last_words};
use crate::column::Sample;
use crate::failure::{Failure, failed};
use crate::peer::Peer;
use crate::turns::SERVED;

pub(super) const HTTP_WRK: Scene = Scene {
    name: "http-wrk",
    about: "HTTP/1.1 plaintext under wrk, one request at a time and 16 pipelined",
    quick: false,
    needs: Some("wrk"),
    cases: |bench| [1, 16].map(|depth| plaintext(bench, depth)).into(),
};

const CONNECTIONS: usize = 64;

/// Sends so many requests at once, and says at the end what it has seen, for a program to read.
const SCRIPT: &str = r#"
local batch
function init(args) batch = string.rep(wrk.format("GET", "/plaintext"), tonumber(args[1])) end
function request() return batch end
function done(summary, latency)
    local errors = summary.errors
    print(string.format("result %d %d %d %g %g %g", summary.requests, summary.duration,
        errors.connect + errors.read + errors.write + errors.status + errors.timeout,
        latency:percentile(50), latency:percentile(99), latency.max))
end
"#;

fn plaintext(bench: &Bench, depth: usize) -> Case {
    let title = format!("{CONNECTIONS} connections, {depth} at a time, {}", bench.placement(1));
    let run = move |bench: &Bench, peer: &Peer| {
        let settings = vec![("buffer", 4096.to_string())];
        bench
            .start(peer, "http", 1, settings)?
            .serve(|server| under_wrk(server, depth, bench.span.measured))
    };
    Case { scene: "http-wrk", title, columns: SERVED, rounds: EVERY, run: Run::alone(run) }
}

fn under_wrk(server: &Server, depth: usize, measured: Duration) -> Result<Sample, Failure> {
    let script = Scratch::new("lua");
    std::fs::write(script.path(), SCRIPT)?;
    let before = server.cpu_time()?;
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{}s", measured.as_secs_f64().ceil())])
        .args(["--timeout", "3s", "--script"])
        .arg(script.path())
        .args([&format!("http://{}/plaintext", server.address()), "--", &depth.to_string()])
        .stdin(Stdio::null())
        .output()
        .map_err(|e| failed(format!("`wrk` does not start: {e}")))?;
    let cpu = server.cpu_time()? - before;
    let said = String::from_utf8_lossy(&output.stdout);
    sample(&said, cpu).unwrap_or_else(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(failed(format!("wrk: {}: {}", output.status, last_words(&errors))))
    })
}

/// The numbers of [`SERVED`] from the script's line: requests, microseconds, errors, and three
/// times in microseconds.
fn sample(said: &str, cpu: Duration) -> Option<Result<Sample, Failure>> {
    let line = said.lines().find_map(|line| line.strip_prefix("result "))?;
    let numbers: Option<Vec<f64>> = line.split(' ').map(|word| word.parse().ok()).collect();
    let &[requests, micros, errors, p50, p99, max] = numbers?.as_slice() else { return None };
    if requests == 0.0 || errors > 0.0 {
        return Some(Err(failed(format!("{requests} requests and {errors} errors"))));
    }
    let cpu = cpu.as_secs_f64() * 1e6;
    Some(Ok(vec![
        cpu / requests,
        requests / micros * 1e6,
        p50,
        p99,
        max / 1e3,
        cpu / micros * 100.0,
    ]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_wrk_becomes_a_sample() {
        let said = "Running 1s test\nRequests/sec: 1\nresult 2000 1000000 0 250 900 1500\n";
        let found = sample(said, Duration::from_millis(500)).expect("a line").expect("numbers");
        assert_eq!(found, [250.0, 2000.0, 250.0, 900.0, 1.5, 50.0]);
    }

    #[test]
    fn errors_of_wrk_are_a_failure() {
        let said = "result 2000 1000000 7 250 900 1500";
        assert!(matches!(sample(said, Duration::ZERO), Some(Err(Failure::Failed(_)))));
        assert!(sample("unable to connect", Duration::ZERO).is_none());
    }
}

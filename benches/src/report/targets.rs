//! What is to be reached, and whether it is.
//!
//! A factor holds between peers in one run, by the median of the ratios within a round.

use super::table::{aligned, spread};
use super::{is_peer, number};
use crate::finding::{Finding, Row, Summary};

/// One line of the list.
#[derive(Clone, Copy, Debug)]
struct Target {
    /// Whose number it is.
    subject: &'static str,
    scene: &'static str,
    /// What the title of the case begins with.
    case: &'static str,
    column: &'static str,
    rule: Rule,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    /// The number itself.
    Most(f64),
    /// A factor of what another shows, for what costs.
    MostTimes(f64, Other),
    /// A factor of what another shows, for what is gained.
    LeastTimes(f64, Other),
}
use Rule::{LeastTimes, Most, MostTimes};

#[derive(Clone, Copy, Debug)]
enum Other {
    The(&'static str),
    /// Each of them; the bare loops are not among them.
    EveryPeer,
}
use Other::{EveryPeer, The};

const fn shim(scene: &'static str, case: &'static str, column: &'static str, rule: Rule) -> Target {
    Target { subject: "shim", scene, case, column, rule }
}

const fn shared(
    scene: &'static str,
    case: &'static str,
    column: &'static str,
    most: f64,
) -> Target {
    Target { subject: "shim-shared", scene, case, column, rule: Most(most) }
}

const fn traced(scene: &'static str, case: &'static str, column: &'static str) -> Target {
    let rule = MostTimes(1.05, The("shim"));
    Target { subject: "shim-traced", scene, case, column, rule }
}

const CPU: &str = "CPU/req µs";
const RATE: &str = "req/s";
const TAIL: &str = "p99 µs";
const EACH: &str = "ns/op";
const COLD: &str = "ns each, cold";
const RESIDENT: &str = "resident KiB";
/// What is above 2 are the ticks of a monitor, which come by the second and not by the request.
const CALLS: &str = "without waits";

const ECHO_64: &str = "64 connections, 64 B, 1 worker";
const ECHO_1024: &str = "1024 connections, 64 B, 1 worker";
const ECHO_8000: &str = "8000 connections, 64 B, 1 worker";

const TARGETS: &[Target] = &[
    shim("echo-tcp", ECHO_64, CPU, MostTimes(1.05, The("epoll"))),
    shim("echo-tcp", ECHO_64, CPU, MostTimes(1.0, EveryPeer)),
    traced("echo-tcp", ECHO_64, CPU),
    shim("echo-tcp", ECHO_1024, CPU, MostTimes(1.1, The("epoll"))),
    shim("echo-tcp", ECHO_1024, CPU, MostTimes(1.0, EveryPeer)),
    shim("echo-tcp", ECHO_1024, TAIL, MostTimes(1.5, The("epoll"))),
    shim("echo-tcp", ECHO_8000, CPU, MostTimes(1.1, The("epoll"))),
    shim("echo-tcp", ECHO_8000, CPU, MostTimes(1.0, EveryPeer)),
    shim("echo-tcp", ECHO_8000, TAIL, MostTimes(1.5, The("epoll"))),
    shim("echo-tcp", "64 connections, 64 B, 2 workers", RATE, LeastTimes(1.0, EveryPeer)),
    shim("echo-tcp", "1024 connections, 64 B, 2 workers", RATE, LeastTimes(1.0, EveryPeer)),
    shim("timeouts", ECHO_64, CPU, MostTimes(1.02, The("shim-plain"))),
    shim("timeouts", ECHO_64, CPU, MostTimes(1.0, EveryPeer)),
    shim("timeouts", ECHO_1024, CPU, MostTimes(1.02, The("shim-plain"))),
    shim("timeouts", ECHO_1024, CPU, MostTimes(1.0, EveryPeer)),
    shim("timeouts", ECHO_8000, CPU, MostTimes(1.02, The("shim-plain"))),
    shim("timeouts", ECHO_8000, CPU, MostTimes(1.0, EveryPeer)),
    shim("accept", "64 connections at a time, 64 B, 1 worker", "conn/s", FASTEST),
    shim("accept", "64 connections at a time, 64 B, 2 workers", "conn/s", FASTEST),
    shim("accept", "64 connections at a time, 64 B, accepted", "conn/s", FASTEST),
    shim("http", "64 connections, 1 at", RATE, LeastTimes(1.1, The("may_minihttp"))),
    shim("http", "64 connections, 1 at", RATE, LeastTimes(1.0, The("tokio"))),
    shim("http", "64 connections, 1 at", RATE, LeastTimes(1.0, The("tokio-local"))),
    shim("http", "64 connections, 16 at", RATE, LeastTimes(1.1, The("may_minihttp"))),
    shim("http", "64 connections, 16 at", RATE, LeastTimes(1.0, The("tokio"))),
    shim("http", "64 connections, 16 at", RATE, LeastTimes(1.0, The("tokio-local"))),
    shim("yield", "2 threads, 1 worker", EACH, Most(30.0)),
    shared("yield", "2 threads, 1 worker", EACH, 12.0),
    shim("spawn", "one after the other, 1 worker", EACH, Most(250.0)),
    shim("spawn", "one after the other, 2 workers", EACH, Most(250.0)),
    shim("batch", "10000 threads, 1 worker", COLD, Most(400.0)),
    shim("batch", "10000 threads, 2 workers", COLD, Most(400.0)),
    shim("batch", "200000 threads, 1 worker", COLD, Most(400.0)),
    shim("batch", "200000 threads, 2 workers", COLD, Most(400.0)),
    shim("channel", "2 threads, 1 worker", EACH, Most(200.0)),
    shim("channel", "2 threads, 2 workers", EACH, Most(200.0)),
    shim("mutex", "uncontended, 1 worker", EACH, MostTimes(1.03, The("threads"))),
    shim("mutex", "8 threads, 1 worker", EACH, MostTimes(1.0, The("threads"))),
    shim("mutex", "8 threads, 2 workers", EACH, MostTimes(1.0, The("threads"))),
    shim("sleepers", "1000000 threads", "ns to start", MostTimes(1.0, The("go"))),
    shim("sleepers", "1000000 threads", RESIDENT, Most(9.0)),
    shared("sleepers", "1000000 threads", RESIDENT, 4.6),
    shim("syscalls", "64 connections", CALLS, Most(2.05)),
    shim("syscalls", "1024 connections", CALLS, Most(2.05)),
];

const FASTEST: Rule = LeastTimes(1.0, EveryPeer);

/// The list as a table, and how many of them are met; targets whose case was not run are left out.
pub(crate) fn render(findings: &[Finding]) -> Option<String> {
    let verdicts: Vec<(bool, Vec<String>)> =
        TARGETS.iter().filter_map(|target| target.line(findings)).collect();
    let met = verdicts.iter().filter(|(met, _)| *met).count();
    let counted = format!("{met} of {} targets are met.\n", verdicts.len());
    let head = ["scene", "case", "target", "measured", "spread", ""].map(str::to_owned).to_vec();
    let lines: Vec<Vec<String>> =
        std::iter::once(head).chain(verdicts.into_iter().map(|(_, line)| line)).collect();
    (lines.len() > 1).then(|| format!("{}\n{counted}", aligned(&lines, 3)))
}

impl Target {
    /// Whether it is met, and its line of the table.
    fn line(&self, findings: &[Finding]) -> Option<(bool, Vec<String>)> {
        let finding = findings
            .iter()
            .find(|found| found.scene == self.scene && found.title.starts_with(self.case))?;
        let column = finding.column(self.column)?;
        let row = finding.row(self.subject)?;
        let (target, measured, shown) = match self.rule {
            Most(limit) => {
                let found = row.summary(column);
                (format!("≤ {}", number(limit)), found, found.map(|s| number(s.median)))
            }
            MostTimes(factor, other) | LeastTimes(factor, other) => {
                let (name, worst) = self.against(finding, row, column, other)?;
                let sign = if matches!(self.rule, MostTimes(..)) { "≤" } else { "≥" };
                let factor = if factor == 1.0 { String::new() } else { format!("{factor} × ") };
                let than = match other {
                    The(name) => name,
                    EveryPeer => "every peer",
                };
                let shown = worst.map(|worst| format!("{:.3} × {name}", worst.median));
                (format!("{sign} {factor}{than}"), worst, shown)
            }
        };
        let met = measured.is_some_and(|found| self.met(found.median));
        let way = self.subject.strip_prefix("shim-");
        let quantity = way.map_or(String::new(), |way| format!(" ({way})"));
        let line = vec![
            self.scene.to_owned(),
            finding.title.clone(),
            format!("{}{quantity} {target}", self.column),
            shown.unwrap_or_else(|| "failed".to_owned()),
            measured.map(spread).unwrap_or_default(),
            if met { "met" } else { "**not met**" }.to_owned(),
        ];
        Some((met, line))
    }

    fn met(&self, found: f64) -> bool {
        match self.rule {
            Most(limit) | MostTimes(limit, _) => found <= limit,
            LeastTimes(limit, _) => found >= limit,
        }
    }

    /// The multiple of the other, or of the one of all peers that is hardest to match, and its
    /// name; nothing where there is none to compare with.
    fn against<'a>(
        &self,
        finding: &'a Finding,
        row: &Row,
        column: usize,
        other: Other,
    ) -> Option<(&'a str, Option<Summary>)> {
        let counts = |name: &str| match other {
            The(the) => name == the,
            EveryPeer => is_peer(name),
        };
        let others = finding.rows.iter().filter(|other| counts(&other.peer));
        let ratios = others.map(|other| (other.peer.as_str(), row.ratio(other, column)));
        // The peer itself may have failed; that is no reproach to the subject.
        let ratios = ratios.filter(|(_, ratio)| ratio.is_some() || row.completed() == 0);
        let size = |ratio: &(&str, Option<Summary>)| ratio.1.map_or(0.0, |ratio| ratio.median);
        if matches!(self.rule, LeastTimes(..)) {
            ratios.min_by(|a, b| size(a).total_cmp(&size(b)))
        } else {
            ratios.max_by(|a, b| size(a).total_cmp(&size(b)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::column::Role;
    use crate::finding::tests::finding;

    #[test]
    fn a_number_is_met_or_not() {
        let found = finding(Role::Cost, &[("shim", &[29.0, 31.0, 28.0])]);
        let text = render(&[found]).expect("a target was measured");
        assert!(text.contains("| ns/op ≤ 30.0 |"), "{text}");
        assert!(text.contains("met") && !text.contains("not met"), "{text}");
        assert!(text.contains("1 of 1 targets are met."), "{text}");
    }

    #[test]
    fn every_peer_means_the_hardest_of_them_and_no_bare_loop() {
        let rows: &[(&str, &[f64])] = &[
            ("shim", &[100.0]),
            ("threads", &[50.0]),
            ("tokio", &[110.0]),
            ("go", &[]),
            ("epoll", &[900.0]),
        ];
        let mut found = finding(Role::Yield, rows);
        found.scene = "accept".to_owned();
        found.title = "64 connections at a time, 64 B, 1 worker".to_owned();
        found.columns[0].title = "conn/s".into();
        let text = render(&[found]).expect("a target was measured");
        assert!(text.contains("0.909 × tokio"), "{text}");
        assert!(text.contains("**not met**"), "{text}");
        assert!(render(&[]).is_none());
    }
}

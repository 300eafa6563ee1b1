//! Which charts there are. One whose cases were not run is left out, or has fewer panels.

use super::svg::{Dots, Panel, dots, panels};
use crate::column::Role;
use crate::finding::Finding;

/// One drawing.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) file: &'static str,
    pub(crate) title: &'static str,
    pub(crate) svg: String,
}

/// A scene, what the title of a case begins with, and a column.
type Choice = (&'static str, &'static str, &'static str);

const ECHO: &[Choice] = &[
    ("echo-tcp", "64 connections, 64 B, 1 worker", "CPU/req µs"),
    ("echo-tcp", "1024 connections, 64 B, 1 worker", "CPU/req µs"),
    ("echo-tcp", "8000 connections, 64 B, 1 worker", "CPU/req µs"),
    ("echo-tcp", "8000 connections, 64 B, 1 worker", "p99 µs"),
    ("echo-tcp", "64 connections, 64 B, 2 workers", "req/s"),
    ("echo-tcp", "1024 connections, 64 B, 2 workers", "req/s"),
];

const SERVERS: &[Choice] = &[
    ("http", "64 connections, 1 at a time", "req/s"),
    ("http", "64 connections, 16 at a time", "req/s"),
    ("accept", "64 connections at a time, 64 B, 1 worker", "conn/s"),
    ("chat", "64 members", "deliveries/s"),
];

const MEMORY: &[Choice] = &[
    ("sleepers", "10000 threads", "KiB each"),
    ("sleepers", "1000000 threads", "KiB each"),
    ("sleepers", "1000000 threads", "ns to start"),
    ("idle", "10000 connections", "KiB/conn"),
];

/// Scenes by the nanoseconds of one operation, and what the titles of their cases begin with.
const MICRO: &[(&str, &str)] = &[
    ("yield", "2 threads, 1 worker"),
    ("spawn", "one after the other, 1 worker"),
    ("spawn", "one after the other, 2 workers"),
    ("batch", "10000 threads, 1 worker"),
    ("channel", "2 threads, 1 worker"),
    ("channel", "2 threads, 2 workers"),
    ("mutex", "uncontended, 1 worker"),
    ("mutex", "8 threads, 2 workers"),
    ("condvar", "2 threads, 1 worker"),
    ("park", "2 threads, 1 worker"),
    ("timer", "2 threads, 1 worker"),
    ("lookup", "8 threads, 1 worker"),
    ("file", "8 threads, 1 worker"),
];

/// The file of the chart that the page begins with, above what is written by a run.
pub(crate) const AT_A_GLANCE: &str = "glance.svg";

/// What that chart calls a scene, the scene, what the title of the case begins with, and a column.
const GLANCE: &[(&str, Choice)] = &[
    ("echo, 64 clients", ("echo-tcp", "64 connections, 64 B, 1 worker", "CPU/req µs")),
    ("echo, 1,024 clients", ("echo-tcp", "1024 connections, 64 B, 1 worker", "CPU/req µs")),
    ("HTTP", ("http", "64 connections, 1 at a time", "CPU/req µs")),
    ("chat", ("chat", "64 members", "CPU/delivery µs")),
    ("channel, there and back", ("channel", "2 threads, 1 worker", "ns/op")),
    ("spawn and join", ("spawn", "one after the other, 1 worker", "ns/op")),
    ("a lock that 8 threads want", ("mutex", "8 threads, 2 workers", "ns/op")),
    ("reading a file", ("file", "8 threads, 1 worker", "ns/op")),
    ("looking up a name", ("lookup", "8 threads, 1 worker", "ns/op")),
    ("memory of a thread", ("sleepers", "10000 threads", "KiB each")),
];

/// Whom it shows.
const GLANCE_PEERS: [&str; 5] = ["shim", "threads", "may", "tokio", "go"];

/// All charts that these findings have something for.
pub(crate) fn all(findings: &[Finding]) -> Vec<Chart> {
    let bars = [
        ("echo.svg", "TCP echo", ECHO),
        ("servers.svg", "HTTP, short connections, chat", SERVERS),
        ("memory.svg", "Memory and time to start", MEMORY),
    ];
    let mut charts: Vec<Chart> = bars
        .into_iter()
        .filter_map(|(file, title, choices)| {
            let found: Vec<Panel> =
                choices.iter().filter_map(|choice| panel(findings, choice)).collect();
            (!found.is_empty()).then(|| Chart { file, title, svg: panels(title, &found) })
        })
        .collect();
    let title = "Threads, locks, channels";
    let rows: Vec<Dots> = MICRO.iter().filter_map(|choice| row(findings, choice)).collect();
    if !rows.is_empty() {
        let svg = dots(title, "ns each, logarithmic; less is better", &rows);
        charts.insert(1.min(charts.len()), Chart { file: "threads.svg", title, svg });
    }
    let rows: Vec<Dots> = GLANCE.iter().filter_map(|choice| multiples(findings, choice)).collect();
    if !rows.is_empty() {
        let title = "What it takes, beside OS threads";
        let axis = "as a multiple of what OS threads take, logarithmic; less is better";
        charts.push(Chart { file: AT_A_GLANCE, title, svg: dots(title, axis, &rows) });
    }
    charts
}

fn find<'a>(findings: &'a [Finding], scene: &str, case: &str) -> Option<&'a Finding> {
    findings.iter().find(|found| found.scene == scene && found.title.starts_with(case))
}

fn panel(findings: &[Finding], (scene, case, column): &Choice) -> Option<Panel> {
    let finding = find(findings, scene, case)?;
    let column = finding.column(column)?;
    let rows = finding.rows.iter();
    let bars: Vec<_> =
        rows.filter_map(|row| Some((row.peer.clone(), row.summary(column)?))).collect();
    let better = if finding.columns[column].role == Role::Yield { "more" } else { "less" };
    let axis = format!("{}, median and spread; {better} is better", finding.columns[column].title);
    let heading = format!("{scene}: {}", finding.title);
    (!bars.is_empty()).then_some(Panel { heading, axis, bars })
}

fn row(findings: &[Finding], (scene, case): &(&str, &str)) -> Option<Dots> {
    let finding = find(findings, scene, case)?;
    let (what, workers) = case.rsplit_once(", ").unwrap_or((case, ""));
    let what = if *scene == "mutex" { what } else { scene };
    let label = if workers == "1 worker" { what.to_owned() } else { format!("{what}, {workers}") };
    let label = if *scene == "mutex" { format!("mutex, {label}") } else { label };
    let number = |row: &crate::finding::Row| Some((row.peer.clone(), row.summary(0)?.median));
    let dots: Vec<_> = finding.rows.iter().filter_map(number).collect();
    (!dots.is_empty()).then_some(Dots { label, dots })
}

/// What peers take, as multiples of what OS threads do.
fn multiples(findings: &[Finding], (label, choice): &(&str, Choice)) -> Option<Dots> {
    let (scene, case, column) = choice;
    let finding = find(findings, scene, case)?;
    let (column, threads) = (finding.column(column)?, finding.row("threads")?);
    let dot = |peer: &str| {
        let ratio = finding.row(peer)?.ratio(threads, column)?;
        Some((peer.to_owned(), ratio.median))
    };
    let dots: Vec<_> = GLANCE_PEERS.into_iter().filter_map(dot).collect();
    (!dots.is_empty()).then(|| Dots { label: (*label).to_owned(), dots })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::finding;

    #[test]
    fn what_was_not_run_is_not_drawn() {
        assert!(all(&[]).is_empty());
        let charts = all(&[finding(Role::Cost, &[("shim", &[30.0]), ("go", &[])])]);
        let [chart] = charts.as_slice() else { panic!("one chart: {charts:?}") };
        assert_eq!(chart.file, "threads.svg");
        assert!(chart.svg.contains(">yield</text>") && !chart.svg.contains("go"));
    }

    #[test]
    fn at_a_glance_each_is_a_multiple_of_os_threads() {
        let rows: &[(&str, &[f64])] = &[("go", &[30.0]), ("threads", &[60.0]), ("shim", &[15.0])];
        let mut found = finding(Role::Cost, rows);
        found.scene = "channel".to_owned();
        let Dots { label, dots } = multiples(&[found], &GLANCE[4]).expect("all are there");
        assert_eq!(label, "channel, there and back");
        let expected = [("shim", 0.25), ("threads", 1.0), ("go", 0.5)];
        assert_eq!(dots, expected.map(|(peer, multiple)| (peer.to_owned(), multiple)));
    }
}

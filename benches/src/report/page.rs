//! The part of a Markdown page that a run writes: everything between two markers.
//!
//! What stands outside of them is for people to write. In the tables the shim's number comes with
//! its ratio to the bare loop and to the best peer; then all peers follow, by their medians.

use super::table::{QUIET, aligned, failure, spread};
use super::{charts, is_limit, is_peer, number, targets};
use crate::column::Role;
use crate::finding::{Finding, Row};
use crate::machine::Facts;

const BEGIN: &str = "<!-- results: begin; the suite's `--report` writes what follows -->\n";
const END: &str = "<!-- results: end -->\n";

/// A peer is ahead when its number is better by more than this.
const AHEAD: f64 = 0.02;

/// A page without the part that is written here.
#[derive(Debug, PartialEq)]
pub(crate) struct Page {
    before: String,
    after: String,
}

impl Page {
    /// Reads a page; nothing where it has no markers.
    pub(crate) fn parse(text: &str) -> Option<Page> {
        let (before, rest) = text.split_once(BEGIN)?;
        let (_, after) = rest.split_once(END)?;
        Some(Page { before: before.to_owned(), after: after.to_owned() })
    }

    /// The page with these results between its markers.
    pub(crate) fn with(&self, machine: &Facts, findings: &[Finding]) -> String {
        let Page { before, after } = self;
        format!("{before}{BEGIN}\n{}\n{END}{after}", results(machine, findings))
    }
}

fn results(machine: &Facts, findings: &[Finding]) -> String {
    let mut text = String::from("## Machine\n\n");
    let head = vec!["what".to_owned(), "which".to_owned()];
    let facts = machine.iter().map(|(name, value)| vec![name.clone(), value.clone()]);
    text.push_str(&aligned(&std::iter::once(head).chain(facts).collect::<Vec<_>>(), 2));
    text.push_str(&format!("\n{}\n", quiet(findings)));
    text.push_str("\n## All scenes\n\n");
    text.push_str(
        "The shim's median and spread; what it is as a multiple of the bare loop's number and of \
         the best peer's, and with thread-locals shared as a multiple of its own. Where the \
         quantity ends in `/s`, more is better; otherwise less is.\n\n",
    );
    text.push_str(&overview(findings));
    if let Some(targets) = targets::render(findings) {
        text.push_str(&format!("\n## Targets\n\n{targets}"));
    }
    text.push_str("\n## Charts\n");
    // The page begins with that one.
    let below = |chart: &charts::Chart| chart.file != charts::AT_A_GLANCE;
    for chart in charts::all(findings).into_iter().filter(below) {
        text.push_str(&format!("\n![{}](charts/{})\n", chart.title, chart.file));
    }
    text.push_str(&format!("\n## Where a peer is ahead\n\n{}", ahead(findings)));
    text.push_str(&format!(
        "\n## Every peer\n\nMedians; – is a failure.\n\n{}",
        everyone(findings)
    ));
    let failures = findings.iter().flat_map(|finding| {
        let place = format!("{}, {}", finding.scene, finding.title);
        finding.rows.iter().filter_map(move |row| Some(format!("- {place}: {}\n", failure(row)?)))
    });
    let failures: String = failures.collect();
    if !failures.is_empty() {
        text.push_str(&format!("\nWho did not come through:\n\n{failures}"));
    }
    text
}

/// Whether others used the machine meanwhile.
fn quiet(findings: &[Finding]) -> String {
    let rounds = findings.iter().map(Finding::rounds).max().unwrap_or(0);
    let most = findings.iter().map(|finding| finding.others).fold(0.0, f64::max);
    let loud = findings.iter().filter(|finding| finding.others > QUIET).count();
    let others = if loud == 0 {
        format!("other processes took less than {:.0} % of the machine", QUIET * 100.0)
    } else {
        format!(
            "other processes took up to {:.0} % of the machine, in {loud} of {} cases more than \
             {:.0} %",
            most * 100.0,
            findings.len(),
            QUIET * 100.0
        )
    };
    let plural = if rounds == 1 { "" } else { "s" };
    format!("{rounds} round{plural}; {others}.")
}

/// The quantities of a finding that are compared.
fn compared(finding: &Finding) -> impl Iterator<Item = usize> + '_ {
    let echo = finding.scene == "echo-tcp";
    let counts = move |title: &str, role| role != Role::Aside || echo && title == "p99 µs";
    let columns = finding.columns.iter().enumerate();
    columns.filter(move |(_, column)| counts(&column.title, column.role)).map(|(index, _)| index)
}

fn overview(findings: &[Finding]) -> String {
    let head =
        ["scene", "case", "quantity", "shim", "spread", "× bare loop", "× best peer", "shared"];
    let mut lines = vec![head.map(str::to_owned).to_vec()];
    for finding in findings {
        let Some(shim) = finding.row("shim") else { continue };
        for column in compared(finding) {
            let of = |other: Option<&Row>| {
                let ratio = other.and_then(|other| shim.ratio(other, column));
                let name = other.map_or("", |other| &other.peer);
                ratio.map_or(String::new(), |ratio| format!("{:.2} {name}", ratio.median))
            };
            let shared = finding.row("shim-shared").and_then(|row| row.ratio(shim, column));
            let summary = shim.summary(column);
            lines.push(vec![
                finding.scene.clone(),
                finding.title.clone(),
                finding.columns[column].title.to_string(),
                summary.map_or("failed".to_owned(), |summary| number(summary.median)),
                summary.map(spread).unwrap_or_default(),
                of(finding.rows.iter().find(|row| is_limit(&row.peer))),
                of(finding.best(column, is_peer)),
                shared.map_or(String::new(), |ratio| format!("{:.2}", ratio.median)),
            ]);
        }
    }
    aligned(&lines, 3)
}

fn ahead(findings: &[Finding]) -> String {
    let mut lines =
        vec![["scene", "case", "quantity", "ahead, and how far"].map(str::to_owned).to_vec()];
    for finding in findings {
        let Some(shim) = finding.row("shim") else { continue };
        for column in compared(finding) {
            let gain = finding.columns[column].role == Role::Yield;
            let lead = |row: &Row| {
                let ratio = if gain { row.ratio(shim, column) } else { shim.ratio(row, column) };
                ratio.map(|ratio| ratio.median - 1.0).filter(|lead| *lead > AHEAD)
            };
            let peers = finding.rows.iter().filter(|row| is_peer(&row.peer));
            let mut leads: Vec<(&str, f64)> =
                peers.filter_map(|row| Some((row.peer.as_str(), lead(row)?))).collect();
            leads.sort_by(|a, b| b.1.total_cmp(&a.1));
            let leads: Vec<String> =
                leads.iter().map(|(peer, lead)| format!("{peer} {:.0} %", lead * 100.0)).collect();
            if !leads.is_empty() {
                let quantity = finding.columns[column].title.to_string();
                let (scene, title) = (finding.scene.clone(), finding.title.clone());
                lines.push(vec![scene, title, quantity, leads.join(", ")]);
            }
        }
    }
    if lines.len() == 1 {
        return "Nowhere in this run.\n".to_owned();
    }
    format!("By more than {:.0} %, bare loops aside.\n\n{}", AHEAD * 100.0, aligned(&lines, 4))
}

fn everyone(findings: &[Finding]) -> String {
    let played = |name: &str| findings.iter().any(|finding| finding.row(name).is_some());
    let names: Vec<&str> =
        crate::peer::ALL.iter().map(|peer| peer.name).filter(|name| played(name)).collect();
    let head = ["scene", "case", "quantity"].into_iter().chain(names.iter().copied());
    let mut lines = vec![head.map(str::to_owned).collect::<Vec<_>>()];
    for finding in findings {
        for column in compared(finding) {
            let quantity = finding.columns[column].title.to_string();
            let mut line = vec![finding.scene.clone(), finding.title.clone(), quantity];
            line.extend(names.iter().map(|name| match finding.row(name) {
                None => String::new(),
                Some(row) => row.summary(column).map_or("–".to_owned(), |s| number(s.median)),
            }));
            lines.push(line);
        }
    }
    aligned(&lines, 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::finding;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = format!("# Title\n\n{BEGIN}old\n{END}\nafter\n");
        let rows: &[(&str, &[f64])] = &[
            ("shim", &[50.0, 52.0, 51.0]),
            ("may", &[25.0, 26.0, 25.5]),
            ("go", &[]),
            ("switch", &[5.0, 5.2, 5.1]),
        ];
        let machine = vec![("kernel".to_owned(), "6".to_owned())];
        let page = Page::parse(&page).expect("it has markers");
        let text = page.with(&machine, &[finding(Role::Cost, rows)]);
        assert!(text.starts_with(&format!("# Title\n\n{BEGIN}")), "{text}");
        assert!(text.ends_with(&format!("{END}\nafter\n")) && !text.contains("old"), "{text}");
        assert!(text.contains("10.00 switch") && text.contains("2.00 may"), "{text}");
        assert!(text.contains("may 100 %"), "{text}");
        assert!(text.contains("- yield, 2 threads, 1 worker: go: took too long"), "{text}");
        assert_eq!(Page::parse(&text), Some(page));
        assert_eq!(Page::parse("no markers"), None);
    }
}

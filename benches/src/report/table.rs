//! Tables for a terminal, and for a Markdown page: they are both.

use super::number;
use crate::column::Role;
use crate::finding::{Finding, Row, Summary};

/// The share of the machine that others may use without a word about it.
pub(crate) const QUIET: f64 = 0.02;

/// The table of a finding, with its heading; ratios are to the first row.
pub(crate) fn render(finding: &Finding) -> String {
    let first = finding.rows.first();
    let mut lines = vec![vec![String::new()]];
    for column in &finding.columns {
        lines[0].push(column.title.to_string());
        if column.role != Role::Aside {
            let name = first.map_or("", |row| &row.peer);
            lines[0].extend(["spread".to_owned(), format!("× {name}")]);
        }
    }
    for row in &finding.rows {
        let mut cells = vec![row.peer.clone()];
        for (index, column) in finding.columns.iter().enumerate() {
            let summary = row.summary(index);
            cells.push(summary.map_or("failed".to_owned(), |summary| number(summary.median)));
            if column.role != Role::Aside {
                let ratio = first.and_then(|first| row.ratio(first, index));
                cells.push(summary.map(spread).unwrap_or_default());
                cells.push(ratio.map(|ratio| number(ratio.median)).unwrap_or_default());
            }
        }
        lines.push(cells);
    }
    let rounds = finding.rounds();
    let plural = if rounds == 1 { "" } else { "s" };
    let heading = format!("{}: {} ({rounds} round{plural})", finding.scene, finding.title);
    let mut text = format!("### {heading}\n\n{}", aligned(&lines, 1));
    let failures = finding.rows.iter().filter_map(failure);
    for note in failures.chain(disturbance(finding)) {
        text.push_str(&format!("\n{note}\n"));
    }
    text
}

/// The least and the most of a quantity.
pub(crate) fn spread(summary: Summary) -> String {
    format!("{} – {}", number(summary.least), number(summary.most))
}

/// A word about a peer that did not come through.
pub(crate) fn failure(row: &Row) -> Option<String> {
    let why = row.failure.as_ref()?;
    Some(match row.completed() {
        0 => format!("{}: {why}", row.peer),
        done => format!("{}, in {done} of {} rounds only: {why}", row.peer, row.samples.len()),
    })
}

/// A word about what others used of the machine.
fn disturbance(finding: &Finding) -> Option<String> {
    let percent = finding.others * 100.0;
    (finding.others > QUIET)
        .then(|| format!("other processes took {percent:.0} % of the machine meanwhile"))
}

/// Rows of cells as a Markdown table whose columns line up: the first `names` of them to the left,
/// numbers to the right.
pub(crate) fn aligned(lines: &[Vec<String>], names: usize) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let length = |text: &String| text.chars().count();
    let width = |column| lines.iter().map(|line| length(&line[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| width(column).max(2)).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let space = " ".repeat(widths[column] - length(cell));
            text.push_str(&match column < names {
                true => format!("| {cell}{space} "),
                false => format!("| {space}{cell} "),
            });
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let (rule, end) = ("-".repeat(width + 1), if column < names { '-' } else { ':' });
                text.push_str(&format!("|{rule}{end}"));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::tests::finding;

    #[test]
    fn a_table_lines_up_and_says_who_failed() {
        let found = finding(Role::Cost, &[("shim", &[10.0]), ("may", &[12.5]), ("go", &[])]);
        let expected = "\
### yield: 2 threads, 1 worker (1 round)

|      |  ns/op |      spread | × shim |
|------|-------:|------------:|-------:|
| shim |   10.0 | 10.0 – 10.0 |   1.00 |
| may  |   12.5 | 12.5 – 12.5 |   1.25 |
| go   | failed |             |        |

go: took too long

other processes took 25 % of the machine meanwhile
";
        assert_eq!(render(&found), expected);
    }
}

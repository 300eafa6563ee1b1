//! Tables for a terminal, and for a Markdown page: they are both.

use super::number;
use crate::run::Finding;
use crate::scene::Role;

/// The share of the machine that others may use without a word about it.
const QUIET: f64 = 0.02;

/// The table of a finding, with its heading.
pub(crate) fn render(finding: &Finding) -> String {
    let first = finding.rows.first().map_or("", |row| row.peer);
    let mut lines = vec![vec![String::new()]];
    for column in finding.columns {
        lines[0].push(column.title.to_owned());
        if column.role != Role::Aside {
            lines[0].extend(["spread".to_owned(), format!("× {first}")]);
        }
    }
    let mut notes = Vec::new();
    for row in &finding.rows {
        if let Some(why) = &row.failure {
            notes.push(format!("{}: {why}", row.peer));
        }
        let mut cells = vec![row.peer.to_owned()];
        for (index, column) in finding.columns.iter().enumerate() {
            let summary = finding.summary(row, index);
            let show = |text: Option<String>| text.unwrap_or_else(|| "failed".to_owned());
            cells.push(show(summary.map(|summary| number(summary.median))));
            if column.role != Role::Aside {
                let spread = summary.map(|s| format!("{} – {}", number(s.least), number(s.most)));
                let ratio = summary.and_then(|summary| summary.ratio).map(number);
                cells.extend([spread.unwrap_or_default(), ratio.unwrap_or_default()]);
            }
        }
        lines.push(cells);
    }
    let rounds = finding.rows.iter().map(|row| row.samples.len()).max().unwrap_or(0);
    let plural = if rounds == 1 { "" } else { "s" };
    let heading = format!("{}: {} ({rounds} round{plural})", finding.scene, finding.title);
    let mut text = format!("### {heading}\n\n{}", aligned(&lines));
    if finding.others > QUIET {
        let percent = finding.others * 100.0;
        notes.push(format!("other processes took {percent:.0} % of the machine meanwhile"));
    }
    for note in notes {
        text.push_str(&format!("\n{note}\n"));
    }
    text
}

/// Rows of cells as a Markdown table whose columns line up: names to the left, numbers to the
/// right.
pub(crate) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.first().map_or(0, Vec::len);
    let length = |text: &String| text.chars().count();
    let width = |column| lines.iter().map(|line| length(&line[column])).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(|column| width(column).max(2)).collect();
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        for (column, cell) in line.iter().enumerate() {
            let space = " ".repeat(widths[column] - length(cell));
            text.push_str(&match column {
                0 => format!("| {cell}{space} "),
                _ => format!("| {space}{cell} "),
            });
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.iter().enumerate() {
                let rule = "-".repeat(width + 1);
                text.push_str(&if column == 0 { format!("|{rule}-") } else { format!("|{rule}:") });
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Row;
    use crate::scene::Column;

    #[test]
    fn a_table_lines_up_and_says_who_failed() {
        let columns = &[
            Column { title: "ns/op", role: Role::Cost },
            Column { title: "max", role: Role::Aside },
        ];
        let rows = vec![
            Row { peer: "shim", samples: vec![vec![10.0, 1.0]], failure: None },
            Row { peer: "may", samples: vec![vec![12.5, 2.0]], failure: None },
            Row { peer: "go", samples: Vec::new(), failure: Some("took too long".to_owned()) },
        ];
        let finding =
            Finding { scene: "yield", title: "2 threads".to_owned(), columns, rows, others: 0.25 };
        let expected = "\
### yield: 2 threads (1 round)

|      |  ns/op |      spread | × shim |    max |
|------|-------:|------------:|-------:|-------:|
| shim |   10.0 | 10.0 – 10.0 |   1.00 |   1.00 |
| may  |   12.5 | 12.5 – 12.5 |   1.25 |   2.00 |
| go   | failed |             |        | failed |

go: took too long

other processes took 25 % of the machine meanwhile
";
        assert_eq!(render(&finding), expected);
    }
}

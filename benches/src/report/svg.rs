//! Charts: horizontal bars of a case's first column, one for each peer, with the spread over them.
//!
//! They follow the reader's colour scheme, and carry every number as text.

use std::fmt::Write;

use super::number;
use crate::run::{Finding, Summary};
use crate::scene::Role;

const WIDTH: f64 = 760.0;
const NAMES: f64 = 120.0;
const NUMBERS: f64 = 190.0;
const ROW: f64 = 26.0;
const BAR: f64 = 16.0;
const TOP: f64 = 64.0;

const STYLE: &str = "\
    text{font:13px system-ui,sans-serif;fill:#24292f}\
    .title{font-weight:600;font-size:15px}.quiet{fill:#6e7781}\
    .bar{fill:#8c959f}.first{fill:#1a7f37}.spread{stroke:#24292f;stroke-width:1.5}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#8b949e}\
    .bar{fill:#6e7681}.first{fill:#3fb950}.spread{stroke:#e6edf3}}";

/// The name of a finding's file.
pub(crate) fn file_name(finding: &Finding) -> String {
    let text = format!("{} {}", finding.scene, finding.title.replace(',', ""));
    let text = text.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let words: Vec<&str> = text.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-") + ".svg"
}

/// The chart of a finding.
pub(crate) fn render(finding: &Finding) -> String {
    let rows: Vec<(&str, Summary)> =
        finding.rows.iter().filter_map(|row| Some((row.peer, finding.summary(row, 0)?))).collect();
    let most = rows.iter().map(|(_, summary)| summary.most).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - NAMES - NUMBERS) / most;
    let height = TOP + ROW * rows.len() as f64 + 10.0;
    let column = finding.columns[0];
    let better = if column.role == Role::Yield { "more" } else { "less" };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <style>{STYLE}</style>\n\
         <text class=\"title\" x=\"10\" y=\"24\">{}: {}</text>\n\
         <text class=\"quiet\" x=\"10\" y=\"46\">{}, median and spread; {better} is better</text>\n",
        escape(finding.scene),
        escape(&finding.title),
        escape(column.title),
    );
    for (index, (peer, summary)) in rows.iter().enumerate() {
        let top = TOP + ROW * index as f64;
        let (middle, base) = (top + BAR / 2.0, top + BAR - 3.0);
        let class = if index == 0 { "first" } else { "bar" };
        let end = NAMES + summary.median * scale;
        let (least, most) = (NAMES + summary.least * scale, NAMES + summary.most * scale);
        let ratio = summary.ratio.map(|ratio| format!("  × {}", number(ratio))).unwrap_or_default();
        let label = number(summary.median) + &ratio;
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{base:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"{class}\" x=\"{NAMES}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{BAR}\"/>\
             <line class=\"spread\" x1=\"{least:.1}\" x2=\"{most:.1}\" y1=\"{middle:.1}\" y2=\"{middle:.1}\"/>\
             <text x=\"{:.1}\" y=\"{base:.1}\">{label}</text>",
            NAMES - 8.0,
            escape(peer),
            (end - NAMES).max(1.0),
            end.max(most) + 8.0,
        );
    }
    svg.push_str("</svg>\n");
    svg
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Row;
    use crate::scene::Column;

    #[test]
    fn bars_are_as_long_as_their_medians_and_failures_have_none() {
        let columns = &[Column { title: "ns/op", role: Role::Cost }];
        let rows = vec![
            Row { peer: "shim", samples: vec![vec![50.0]], failure: None },
            Row { peer: "may", samples: vec![vec![100.0]], failure: None },
            Row { peer: "go", samples: Vec::new(), failure: Some("took too long".to_owned()) },
        ];
        let title = "1,000 threads, 1 worker".to_owned();
        let finding = Finding { scene: "yield", title, columns, rows, others: 0.25 };
        let svg = render(&finding);
        assert!(svg.contains("width=\"450.0\""), "the longest bar fills the space: {svg}");
        assert!(svg.contains("width=\"225.0\""), "half the number is half the bar: {svg}");
        assert_eq!(svg.matches("<rect").count(), 2);
        assert_eq!(file_name(&finding), "yield-1000-threads-1-worker.svg");
    }
}

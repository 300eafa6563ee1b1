//! Drawing: small panels of horizontal bars, and rows of dots over a logarithmic axis.
//!
//! Both follow the reader's colour scheme, label their axes, and tell peers apart by name: colours
//! only help.

use std::fmt::Write;

use super::number;
use crate::finding::Summary;

const WIDTH: f64 = 860.0;
const STYLE: &str = "\
    text{font:13px system-ui,sans-serif;fill:#24292f}\
    .title{font-weight:600;font-size:16px}.head{font-weight:600}.quiet{fill:#6e7781}\
    .tick{fill:#6e7781;font-size:11px}.grid{stroke:#d0d7de;stroke-width:1}\
    .spread{stroke:#24292f;stroke-width:1.5}\
    @media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet,.tick{fill:#8b949e}\
    .grid{stroke:#30363d}.spread{stroke:#e6edf3}}";

/// The colour of a peer, readable on light and on dark ground.
fn colour(peer: &str) -> &'static str {
    match peer {
        "shim" => "#1a7f37",
        "shim-shared" | "shim-traced" => "#6fb583",
        "threads" => "#8c959f",
        "may" | "may_minihttp" => "#bc4c00",
        "tokio" => "#0969da",
        "tokio-local" => "#66a8f0",
        "smol" => "#8250df",
        "go" => "#c89b00",
        _ => "#cf222e",
    }
}

/// Bars of one quantity of one case.
#[derive(Debug)]
pub(super) struct Panel {
    pub(super) heading: String,
    /// The quantity, and which way is better.
    pub(super) axis: String,
    pub(super) bars: Vec<(String, Summary)>,
}

const NAMES: f64 = 100.0;
const NUMBERS: f64 = 62.0;
const ROW: f64 = 21.0;
const BAR: f64 = 14.0;
/// Above the first bar of a panel: its heading.
const HEAD: f64 = 30.0;
/// Below the last bar: ticks, and what the axis is.
const FOOT: f64 = 52.0;

/// Panels, two in a row, under a title.
pub(super) fn panels(title: &str, panels: &[Panel]) -> String {
    let width = WIDTH / 2.0;
    let mut body = String::new();
    let mut top = 44.0;
    for pair in panels.chunks(2) {
        for (index, panel) in pair.iter().enumerate() {
            draw_panel(&mut body, panel, width * index as f64, top, width);
        }
        let bars = pair.iter().map(|panel| panel.bars.len()).max().unwrap_or(0);
        top += HEAD + ROW * bars as f64 + FOOT;
    }
    document(title, top, &body)
}

fn draw_panel(svg: &mut String, panel: &Panel, x: f64, top: f64, width: f64) {
    let (left, right) = (x + NAMES + 8.0, x + width - NUMBERS);
    let most = panel.bars.iter().map(|(_, summary)| summary.most).fold(f64::MIN_POSITIVE, f64::max);
    let at = |value: f64| left + value / most * (right - left);
    let first = top + HEAD;
    let bottom = first + ROW * panel.bars.len() as f64;
    text(svg, "head", x + 10.0, top + 16.0, "start", &panel.heading);
    for tick in ticks(most) {
        let place = at(tick);
        line(svg, "grid", (place, first - 4.0), (place, bottom));
        text(svg, "tick", place, bottom + 14.0, "middle", &short(tick));
    }
    text(svg, "quiet", left, bottom + 32.0, "start", &panel.axis);
    for (index, (peer, summary)) in panel.bars.iter().enumerate() {
        let bar = first + ROW * index as f64;
        let (middle, base) = (bar + BAR / 2.0, bar + BAR - 2.5);
        let length = (at(summary.median) - left).max(1.0);
        text(svg, "", left - 7.0, base, "end", peer);
        let _ = writeln!(
            svg,
            "<rect x=\"{left:.1}\" y=\"{bar:.1}\" width=\"{length:.1}\" height=\"{BAR}\" \
             fill=\"{}\"/>",
            colour(peer)
        );
        line(svg, "spread", (at(summary.least), middle), (at(summary.most), middle));
        text(svg, "", at(summary.most) + 6.0, base, "start", &number(summary.median));
    }
}

/// A row of dots: what it is, and the number of each peer.
#[derive(Debug)]
pub(super) struct Dots {
    pub(super) label: String,
    pub(super) dots: Vec<(String, f64)>,
}

/// Rows of dots over one logarithmic axis, the first peer's with its number.
pub(super) fn dots(title: &str, axis: &str, rows: &[Dots]) -> String {
    const LABELS: f64 = 200.0;
    const STEP: f64 = 34.0;
    let values = || rows.iter().flat_map(|row| row.dots.iter().map(|(_, value)| *value));
    let least = values().fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE).log10().floor();
    let most = values().fold(1.0, f64::max).log10().ceil().max(least + 1.0);
    let right = WIDTH - 30.0;
    let at = |value: f64| LABELS + (value.log10() - least) / (most - least) * (right - LABELS);
    let (first, mut body) = (90.0, String::new());
    let bottom = first + STEP * rows.len() as f64;
    for power in least as i32..=most as i32 {
        let place = at(10_f64.powi(power));
        line(&mut body, "grid", (place, first - 12.0), (place, bottom - 10.0));
        text(&mut body, "tick", place, bottom + 6.0, "middle", &short(10_f64.powi(power)));
    }
    text(&mut body, "quiet", LABELS, bottom + 26.0, "start", axis);
    let mut names: Vec<&str> = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        let middle = first + STEP * index as f64;
        text(&mut body, "", LABELS - 14.0, middle + 4.0, "end", &row.label);
        // The first peer comes last, so that it lies on top.
        for (place, (peer, value)) in row.dots.iter().enumerate().rev() {
            let (x, size) = (at(*value), if place == 0 { 6.5 } else { 5.0 });
            let _ = writeln!(
                body,
                "<circle cx=\"{x:.1}\" cy=\"{middle:.1}\" r=\"{size}\" fill=\"{}\" \
                 fill-opacity=\"0.85\"><title>{} {}</title></circle>",
                colour(peer),
                escape(peer),
                number(*value)
            );
            if place == 0 {
                text(&mut body, "tick", x, middle - 9.0, "middle", &number(*value));
            }
        }
        let new = row.dots.iter().map(|(peer, _)| peer.as_str());
        new.for_each(|peer| {
            if !names.contains(&peer) {
                names.push(peer)
            }
        });
    }
    let mut x = LABELS;
    for peer in names {
        let _ =
            writeln!(body, "<circle cx=\"{x:.1}\" cy=\"52\" r=\"5\" fill=\"{}\"/>", colour(peer));
        text(&mut body, "", x + 10.0, 56.0, "start", peer);
        x += 30.0 + 7.5 * peer.len() as f64;
    }
    document(title, bottom + 40.0, &body)
}

fn document(title: &str, height: f64, body: &str) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <style>{STYLE}</style>\n"
    );
    text(&mut svg, "title", 10.0, 26.0, "start", title);
    svg + body + "</svg>\n"
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, anchor: &str, words: &str) {
    let words = escape(words);
    let _ = writeln!(
        svg,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

/// Round numbers from zero up to `most`, three to six of them.
fn ticks(most: f64) -> Vec<f64> {
    let power = 10_f64.powf(most.log10().floor());
    let step = [0.2, 0.5, 1.0, 2.0].map(|part| part * power);
    let step = step.into_iter().find(|step| most / step < 5.0).unwrap_or(2.0 * power);
    (0..).map(|count| f64::from(count) * step).take_while(|tick| *tick <= most).collect()
}

/// A number on an axis: without decimals it does not need, thousands as `k`.
fn short(value: f64) -> String {
    match value {
        v if v >= 1e6 => format!("{}M", v / 1e6),
        v if v >= 1e3 => format!("{}k", v / 1e3),
        v => format!("{}", (v * 1e3).round() / 1e3),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_medians() {
        let bar = |peer: &str, n| (peer.to_owned(), Summary { median: n, least: n, most: n });
        let panel = Panel {
            heading: "1 < 2".to_owned(),
            axis: "ns".to_owned(),
            bars: vec![bar("shim", 50.0), bar("may", 100.0)],
        };
        let svg = panels("Title", &[panel]);
        let full = WIDTH / 2.0 - NUMBERS - NAMES - 8.0;
        assert!(svg.contains(&format!("width=\"{full:.1}\"")), "{svg}");
        assert!(svg.contains(&format!("width=\"{:.1}\"", full / 2.0)), "{svg}");
        assert!(svg.contains("1 &lt; 2"), "{svg}");
    }

    #[test]
    fn dots_lie_at_the_logarithms_of_their_numbers() {
        let dots_of = |values: [f64; 2]| Dots {
            label: "yield".to_owned(),
            dots: vec![("shim".to_owned(), values[0]), ("may".to_owned(), values[1])],
        };
        let svg = dots("Title", "ns", &[dots_of([10.0, 100.0]), dots_of([10.0, 1000.0])]);
        assert!(svg.contains("cx=\"200.0\" cy=\"90.0\" r=\"6.5\""), "{svg}");
        assert!(svg.contains("cx=\"515.0\" cy=\"90.0\" r=\"5\""), "{svg}");
        assert!(svg.contains("cx=\"830.0\" cy=\"124.0\" r=\"5\""), "{svg}");
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(ticks(4.4), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(130_000.0), [0.0, 50_000.0, 100_000.0]);
        assert_eq!(ticks(20.0), [0.0, 5.0, 10.0, 15.0, 20.0]);
        assert_eq!([0.5, 20.0, 50_000.0, 2e6].map(short), ["0.5", "20", "50k", "2M"]);
    }
}

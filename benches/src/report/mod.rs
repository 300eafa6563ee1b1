//! What is shown of the findings: tables at once; JSON, and a page with charts, on request.

pub(crate) mod charts;
pub(crate) mod json;
pub(crate) mod page;
mod svg;
pub(crate) mod table;
mod targets;

use crate::peer::{self, Kind};

/// Whether a row belongs to another way to write the same server, by its name.
fn is_peer(name: &str) -> bool {
    has_kind(name, Kind::Peer)
}

/// Whether a row belongs to a bare loop, by its name.
fn is_limit(name: &str) -> bool {
    has_kind(name, Kind::Limit)
}

fn has_kind(name: &str, kind: Kind) -> bool {
    peer::ALL.iter().any(|peer| peer.name == name && peer.kind == kind)
}

/// A number to three significant places or so, thousands apart.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "?".to_owned();
    }
    let decimals = match value.abs() {
        v if v >= 99.95 => return thousands(value.round() as i64),
        v if v >= 9.995 => 1,
        v if v >= 0.01 || v == 0.0 => 2,
        _ => 4,
    };
    format!("{value:.decimals$}")
}

fn thousands(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_keep_three_places() {
        let shown = [0.0, 0.0012, 0.5, 3.456, 12.34, 99.96, 123.4, 271_234.0].map(number);
        assert_eq!(shown, ["0.00", "0.0012", "0.50", "3.46", "12.3", "100", "123", "271,234"]);
    }
}

//! Rounds: A B C, A B C, … so that whatever changes on the machine changes for all.

use crate::machine::Meter;
use crate::peer::Peer;
use crate::scene::{Bench, Case, Column, Failure, Role, Sample};

/// What a case has shown.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) scene: &'static str,
    pub(crate) title: String,
    pub(crate) columns: &'static [Column],
    pub(crate) rows: Vec<Row>,
    /// The share of all processors that other processes used meanwhile.
    pub(crate) others: f64,
}

/// What one peer did.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) peer: &'static str,
    /// One sample a round.
    pub(crate) samples: Vec<Sample>,
    /// Why there are none.
    pub(crate) failure: Option<String>,
}

/// One column of one row, over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
    /// The median of the ratios to the first row, each within one round.
    pub(crate) ratio: Option<f64>,
}

/// Runs `case` for all `peers` in turn, `rounds` times. A peer that fails is out for this case.
pub(crate) fn run(case: &Case, bench: &Bench, peers: &[&'static Peer], rounds: usize) -> Finding {
    let row = |peer: &&'static Peer| Row { peer: peer.name, samples: Vec::new(), failure: None };
    let mut rows: Vec<Row> = peers.iter().map(row).collect();
    let mut declined = vec![false; rows.len()];
    let meter = Meter::start();
    for _ in 0..rounds {
        for (index, peer) in peers.iter().enumerate() {
            if declined[index] || rows[index].failure.is_some() {
                continue;
            }
            match (case.run)(bench, peer) {
                Ok(sample) => rows[index].samples.push(sample),
                Err(Failure::Unsupported) => declined[index] = true,
                Err(Failure::Failed(why)) => rows[index].failure = Some(why),
            }
        }
    }
    let mut declined = declined.into_iter();
    rows.retain(|_| !declined.next().unwrap_or(false));
    let (title, others) = (case.title.clone(), meter.others());
    Finding { scene: case.scene, title, columns: case.columns, rows, others }
}

impl Finding {
    /// What `row` shows in a column, if it has come through.
    pub(crate) fn summary(&self, row: &Row, column: usize) -> Option<Summary> {
        if row.failure.is_some() {
            return None;
        }
        let values: Vec<f64> = row.samples.iter().map(|sample| sample[column]).collect();
        let compared = self.columns[column].role != Role::Aside;
        let reference = self.rows.first().filter(|first| compared && first.failure.is_none());
        let ratio = reference.and_then(|first| {
            let pairs = first.samples.iter().zip(&values);
            median(pairs.map(|(first, value)| value / first[column]).collect())
        });
        Some(Summary {
            median: median(values.clone())?,
            least: values.iter().copied().fold(f64::INFINITY, f64::min),
            most: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ratio,
        })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(peer: &'static str, values: &[f64]) -> Row {
        let samples = values.iter().map(|&value| vec![value]).collect();
        Row { peer, samples, failure: None }
    }

    const COST: &[Column] = &[Column { title: "ns", role: Role::Cost }];

    #[test]
    fn a_ratio_compares_within_a_round() {
        // Both are twice as slow in the second round, which says nothing about either of them.
        let rows = vec![row("first", &[10.0, 20.0, 11.0]), row("other", &[15.0, 30.0, 16.5])];
        let finding = Finding { scene: "", title: String::new(), columns: COST, rows, others: 0.0 };
        let summary = finding.summary(&finding.rows[1], 0).expect("it came through");
        assert_eq!(summary, Summary { median: 16.5, least: 15.0, most: 30.0, ratio: Some(1.5) });
    }

    #[test]
    fn there_is_no_ratio_to_a_peer_that_failed() {
        let mut rows = vec![row("first", &[]), row("other", &[1.0])];
        rows[0].failure = Some("took too long".to_owned());
        let finding = Finding { scene: "", title: String::new(), columns: COST, rows, others: 0.0 };
        assert_eq!(finding.summary(&finding.rows[0], 0), None);
        assert_eq!(finding.summary(&finding.rows[1], 0).and_then(|summary| summary.ratio), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(2.5));
        assert_eq!(median(Vec::new()), None);
    }
}

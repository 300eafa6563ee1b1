//! What the rounds have shown: samples, and what follows from them.
//!
//! Peers are compared within a round, where they ran in turns: a ratio is the median of the ratios
//! of single rounds, not the ratio of medians.

use crate::column::{Column, Role, Sample};

/// What a case has shown.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    pub(crate) scene: String,
    pub(crate) title: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    /// The share of all processors that other processes used meanwhile.
    pub(crate) others: f64,
}

/// What one peer did.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) peer: String,
    /// One sample a round; nothing for a round in which the peer failed.
    pub(crate) samples: Vec<Option<Sample>>,
    /// Why the peer failed the last time, if it ever did.
    pub(crate) failure: Option<String>,
}

/// A quantity over all rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Summary {
    fn of(mut values: Vec<f64>) -> Option<Summary> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Some(Summary { median, least, most })
    }
}

impl Row {
    /// A row without samples.
    pub(crate) fn new(peer: &str) -> Row {
        Row { peer: peer.to_owned(), samples: Vec::new(), failure: None }
    }

    /// In how many rounds it came through.
    pub(crate) fn completed(&self) -> usize {
        self.samples.iter().flatten().count()
    }

    /// What it shows in a column, if it ever came through.
    pub(crate) fn summary(&self, column: usize) -> Option<Summary> {
        Summary::of(self.samples.iter().flatten().map(|sample| sample[column]).collect())
    }

    /// What it shows as a multiple of what `other` shows, over the rounds that both came through.
    pub(crate) fn ratio(&self, other: &Row, column: usize) -> Option<Summary> {
        let rounds = self.samples.iter().zip(&other.samples);
        let both = rounds.filter_map(|(own, other)| Some((own.as_ref()?, other.as_ref()?)));
        Summary::of(both.map(|(own, other)| own[column] / other[column]).collect())
    }
}

impl Finding {
    /// The row of a peer.
    pub(crate) fn row(&self, peer: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.peer == peer)
    }

    /// The number of a column.
    pub(crate) fn column(&self, title: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.title == title)
    }

    /// How many rounds there were.
    pub(crate) fn rounds(&self) -> usize {
        self.rows.iter().map(|row| row.samples.len()).max().unwrap_or(0)
    }

    /// The row that does best in a column, of those that `counts` lets in.
    pub(crate) fn best(&self, column: usize, counts: impl Fn(&str) -> bool) -> Option<&Row> {
        let median = |row: &&Row| row.summary(column).map(|summary| summary.median);
        let better = |a: &&Row, b: &&Row| {
            let order = median(a).unwrap_or(f64::NAN).total_cmp(&median(b).unwrap_or(f64::NAN));
            if self.columns[column].role == Role::Yield { order.reverse() } else { order }
        };
        let rows = self.rows.iter().filter(|row| counts(&row.peer));
        rows.filter(|row| median(row).is_some()).min_by(better)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A finding of one column, with the samples of each peer; none are a failure.
    pub(crate) fn finding(role: Role, rows: &[(&str, &[f64])]) -> Finding {
        let row = |&(peer, values): &(&str, &[f64])| Row {
            samples: values.iter().map(|&value| Some(vec![value])).collect(),
            failure: values.is_empty().then(|| "took too long".to_owned()),
            ..Row::new(peer)
        };
        Finding {
            scene: "yield".to_owned(),
            title: "2 threads, 1 worker".to_owned(),
            columns: vec![Column { title: "ns/op".into(), role }],
            rows: rows.iter().map(row).collect(),
            others: 0.25,
        }
    }

    #[test]
    fn a_ratio_compares_within_a_round() {
        // Both are twice as slow in the second round, which says nothing about either of them.
        let found =
            finding(Role::Cost, &[("first", &[10.0, 20.0, 11.0]), ("other", &[15.0, 30.0, 16.5])]);
        let [first, other] = found.rows.as_slice() else { panic!("two rows") };
        assert_eq!(other.ratio(first, 0), Summary::of(vec![1.5, 1.5, 1.5]));
        let summary = other.summary(0).expect("it came through");
        assert_eq!((summary.median, summary.least, summary.most), (16.5, 15.0, 30.0));
    }

    #[test]
    fn a_round_in_which_one_failed_compares_nothing() {
        let mut found = finding(Role::Cost, &[("first", &[10.0, 20.0]), ("other", &[20.0, 20.0])]);
        found.rows[0].samples[1] = None;
        let [first, other] = found.rows.as_slice() else { panic!("two rows") };
        assert_eq!(other.ratio(first, 0).map(|ratio| ratio.median), Some(2.0));
        assert_eq!((first.completed(), other.completed()), (1, 2));
        assert_eq!(first.ratio(&Row::new("never"), 0), None);
    }

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(Summary::of(vec![4.0, 1.0, 3.0, 2.0]).map(|s| s.median), Some(2.5));
        assert_eq!(Summary::of(Vec::new()), None);
    }

    #[test]
    fn the_best_costs_least_or_yields_most() {
        let rows: &[(&str, &[f64])] =
            &[("shim", &[1.0]), ("may", &[3.0]), ("go", &[]), ("tokio", &[2.0])];
        let peers = |peer: &str| peer != "shim";
        let best = |role| finding(role, rows).best(0, peers).map(|row| row.peer.clone());
        assert_eq!(best(Role::Cost).as_deref(), Some("tokio"));
        assert_eq!(best(Role::Yield).as_deref(), Some("may"));
    }
}

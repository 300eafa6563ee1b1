//! A histogram of durations with a relative error of at most one part in 32.
//!
//! Each power of two is cut into 32 equal buckets, so 64-bit nanoseconds take 15 KiB whatever is
//! recorded, and recording is a shift and an addition.

/// Bits of a value that tell the buckets of one power of two apart.
const BITS: u32 = 5;

#[derive(Clone, Debug)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Histogram {
        Histogram { counts: vec![0; bucket(u64::MAX) + 1], total: 0, max: 0 }
    }

    pub(crate) fn record(&mut self, value: u64) {
        self.counts[bucket(value)] += 1;
        self.total += 1;
        self.max = self.max.max(value);
    }

    /// Records all that `other` has recorded.
    pub(crate) fn add(&mut self, other: &Histogram) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// The value that the given share of all values does not exceed, to the bucket's upper end.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let rank = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_end(index).min(self.max);
            }
        }
        self.max
    }
}

/// Values below 32 have a bucket each; above, the highest set bit picks a group of 32 and the
/// five bits below it the place in the group.
fn bucket(value: u64) -> usize {
    let shift = value.max(1).ilog2().saturating_sub(BITS);
    ((u64::from(shift) << BITS) + (value >> shift)) as usize
}

fn upper_end(index: usize) -> u64 {
    let index = index as u64;
    let shift = (index >> BITS).saturating_sub(1);
    let start = index - (shift << BITS);
    (start << shift) + ((1 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_the_bucket_that_ends_at_or_closely_above_it() {
        for value in (0..62).flat_map(|bit| [1_u64 << bit, (1 << bit) + 1, (3 << bit) / 2]) {
            let end = upper_end(bucket(value));
            assert!(end >= value, "{value} is above its bucket's end {end}");
            assert!(end - value <= value / 32, "{value} is far from its bucket's end {end}");
        }
    }

    #[test]
    fn quantiles_of_a_ramp_are_its_shares() {
        let mut histogram = Histogram::new();
        (1..=10_000).for_each(|value| histogram.record(value));
        let median = histogram.quantile(0.5);
        assert!((5_000..=5_160).contains(&median), "actual = {median}");
        assert_eq!(histogram.quantile(1.0), 10_000);
        assert_eq!((histogram.total, histogram.max()), (10_000, 10_000));
    }

    #[test]
    fn a_histogram_of_two_halves_is_the_whole_ones() {
        let ramp = |values: std::ops::Range<u64>| {
            let mut histogram = Histogram::new();
            values.for_each(|value| histogram.record(value));
            histogram
        };
        let (mut both, whole) = (ramp(0..3_000), ramp(0..10_000));
        both.add(&ramp(3_000..10_000));
        assert_eq!((both.counts, both.total, both.max), (whole.counts, whole.total, whole.max));
    }
}

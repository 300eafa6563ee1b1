use std::io::{BufRead, Result};
use std::sync::Mutex;

use super::Counts;

pub(super) fn count_into(counts: &Mutex<Counts>, input: impl BufRead) -> Result<()> {
    for line in input.lines() {
        for word in line?.split_whitespace() {
            *counts.lock().expect("no thread panics").0.entry(word.into()).or_default() += 1;
        }
    }
    Ok(())
}

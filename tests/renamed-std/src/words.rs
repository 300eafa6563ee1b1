//! Counting words: collections, iterators, formatting, errors, files, threads that borrow.
//!
//! A module in a file of its name, with a child below it.

mod count;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::{fs, thread};

use self::count::count_into;

/// How often each word occurs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Counts(BTreeMap<String, usize>);

/// A line that is not `word count`.
#[derive(Debug, PartialEq, Eq)]
pub struct NotACount(String);

impl Display for NotACount {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        std::write!(f, "`{}` is not a word and its count", self.0)
    }
}

impl std::error::Error for NotACount {}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(word, count)| writeln!(f, "{word} {count}"))
    }
}

impl FromStr for Counts {
    type Err = NotACount;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let parse = |line: &str| {
            let (word, count) = line.split_once(' ')?;
            Some((word.to_owned(), count.parse().ok()?))
        };
        let line = |line: &str| parse(line).ok_or_else(|| NotACount(line.to_owned()));
        text.lines().map(line).collect::<Result<_, _>>().map(Counts)
    }
}

/// Counts the words of each input on a thread of its own.
///
/// # Errors
///
/// The first that a reader gives.
pub fn count_all(
    inputs: impl std::iter::IntoIterator<Item = impl Read + Send>,
) -> io::Result<Counts> {
    let counts = Mutex::new(Counts::default());
    thread::scope(|s| {
        let counters: Vec<_> = inputs
            .into_iter()
            .map(|input| s.spawn(|| count_into(&counts, BufReader::new(input))))
            .collect();
        counters
            .into_iter()
            .try_for_each(|counter| counter.join().expect("counting does not panic"))
    })?;
    Ok(counts.into_inner().expect("counting does not panic"))
}

/// Writes the counts to a file.
///
/// # Errors
///
/// What the file system says.
pub fn save(
    counts: &Counts,
    path: impl std::convert::AsRef<std::path::Path>,
) -> std::io::Result<()> {
    let mut file = io::BufWriter::new(fs::File::create(path)?);
    std::write!(file, "{counts}")?;
    file.flush()
}

/// Counts the words that arrive in a shared buffer.
pub fn count_lines(lines: &Arc<str>) -> usize {
    io::Cursor::new(lines.as_bytes()).lines().map_while(io::Result::ok).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_many_readers_are_counted_together()
    -> std::result::Result<(), Box<dyn std::error::Error>> {
        let inputs = ["to be or", "not to be"];
        let counts = count_all(inputs.iter().map(|text| text.as_bytes()))?;
        assert_eq!(counts.to_string(), "be 2\nnot 1\nor 1\nto 2\n");

        let path = std::env::temp_dir().join(format!("renamed-std-{}", std::process::id()));
        save(&counts, &path)?;
        let read = std::fs::read_to_string(&path)?.parse()?;
        std::fs::remove_file(&path)?;
        std::assert_eq!(counts, read);
        Ok(())
    }

    #[test]
    fn a_line_that_is_no_count_is_an_error() {
        let error = "a 1\nb".parse::<Counts>().unwrap_err();
        assert_eq!(error.to_string(), "`b` is not a word and its count");
    }

    #[test]
    fn a_shared_text_has_lines() {
        assert_eq!(count_lines(&Arc::from("a\nb\nc")), 3);
    }
}

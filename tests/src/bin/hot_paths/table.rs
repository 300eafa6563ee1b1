//! The table: a line for each path, with its instructions where a thread has its own thread-locals
//! and where it shares its worker's, and a line with the memory of a thread that waits.

use std::fs;
use std::io;
use std::iter;
use std::path::Path;
use std::process::ExitCode;

use tests::process::stay_on_one_processor;

use crate::{count, memory, paths};

/// By how much a count may differ from the table's: compilers and C libraries differ.
const TOLERANCE: f64 = 0.10;

/// Each path is counted so often, and the fewest count. When the monitor is stopped it may have just found the
/// counted run to be a long one: then each wake-up in it takes a look at who sleeps.
const TRIES: usize = 3;

const MODES: [&str; 2] = ["own", "shared"];

/// What one operation of a path takes in each mode, or a thread.
struct Row {
    name: &'static str,
    about: &'static str,
    counts: [f64; 2],
}

/// Counts all paths, one after the other, and then the memory.
fn count_all() -> impl Iterator<Item = io::Result<Row>> {
    // Who counts and who is counted take turns: on two processors each would have to wake the other.
    stay_on_one_processor();
    let paths = paths::ALL.into_iter().map(|(name, about, _)| {
        in_each_mode(name, about, |mode| {
            let mut fewest = u64::MAX;
            for _ in 0..TRIES {
                fewest = fewest.min(count::between_marks(name, mode)?);
            }
            Ok(fewest as f64 / paths::COUNTED as f64)
        })
    });
    let about = "bytes of memory of a thread that waits, not instructions";
    paths.chain(iter::once_with(|| in_each_mode("waiting", about, memory::of_a_thread)))
}

fn in_each_mode(
    name: &'static str,
    about: &'static str,
    count: impl Fn(&str) -> io::Result<f64>,
) -> io::Result<Row> {
    Ok(Row { name, about, counts: [count(MODES[0])?, count(MODES[1])?] })
}

/// Writes the table anew.
pub(crate) fn update(path: &Path) -> ExitCode {
    exit(write(path).map(|()| true))
}

fn write(path: &Path) -> io::Result<()> {
    let mut text = String::from(
        "# Instructions of an operation of each hot path, in user space, on one worker: with\n\
         # thread-locals of its own, and with the worker's. Last the bytes of memory of a thread that\n\
         # waits. `ci/instructions.sh --update` writes this.\n",
    );
    for row in count_all() {
        let Row { name, counts: [own, shared], about } = row?;
        let line = format!("{name:<8} {own:>7.1} {shared:>7.1}");
        println!("{line}  {about}");
        text += &line;
        text += "\n";
    }
    fs::write(path, text)
}

/// Compares each path with the table; fails if one takes more.
pub(crate) fn check(path: &Path) -> ExitCode {
    exit(compare(path))
}

fn compare(path: &Path) -> io::Result<bool> {
    let table = fs::read_to_string(path)?;
    let (mut n_more, mut n_less) = (0, 0);
    println!("instructions  thread-locals     now   table");
    for row in count_all() {
        let Row { name, about, counts } = row?;
        let known = |mode: usize| -> Option<f64> {
            let line = table.lines().find(|line| line.split_whitespace().next() == Some(name))?;
            line.split_whitespace().nth(1 + mode)?.parse().ok()
        };
        for (mode, count) in counts.into_iter().enumerate() {
            let Some(known) = known(mode) else {
                println!(
                    "{name:<13} {:<13} {count:>7.1}       -  MORE: not in the table",
                    MODES[mode]
                );
                n_more += 1;
                continue;
            };
            let change = count / known - 1.0;
            let verdict = if change > TOLERANCE {
                n_more += 1;
                "MORE"
            } else if change < -TOLERANCE {
                n_less += 1;
                "less"
            } else {
                ""
            };
            let change = 100.0 * change;
            println!(
                "{name:<13} {:<13} {count:>7.1} {known:>7.1} {change:>+6.1} %  {verdict:<4}  {about}",
                MODES[mode]
            );
        }
    }
    if n_less > 0 {
        println!("{n_less} take less than they did: `ci/instructions.sh --update` keeps it so");
    }
    if n_more > 0 {
        println!("{n_more} take more; if that is as it should be: `ci/instructions.sh --update`");
    }
    Ok(n_more == 0)
}

fn exit(result: io::Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("failed to count: {error}");
            ExitCode::FAILURE
        }
    }
}

//! What the compiler says of lines of Rust.
//!
//! The lines are functions, each on a line of its own, in one program. Each is in it twice: as it
//! is, about `std`, and with the mirror's name in place of `std`. The compiler stops early where a
//! path leads nowhere, judges lifetimes only once types are right, and lints only what is valid; so
//! what it has rejected is taken out and the rest tried again, until all that is left compiles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::words::replace_words;

/// The crate that is compared with std, and how rustc finds it.
#[derive(Clone, Debug)]
pub(crate) struct Mirror {
    /// The compiler that has built it, and is asked.
    pub(crate) rustc: PathBuf,
    /// Its name, which stands where `std` stands in what is asked of std.
    pub(crate) name: &'static str,
    pub(crate) flags: Vec<String>,
}

/// What the compiler said of one line, about each of the two: nothing, if the line is right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    pub(crate) of_std: BTreeSet<String>,
    pub(crate) of_mirror: BTreeSet<String>,
}

impl Mirror {
    /// `text`, about the mirror instead of std.
    pub(crate) fn instead_of_std(&self, text: &str) -> String {
        replace_words(text, |word| match word.strip_prefix("std::") {
            Some(rest) => format!("{}::{rest}", self.name),
            None => word.to_owned(),
        })
    }
}

/// Compiles `lines`, functions named `q`, and returns the answers in the same order.
pub(crate) fn ask(lines: &[String], mirror: &Mirror, program: &str) -> Vec<Answers> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = directory.join(format!("{program}.rs"));
    let head = include_str!("../../data/parity_probe.rs");
    let side = include_str!("../../data/parity_probe_side.rs");

    let mut text: Vec<String> = head.lines().map(String::from).collect();
    let mut asked: BTreeMap<usize, (usize, bool)> = BTreeMap::new();
    for is_mirror in [false, true] {
        let name = |line: &str| {
            if is_mirror { mirror.instead_of_std(line) } else { line.to_owned() }
        };
        text.push(format!("mod {} {{", if is_mirror { "of_mirror" } else { "of_std" }));
        text.extend(side.lines().map(name));
        for (index, line) in lines.iter().enumerate() {
            text.push(name(line).replacen("fn q", &format!("fn q{index}"), 1));
            asked.insert(text.len(), (index, is_mirror));
        }
        text.push(String::from("}"));
    }

    let mut answers = vec![Answers::default(); lines.len()];
    loop {
        fs::write(&source, text.join("\n")).expect("written");
        let mut rustc = Command::new(&mirror.rustc);
        rustc.args(["--edition=2024", "--emit=metadata", "--verbose", "--color=never"]);
        rustc.args(&mirror.flags).arg("--out-dir").arg(directory).arg(&source);
        let output = rustc.output().expect("rustc");
        let said = String::from_utf8_lossy(&output.stderr);
        let mut is_progress = false;
        for (line, saying) in said.split("\n\n").filter_map(saying) {
            let Some((index, is_mirror)) = asked.get(&line) else { continue };
            is_progress |= !text[line - 1].is_empty();
            let answer = &mut answers[*index];
            let side = if *is_mirror { &mut answer.of_mirror } else { &mut answer.of_std };
            side.insert(saying.to_owned());
            text[line - 1].clear();
        }
        if output.status.success() {
            return answers;
        }
        assert!(is_progress, "not an error of a question:\n{said}");
    }
}

/// Line and text of what the compiler says in one paragraph; with the type that it found, if that
/// was not the one asked for.
fn saying(paragraph: &str) -> Option<(usize, String)> {
    let mut rows = paragraph
        .lines()
        .skip_while(|row| !["error", "warning"].iter().any(|level| row.starts_with(level)));
    let head = rows.next()?;
    let (_, place) = rows.next()?.split_once("--> ")?;
    let line = place.rsplit(':').nth(1)?.parse().ok()?;
    let found = rows.find_map(|row| row.trim_start().strip_prefix("found "));
    Some((line, [head, found.unwrap_or_default()].join(" ").trim_end().to_owned()))
}

//! `sylvan trace …`: the picture of a run. What the runtime records (`SYLVAN_TRACE`, or `outside`) is
//! a file (`sylvan_sight::file`), of which this makes what people look at:
//!
//! - [`summary`]: who waited longest, and for what, as text;
//! - [`perfetto`]: a file for the viewer of that name;
//! - [`view`]: a page for any browser.
//!
//! Each is a module with a `main` that takes the arguments behind its name, and a line in `WAYS`.

#[cfg(target_os = "linux")]
mod outside;
pub mod perfetto;
pub mod summary;
pub mod view;

use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::iter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sylvan_sight::file::{self, Run, Unusable};

#[cfg(target_os = "linux")]
use crate::see::{self, statuses};
use crate::{asks_for_help, complain, not_understood, told, unexpected};

#[cfg(not(target_os = "linux"))]
fn statuses() -> &'static str {
    ""
}

const HELP: &str = "\
Records how a run goes, and shows it.

usage: sylvan trace PID [--seconds N] [--mb N] -o FILE
       sylvan trace summary FILE [--longest N]
       sylvan trace view FILE -o PAGE.html
       sylvan trace export FILE -o FILE.perfetto-trace

A program records its run if it is told where to:

  SYLVAN_TRACE=FILE           the file, written when the process ends; %p in it is the number of
                              the process
  SYLVAN_TRACE_MB=N           how much of the run each worker keeps, in megabytes (default 16): the
                              last part; an event takes 16 bytes, and they are a power of two
  SYLVAN_TRACE_SIGNAL=NAME    a signal at which the file is written, too, to FILE.1, FILE.2, ...

A process that was not told so records, too, while this asks it to, by its number:

  PID        records for some seconds (default 5), into rings of so many megabytes for each worker
             (default 16), or until Ctrl-C, and writes FILE: who may trace it may do so
  summary    who waited longest for a processor, and for what else; who computed longest
  view       a page of its own for any browser, which loads nothing: time from left to right, a
             row for each OS thread and each green thread, those whose names differ by numbers
             only in a group; press ? there for its keys
  export     a file for ui.perfetto.dev and trace_processor: a track for each worker and each
             green thread, with arrows from who wakes to who is woken

The exit status is 0 if all went well, 1 if nothing can be written, 2 if the command line is not
understood, and
  117  the file cannot be read
  118  it is no trace, or nothing is in it
  119  it is a trace of another version
";

/// Something that can be made of a file: its name, and what it does, given the arguments behind that.
type Way = (&'static str, fn(Vec<OsString>) -> Result<(), Refusal>);

const WAYS: [Way; 3] =
    [("summary", summary::main), ("view", view::main), ("export", perfetto::main)];

/// Why there is nothing to show.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The command line is not understood.
    Usage(String),
    /// The file cannot be read.
    File(PathBuf, std::io::Error),
    /// It cannot be used.
    Unusable(PathBuf, Unusable),
    /// What was asked for cannot be written.
    Output(PathBuf, std::io::Error),
    /// The process cannot be looked at.
    #[cfg(target_os = "linux")]
    Process(see::Refusal),
}

impl Refusal {
    fn tell(&self) -> ExitCode {
        let (status, text) = match self {
            Self::Usage(error) => return not_understood(error, "sylvan trace --help"),
            Self::File(path, error) => (117, format!("{}: {error}", path.display())),
            Self::Unusable(path, why) => {
                let status = if matches!(why, Unusable::Version(_)) { 119 } else { 118 };
                (status, format!("{}: {why}", path.display()))
            }
            Self::Output(path, error) => (1, format!("{}: {error}", path.display())),
            #[cfg(target_os = "linux")]
            Self::Process(refusal) => (refusal.status(), refusal.to_string()),
        };
        complain(&format!("error: {text}"));
        ExitCode::from(status)
    }
}

/// What the verb does, given the arguments behind it.
pub fn main(args: Vec<OsString>) -> ExitCode {
    if asks_for_help(&args) {
        return told(&format!("{HELP}{}", statuses()));
    }
    let mut args = args.into_iter();
    let first = args.next().map(|first| first.to_string_lossy().into_owned());
    let result = match first.as_deref() {
        Some(name) => match WAYS.iter().find(|(way, _)| *way == name) {
            Some((_, main)) => main(args.collect()),
            #[cfg(target_os = "linux")]
            None if name.starts_with(|c: char| c.is_ascii_digit()) => {
                outside::main(iter::once(name.into()).chain(args).collect())
            }
            None if name.starts_with('-') => Err(Refusal::Usage(unexpected(name.as_ref()))),
            None => Err(Refusal::Usage(format!("there is no `sylvan trace {name}`"))),
        },
        None => Err(Refusal::Usage("expected what to do".to_owned())),
    };
    result.map_or_else(|refusal| refusal.tell(), |()| ExitCode::SUCCESS)
}

/// The arguments of a way: a file, and options that have a value each.
pub(crate) fn parse<const N: usize>(
    args: Vec<OsString>,
    options: [&str; N],
) -> Result<(PathBuf, [Option<OsString>; N]), Refusal> {
    let mut values = [const { None }; N];
    let mut file = None;
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        if let Some(at) = options.iter().position(|option| *option == text) {
            let value = args.next();
            let missing = || Refusal::Usage(format!("`{text}` expected a value"));
            values[at] = Some(value.ok_or_else(missing)?);
        } else if text.starts_with('-') || file.is_some() {
            return Err(Refusal::Usage(unexpected(&arg)));
        } else {
            file = Some(PathBuf::from(arg));
        }
    }
    let file = file.ok_or_else(|| Refusal::Usage("expected a file".to_owned()))?;
    Ok((file, values))
}

/// Reads a trace. Where it was cut off a line says so.
pub(crate) fn load(path: &Path) -> Result<Run, Refusal> {
    let bytes = std::fs::read(path).map_err(|error| Refusal::File(path.to_owned(), error))?;
    let run = file::read(&bytes).map_err(|why| Refusal::Unusable(path.to_owned(), why))?;
    if run.is_cut {
        complain(&format!("note: {} was cut off; this is what it has", path.display()));
    }
    Ok(run)
}

/// A time as people read it: three digits and a unit.
pub(crate) fn duration(ns: u64) -> String {
    let ns = ns as f64;
    let (value, unit) = match ns {
        ..1e3 => return format!("{ns} ns"),
        1e3..1e6 => (ns / 1e3, "µs"),
        1e6..1e9 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits() {
        let texts = [0, 999, 1_000, 12_345, 999_000, 1_500_000, 250_000_000, 61_000_000_000];
        assert_eq!(
            texts.map(duration),
            ["0 ns", "999 ns", "1.00 µs", "12.3 µs", "999 µs", "1.50 ms", "250 ms", "61.0 s"]
        );
    }
}

//! A line of `dtruss -f -d -e`.
//!
//! ```text
//! PID/THRD  RELATIVE  ELAPSD SYSCALL(args)                                   = return
//! 29738/0x5d6ef:      6415       9 bind(0x3, 0xC00012411C, 0x1C)             = 0 0
//! 29738/0x5d6f0:      7001      12 recvfrom(0x4, 0x16D26EA4C, 0x1000)        = -1 Err#35
//! ```
//!
//! Times are microseconds; `dtruss` writes a line when the call has ended, and lines of the
//! program's own stand between its lines. The special lines for `fork` have colons after the
//! times.

use std::time::Duration;

use super::{Event, Line, Outcome};

/// Returns what the line says, or `None` if it says nothing about a call.
pub(super) fn parse(line: &str) -> Option<Line<'_>> {
    let (ids, rest) = line.split_once(':')?;
    let (process, thread) = ids.trim_start().split_once("/0x")?;
    let process = process.parse().ok()?;
    let thread = u64::from_str_radix(thread, 16).ok()?;
    let (time, rest) = micros(rest)?;
    let (took, rest) = micros(rest)?;
    let (name, rest) = rest.trim_start().split_once('(')?;
    let (args, outcome) = rest.rsplit_once("= ")?;
    let args = args.trim_end().strip_suffix(')')?;
    let outcome = parse_outcome(outcome)?;
    Some(Line { process, thread, time, event: Event::Whole { name, args, outcome, took } })
}

fn micros(text: &str) -> Option<(Duration, &str)> {
    let (number, rest) = text.trim_start().split_once(' ')?;
    let number = number.strip_suffix(':').unwrap_or(number).parse().ok()?;
    Some((Duration::from_micros(number), rest))
}

/// `3 0`: the value and no error; `-1 Err#35`: an error by its number on macOS.
fn parse_outcome(text: &str) -> Option<Outcome> {
    let (value, error) = text.split_once(' ')?;
    Some(match error.strip_prefix("Err#") {
        Some("35") => Outcome::Error("EAGAIN".into()),
        Some(number) => Outcome::Error(number.into()),
        None => Outcome::Value(value.parse().ok()?),
    })
}

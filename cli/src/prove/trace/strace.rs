//! A line of `strace -f -y -ttt -T -o FILE`.
//!
//! ```text
//! 7524  1795174963.016401 recvfrom(6<socket:[13748]>,  <unfinished ...>
//! 7524  1795174963.016441 <... recvfrom resumed>"hi", 4096, 0, NULL, NULL) = 2 <0.000027>
//! 7522  1795174963.518505 +++ exited with 0 +++
//! thread   seconds        call or half a call                        = outcome <seconds it took>
//! ```
//!
//! The end of a call is looked for from the right, for its arguments may hold anything.

use std::time::Duration;

use super::{Event, Line, Outcome};

const UNFINISHED: &str = "<unfinished ...>";

/// Returns what the line says, or `None` if it says nothing about a call or a thread's end.
pub(super) fn parse(line: &str) -> Option<Line<'_>> {
    let (thread, rest) = line.split_once(' ')?;
    let thread = thread.parse().ok()?;
    let (time, rest) = rest.trim_start().split_once(' ')?;
    let time = seconds(time)?;
    let event = event(rest.trim_start())?;
    Some(Line { process: thread, thread, time, event })
}

fn event(text: &str) -> Option<Event<'_>> {
    if let Some(end) = text.strip_prefix("+++ ") {
        let gone = end.starts_with("exited") || end.starts_with("killed");
        return gone.then_some(Event::Gone);
    }
    if let Some(resumed) = text.strip_prefix("<... ") {
        let (_name, rest) = resumed.split_once(" resumed>")?;
        let (args, outcome, took) = end_of_call(rest)?;
        return Some(Event::Ended { args, outcome, took });
    }
    let (name, rest) = text.split_once('(')?;
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
        return None;
    }
    if let Some(args) = rest.strip_suffix(UNFINISHED) {
        return Some(Event::Begun { name, args: args.trim_end() });
    }
    let (args, outcome, took) = end_of_call(rest)?;
    Some(Event::Whole { name, args, outcome, took })
}

/// Splits `args) = outcome <took>`.
fn end_of_call(text: &str) -> Option<(&str, Outcome, Duration)> {
    let (text, took) = match text.strip_suffix('>').and_then(|text| text.rsplit_once(" <")) {
        Some((text, took)) if seconds(took).is_some() => (text, seconds(took)?),
        _ => (text, Duration::ZERO),
    };
    let (args, outcome) = text.rsplit_once("= ")?;
    let args = args.trim_end().strip_suffix(')')?;
    Some((args, parse_outcome(outcome), took))
}

/// `3<socket:[13717]>`, `0x7f7324000000`, `0 (Timeout)`, `-1 EAGAIN (Resource …)`, `?`.
fn parse_outcome(text: &str) -> Outcome {
    if let Some(error) = text.strip_prefix("-1 E") {
        let length = error.find(' ').unwrap_or(error.len());
        return Outcome::Error(format!("E{}", &error[..length]).into());
    }
    let length = text.find([' ', '<']).unwrap_or(text.len());
    let value = &text[..length];
    let value = match value.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
        None => value.parse().ok(),
    };
    value.map_or(Outcome::Unknown, Outcome::Value)
}

fn seconds(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.')?;
    let micros = (fraction.len() == 6).then(|| fraction.parse::<u64>().ok()).flatten()?;
    Some(Duration::from_secs(whole.parse().ok()?) + Duration::from_micros(micros))
}

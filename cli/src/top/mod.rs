//! `sylvan top`: what the workers and the threads of a process do, in a view that refreshes.
//!
//! 1. What there is to count is read at the beginning and at the end of an interval (`sample`).
//! 2. In between it is looked now and then who runs.
//! 3. All of it is a text (`show`), on a terminal or not.

mod sample;
mod screen;
mod show;

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use self::sample::{Busy, Sample};
use self::screen::Screen;
use crate::not_understood;
use crate::see::{self, Process, Refusal};

const HELP: &str = "\
Shows what the workers and the green threads of a process do, each second anew.

usage: sylvan top [OPTIONS] PID
       sylvan top [OPTIONS] --core FILE PROGRAM

  --interval SECONDS     how long it looks before it shows something; 1
  --once                 shows it once and ends, as where the output is no terminal
  --core FILE PROGRAM    what is left of a process: a core file, and the program
                         that it was
  --help                 this text

`q` ends it. Nothing runs in the process and it is not stopped: how much a green
thread has run is found by looking who runs, some dozens of times in an interval.
Whoever may debug the process may look.

The exit status is 0 at the end, 2 if the command line is not understood, and else:

";

/// Between two looks at who runs, at least.
const PAUSE: Duration = Duration::from_millis(10);

/// So much longer than a look itself.
const PAUSE_FACTOR: u32 = 4;

struct Options {
    interval: Duration,
    once: bool,
}

/// Shows it, given the arguments behind the verb.
pub fn main(args: Vec<OsString>) -> ExitCode {
    match parse(args) {
        Ok((options, rest)) => see::look(rest, "top", HELP, |process| run(process, &options)),
        Err(error) => not_understood(&error, "sylvan top --help"),
    }
}

/// The options, and what is left of the command line.
fn parse(args: Vec<OsString>) -> Result<(Options, Vec<OsString>), String> {
    let mut options = Options { interval: Duration::from_secs(1), once: false };
    let mut rest = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--once") => options.once = true,
            Some("--interval") => {
                let seconds = args.next().and_then(|seconds| seconds.to_str()?.parse().ok());
                let seconds = seconds.filter(|seconds| (0.1..=3600.0).contains(seconds));
                let seconds = seconds.ok_or("`--interval` expected seconds, from 0.1 to 3600")?;
                options.interval = Duration::from_secs_f64(seconds);
            }
            _ => rest.push(arg),
        }
    }
    Ok((options, rest))
}

fn run(process: &Process, options: &Options) -> Result<(), Refusal> {
    let sample = || Sample::take(process).map_err(|error| process.unreadable(error));
    let mut begin = sample()?;
    if process.pid().is_none() {
        return see::print(&show::text(process, &begin, None));
    }
    let mut screen = (!options.once && io::stdout().is_terminal()).then(Screen::open);
    loop {
        let mut busy = Busy::default();
        let deadline = Instant::now() + options.interval;
        while Instant::now() < deadline {
            let looked = Instant::now();
            busy.look(process, &begin);
            let pause = (looked.elapsed() * PAUSE_FACTOR).max(PAUSE);
            let pause = pause.min(deadline.saturating_duration_since(Instant::now()));
            match &screen {
                Some(screen) if screen.is_left_within(pause) => return Ok(()),
                Some(_) => {}
                None => thread::sleep(pause),
            }
        }
        let end = sample()?;
        let text = show::text(process, &end, Some((&begin, &busy)));
        match &mut screen {
            Some(screen) => screen.show(&text),
            None => return see::print(&text),
        }
        begin = end;
    }
}

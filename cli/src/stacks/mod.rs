//! `sylvan stacks`: where each green thread of a process is, equal stacks once.
//!
//! 1. Stacks are copied, with the registers that each thread goes on with (`sylvan_sight::stacks`); of a thread that
//!    an OS thread runs, with those of that (`see`).
//! 2. `walk` goes from frame to frame.
//! 3. `fold` makes equal ones one.
//! 4. `names` looks up functions, each address once, and `owners` whose they are.

mod fold;
mod names;
mod owners;
mod walk;

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use sylvan_sight::shown;
use sylvan_sight::threads::{self, Thread};

use self::fold::{Group, Shown};
use self::names::Frame;
use crate::json::{list, or_null, text};
use crate::not_understood;
use crate::see::{self, Process, Reason, Refusal, Runtime};

const HELP: &str = "\
Shows where each green thread of a process is: its functions, from the innermost
to the outermost. Equal stacks are shown once, the most frequent first.

usage: sylvan stacks [OPTIONS] PID
       sylvan stacks [OPTIONS] --core FILE PROGRAM

  --thread ID|NAME       only the thread of this number, or those of this name
  --all                  with the functions of the runtime
  --json                 as JSON, which docs/seeing.md describes
  --collapsed            a line for each stack, from the outermost function to the
                         innermost, and how many threads have it: for flame graphs
  --core FILE PROGRAM    what is left of a process: a core file, and the program
                         that it was
  --help                 this text

It reads the memory of the process, which goes on meanwhile, and the files of its
program and libraries for names. An OS thread that runs a green one is stopped for
some microseconds, as by a debugger, to learn where it is; one that waits in a call
which a stop would end is not. Whoever may debug the process may look.

The exit status is 0 if the stacks are shown, 2 if the command line is not
understood, and else:

";

/// So many threads of a stack are named.
const NAMED_MAX: usize = 8;

/// How the stacks are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Json,
    Collapsed,
}

struct Options {
    thread: Option<String>,
    all_frames: bool,
    form: Form,
}

/// Shows them, given the arguments behind the verb.
pub fn main(args: Vec<OsString>) -> ExitCode {
    match parse(args) {
        Ok((options, rest)) => see::show(rest, "stacks", HELP, |process| show(process, &options)),
        Err(error) => not_understood(&error, "sylvan stacks --help"),
    }
}

/// The options, and what is left of the command line.
fn parse(args: Vec<OsString>) -> Result<(Options, Vec<OsString>), String> {
    let mut options = Options { thread: None, all_frames: false, form: Form::Text };
    let mut rest = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.to_str() {
            Some("--all") => options.all_frames = true,
            Some("--json") => options.form = Form::Json,
            Some("--collapsed") => options.form = Form::Collapsed,
            Some("--thread") => {
                let thread = args.next().and_then(|thread| thread.into_string().ok());
                options.thread = Some(thread.ok_or("`--thread` expected a number or a name")?);
            }
            _ => rest.push(arg),
        }
    }
    Ok((options, rest))
}

fn show(process: &Process, options: &Options) -> Result<String, Refusal> {
    let mut shown = Vec::new();
    for runtime in &process.runtimes {
        let threads = threads::threads(process, &runtime.table);
        let mut threads = threads.map_err(|error| process.unreadable(error))?;
        if let Some(wanted) = &options.thread {
            threads.retain(|it| {
                it.name.as_ref() == Some(wanted) || wanted.parse().ok() == Some(it.id)
            });
        }
        shown.push((runtime, fold::groups(process, runtime, threads, options.all_frames)));
    }
    if let Some(wanted) = &options.thread
        && shown.iter().all(|(_, groups)| groups.is_empty())
    {
        return Err(Reason::NoThread.with(format!("{}, `{wanted}`", process.whose())));
    }
    Ok(match options.form {
        Form::Text => shown.iter().map(|(it, groups)| as_text(process, it, groups)).collect(),
        Form::Collapsed => collapsed(shown.iter().flat_map(|(_, groups)| groups)),
        Form::Json => {
            let runtimes = shown.iter().map(|(it, groups)| as_json(it, groups));
            let process = text(&process.whose());
            format!("{{\"version\":1,\"process\":{process},\"runtimes\":{}}}\n", list(runtimes))
        }
    })
}

fn as_text(process: &Process, runtime: &Runtime, groups: &[Group]) -> String {
    let here = env::current_dir().ok().and_then(|here| here.into_os_string().into_string().ok());
    let n_threads: usize = groups.iter().map(|group| group.threads.len()).sum();
    let (whose, object, n) = (process.whose(), runtime.object.display(), groups.len());
    let mut text =
        format!("{whose}: {n_threads} green threads, {n} stacks (runtime in {object})\n");
    for group in groups {
        let _ = writeln!(text, "\n{}", who(&group.threads));
        let Shown::Frames { frames, is_cut } = &group.shown else {
            let _ = writeln!(text, "    ({})", word(&group.shown));
            continue;
        };
        for Frame { function, file, line, .. } in frames {
            let _ = write!(text, "    {function}");
            if let Some(file) = file {
                // As in a backtrace of std's.
                let below = here.as_deref().and_then(|here| file.strip_prefix(here));
                let below = below.filter(|below| below.starts_with('/'));
                let (dot, file) = below.map_or(("", &**file), |below| (".", below));
                let line = line.map_or(String::new(), |line| format!(":{line}"));
                let _ = write!(text, " at {dot}{file}{line}");
            }
            text.push('\n');
        }
        if *is_cut {
            text.push_str("    (those before are not known)\n");
        }
    }
    text
}

/// How many there are in which state, and who they are.
fn who(threads: &[Thread]) -> String {
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for Thread { state, reason, .. } in threads {
        let reason = reason.map_or(String::new(), |reason| format!(" ({})", reason.text()));
        *states.entry(format!("{}{reason}", state.text())).or_default() += 1;
    }
    let states: Vec<_> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    let name = |Thread { id, name, .. }: &Thread| shown::thread(name.as_deref(), *id);
    let mut names: Vec<_> = threads.iter().take(NAMED_MAX).map(name).collect();
    if let Some(n @ 1..) = threads.len().checked_sub(NAMED_MAX) {
        names.push(format!("and {n} more"));
    }
    format!("{}: {}", states.join(", "), names.join(", "))
}

/// What is said where there are no frames.
fn word(shown: &Shown) -> &'static str {
    match shown {
        Shown::Frames { .. } => "",
        Shown::NotStarted => "not started",
        Shown::Unknown => "running",
    }
}

/// Lines as `stackcollapse` programs write them: stacks that differ in lines alone are the same.
fn collapsed<'a>(groups: impl Iterator<Item = &'a Group>) -> String {
    let mut n_threads: BTreeMap<String, usize> = BTreeMap::new();
    for group in groups {
        let functions = match &group.shown {
            Shown::Frames { frames, .. } => {
                // What separates functions, and ends a line.
                let name = |frame: &Frame| frame.function.replace([';', '\n'], ":");
                frames.iter().rev().map(name).collect::<Vec<_>>().join(";")
            }
            none => format!("[{}]", word(none)),
        };
        *n_threads.entry(functions).or_default() += group.threads.len();
    }
    let mut lines: Vec<_> = n_threads.into_iter().collect();
    lines.sort_by_key(|(_, n)| usize::MAX - n);
    lines.into_iter().map(|(functions, n)| format!("{functions} {n}\n")).collect()
}

fn as_json(runtime: &Runtime, groups: &[Group]) -> String {
    let frame = |frame: &Frame| {
        format!(
            "{{\"function\":{},\"file\":{},\"line\":{},\"inlined\":{}}}",
            text(&frame.function),
            or_null(frame.file.as_deref().map(text)),
            or_null(frame.line),
            frame.is_inlined
        )
    };
    let thread = |thread: &Thread| {
        format!(
            "{{\"id\":{},\"name\":{},\"state\":{},\"reason\":{}}}",
            thread.id,
            or_null(thread.name.as_deref().map(text)),
            text(thread.state.text()),
            or_null(thread.reason.map(|reason| text(reason.text())))
        )
    };
    let group = |group: &Group| {
        let (frames, is_complete) = match &group.shown {
            Shown::Frames { frames, is_cut } => (Some(list(frames.iter().map(frame))), !is_cut),
            Shown::NotStarted => (None, true),
            Shown::Unknown => (None, false),
        };
        format!(
            "{{\"count\":{},\"complete\":{is_complete},\"frames\":{},\"threads\":{}}}",
            group.threads.len(),
            or_null(frames),
            list(group.threads.iter().map(thread))
        )
    };
    let object = text(&runtime.object.to_string_lossy());
    format!("{{\"object\":{object},\"stacks\":{}}}", list(groups.iter().map(group)))
}

//! `sylvan VERB …`: all that users run, in one program. Each verb is a module, which knows nothing of the
//! others:
//!
//! - [`run`]: a program as it is, its threads green;
//! - [`cargo`]: cargo's own commands, with the mirror in the place of std (also `cargo sylvan`);
//! - [`prove`]: whether a program is an event loop;
//! - [`ps`]: the green threads of a process, and what they wait for;
//! - [`stacks`]: where each of them is;
//! - [`top`]: what workers and threads do, in a view that refreshes;
//! - [`dump`]: all that is known of them, as JSON;
//! - [`trace`]: how a run went that was recorded.
//!
//! A verb has a `main` that takes the arguments behind its name and says how the process ends, and a line
//! in `VERBS`.
#![deny(unsafe_code)]

pub mod cargo;
#[cfg(target_os = "linux")]
pub mod dump;
#[cfg(target_os = "linux")]
mod json;
pub mod prove;
#[cfg(target_os = "linux")]
pub mod ps;
pub mod run;
#[cfg(target_os = "linux")]
mod see;
mod sources;
#[cfg(target_os = "linux")]
pub mod stacks;
#[cfg(target_os = "linux")]
pub mod top;
pub mod trace;

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::process::ExitCode;

/// The exit status where a command line is not understood.
const USAGE: u8 = 2;

struct Verb {
    name: &'static str,
    what: &'static str,
    main: fn(Vec<OsString>) -> ExitCode,
}

const VERBS: &[Verb] = &[
    Verb { name: "run", what: "runs a program with green threads", main: run::main },
    Verb { name: "cargo", what: "runs a command of cargo on the mirror", main: cargo::main },
    #[cfg(target_os = "linux")]
    Verb { name: "ps", what: "lists the green threads of a process", main: ps::main },
    #[cfg(target_os = "linux")]
    Verb { name: "stacks", what: "shows where each of them is", main: stacks::main },
    #[cfg(target_os = "linux")]
    Verb { name: "top", what: "shows what workers and threads do, and refreshes", main: top::main },
    #[cfg(target_os = "linux")]
    Verb { name: "dump", what: "writes what is known of them, as JSON", main: dump::main },
    Verb { name: "prove", what: "says whether a program is an event loop", main: prove::main },
    Verb { name: "trace", what: "shows how a run went that was recorded", main: trace::main },
];

/// What the program does, given the arguments behind its name.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut args = args.into_iter();
    let first = args.next();
    match first.as_ref().map(|first| first.to_string_lossy()).as_deref() {
        Some("--help" | "-h" | "help") => told(&help()),
        Some("--version" | "-V") => told(concat!("sylvan ", env!("CARGO_PKG_VERSION"), "\n")),
        Some(name) => match VERBS.iter().find(|verb| verb.name == name) {
            Some(verb) => (verb.main)(args.collect()),
            // What `run` starts to see whether it can be done; nobody else does.
            None if name == run::PROBE => run::probe(),
            None if name.starts_with('-') => {
                not_understood(&unexpected(first.as_deref().unwrap_or_default()), "sylvan --help")
            }
            None => not_understood(&format!("there is no `sylvan {name}`"), "sylvan --help"),
        },
        None => not_understood("expected a verb", "sylvan --help"),
    }
}

fn help() -> String {
    let line = |Verb { name, what, .. }: &Verb| format!("  {name:<8}{what}\n");
    let verbs: String = VERBS.iter().map(line).collect();
    format!(
        "Green threads for programs as they are.\n\n\
         usage: sylvan VERB [ARGS...]\n\n\
         {verbs}\n\
         `sylvan VERB --help` says more; `sylvan --version` says which one this is.\n"
    )
}

/// Prints a text. Whoever reads it may have seen enough: that is no error.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Prints what was asked for and no more: a help, a version.
fn told(text: &str) -> ExitCode {
    match print(text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("error: {error}: what was asked for cannot be written"));
            ExitCode::FAILURE
        }
    }
}

/// Says something that is no output, in a line. Where nobody hears it that is no error of its own.
fn complain(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// Says what is wrong with a command line, and where to read how it has to be.
fn not_understood(error: &str, help: &str) -> ExitCode {
    complain(&format!("error: {error} (see `{help}`)"));
    ExitCode::from(USAGE)
}

/// Whether what is said behind a verb asks for its help.
fn asks_for_help(args: &[OsString]) -> bool {
    args.iter().any(|arg| arg == "--help" || arg == "-h")
}

/// What is wrong with an argument that means nothing here.
fn unexpected(argument: &OsStr) -> String {
    format!("unexpected argument `{}`", argument.display())
}

/// The architecture that this is for, as ELF files name it.
fn machine() -> u16 {
    if cfg!(target_arch = "aarch64") { object::elf::EM_AARCH64 } else { object::elf::EM_X86_64 }
}

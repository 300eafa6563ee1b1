//! `sylvan ps`: the green threads of a process, a line for each.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use sylvan_sight::threads::{self, Thread};

use crate::not_understood;
use crate::see::{self, Process, Refusal};

const HELP: &str = "\
Lists the green threads of a process, and what each waits for.

usage: sylvan ps PID
       sylvan ps --core FILE PROGRAM

  --core FILE PROGRAM    what is left of a process: a core file, and the program
                         that it was
  --help                 this text

It reads the memory of the process, which goes on meanwhile; nothing runs in it and
it is not stopped. Whoever may debug the process may look.

The exit status is 0 if the threads are listed, 2 if the command line is not
understood, and else:

";

/// Lists the threads, given the arguments behind the verb.
pub fn main(args: Vec<OsString>) -> ExitCode {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{HELP}{}", see::statuses());
        return ExitCode::SUCCESS;
    }
    let target = match see::target(&args) {
        Ok(target) => target,
        Err(error) => return not_understood(&error, "sylvan ps --help"),
    };
    match Process::open(&target).and_then(|process| list(&process)) {
        Ok(text) => {
            // Whoever reads it may have seen enough.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            eprintln!("error: {refusal}");
            ExitCode::from(refusal.status())
        }
    }
}

fn list(process: &Process) -> Result<String, Refusal> {
    let mut text = String::new();
    for runtime in &process.runtimes {
        let found =
            threads::threads(process, &runtime.table).map_err(|error| process.unreadable(error))?;
        let workers =
            threads::workers(process, &runtime.table).map_err(|error| process.unreadable(error))?;
        let (whose, object) = (process.whose(), runtime.object.display());
        let (n, n_workers) = (found.len(), workers.len());
        let _ =
            writeln!(text, "{whose}: {n} green threads, {n_workers} workers (runtime in {object})");
        let _ = writeln!(
            text,
            "{:>8}  {:<20}  {:<12}  {:>4}  WAITS FOR",
            "ID", "NAME", "STATE", "CORE"
        );
        for thread in &found {
            line(&mut text, thread);
        }
    }
    Ok(text)
}

fn line(text: &mut String, thread: &Thread) {
    let Thread { id, name, state, reason, core, .. } = thread;
    let name = name.as_deref().unwrap_or("-");
    let core = core.map_or("-".to_owned(), |core| core.to_string());
    let reason = reason.map_or("", |reason| reason.text());
    let _ = writeln!(text, "{id:>8}  {name:<20}  {:<12}  {core:>4}  {reason}", state.text());
}

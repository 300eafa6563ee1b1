//! `sylvan ps`: the green threads of a process, a line for each.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::ExitCode;

use sylvan_sight::threads::Thread;

use crate::see::{self, Account, Process, Refusal};

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
    see::show(args, "ps", HELP, list)
}

fn list(process: &Process) -> Result<String, Refusal> {
    let mut text = String::new();
    for runtime in &process.runtimes {
        let account = Account::of(process, runtime).map_err(|error| process.unreadable(error))?;
        let (whose, object) = (process.whose(), runtime.object.display());
        let (n, n_workers) = (account.rows.len(), account.workers.len());
        let _ =
            writeln!(text, "{whose}: {n} green threads, {n_workers} workers (runtime in {object})");
        for circle in &account.circles {
            let _ = writeln!(text, "{}", account.circle(circle));
        }
        let _ = writeln!(
            text,
            "{:>8}  {:<20}  {:<12}  {:>4}  WAITS FOR",
            "ID", "NAME", "STATE", "CORE"
        );
        for row in &account.rows {
            let Thread { id, name, state, core, .. } = &row.thread;
            let name = name.as_deref().unwrap_or("-");
            let core = core.map_or("-".to_owned(), |core| core.to_string());
            let (state, words) = (state.text(), account.words(row));
            let line = format!("{id:>8}  {name:<20}  {state:<12}  {core:>4}  {words}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    Ok(text)
}

//! `sylvan ps`: the green threads of a process, a line for each.

use std::ffi::OsString;
use std::process::ExitCode;

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
    see::show(args, "ps", HELP, list)
}

fn list(process: &Process) -> Result<String, Refusal> {
    let mut text = String::new();
    for runtime in &process.runtimes {
        let account = process.account(runtime)?;
        text += &account.list(&process.whose(), &runtime.object);
    }
    Ok(text)
}

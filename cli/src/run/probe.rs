//! Whether the runtime starts here, tried in a child: what forbids it there (a filter, a limit) forbids it in
//! the program, which inherits the same.
//!
//! The child is this program again. It starts a thread, with the library and in the environment that are
//! meant for the program. If that is no green one the library says why, on standard error, and so does
//! the loader where it does not take the library. Silence is consent.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Command, ExitCode, Stdio};
use std::thread;

use super::refuse::{Reason, Refusal};

/// What the child is told.
pub(crate) const VERB: &str = "start-a-thread";

/// How the library begins the line that says why.
const NOT_GREEN: &str = "sylvan: threads are OS threads: ";

/// What the child does.
pub(crate) fn main() -> ExitCode {
    match thread::Builder::new().spawn(|| {}).map(thread::JoinHandle::join) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The value of a variable, which names the file that the program will have, if it names one by a number: the program
/// will have the number of this process, and the child leaves no file of its own.
fn of_program(name: &OsStr, value: OsString) -> OsString {
    match value.to_str() {
        Some(file) if name == "SYLVAN_TRACE" || name == "SYLVAN_DUMP_FILE" => {
            file.replace("%p", &process::id().to_string()).into()
        }
        _ => value,
    }
}

/// Starts the child with the environment of `program`.
///
/// # Errors
///
/// The runtime does not start here.
pub(crate) fn run(program: &Command) -> Result<(), Refusal> {
    let refuse = |detail: String| Err(Refusal { reason: Reason::NoStart, detail });
    let child = env::current_exe().and_then(|this| {
        let mut command = Command::new(this);
        let set = program.get_envs().map(|(name, value)| (name, value.unwrap_or_default()));
        let set = set.map(|(name, value)| (name.to_owned(), value.to_owned()));
        for (name, value) in env::vars_os().chain(set) {
            let value = of_program(&name, value);
            command.env(name, value);
        }
        command.arg(VERB).stdin(Stdio::null()).stdout(Stdio::null()).output()
    });
    let output = match child {
        Ok(output) => output,
        Err(error) => return refuse(format!("this program cannot start itself: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim_end();
    if !said.is_empty() {
        let why = said.strip_prefix(NOT_GREEN).unwrap_or(said);
        return refuse(format!("the runtime does not start here: {why}"));
    }
    if output.status.success() {
        return Ok(());
    }
    let how = match output.status.signal() {
        Some(signal) => format!("signal {signal} ended a child that tried"),
        None => "a child that tried failed".to_owned(),
    };
    refuse(format!("the runtime does not start here: {how}"))
}

//! `sylvan run PROGRAM ARGS`: a program as it is, its threads green.
//!
//! It becomes the program (`exec`: the same process, terminal and signals, and the exit status is the
//! program's), with `libsylvan_preload.so` before all other libraries.
//!
//! 1. The program is found, as a shell finds it (`find`), and what would run it if it is a script.
//! 2. What cannot be made green is refused (`refuse`), by what its file says (`elf`). So nothing starts
//!    that would run on OS threads without a word.
//! 3. The library is found, or built (`library`).
//! 4. A child of this very program starts a thread with the library (`probe`): if the runtime does not
//!    start here, it says so before the program does.
//!
//! What the program starts itself is not looked at. The library goes along with the environment.

mod elf;
mod find;
mod library;
mod probe;
mod refuse;

use std::convert::Infallible;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use self::elf::Object;
use self::refuse::{Reason, Refusal};
use crate::{complain, not_understood, told, unexpected};

pub(crate) use self::probe::{VERB as PROBE, main as probe};

const PRELOAD: &str = "LD_PRELOAD";

const HELP: &str = "\
Runs a program as it is, with green threads instead of OS threads: a few OS threads and an event loop
run all that it starts.

usage: sylvan run [options] PROGRAM [ARGS...]

  --workers N            how many OS threads run green threads (default: one for each processor)
  --max-threads N        how many OS threads there may be (default 512)
  --warn-blocking TIME   warns of what holds an OS thread for longer (`100ms`)
  --help                 this text

The options are those of the environment: SYLVAN_WORKERS, SYLVAN_MAX_THREADS, SYLVAN_WARN_BLOCKING.
SYLVAN_PRELOAD=off there turns it off, for what the program starts, too.

The exit status is the program's. Before the program starts it is:

";

struct Options {
    environment: Vec<(&'static str, OsString)>,
    program: OsString,
    args: Vec<OsString>,
}

/// Becomes a program with green threads, given the arguments behind the verb.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let options = match parse(args) {
        Ok(Some(options)) => options,
        Ok(None) => {
            return told(&format!("{HELP}{}", refuse::table()));
        }
        Err(error) => return not_understood(&error, "sylvan run --help"),
    };
    match run(&options) {
        Ok(never) => match never {},
        Err(refusal) => {
            complain(&format!("sylvan: {refusal}"));
            ExitCode::from(refusal.reason.status())
        }
    }
}

fn parse(args: Vec<OsString>) -> Result<Option<Options>, String> {
    let mut environment = Vec::new();
    let mut args = args.into_iter();
    let program = loop {
        let arg = args.next().ok_or("expected a program")?;
        let variable = match &*arg.to_string_lossy() {
            "--workers" => "SYLVAN_WORKERS",
            "--max-threads" => "SYLVAN_MAX_THREADS",
            "--warn-blocking" => "SYLVAN_WARN_BLOCKING",
            "--help" | "-h" => return Ok(None),
            "--" => break args.next().ok_or("expected a program after `--`")?,
            option if option.starts_with('-') => {
                return Err(unexpected(option.as_ref()));
            }
            _ => break arg,
        };
        let value = args.next();
        environment.push((
            variable,
            value.ok_or_else(|| format!("`{}` expected a value", arg.display()))?,
        ));
    };
    Ok(Some(Options { environment, program, args: args.collect() }))
}

/// Becomes the program.
fn run(options: &Options) -> Result<Infallible, Refusal> {
    let path = find::program(&options.program)?;
    let mut command = Command::new(&path);
    command.arg0(&options.program).args(&options.args);
    command.envs(options.environment.iter().map(|(name, value)| (name, value)));

    let mut has_runtime = false;
    for file in find::what_runs(&path)? {
        let object = Object::read(&file)?;
        refuse::check(&file, &object)?;
        has_runtime = object.has_runtime;
    }
    if has_runtime {
        let path = path.display();
        complain(&format!("sylvan: {path} has the runtime in it already, and starts as it is"));
    } else {
        refuse::check_machine()?;
        let preload = with_others(library::find()?, env::var_os(PRELOAD));
        command.env(PRELOAD, &preload);
        probe::run(&command)?;
    }
    let error = command.exec();
    let reason = match error.kind() {
        ErrorKind::NotFound => Reason::NotFound,
        _ => Reason::NotExecutable,
    };
    Err(reason.of(&path, &error.to_string()))
}

/// The library, before those that are there already.
fn with_others(library: PathBuf, others: Option<OsString>) -> OsString {
    let mut all = library.into_os_string();
    if let Some(others) = others.filter(|others| !others.is_empty()) {
        all.push(OsStr::new(":"));
        all.push(others);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str]) -> Result<Option<Options>, String> {
        parse(args.iter().map(Into::into).collect())
    }

    #[test]
    fn options_end_where_the_program_begins() {
        let options = parsed(&["--workers", "3", "prog", "--workers", "4"]).unwrap().unwrap();
        assert_eq!(options.environment, [("SYLVAN_WORKERS", "3".into())]);
        assert_eq!(
            (options.program, options.args),
            ("prog".into(), vec!["--workers".into(), "4".into()])
        );
        let options = parsed(&["--", "--prog"]).unwrap().unwrap();
        assert_eq!(options.program, "--prog");
        assert!(parsed(&["--help", "prog"]).unwrap().is_none());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (args, error) in [
            (&[][..], "expected a program"),
            (&["--"], "expected a program after `--`"),
            (&["--workers"], "`--workers` expected a value"),
            (&["--fast", "prog"], "unexpected argument `--fast`"),
        ] {
            assert_eq!(parsed(args).err().unwrap(), error);
        }
    }

    #[test]
    fn the_library_comes_before_others() {
        let library = || PathBuf::from("/l.so");
        assert_eq!(with_others(library(), None), "/l.so");
        assert_eq!(with_others(library(), Some("".into())), "/l.so");
        assert_eq!(with_others(library(), Some("a.so b.so".into())), "/l.so:a.so b.so");
    }
}

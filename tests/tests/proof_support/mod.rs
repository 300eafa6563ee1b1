//! What the proofs share: a program under the tracer, and where the programs are.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use sylvan_cli::prove::{Error, Traced};

/// Starts a program under the tracer and returns it with the first line it prints. Where the
/// tracer is missing, says so, and how to get it; there the proof is not given.
pub(crate) fn start(program: &Path, args: &[&str]) -> Option<(Traced, String)> {
    let mut traced = match Traced::start(program, args, Stdio::piped()) {
        Ok(traced) => traced,
        Err(Error::NoTracer(how_to_get_it)) => {
            // Written, not printed: the test harness would keep it to itself.
            writeln!(io::stderr(), "SKIPPED, nothing was proved: {how_to_get_it}").expect("stderr");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let mut line = String::new();
    let mut stdout = BufReader::new(traced.stdout().expect("standard output is piped"));
    stdout.read_line(&mut line).expect("a line of the program");
    assert!(!line.is_empty(), "{} printed nothing and ended", program.display());
    Some((traced, line.trim_end().to_owned()))
}

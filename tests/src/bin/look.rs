//! `sylvan`, where tests of this package find it.
#![deny(unsafe_code)]

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    sylvan_cli::main(env::args_os().skip(1))
}

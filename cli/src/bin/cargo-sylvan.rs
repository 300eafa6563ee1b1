//! `cargo sylvan COMMAND`: what cargo runs for its command of this name, the same as `sylvan cargo`.
#![deny(unsafe_code)]

use std::env;
use std::process::ExitCode;

fn main() -> ExitCode {
    sylvan_cli::cargo::main(env::args_os().skip(1).collect())
}

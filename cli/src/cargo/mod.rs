//! `cargo sylvan COMMAND`: cargo's own command, with `std-shim` in the place of std, for a program
//! and for all its dependencies.
//!
//! # The idea
//!
//! `--extern std=FILE` tells the compiler which library a crate means by `std`. It is what cargo
//! says for a dependency that is renamed to `std`; here every crate hears it, in `RUSTFLAGS`. It
//! holds for each edition, for paths in macros, and for `extern crate std` in a crate that is
//! `no_std`.
//!
//! # What is done
//!
//! 1. `std-shim` is built with the real std, in a target directory of its own, for it and its
//!    dependencies cannot stand on themselves (`mirror`).
//! 2. Cargo runs with the flags that name it (`flags`), and with a target. Where it has been told
//!    one, even this machine's own, cargo keeps what runs while building (build scripts, procedural
//!    macros and their dependencies) apart, and gives them no `RUSTFLAGS`. So they keep the real
//!    std, and nothing of the runtime gets into the compiler.

mod arguments;
mod configuration;
mod flags;
mod mirror;

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use self::arguments::Arguments;
use self::configuration::Configuration;
use self::mirror::Mirror;
use crate::sources::{self, Compiler, cannot_run};
use crate::{USAGE, complain, told};

const HELP: &str = "\
Runs a command of cargo with a std in which everything that blocks is green, for the program and
for all its dependencies.

usage: cargo sylvan COMMAND [ARGS...]
       sylvan cargo COMMAND [ARGS...]

  cargo sylvan run --release
  cargo sylvan test
  cargo sylvan build --target x86_64-unknown-linux-musl

What it builds is below `target/TARGET/`, as for any build with `--target`. Targets and flags are those
that cargo would take, from its configuration or from the environment; one target at a time. A
command that compiles nothing (`fmt`, `clean`, `metadata`, …) is cargo's own.

The mirror is built when it is first needed, in the user's cache or below CARGO_TARGET_DIR, from its
packages; SYLVAN_SOURCES names a checkout to build it from.
";

/// Runs a command of cargo's, given the arguments behind the verb.
pub fn main(args: Vec<OsString>) -> ExitCode {
    let Some(arguments) = Arguments::parse(args) else {
        return told(HELP);
    };
    match run(&arguments) {
        Ok(never) => match never {},
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    complain(&format!("error: {error}"));
    ExitCode::from(USAGE)
}

/// Builds the mirror, if it is needed, and becomes cargo.
fn run(arguments: &Arguments) -> Result<Infallible, String> {
    let cargo = sources::cargo();
    let mut command = Command::new(&cargo);
    command.args(&arguments.cargos);
    if arguments.builds {
        let configuration = Configuration::read(&arguments.cargos);
        let compiler = Compiler::ask()?;
        let target = arguments.target(&configuration)?.unwrap_or_else(|| compiler.host.clone());
        let flags = flags::RUST.find(&configuration, &target)?;
        let docs = flags::RUSTDOC.find(&configuration, &target)?;
        let mirror = Mirror::build(&compiler, &target, &flags)?.flags();
        command.env("CARGO_BUILD_TARGET", &target);
        flags::RUST.set_for(&mut command, &[flags, mirror.clone()].concat());
        flags::RUSTDOC.set_for(&mut command, &[docs, mirror].concat());
    }
    Err(cannot_run(&cargo, &command.exec()))
}

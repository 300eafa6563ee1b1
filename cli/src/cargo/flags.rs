//! The flags that cargo hands to the compiler and to rustdoc.
//!
//! Cargo takes them from one place only, the first of: `CARGO_ENCODED_RUSTFLAGS`, `RUSTFLAGS`, the
//! configuration files. The mirror's go to the first, behind what the first two hold.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variables of the compiler's flags.
pub(crate) const RUST: Variable =
    Variable { encoded: "CARGO_ENCODED_RUSTFLAGS", plain: "RUSTFLAGS" };
/// The variables of rustdoc's, which compiles the examples in documentation.
pub(crate) const RUSTDOC: Variable =
    Variable { encoded: "CARGO_ENCODED_RUSTDOCFLAGS", plain: "RUSTDOCFLAGS" };

/// What stands between two flags in an encoded variable.
const SEPARATOR: &str = "\x1f";

/// A pair of variables that hold flags.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable {
    encoded: &'static str,
    plain: &'static str,
}

/// Flags, and the variable that they are for.
#[derive(Debug)]
pub(crate) struct Flags {
    variable: Variable,
    flags: Vec<OsString>,
}

impl Flags {
    /// Returns those that the environment holds.
    pub(crate) fn of_environment(variable: Variable) -> Self {
        let split = |name, separator: &str| -> Option<Vec<OsString>> {
            let value = env::var_os(name)?;
            let value = value.to_string_lossy();
            let flags = value.split(separator).map(str::trim).filter(|flag| !flag.is_empty());
            Some(flags.map(OsString::from).collect())
        };
        let flags = split(variable.encoded, SEPARATOR).or_else(|| split(variable.plain, " "));
        Self { variable, flags: flags.unwrap_or_default() }
    }

    /// Returns these, followed by `more`.
    #[must_use]
    pub(crate) fn and(mut self, more: impl IntoIterator<Item = OsString>) -> Self {
        self.flags.extend(more);
        self
    }

    /// Puts them into the environment of `command`.
    pub(crate) fn set_for(&self, command: &mut Command) {
        command.env(self.variable.encoded, self.flags.join(SEPARATOR.as_ref()));
    }
}

/// Says which configuration files have flags that cargo will not take, for the environment has some.
pub(crate) fn warn_of_configured() {
    let in_use = [RUST.encoded, RUST.plain].into_iter().any(|name| env::var_os(name).is_some());
    if in_use {
        return;
    }
    for file in configuration_files() {
        if fs::read_to_string(&file).is_ok_and(|text| sets_flags(&text)) {
            eprintln!(
                "warning: `rustflags` of {} is not in use here; say it in RUSTFLAGS",
                file.display()
            );
        }
    }
}

/// Whether a configuration has flags for the compiler.
fn sets_flags(configuration: &str) -> bool {
    configuration.lines().any(|line| line.trim_start().starts_with("rustflags"))
}

/// Where cargo looks for its configuration: here, in each folder above, and at home.
fn configuration_files() -> Vec<PathBuf> {
    let here = env::current_dir().unwrap_or_default();
    let mut folders: Vec<PathBuf> = here.ancestors().map(|folder| folder.join(".cargo")).collect();
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")));
    folders.extend(home);
    folders.dedup();
    folders.iter().flat_map(|folder| [folder.join("config.toml"), folder.join("config")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_with_flags_is_recognized() {
        assert!(sets_flags("[build]\n  rustflags = [\"-g\"]\n"));
        assert!(!sets_flags("[build]\n# rustflags = []\ntarget = \"rustflags\"\n"));
    }

    #[test]
    fn flags_are_set_one_by_one_behind_what_there_was() {
        let flags = Flags { variable: RUST, flags: vec!["-g".into()] };
        let mut command = Command::new("cargo");
        flags.and(["--cfg".into(), "a b".into()]).set_for(&mut command);
        let set: Vec<_> = command.get_envs().collect();
        let expected = OsString::from("-g\x1f--cfg\x1fa b");
        assert_eq!(set, [("CARGO_ENCODED_RUSTFLAGS".as_ref(), Some(expected.as_os_str()))]);
    }
}

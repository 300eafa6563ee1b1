//! What the tool has been told.

use std::env;
use std::ffi::OsString;

use super::configuration::Configuration;

/// What of cargo's compiles nothing. All else gets the mirror: aliases, and commands of other people's, too.
const WITHOUT_A_BUILD: [&str; 28] = [
    "add",
    "clean",
    "config",
    "fetch",
    "fmt",
    "generate-lockfile",
    "help",
    "info",
    "init",
    "locate-project",
    "login",
    "logout",
    "metadata",
    "new",
    "owner",
    "pkgid",
    "read-manifest",
    "remove",
    "report",
    "rm",
    "search",
    "tree",
    "uninstall",
    "update",
    "vendor",
    "verify-project",
    "version",
    "yank",
];

/// Options of cargo's before a command that have a value behind them.
const WITH_A_VALUE: [&str; 5] = ["--color", "--config", "--explain", "-C", "-Z"];

/// The name of this machine's target, whichever that is.
const HOST: &str = "host-tuple";

/// A command of cargo's.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// What goes to cargo, as it came.
    pub(crate) cargos: Vec<OsString>,
    /// Something is compiled.
    pub(crate) builds: bool,
}

impl Arguments {
    /// Reads what stands behind the verb; nothing where help is wanted.
    pub(crate) fn parse(mut cargos: Vec<OsString>) -> Option<Self> {
        // Cargo runs `cargo-sylvan sylvan …` for `cargo sylvan …`.
        if cargos.first().is_some_and(|first| first == "sylvan") {
            cargos.remove(0);
        }
        if matches!(cargos.first().and_then(|first| first.to_str()), None | Some("--help" | "-h")) {
            return None;
        }
        let builds =
            command(&cargos).is_some_and(|command| !WITHOUT_A_BUILD.contains(&command.as_str()));
        Some(Self { cargos, builds })
    }

    /// Which target it is for, if it is not this machine: what the arguments name, or the environment, or the
    /// configuration.
    ///
    /// # Errors
    ///
    /// Several are named, in words.
    pub(crate) fn target(&self, configuration: &Configuration) -> Result<Option<String>, String> {
        let by_arguments = values_of(&self.cargos, "--target");
        let by_environment = env::var("CARGO_BUILD_TARGET").ok().filter(|it| !it.is_empty());
        let (targets, where_from) = if !by_arguments.is_empty() {
            (by_arguments, "--target")
        } else if let Some(target) = by_environment {
            (vec![target], "CARGO_BUILD_TARGET")
        } else {
            (configuration.targets(), "build.target")
        };
        match targets.as_slice() {
            [] => Ok(None),
            [target] if target == HOST => Ok(None),
            [target] => Ok(Some(target.clone())),
            several => {
                let names = several.join("`, `");
                Err(format!("expected one target at a time, got `{names}` by `{where_from}`"))
            }
        }
    }
}

/// The first word that is no option, nor the value of one.
fn command(cargos: &[OsString]) -> Option<String> {
    let mut args = cargos.iter().map(|arg| arg.to_string_lossy());
    while let Some(arg) = args.next() {
        if WITH_A_VALUE.contains(&&*arg) {
            args.next();
        } else if !arg.starts_with(['-', '+']) {
            return Some(arg.into_owned());
        }
    }
    None
}

/// The values that an option of cargo's has, up to what is the program's.
pub(super) fn values_of(cargos: &[OsString], option: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut args = cargos.iter().map(|arg| arg.to_string_lossy()).take_while(|arg| arg != "--");
    while let Some(arg) = args.next() {
        if arg == option {
            // Where there is none, cargo says so.
            values.extend(args.next().map(|value| value.into_owned()));
        } else if let Some(value) = arg.strip_prefix(option).and_then(|it| it.strip_prefix('=')) {
            values.push(value.to_owned());
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Option<Arguments> {
        Arguments::parse(args.iter().map(Into::into).collect())
    }

    fn target(args: &[&str]) -> Result<Option<String>, String> {
        parse(args).unwrap().target(&Configuration::default())
    }

    #[test]
    fn cargos_command_comes_out_as_it_went_in() {
        for args in [&["sylvan", "run", "--", "--help"][..], &["run", "--", "--help"]] {
            assert_eq!(parse(args).unwrap().cargos, ["run", "--", "--help"]);
        }
    }

    #[test]
    fn a_target_is_found_in_both_spellings() {
        assert_eq!(target(&["sylvan", "build", "--target", "a-b", "-q"]).unwrap().unwrap(), "a-b");
        assert_eq!(target(&["sylvan", "build", "--target=a-b"]).unwrap().unwrap(), "a-b");
        assert!(target(&["build", "--target=host-tuple"]).unwrap().is_none());
    }

    #[test]
    fn what_follows_two_dashes_is_the_programs() {
        let found = target(&["run", "--target", "mine", "--", "--target", "its"]);
        assert_eq!(found.unwrap().unwrap(), "mine");
    }

    #[test]
    fn two_targets_are_too_many() {
        let error = target(&["build", "--target", "a", "--target=b"]).unwrap_err();
        assert_eq!(error, "expected one target at a time, got `a`, `b` by `--target`");
    }

    #[test]
    fn without_a_command_there_is_help() {
        for args in [&[][..], &["sylvan"], &["sylvan", "--help"], &["-h"]] {
            assert!(parse(args).is_none(), "{args:?}");
        }
    }

    #[test]
    fn only_what_compiles_needs_the_mirror() {
        for args in [
            &["sylvan", "fmt"][..],
            &["clean", "-p", "a"],
            &["--version"],
            &["-V"],
            &["--config", "build", "--color=always", "metadata"],
            &["--list"],
        ] {
            assert!(!parse(args).unwrap().builds, "{args:?}");
        }
        for args in [&["b"][..], &["-q", "build"], &["nextest", "run"], &["-Z", "x", "clippy"]] {
            assert!(parse(args).unwrap().builds, "{args:?}");
        }
    }
}

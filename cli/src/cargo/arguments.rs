//! What the tool has been told.

use std::env;
use std::ffi::OsString;

/// A command of cargo's, and for which platform it is.
#[derive(Debug)]
pub(crate) struct Arguments {
    /// What goes to cargo, as it came.
    pub(crate) cargos: Vec<OsString>,
    /// The target it names, or the environment; none if it is this machine.
    pub(crate) target: Option<String>,
}

impl Arguments {
    /// Reads what stands behind the verb; nothing where help is wanted.
    ///
    /// # Errors
    ///
    /// Where there are several targets, or one has no name.
    pub(crate) fn parse(mut cargos: Vec<OsString>) -> Result<Option<Self>, String> {
        // Cargo runs `cargo-sylvan sylvan …` for `cargo sylvan …`.
        if cargos.first().is_some_and(|first| first == "sylvan") {
            cargos.remove(0);
        }
        if matches!(cargos.first().and_then(|first| first.to_str()), None | Some("--help" | "-h")) {
            return Ok(None);
        }
        let target = match Self::targets(&cargos)?.as_slice() {
            [] => env::var("CARGO_BUILD_TARGET").ok().filter(|target| !target.is_empty()),
            [target] => Some(target.clone()),
            several => {
                let names = several.join("`, `");
                return Err(format!("expected one `--target` at a time, got `{names}`"));
            }
        };
        Ok(Some(Self { cargos, target }))
    }

    /// The targets that cargo is told, up to what is the program's.
    fn targets(cargos: &[OsString]) -> Result<Vec<String>, String> {
        let mut targets = Vec::new();
        let mut args = cargos.iter().map(|arg| arg.to_string_lossy()).take_while(|arg| arg != "--");
        while let Some(arg) = args.next() {
            if arg == "--target" {
                let name = args.next().ok_or("`--target` expected a name")?;
                targets.push(name.into_owned());
            } else if let Some(name) = arg.strip_prefix("--target=") {
                targets.push(name.to_owned());
            }
        }
        Ok(targets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Option<Arguments>, String> {
        Arguments::parse(args.iter().map(|arg| (*arg).into()).collect())
    }

    fn target(args: &[&str]) -> Option<String> {
        parse(args).unwrap().unwrap().target
    }

    #[test]
    fn cargos_command_comes_out_as_it_went_in() {
        for args in [&["sylvan", "run", "--", "--help"][..], &["run", "--", "--help"]] {
            assert_eq!(parse(args).unwrap().unwrap().cargos, ["run", "--", "--help"]);
        }
    }

    #[test]
    fn a_target_is_found_in_both_spellings() {
        assert_eq!(target(&["sylvan", "build", "--target", "a-b", "-q"]).unwrap(), "a-b");
        assert_eq!(target(&["sylvan", "build", "--target=a-b"]).unwrap(), "a-b");
    }

    #[test]
    fn what_follows_two_dashes_is_the_programs() {
        assert_eq!(target(&["run", "--target", "mine", "--", "--target", "its"]).unwrap(), "mine");
    }

    #[test]
    fn two_targets_are_too_many() {
        let error = parse(&["build", "--target", "a", "--target=b"]).unwrap_err();
        assert_eq!(error, "expected one `--target` at a time, got `a`, `b`");
    }

    #[test]
    fn a_target_without_a_name_is_an_error() {
        assert_eq!(parse(&["build", "--target"]).unwrap_err(), "`--target` expected a name");
    }

    #[test]
    fn without_a_command_there_is_help() {
        for args in [&[][..], &["sylvan"], &["sylvan", "--help"], &["-h"]] {
            assert!(parse(args).unwrap().is_none(), "{args:?}");
        }
    }
}

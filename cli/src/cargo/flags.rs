//! The flags that cargo hands to the compiler and to rustdoc.
//!
//! Cargo takes them from one place only, the first of: `CARGO_ENCODED_RUSTFLAGS`, `RUSTFLAGS`, the
//! configuration (`configuration`). So what cargo would take is found, and goes to the first of these
//! with the mirror's flags behind it.

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::str::FromStr;

use cargo_platform::Cfg;

use super::configuration::Configuration;
use crate::sources;

/// The compiler's flags.
pub(crate) const RUST: Kind =
    Kind { encoded: "CARGO_ENCODED_RUSTFLAGS", plain: "RUSTFLAGS", configured: "rustflags" };
/// rustdoc's, which compiles the examples in documentation.
pub(crate) const RUSTDOC: Kind = Kind {
    encoded: "CARGO_ENCODED_RUSTDOCFLAGS",
    plain: "RUSTDOCFLAGS",
    configured: "rustdocflags",
};

/// What stands between two flags in an encoded variable.
const SEPARATOR: &str = "\x1f";

/// What is long for `-A`, `-W`, `-D`, `-F`, each with a lint behind it.
const LINTS: [&str; 5] = ["--allow", "--warn", "--deny", "--forbid", "--cap-lints"];

/// The two variables that hold flags, and their key in the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    encoded: &'static str,
    plain: &'static str,
    configured: &'static str,
}

impl Kind {
    /// Returns the flags that cargo would take for a target.
    ///
    /// # Errors
    ///
    /// The compiler does not say what holds for the target, in words.
    pub(crate) fn find(
        self,
        configuration: &Configuration,
        target: &str,
    ) -> Result<Vec<OsString>, String> {
        let split = |name, separator: &str| -> Option<Vec<OsString>> {
            let value = env::var_os(name)?;
            let value = value.to_string_lossy();
            let flags = value.split(separator).map(str::trim).filter(|flag| !flag.is_empty());
            Some(flags.map(OsString::from).collect())
        };
        if let Some(flags) = split(self.encoded, SEPARATOR).or_else(|| split(self.plain, " ")) {
            return Ok(flags);
        }
        let flags = configuration.flags(self.configured, target, || cfgs(target))?;
        Ok(flags.into_iter().map(OsString::from).collect())
    }

    /// Puts flags into the environment of `command`.
    pub(crate) fn set_for(self, command: &mut Command, flags: &[OsString]) {
        command.env(self.encoded, flags.join(SEPARATOR.as_ref()));
    }
}

/// What holds for a target.
fn cfgs(target: &str) -> Result<Vec<Cfg>, String> {
    let said = sources::rustc(&["--print", "cfg", "--target", target])?;
    Ok(said.lines().filter_map(|line| Cfg::from_str(line).ok()).collect())
}

/// The flags without those that say what to think of code: the mirror's is not the program's.
pub(crate) fn without_lints(flags: &[OsString]) -> Vec<OsString> {
    let mut kept = Vec::new();
    let mut flags = flags.iter();
    while let Some(flag) = flags.next() {
        let text = flag.to_string_lossy();
        if LINTS.contains(&&*text) || matches!(&*text, "-A" | "-W" | "-D" | "-F") {
            // Its lint.
            flags.next();
        } else if !["-A", "-W", "-D", "-F"].iter().any(|short| text.starts_with(short))
            && !LINTS
                .iter()
                .any(|long| text.strip_prefix(long).is_some_and(|rest| rest.starts_with('=')))
        {
            kept.push(flag.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_set_one_by_one() {
        let mut command = Command::new("cargo");
        RUST.set_for(&mut command, &["-g".into(), "--cfg".into(), "a b".into()]);
        let set: Vec<_> = command.get_envs().collect();
        let expected = OsString::from("-g\x1f--cfg\x1fa b");
        assert_eq!(set, [("CARGO_ENCODED_RUSTFLAGS".as_ref(), Some(expected.as_os_str()))]);
    }

    #[test]
    fn what_is_said_of_lints_is_left_out_in_each_spelling() {
        let flags =
            "-Dwarnings -g -D warnings --deny=a --cfg x --cap-lints warn -Copt-level=1 -A b";
        let flags: Vec<OsString> = flags.split(' ').map(OsString::from).collect();
        assert_eq!(without_lints(&flags), ["-g", "--cfg", "x", "-Copt-level=1"]);
    }
}

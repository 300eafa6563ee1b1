//! What cargo's configuration says about flags and targets.
//!
//! Cargo goes by several places, the nearest last: the files in `CARGO_HOME` and in each folder from the root to
//! here, what its `--config` says, and the environment. Flags it takes from the first of
//! these that has any:
//!
//! 1. `CARGO_ENCODED_RUSTFLAGS`, 2. `RUSTFLAGS` (both in `flags`),
//! 3. `target.TRIPLE.rustflags`, along with those of each `target.'cfg(…)'` that holds,
//! 4. `build.rustflags`.
//!
//! What is wrong with a file cargo says better: here it counts as empty.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use cargo_platform::{Cfg, Platform};
use toml::{Table, Value};

use super::arguments;

/// All that is said, the nearest last.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    tables: Vec<Table>,
}

impl Configuration {
    /// Reads what holds for a command of cargo's in the current folder.
    pub(crate) fn read(cargos: &[OsString]) -> Self {
        let mut all = Self::default();
        for file in files() {
            all.add_file(&file);
        }
        for said in arguments::values_of(cargos, "--config") {
            if Path::new(&said).is_file() {
                all.add_file(Path::new(&said));
            } else {
                all.tables.extend(Table::from_str(&said));
            }
        }
        all
    }

    /// Adds a file, after those that it includes.
    fn add_file(&mut self, file: &Path) {
        let Some(table) = fs::read_to_string(file).ok().and_then(|text| text.parse::<Table>().ok())
        else {
            return;
        };
        let included = match table.get("include") {
            Some(Value::Array(several)) => several.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for included in included {
            let path = included.get("path").unwrap_or(included);
            // A file that includes itself is an error of cargo's, which comes first.
            if let (Some(path), Some(folder)) = (path.as_str(), file.parent())
                && folder.join(path) != file
            {
                self.add_file(&folder.join(path));
            }
        }
        self.tables.push(table);
    }

    /// The flags of this kind (`rustflags`, `rustdocflags`) for a target. `cfgs` says what holds there, and is
    /// asked if anything depends on it.
    pub(crate) fn flags(
        &self,
        kind: &str,
        target: &str,
        cfgs: impl FnOnce() -> Result<Vec<Cfg>, String>,
    ) -> Result<Vec<String>, String> {
        let mut flags = self.strings(&["target", target, kind]);
        let conditions = self.conditions(kind);
        if !conditions.is_empty() {
            let cfgs = cfgs()?;
            for condition in conditions {
                let platform = Platform::from_str(&condition);
                if platform.is_ok_and(|platform| platform.matches(target, &cfgs)) {
                    flags.extend(self.strings(&["target", &condition, kind]));
                }
            }
        }
        if flags.is_empty() {
            flags = self.strings(&["build", kind]);
        }
        Ok(flags)
    }

    /// The targets that are to be built for; what is nearest counts, and several of one place are several.
    pub(crate) fn targets(&self) -> Vec<String> {
        let named = self.tables.iter().rev().find_map(|table| table.get("build")?.get("target"));
        named.map(list).unwrap_or_default()
    }

    /// The keys below `target` that are conditions and have such flags, each once.
    fn conditions(&self, kind: &str) -> Vec<String> {
        let targets = self.tables.iter().filter_map(|table| table.get("target")?.as_table());
        let mut conditions: Vec<String> = targets
            .flatten()
            .filter(|(key, said)| key.starts_with("cfg(") && said.get(kind).is_some())
            .map(|(key, _)| key.clone())
            .collect();
        conditions.sort();
        conditions.dedup();
        conditions
    }

    /// What all places say of a key: lists are joined, a string takes the place of what is farther.
    fn strings(&self, key: &[&str]) -> Vec<String> {
        let mut strings = Vec::new();
        for table in &self.tables {
            let (first, rest) = key.split_first().expect("a key");
            let value = rest.iter().try_fold(table.get(*first), |value, key| Some(value?.get(key)));
            let Some(Some(value)) = value else { continue };
            if value.is_str() {
                strings.clear();
            }
            strings.extend(list(value));
        }
        strings.extend(env::var(variable(key)).iter().flat_map(|value| words(value)));
        strings
    }
}

/// The variable that stands for a key.
fn variable(key: &[&str]) -> String {
    let name = key.join("_").to_uppercase();
    format!("CARGO_{}", name.replace(['-', '.'], "_"))
}

/// A string of words, or a list of strings.
fn list(value: &Value) -> Vec<String> {
    match value {
        Value::String(line) => words(line),
        Value::Array(several) => {
            several.iter().filter_map(Value::as_str).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The files that there may be, the nearest last.
fn files() -> Vec<PathBuf> {
    let here = env::current_dir().unwrap_or_default();
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo")));
    let mut folders: Vec<PathBuf> = here.ancestors().map(|folder| folder.join(".cargo")).collect();
    folders.extend(home.filter(|home| !folders.contains(home)));
    folders.reverse();
    let file = |folder: PathBuf| {
        // The older name comes first, as with cargo.
        [folder.join("config"), folder.join("config.toml")].into_iter().find(|it| it.is_file())
    };
    folders.into_iter().filter_map(file).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINUX: &str = "x86_64-unknown-linux-gnu";

    fn configuration(tables: &[&str]) -> Configuration {
        Configuration { tables: tables.iter().map(|text| text.parse().unwrap()).collect() }
    }

    fn flags(tables: &[&str]) -> Vec<String> {
        let cfgs = || Ok(vec![Cfg::from_str("unix").unwrap()]);
        configuration(tables).flags("rustflags", LINUX, cfgs).unwrap()
    }

    #[test]
    fn flags_are_found_in_each_spelling() {
        for text in [
            "[build]\nrustflags = [\"-a\", \"-b\"]",
            "build.rustflags = \"-a  -b\"",
            "build = { rustflags = [\"-a\", \"-b\"] }",
            "[target.x86_64-unknown-linux-gnu]\nrustflags = \"-a -b\"",
            "target.'cfg(unix)'.rustflags = [\"-a\", \"-b\"]",
        ] {
            assert_eq!(flags(&[text]), ["-a", "-b"], "{text}");
        }
    }

    #[test]
    fn lists_of_several_places_are_joined_and_a_string_is_alone() {
        let lists = ["build.rustflags = ['-far']", "build.rustflags = ['-near']"];
        assert_eq!(flags(&lists), ["-far", "-near"]);
        let strings = ["build.rustflags = '-far'", "build.rustflags = '-near'"];
        assert_eq!(flags(&strings), ["-near"]);
    }

    #[test]
    fn a_targets_take_the_place_of_those_for_all() {
        assert_eq!(flags(&["build.rustflags = '-a'\ntarget.'cfg(unix)'.rustflags = '-b'"]), ["-b"]);
        assert_eq!(flags(&["build.rustflags = '-a'\ntarget.other.rustflags = '-b'"]), ["-a"]);
        assert_eq!(
            flags(&["build.rustflags = '-a'\ntarget.'cfg(windows)'.rustflags = '-b'"]),
            ["-a"]
        );
    }

    #[test]
    fn the_nearest_target_counts() {
        let all = configuration(&["build.target = ['a', 'b']", "[build]\ntarget = 'c'", "[net]"]);
        assert_eq!(all.targets(), ["c"]);
        assert_eq!(configuration(&["build.target = ['a', 'b']"]).targets(), ["a", "b"]);
        assert!(configuration(&["[build]"]).targets().is_empty());
    }

    #[test]
    fn keys_have_variables() {
        assert_eq!(variable(&["build", "rustflags"]), "CARGO_BUILD_RUSTFLAGS");
        assert_eq!(
            variable(&["target", LINUX, "rustflags"]),
            "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS"
        );
    }
}

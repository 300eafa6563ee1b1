//! The sources of this project, where they were when this program was built, and what is built from them
//! when it is first needed.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Returns the folder of the sources.
///
/// # Errors
///
/// Where they are gone, in words.
pub(crate) fn folder() -> Result<PathBuf, String> {
    fs::canonicalize(SOURCES)
        .ok()
        .filter(|sources| sources.join("runtime/Cargo.toml").is_file())
        .ok_or_else(|| format!("the sources of sylvan are not in {SOURCES} any more"))
}

/// Returns where to build what this program builds for itself from `sources`.
///
/// # Errors
///
/// Where there is no way to it, in words.
pub(crate) fn target_dir(sources: &Path) -> Result<PathBuf, String> {
    let target_dir = match env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => Path::new(&folder).join("sylvan"),
        None => sources.join("target/sylvan"),
    };
    std::path::absolute(&target_dir)
        .map_err(|error| format!("no way to {}: {error}", target_dir.display()))
}

/// Returns the cargo that is in use.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Says why a program does not start.
pub(crate) fn cannot_run(program: &OsStr, error: &io::Error) -> String {
    format!("failed to run `{}`: {error}", program.display())
}

//! A toolchain: its compiler, and the pages of its std's documentation.
//!
//! rustup's component `rust-docs` is those pages. Where there are sources instead (rustup's
//! `rust-src`, Debian's `rust-web-src`), the toolchain's own rustdoc makes the same pages of them,
//! in seconds: what std is built of comes with the compiler.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Where Debian has its compiler, which may be newer than the one in use.
const OF_THE_SYSTEM: &str = "/usr/bin/rustc";

/// A compiler, and which release it is.
#[derive(Debug)]
pub(crate) struct Toolchain {
    pub(crate) rustc: PathBuf,
    /// `1.95.0`, or `1.97.0-nightly`.
    pub(crate) release: String,
}

/// The pages of std's documentation; made ones go when this is dropped.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) of_std: PathBuf,
    made_in: Option<PathBuf>,
}

impl Toolchain {
    /// The one that cargo compiled this test with.
    pub(crate) fn in_use() -> Toolchain {
        let rustc = env::var_os("RUSTC").unwrap_or("rustc".into());
        Toolchain::at(rustc.into()).expect("the compiler in use")
    }

    /// The one that `PARITY_RUSTC` names, else the system's if it is newer than the one in use.
    pub(crate) fn newer() -> Result<Toolchain, String> {
        if let Some(named) = env::var_os("PARITY_RUSTC") {
            return Toolchain::at(named.into());
        }
        let in_use = Toolchain::in_use();
        let of_system = Toolchain::at(OF_THE_SYSTEM.into())?;
        if of_system.number() > in_use.number() {
            return Ok(of_system);
        }
        Err(format!("{} is not newer than {}", of_system.release, in_use.release))
    }

    fn at(rustc: PathBuf) -> Result<Toolchain, String> {
        let said = output(Command::new(&rustc).args(["--version", "--verbose"]))?;
        let release = said.lines().find_map(|line| line.strip_prefix("release: "));
        let release = release.ok_or_else(|| format!("no release in {said:?}"))?.to_owned();
        Ok(Toolchain { rustc, release })
    }

    /// `1.95.0` as `[1, 95, 0]`.
    fn number(&self) -> Vec<u32> {
        let number = self.release.split('-').next().unwrap_or_default();
        number.split('.').filter_map(|part| part.parse().ok()).collect()
    }

    /// Whether this is a release of `minor`: `1.95.1` of `1.95`.
    pub(crate) fn is_of(&self, minor: &str) -> bool {
        self.release.strip_prefix(minor).is_some_and(|patch| patch.starts_with('.'))
    }

    /// The pages, or why there are none.
    pub(crate) fn pages(&self) -> Result<Pages, String> {
        let sysroot = output(Command::new(&self.rustc).args(["--print", "sysroot"]))?;
        let sysroot = Path::new(sysroot.trim());
        let installed = sysroot.join("share/doc/rust/html/std");
        if installed.is_dir() {
            return Ok(Pages { of_std: installed, made_in: None });
        }
        let library = sysroot.join("lib/rustlib/src/rust/library");
        if library.join("std/src/lib.rs").is_file() {
            return self.made_of(&library, &sysroot.join("bin/rustdoc"));
        }
        Err(format!(
            "{} has neither std's documentation nor its sources (`rustup component add rust-docs`, \
             or Debian's rust-web-src)",
            self.release
        ))
    }

    /// The pages that rustdoc makes of std's sources.
    fn made_of(&self, library: &Path, rustdoc: &Path) -> Result<Pages, String> {
        let manifest = fs::read_to_string(library.join("std/Cargo.toml"));
        let manifest = manifest.map_err(|error| format!("{library:?}: {error}"))?;
        let made_in = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("std-{}", self.release));
        let mut command = Command::new(rustdoc);
        // As std's own manifest and build script have it.
        command.env("RUSTC_BOOTSTRAP", "1").env("STD_ENV_ARCH", env::consts::ARCH);
        command.args(["--crate-name=std", "--edition=2024", "--cap-lints=allow"]);
        command.args(["--cfg=feature=\"backtrace\"", "--cfg=backtrace_in_libstd"]);
        command.args(["--cfg=reliable_f16", "--cfg=reliable_f128"]);
        command.args(["-Zunstable-options", "-Zforce-unstable-if-unmarked", "--html-no-source"]);
        command.args(dependencies(&manifest).map(|name| format!("--extern={name}")));
        command.arg("--out-dir").arg(&made_in).arg(library.join("std/src/lib.rs"));
        let pages = Pages { of_std: made_in.join("std"), made_in: Some(made_in) };
        output(&mut command).map(|_| pages)
    }
}

/// What a manifest depends on, by the names of the crates. The compiler looks for those that are
/// used.
fn dependencies(manifest: &str) -> impl Iterator<Item = String> {
    let mut is_inside = false;
    manifest.lines().filter_map(move |line| {
        if line.starts_with('[') {
            is_inside = line.ends_with("dependencies]") && !line.contains("dev-");
        }
        let (name, _) = line.split_once(" = ")?;
        let is_name = name.chars().all(|c| c.is_alphanumeric() || "-_".contains(c));
        (is_inside && is_name).then(|| name.replace('-', "_"))
    })
}

/// What a program says that succeeds; else what it says of why not.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{command:?}: {}", text(&output.stderr))),
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        if let Some(directory) = &self.made_in {
            // What is left there goes with the target directory.
            _ = fs::remove_dir_all(directory);
        }
    }
}

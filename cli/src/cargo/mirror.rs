//! `std-shim`, built: what the programs are compiled and linked against.
//!
//! It is built from the sources beside this tool's own, once for each target, toolchain and change
//! of it: cargo sees to that. It is always optimized, whatever the program's profile says.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::flags::{self, Flags};
use crate::sources::{self, cannot_run};

/// A library that stands in for std, and those that it needs.
#[derive(Debug)]
pub(crate) struct Mirror {
    library: PathBuf,
    runtime: PathBuf,
    dependencies: PathBuf,
    /// Says which one it is.
    hash: u64,
}

impl Mirror {
    /// Builds it for `target`, if that has not been done.
    ///
    /// # Errors
    ///
    /// What stands in the way, in words.
    pub(crate) fn build(cargo: &OsStr, target: &str) -> Result<Self, String> {
        let sources = sources::folder()?;
        let target_dir = sources::target_dir(&sources)?;
        let built = target_dir.join(target).join("release");
        let library = built.join("libstd_shim.rlib");

        let mut command = Command::new(cargo);
        command
            .args([
                "build",
                "--release",
                "--locked",
                "--package",
                "std-shim",
                "--package",
                "sylvan",
            ])
            // Whatever the program's own profiles say: they may be read here, too.
            .args(["--config", "profile.release.lto=false"])
            .args(["--config", "profile.release.panic='unwind'"])
            .args(["--target", target])
            .arg("--target-dir")
            .arg(&target_dir)
            .arg("--manifest-path")
            .arg(sources.join("Cargo.toml"));
        if library.is_file() {
            command.arg("--quiet");
        } else {
            eprintln!("building std-shim for {target}, once");
        }
        // A program may want link-time optimization.
        Flags::of_environment(flags::RUST)
            .and(["-Cembed-bitcode=yes".into()])
            .set_for(&mut command);
        let status = command.status().map_err(|error| cannot_run(cargo, &error))?;
        if !status.success() {
            return Err(format!("std-shim could not be built for `{target}`"));
        }
        let contents = fs::read(&library)
            .map_err(|error| format!("failed to read {}: {error}", library.display()))?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&contents);
        let runtime = built.join("libsylvan.rlib");
        Ok(Self { library, runtime, dependencies: built.join("deps"), hash: hasher.finish() })
    }

    /// Returns the flags that put it in the place of std.
    pub(crate) fn flags(&self) -> Vec<OsString> {
        let with_path = |flag: &str, path: &Path| {
            let mut flag = OsString::from(flag);
            flag.push(path);
            flag
        };
        vec![
            with_path("--extern=std=", &self.library),
            with_path("-Ldependency=", &self.dependencies),
            // For what a program may want to say to the runtime, under `cfg(sylvan)`.
            with_path("--extern=sylvan=", &self.runtime),
            // The same package may be among the mirror's own dependencies, where it has the real
            // std: this tells the two apart. And after a change of the mirror cargo finds other
            // flags, and builds everything anew.
            format!("-Cmetadata=std-shim-{:016x}", self.hash).into(),
            "--cfg=sylvan".into(),
            "--check-cfg=cfg(sylvan)".into(),
        ]
    }
}

/// Returns the compiler's name for the platform that it runs on.
///
/// # Errors
///
/// What stands in the way, in words.
pub(crate) fn this_machine() -> Result<String, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc)
        .args(["--print", "host-tuple"])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| cannot_run(&rustc, &error))?;
    match String::from_utf8(output.stdout) {
        Ok(name) if output.status.success() => Ok(name.trim().to_owned()),
        _ => Err(format!("`{}` does not say what it runs on", rustc.display())),
    }
}

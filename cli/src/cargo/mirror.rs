//! `std-shim`, built: what the programs are compiled and linked against.
//!
//! It is built once for each target, toolchain and change of it (`sources`), with the flags that the program's
//! crates get, but for those about lints. It is always optimized, whatever the program's profile says.

use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use super::flags::without_lints;
use crate::sources::{Compiler, Library, Workshop};

const FILE: &str = "libstd_shim.rlib";

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
    /// Builds it for `target`, with these flags of the program's, if that has not been done.
    ///
    /// # Errors
    ///
    /// What stands in the way, in words.
    pub(crate) fn build(
        compiler: &Compiler,
        target: &str,
        flags: &[OsString],
    ) -> Result<Self, String> {
        let mut flags = without_lints(flags);
        // A program may want link-time optimization.
        flags.push("-Cembed-bitcode=yes".into());
        // So that it tells the program of what its dependencies cannot know.
        flags.push("--cfg=sylvan_in_place_of_std".into());
        let built = Workshop::open()?.build(
            Library { file: FILE, packages: &["std-shim", "sylvan"], target, flags: &flags },
            compiler,
        )?;
        let library = built.join(FILE);
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

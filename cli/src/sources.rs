//! The other packages of this project, and what is built from them when it is first needed: the mirror for
//! `cargo sylvan`, the library for `sylvan run`.
//!
//! A package of our own making, which has nothing but dependencies on them, is written into a folder, and cargo
//! builds them from there, as any program's dependencies. They are, the first that there is:
//!
//! 1. those of the checkout that `SYLVAN_SOURCES` names;
//! 2. those of the checkout that this program was built from, while it is there: a program that was built
//!    from a package, as `cargo install sylvan-cli` does, has none;
//! 3. those of the registry, in this program's own version.
//!
//! The folder is below that of `CARGO_TARGET_DIR`, or the checkout's `target`, or the user's cache. What is
//! built for one version of this program is not another's, nor is what was built with other flags: a program
//! that is being compiled against one mirror goes on with it while another one is built.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};

use crate::complain;

/// Names the folder of a checkout, whose packages are in use then.
const SOURCES: &str = "SYLVAN_SOURCES";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What may be built, and where it is in a checkout.
const PACKAGES: [(&str, &str); 3] =
    [("sylvan", "runtime"), ("std-shim", "std-shim"), ("sylvan-preload", "posix/preload")];

/// A library that is built from these packages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Library<'a> {
    /// The name of its file.
    pub(crate) file: &'a str,
    pub(crate) packages: &'a [&'a str],
    /// The platform.
    pub(crate) target: &'a str,
    /// What the compiler is told, beside what the profile says.
    pub(crate) flags: &'a [OsString],
}

/// The folder where things are built.
#[derive(Debug)]
pub(crate) struct Workshop {
    folder: PathBuf,
    /// The packages are those of a checkout, which change.
    is_of_checkout: bool,
}

impl Workshop {
    /// Finds it, and writes the package.
    ///
    /// # Errors
    ///
    /// What stands in the way, in words.
    pub(crate) fn open() -> Result<Self, String> {
        let checkout = checkout()?;
        let folder = match (env::var_os("CARGO_TARGET_DIR"), &checkout) {
            (Some(target), _) => PathBuf::from(target),
            (None, Some(checkout)) => checkout.join("target"),
            (None, None) => cache()?,
        };
        let folder = folder.join("sylvan").join(VERSION);
        let cannot = |error| format!("no way to {}: {error}", folder.display());
        let folder = std::path::absolute(&folder).map_err(cannot)?;
        write_package(&folder, checkout.as_deref()).map_err(cannot)?;
        Ok(Self { folder, is_of_checkout: checkout.is_some() })
    }

    /// Where cargo builds with these flags.
    fn target_dir(&self, flags: &[OsString]) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        flags.hash(&mut hasher);
        self.folder.join("target").join(format!("{:016x}", hasher.finish()))
    }

    /// Returns a library that was built for this machine without flags, where it cannot have changed since:
    /// nobody has to ask cargo.
    pub(crate) fn built(&self, file: &str) -> Option<PathBuf> {
        if self.is_of_checkout {
            return None;
        }
        let targets = fs::read_dir(self.target_dir(&[])).ok()?;
        let mut libraries =
            targets.flatten().map(|target| target.path().join("release").join(file));
        libraries.find(|library| library.is_file())
    }

    /// Builds a library, if that has not been done since one of the packages, the compiler or the flags
    /// changed, and returns the folder that it is in. It is optimized.
    ///
    /// # Errors
    ///
    /// What stands in the way, in words.
    pub(crate) fn build(
        &self,
        library: Library<'_>,
        compiler: &Compiler,
    ) -> Result<PathBuf, String> {
        let Library { file, packages, target, flags } = library;
        let target_dir = self.target_dir(flags);
        let built = target_dir.join(target).join("release");
        let what = format!("{} for {target}", packages[0]);
        let cargo = cargo();
        let mut command = Command::new(&cargo);
        command
            .args(["build", "--release"])
            .args(packages.iter().flat_map(|package| ["--package", package]))
            // A program's own profiles may be in a configuration file, which holds here, too.
            .args(["--config", "profile.release.lto=false"])
            .args(["--config", "profile.release.panic='unwind'"])
            .args(["--target", target])
            .arg("--target-dir")
            .arg(&target_dir)
            .arg("--manifest-path")
            .arg(self.folder.join("Cargo.toml"))
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join(OsStr::new("\x1f")))
            // Its output is a program's, or a command's.
            .stdout(io::stderr());

        // What it was built by says whether cargo is going to take its time.
        let stamp = built.join(format!("{file}.built-by"));
        let is = &compiler.version;
        match fs::read_to_string(&stamp).ok().filter(|_| built.join(file).is_file()) {
            Some(was) if was == *is => drop(command.arg("--quiet")),
            Some(was) => {
                let why = format!("it was built by {was}, and this is {is}");
                complain(&format!("sylvan: building {what} anew: {why}"));
            }
            None => complain(&format!("sylvan: building {what}, once")),
        }
        let status = command.status().map_err(|error| cannot_run(&cargo, &error))?;
        if !status.success() {
            return Err(format!("{what} could not be built"));
        }
        fs::write(&stamp, is).map_err(|error| format!("no way to {}: {error}", stamp.display()))?;
        Ok(built)
    }
}

/// The checkout whose packages are in use, if one's are.
fn checkout() -> Result<Option<PathBuf>, String> {
    let is_checkout = |folder: &Path| {
        PACKAGES.iter().all(|(_, path)| folder.join(path).join("Cargo.toml").is_file())
    };
    if let Some(named) = env::var_os(SOURCES) {
        let found = fs::canonicalize(&named).ok().filter(|folder| is_checkout(folder));
        let error = || format!("{SOURCES} names no checkout of sylvan: {}", named.display());
        return found.ok_or_else(error).map(Some);
    }
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    Ok(built_from.filter(|folder| is_checkout(folder)).map(Path::to_owned))
}

/// Where a user's programs keep what they can make anew.
fn cache() -> Result<PathBuf, String> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(set("HOME")?.join(".cache")))
        .ok_or_else(|| "HOME does not say where to build".to_owned())
}

/// Writes the package that depends on all others.
fn write_package(folder: &Path, checkout: Option<&Path>) -> io::Result<()> {
    let manifest = folder.join("Cargo.toml");
    let text = manifest_of(checkout);
    if fs::read_to_string(&manifest).is_ok_and(|found| found == text) {
        return Ok(());
    }
    fs::create_dir_all(folder.join("src"))?;
    replace(&folder.join("src/lib.rs"), b"")?;
    // The versions that the checkout is tested with. Those of a registry are found as for any program.
    match checkout.map(|checkout| fs::read(checkout.join("Cargo.lock"))) {
        Some(Ok(lock)) => replace(&folder.join("Cargo.lock"), &lock)?,
        _ => drop(fs::remove_file(folder.join("Cargo.lock"))),
    }
    replace(&manifest, text.as_bytes())
}

fn manifest_of(checkout: Option<&Path>) -> String {
    let mut text = String::from(
        "# Written by sylvan, which builds what this depends on.\n[workspace]\n\n[package]\n\
         name = \"sylvan-workshop\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n",
    );
    for (name, path) in PACKAGES {
        let line = match checkout {
            // A string of TOML's has the escapes of one of Rust's that may be in a path.
            Some(checkout) => writeln!(text, "{name} = {{ path = {:?} }}", checkout.join(path)),
            None => writeln!(text, "{name} = \"={VERSION}\""),
        };
        line.expect("a String takes all");
    }
    text
}

/// Puts a whole file in the place of another: several of this program may be at it.
fn replace(file: &Path, contents: &[u8]) -> io::Result<()> {
    let new = file.with_extension(format!("{}.new", process::id()));
    fs::write(&new, contents)?;
    fs::rename(&new, file)
}

/// The compiler that is in use.
#[derive(Debug)]
pub(crate) struct Compiler {
    /// What it calls itself.
    pub(crate) version: String,
    /// Its name for the platform that it runs on.
    pub(crate) host: String,
}

impl Compiler {
    /// Asks it.
    ///
    /// # Errors
    ///
    /// It does not run, or says something else, in words.
    pub(crate) fn ask() -> Result<Self, String> {
        let output = rustc(&["-vV"])?;
        let mut lines = output.lines();
        let version = lines.next().map(str::to_owned);
        let host = lines.find_map(|line| line.strip_prefix("host: ")).map(str::to_owned);
        let both = version.zip(host);
        let (version, host) = both.ok_or("the compiler does not say what it is")?;
        Ok(Self { version, host })
    }
}

/// Returns what the compiler prints, given these arguments.
///
/// # Errors
///
/// It does not run, or fails, in words.
pub(crate) fn rustc(args: &[&str]) -> Result<String, String> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(&rustc).args(args).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| cannot_run(&rustc, &error))?;
    let said = String::from_utf8(output.stdout).ok().filter(|_| output.status.success());
    said.ok_or_else(|| format!("`{} {}` failed", rustc.display(), args.join(" ")))
}

/// Returns the cargo that is in use.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Says why a program does not start.
pub(crate) fn cannot_run(program: &OsStr, error: &io::Error) -> String {
    format!("failed to run `{}`: {error}", program.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_checkout_the_packages_are_the_registrys_of_this_version() {
        let text = manifest_of(None);
        assert!(text.contains(&format!("\nstd-shim = \"={VERSION}\"\n")), "{text}");
        assert!(!text.contains("path"), "{text}");
    }

    #[test]
    fn the_packages_of_a_checkout_are_named_by_their_paths() {
        let text = manifest_of(Some(Path::new("/a \"b\"")));
        assert!(text.contains("\nsylvan = { path = \"/a \\\"b\\\"/runtime\" }\n"), "{text}");
    }
}

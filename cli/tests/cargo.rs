//! What `cargo sylvan` has cargo do, and what it says where it cannot. That programs built so are right,
//! `crates/` shows; and that it works where there is no checkout, `ci/package.sh`.
//!
//! Cargo is a script here that writes down what it is told, and leaves an empty library where it is to
//! build one. Where it matters what cargo would do, that is asked.

use std::env;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};

/// Writes each call: the arguments, the target, and the flags without the mirror's own.
const CARGO: &str = r#"#!/bin/sh
echo "$*" >>"$CALLS"
echo "target: $CARGO_BUILD_TARGET" >>"$CALLS"
echo "flags: $CARGO_ENCODED_RUSTFLAGS" | tr '\037' ' ' | sed 's/ --extern=.*//' >>"$CALLS"
while [ $# -gt 0 ]; do
    case $1 in
        --target) target=$2 ;;
        --target-dir) folder=$2 ;;
    esac
    shift
done
if [ -n "$folder" ]; then
    mkdir -p "$folder/$target/release"
    : >"$folder/$target/release/libstd_shim.rlib"
fi
"#;

/// A compiler that is of another version.
const RUSTC: &str = r#"#!/bin/sh
[ "$1" = -vV ] && exec printf 'rustc 1.999.0\nhost: some-where\n'
exec rustc "$@"
"#;

/// Writes down what cargo tells the compiler of `cfg`s, when it compiles `program`.
const WRAPPER: &str = r#"#!/bin/sh
case "$*" in
    *"--crate-name program "*) echo "$*" | grep -o ' --cfg [a-z]*' | tr -d '\n' >"$FOUND" ;;
esac
exec "$@"
"#;

/// A folder for one test with a program in it, removed after it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("cargo-sylvan-{}-{name}", process::id()));
        fs::create_dir(&path).unwrap();
        let folder = Self(fs::canonicalize(path).unwrap());
        folder.write(
            "Cargo.toml",
            "[workspace]\n[package]\nname = \"program\"\nversion = \"0.0.0\"\n",
        );
        folder.write("src/lib.rs", "");
        for (script, text) in [("cargo", CARGO), ("rustc", RUSTC), ("wrapper", WRAPPER)] {
            folder.write(script, text);
            fs::set_permissions(folder.0.join(script), Permissions::from_mode(0o755)).unwrap();
        }
        folder
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A program in this folder, with nothing in the environment that says something to cargo.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.0);
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            let is_said = ["CARGO_", "RUST", "SYLVAN_"].iter().any(|start| name.starts_with(start));
            if is_said && !["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"].contains(&&*name) {
                command.env_remove(&*name);
            }
        }
        command.env("CARGO_TARGET_DIR", self.0.join("target"));
        command
    }

    /// The tool, with the script for cargo.
    fn sylvan(&self, args: &[&str]) -> Command {
        let mut command = self.command(env!("CARGO_BIN_EXE_cargo-sylvan"));
        command.arg("sylvan").args(args);
        command.env("CARGO", self.0.join("cargo")).env("CALLS", self.0.join("calls"));
        command
    }

    /// What cargo was told since the last time.
    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.0.join("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.0.join("calls"));
        calls.lines().map(str::to_owned).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn said(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Runs it, and returns what it says on its way.
fn runs(command: &mut Command) -> String {
    let (code, _, stderr) = said(command);
    assert_eq!(code, Some(0), "{stderr}");
    stderr
}

#[test]
fn without_a_command_it_says_how_it_is_used() {
    let folder = Folder::new("help");
    let (code, stdout, stderr) = said(&mut folder.sylvan(&[]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("usage: cargo sylvan COMMAND"), "{stdout}");
    assert!(folder.calls().is_empty());
}

#[test]
fn what_compiles_nothing_is_cargos_own() {
    let folder = Folder::new("own");
    for args in [&["fmt"][..], &["clean"], &["--version"], &["metadata", "--no-deps"]] {
        assert_eq!(runs(&mut folder.sylvan(args)), "");
        assert_eq!(folder.calls(), [&args.join(" "), "target: ", "flags: "]);
    }
}

#[test]
fn several_targets_are_an_error_that_names_where_they_stand() {
    let folder = Folder::new("targets");
    let (code, _, stderr) = said(&mut folder.sylvan(&["build", "--target=a", "--target=b"]));
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "error: expected one target at a time, got `a`, `b` by `--target`\n");
    folder.write(".cargo/config.toml", "build.target = ['c', 'd']\n");
    let (code, _, stderr) = said(&mut folder.sylvan(&["build"]));
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "error: expected one target at a time, got `c`, `d` by `build.target`\n");
    assert!(folder.calls().is_empty());
}

#[test]
fn a_configured_target_is_the_mirrors_and_the_programs() {
    let folder = Folder::new("target");
    folder.write(".cargo/config.toml", "[build]\ntarget = 'else-where'\n");
    let stderr = runs(&mut folder.sylvan(&["build"]));
    assert_eq!(stderr, "sylvan: building std-shim for else-where, once\n");
    let calls = folder.calls();
    assert!(calls[0].contains(" --target else-where "), "{calls:?}");
    assert_eq!(calls[3..5], ["build", "target: else-where"]);
}

/// What is in the environment, in the file, and in the arguments.
type Case<'a> = (&'a [(&'a str, &'a str)], String, &'a [&'a str]);

#[test]
fn flags_are_those_that_cargo_would_take() {
    let folder = Folder::new("flags");
    let host = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS";
    let file = "build.rustflags = '--cfg a'\n";
    let per_target = "target.'cfg(unix)'.rustflags = ['--cfg', 'b']\n";
    let cases: [Case<'_>; 9] = [
        (&[], file.to_owned(), &[]),
        (&[("CARGO_BUILD_RUSTFLAGS", "--cfg c")], file.to_owned(), &[]),
        (&[("CARGO_BUILD_RUSTFLAGS", "--cfg c")], [file, per_target].concat(), &[]),
        (&[(host, "--cfg d")], [file, per_target].concat(), &[]),
        (&[("RUSTFLAGS", "--cfg e")], [file, per_target].concat(), &[]),
        (&[("RUSTFLAGS", "")], file.to_owned(), &[]),
        (
            &[("CARGO_ENCODED_RUSTFLAGS", "--cfg\x1ff"), ("RUSTFLAGS", "--cfg e")],
            file.to_owned(),
            &[],
        ),
        (&[], file.to_owned(), &["--config", "build.rustflags='--cfg g'"]),
        (
            &[],
            "build.rustflags = ['--cfg', 'a']".into(),
            &["--config=build.rustflags=['--cfg','g']"],
        ),
    ];
    for (environment, configuration, args) in cases {
        folder.write(".cargo/config.toml", &configuration);
        let found = folder.0.join("found");
        let mut cargo = folder.command(env!("CARGO"));
        cargo.args(["check", "--quiet"]).args(args).envs(environment.iter().copied());
        cargo.env("RUSTC_WRAPPER", folder.0.join("wrapper")).env("FOUND", &found);
        runs(&mut cargo);
        let cargos = fs::read_to_string(&found).unwrap();

        runs(folder.sylvan(&[&["check"], args].concat()).envs(environment.iter().copied()));
        let calls = folder.calls();
        let ours = calls[5].strip_prefix("flags:").unwrap();
        assert_eq!(ours.trim(), cargos.trim(), "{environment:?} {configuration} {args:?}");
        fs::remove_dir_all(folder.0.join("target/debug")).unwrap();
    }
}

#[test]
fn what_the_program_says_of_lints_is_not_said_to_the_mirror() {
    let folder = Folder::new("lints");
    runs(folder.sylvan(&["build"]).env("RUSTFLAGS", "-Dwarnings -Ctarget-cpu=native"));
    let calls = folder.calls();
    let ours = "-Cembed-bitcode=yes --cfg=sylvan_in_place_of_std";
    assert_eq!(calls[2], format!("flags: -Ctarget-cpu=native {ours}"));
    assert_eq!(calls[5], "flags: -Dwarnings -Ctarget-cpu=native");
}

#[test]
fn a_mirror_that_is_built_anew_says_why() {
    let folder = Folder::new("anew");
    let building = || folder.sylvan(&["build", "--target", "some-where"]);
    assert_eq!(runs(&mut building()), "sylvan: building std-shim for some-where, once\n");
    assert!(!folder.calls()[0].contains("--quiet"));
    assert_eq!(runs(&mut building()), "");
    assert!(folder.calls()[0].contains("--quiet"));

    let stderr = runs(building().env("RUSTC", folder.0.join("rustc")));
    assert!(
        stderr
            .starts_with("sylvan: building std-shim for some-where anew: it was built by rustc 1."),
        "{stderr}"
    );
    assert!(stderr.ends_with(", and this is rustc 1.999.0\n"), "{stderr}");

    let other = || {
        let mut command = building();
        command.env("RUSTC", folder.0.join("rustc")).env("RUSTFLAGS", "-g");
        command
    };
    // Not in the place of the other one, which somebody may be compiling against.
    assert_eq!(runs(&mut other()), "sylvan: building std-shim for some-where, once\n");
    assert_eq!(runs(&mut other()), "");
    assert_eq!(runs(building().env("RUSTC", folder.0.join("rustc"))), "");
}

#[test]
fn the_packages_are_those_of_a_checkout_that_is_named() {
    let folder = Folder::new("sources");
    let mut command = folder.sylvan(&["build"]);
    let (code, _, stderr) = said(command.env("SYLVAN_SOURCES", &folder.0));
    assert_eq!(code, Some(2));
    assert!(stderr.starts_with("error: SYLVAN_SOURCES names no checkout of sylvan: "), "{stderr}");

    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    runs(folder.sylvan(&["build"]).env("SYLVAN_SOURCES", checkout));
    let manifest =
        folder.0.join("target/sylvan").join(env!("CARGO_PKG_VERSION")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let runtime = checkout.join("runtime");
    assert!(manifest.contains(&format!("sylvan = {{ path = {runtime:?} }}")), "{manifest}");
}

#[test]
fn a_target_that_there_is_not_is_an_error_after_the_compilers_own() {
    let folder = Folder::new("nowhere");
    let mut command = folder.sylvan(&["build", "--target", "nowhere"]);
    let (code, _, stderr) = said(command.env("CARGO", env!("CARGO")));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.starts_with("sylvan: building std-shim for nowhere, once\n"), "{stderr}");
    assert!(stderr.ends_with("error: std-shim for nowhere could not be built\n"), "{stderr}");
}

#[test]
fn a_program_that_has_the_mirror_already_is_told_to_take_it_out() {
    let folder = Folder::new("twice");
    // As cargo would for a program that depends on it; the first error is what matters.
    let (code, _, stderr) = said(
        folder
            .command("rustc")
            .args(["--crate-type=lib", "--edition=2024", "--emit=metadata", "--cfg=sylvan", "-o"])
            .arg(folder.0.join("sylvan.rmeta"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime/src/lib.rs")),
    );
    assert_ne!(code, Some(0));
    assert!(
        stderr.starts_with("error: `cargo sylvan` has put std-shim in the place of"),
        "{stderr}"
    );
}

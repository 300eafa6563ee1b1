//! What `cargo sylvan` says where it cannot do what it is asked. What it can do, `crates/` shows.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};

/// A folder for one test, removed after it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("cargo-sylvan-{}-{name}", process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the tool in `folder`, which takes what it builds.
fn sylvan(folder: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-sylvan"))
        .arg("sylvan")
        .args(args)
        .current_dir(folder)
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn without_a_command_it_says_how_it_is_used() {
    let folder = Folder::new("help");
    let (code, stdout, stderr) = sylvan(&folder.0, &[]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("usage: cargo sylvan COMMAND"), "{stdout}");
}

#[test]
fn a_command_that_it_does_not_understand_is_an_error() {
    let folder = Folder::new("targets");
    let (code, _, stderr) = sylvan(&folder.0, &["build", "--target=a", "--target=b"]);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "error: expected one `--target` at a time, got `a`, `b`\n");
}

#[test]
fn a_target_that_there_is_not_is_an_error_after_the_compilers_own() {
    let folder = Folder::new("nowhere");
    let (code, _, stderr) = sylvan(&folder.0, &["build", "--target", "nowhere"]);
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.starts_with("building std-shim for nowhere, once\n"), "{stderr}");
    assert!(stderr.ends_with("error: std-shim could not be built for `nowhere`\n"), "{stderr}");
}

#[test]
fn flags_of_a_configuration_file_get_a_warning() {
    let folder = Folder::new("configured");
    fs::create_dir(folder.0.join(".cargo")).unwrap();
    let file = folder.0.join(".cargo/config.toml");
    fs::write(&file, "[build]\nrustflags = []\n").unwrap();
    let (_, _, stderr) = sylvan(&folder.0, &["build", "--target", "nowhere"]);
    assert!(stderr.starts_with("warning: `rustflags` of "), "{stderr}");
    assert!(stderr.contains(&*file.to_string_lossy()), "{stderr}");
}

#[test]
fn a_program_that_has_the_mirror_already_is_told_to_take_it_out() {
    let folder = Folder::new("twice");
    // As cargo would for a program that depends on it; the first error is what matters.
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--crate-type=lib", "--edition=2024", "--emit=metadata", "--cfg=sylvan", "-o"])
        .arg(folder.0.join("sylvan.rmeta"))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime/src/lib.rs"))
        .output()
        .unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.starts_with("error: `cargo sylvan` has put std-shim in the place of"),
        "{stderr}"
    );
}

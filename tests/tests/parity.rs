//! The mirror has what std has, and a caller sees no difference: names, signatures, bounds,
//! implementations, auto traits, variance.
//!
//! `data/std-api.txt` lists std's stable API. Of each of its lines the compiler is asked the same
//! twice, about std and about the mirror (`parity_support/questions.rs` has the questions): whether
//! it compiles, and if not, why not. It has to say the same of both, but for the mirror's own types
//! in place of std's. So nothing of std's source is needed, nor any compiler but the one at hand;
//! what std changes in a later version, the comparison sees.
//!
//! What the mirror adds comes from its own documentation. All of it makes `docs/std-parity.md`,
//! which `PARITY=write cargo test -p tests --test parity` writes anew.

mod parity_support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

use parity_support::comparison::{Comparison, compare};
use parity_support::compiler::Mirror;
use parity_support::list::{Fact, LIST, facts};
use parity_support::{document, pages};

/// What the mirror leaves out, and why it has to.
const JUSTIFIED: &[(&str, &[&str])] = &[
    (
        "`OnceLock` is dropped as an enum is. Written by hand, the drop check would reject a cell \
         that refers to what is dropped before it, which std's accepts by an unstable attribute. \
         Only a bound `T: Drop` could tell, and the compiler warns of such bounds",
        &["impl Drop for OnceLock<T> @ std::sync::OnceLock"],
    ),
    (
        "Neither the traits nor `Arc` are the mirror's, so it may not implement the one for the \
         other. `&File` implements them: use `&*file`",
        &[
            "impl Read for Arc<File> @ std::io::Read",
            "impl Read for Arc<File> @ std::sync::Arc",
            "impl Seek for Arc<File> @ std::io::Seek",
            "impl Seek for Arc<File> @ std::sync::Arc",
            "impl Write for Arc<File> @ std::io::Write",
            "impl Write for Arc<File> @ std::sync::Arc",
        ],
    ),
];

#[test]
fn the_comparison_can_tell_what_differs() {
    let alike = [
        "fn std::fs::rename",
        "fn std::sync::mpsc::channel",
        "method std::io::IsTerminal::is_terminal",
        "method std::net::ToSocketAddrs::to_socket_addrs",
        "method std::sync::OnceLock::new",
        "struct std::fs::ReadDir",
        "struct std::sync::Barrier",
        "struct std::sync::OnceLock",
        "trait std::net::ToSocketAddrs",
    ];
    let different = [
        "fn std::fs::read",
        "fn std::fs::read_dir",
        "fn std::fs::write",
        "impl Clone for OnceLock<T> @ std::sync::OnceLock",
        "impl Debug for Barrier @ std::sync::Barrier",
        "impl Debug for OnceLock<T> @ std::sync::OnceLock",
        "method std::sync::Barrier::new",
        "method std::sync::Barrier::wait",
        "method std::sync::OnceLock::get",
        "struct std::fs::File",
        "trait std::io::IsTerminal",
    ];
    let made_up = ["fn std::fs::made_up", "method std::sync::Barrier::made_up"];
    let other = ["impl Debug for ReadDir @ std::fs::ReadDir"];

    let list = [&alike[..], &different, &made_up, &other].concat().join("\n");
    let comparison = compare(&facts(&list), &FAKE, "parity_fake_questions");
    assert!(comparison.differences.keys().eq(&different), "{}", lines(&comparison));
    assert!(comparison.green.contains("fn std::fs::rename"), "{:?}", comparison.green);
    assert!(!comparison.green.contains("fn std::sync::mpsc::channel"), "{:?}", comparison.green);
    let not_in_std: Vec<&str> = comparison.not_in_std.keys().map(String::as_str).collect();
    assert_eq!(not_in_std, made_up);
}

#[test]
fn the_list_holds_on_std() {
    let wrong = &COMPARISON.not_in_std;
    assert!(wrong.is_empty(), "not in std, or not asked rightly: {wrong:#?}");
}

#[test]
fn a_caller_sees_no_difference_but_those_justified() {
    let justified: BTreeSet<&str> =
        JUSTIFIED.iter().flat_map(|(_, lines)| *lines).copied().collect();
    let different: BTreeSet<&str> = COMPARISON.differences.keys().map(String::as_str).collect();
    assert_eq!(different, justified, "\n{}", lines(&COMPARISON));
}

#[test]
fn the_document_is_up_to_date() {
    assert!(document::notes_are_about(&FACTS));
    let own = pages::own_facts(&documentation());
    assert!(own.contains("method std::net::TcpStream::connect"), "the pages are read: {own:#?}");
    let additions = pages::additions(&own, LIST);
    let text = document::text(&FACTS, &COMPARISON, JUSTIFIED, &additions);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/std-parity.md");
    if env::var_os("PARITY").is_some_and(|wanted| wanted == "write") {
        fs::write(&path, &text).expect("written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let changed = text.lines().zip(written.lines()).find(|(now, then)| now != then);
    assert!(text == written, "PARITY=write writes it anew; the first change: {changed:#?}");
}

static FACTS: LazyLock<Vec<Fact<'static>>> = LazyLock::new(|| facts(LIST));

static COMPARISON: LazyLock<Comparison> =
    LazyLock::new(|| compare(&FACTS, &MIRROR, "parity_questions"));

/// std-shim, built if need be.
static MIRROR: LazyLock<Mirror> = LazyLock::new(|| {
    cargo(&["build", "--quiet", "--package=std-shim"]);
    let built = target().join("debug");
    let flags = vec![
        format!("--extern=std_shim={}", built.join("libstd_shim.rlib").display()),
        format!("-Ldependency={}", built.join("deps").display()),
    ];
    Mirror { name: "std_shim", flags }
});

/// A mirror in which things differ.
static FAKE: LazyLock<Mirror> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/parity_fake.rs");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libparity_fake.rmeta");
    let rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()))
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "-o"])
        .args([&built, &source])
        .status();
    assert!(rustc.expect("rustc").success(), "the fake is built");
    let flags = vec![format!("--extern=parity_fake={}", built.display())];
    Mirror { name: "parity_fake", flags }
});

/// Where the documentation of std-shim is, which is made if need be.
fn documentation() -> PathBuf {
    cargo(&["doc", "--quiet", "--no-deps", "--package=std-shim"]);
    target().join("doc/std_shim")
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's target directory")
}

fn cargo(arguments: &[&str]) {
    let cargo = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--target-dir")
        .arg(target())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("CARGO_BUILD_TARGET")
        .status();
    assert!(cargo.expect("cargo").success(), "cargo {arguments:?}");
}

fn lines(comparison: &Comparison) -> String {
    /// Of each line this many differences are enough to see what is wrong.
    const SHOWN: usize = 3;
    let mut text = String::new();
    for (line, differences) in &comparison.differences {
        text += &format!("{line}\n");
        for difference in differences.iter().take(SHOWN) {
            let (of_std, of_mirror) = (&difference.of_std, &difference.of_mirror);
            let asked = &difference.asked;
            text += &format!(
                "    {asked}\n        std:    {of_std:?}\n        mirror: {of_mirror:?}\n"
            );
        }
    }
    text
}

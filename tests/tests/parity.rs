//! The mirror has what std has, and a caller sees no difference: names, signatures, bounds,
//! implementations, auto traits, variance.
//!
//! What std has, its documentation lists: the pages that come with the compiler in use, or that its
//! rustdoc makes (`parity_support/toolchain.rs`). Of each line the compiler is asked the same twice,
//! about std and about the mirror (`parity_support/questions.rs` has the questions): whether it
//! compiles, and if not, why not. It has to say the same of both, but for the mirror's own types in
//! place of std's. What is not stable yet, the compiler says, too.
//!
//! The same is done with the newest compiler to be had. So the mirror has what a new std has before
//! it is in use here, or the test says by name what is missing (`docs/std-releases.md`).
//!
//! What the mirror adds comes from its own documentation. All of it makes `docs/std-parity.md`,
//! which `PARITY=write cargo test -p tests --test parity` writes anew.

mod parity_support;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

use parity_support::comparison::{Comparison, compare};
use parity_support::compiler::Mirror;
use parity_support::list::{Fact, Is};
use parity_support::toolchain::Toolchain;
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

/// What a newer std has, and the mirror cannot have before it is built with that std: the release,
/// what is needed, and the lines.
const LATER: &[(&str, &str, &[&str])] = &[];

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
        "impl std::clone::Clone for std::sync::OnceLock<T> @ std::sync::OnceLock",
        "impl std::fmt::Debug for std::sync::Barrier @ std::sync::Barrier",
        "impl std::fmt::Debug for std::sync::OnceLock<T> @ std::sync::OnceLock",
        "method std::sync::Barrier::new",
        "method std::sync::Barrier::wait",
        "method std::sync::OnceLock::get",
        "struct std::fs::File",
        "trait std::io::IsTerminal",
    ];
    let made_up = ["fn std::fs::made_up", "method std::sync::Barrier::made_up"];
    let unstable = ["method std::sync::OnceLock::get_or_try_init", "mod std::sync::nonpoison"];
    let other = ["impl std::fmt::Debug for std::fs::ReadDir @ std::fs::ReadDir"];

    let list = [&alike[..], &different, &made_up, &unstable, &other].concat();
    let facts: Vec<Fact> = list.into_iter().map(fact).collect();
    let comparison = compare(&facts, &FAKE, "parity_fake_questions");
    assert!(comparison.differences.keys().eq(&different), "{}", lines(&comparison));
    assert!(comparison.green.contains("fn std::fs::rename"), "{:?}", comparison.green);
    assert!(!comparison.green.contains("fn std::sync::mpsc::channel"), "{:?}", comparison.green);
    let not_in_std: Vec<&str> = comparison.not_in_std.keys().map(String::as_str).collect();
    assert_eq!(not_in_std, made_up);
    assert_eq!(comparison.facts.len(), facts.len() - unstable.len());
}

/// What a line says in which all paths are written out.
fn fact(line: &str) -> Fact {
    let (kind, rest) = line.split_once(' ').expect("a kind");
    match (kind, rest.rsplit_once(" @ ")) {
        ("impl", Some((implementation, page))) => {
            let (of, by) = implementation.split_once(" for ").expect("a trait and a type");
            let (of, by, page) = (of.to_owned(), by.to_owned(), page.to_owned());
            Fact { line: line.to_owned(), is: Is::Implementation { of, by, page } }
        }
        ("method", _) => {
            let (owner, name) = rest.rsplit_once("::").expect("a type and a name");
            Fact::method(kind, owner, name)
        }
        _ => Fact::item(kind, rest),
    }
}

#[test]
fn what_the_pages_show_holds_on_std() {
    let Some(comparison) = known(&IN_USE) else { return };
    let wrong = &comparison.not_in_std;
    assert!(wrong.is_empty(), "not in std, or not asked rightly: {wrong:#?}");
    let has = |line: &str| comparison.facts.iter().any(|fact| fact.line == line);
    assert!(has("impl Read for &TcpStream @ std::net::TcpStream"), "the pages are read");
    assert!(has("method std::thread::Builder::spawn_scoped"), "the pages are read");
    assert!(!has("method std::sync::OnceLock::get_or_try_init"), "what is unstable does not count");
}

#[test]
fn a_caller_sees_no_difference_but_those_justified() {
    let Some(comparison) = known(&IN_USE) else { return };
    let different: BTreeSet<&str> = comparison.differences.keys().map(String::as_str).collect();
    assert_eq!(different, justified(), "\n{}", lines(comparison));
}

/// Each item that is new and not there is named, with what the compiler says of it;
/// `docs/std-releases.md` says what to do.
#[test]
fn what_a_newer_std_has_is_there_too() {
    let newer = Toolchain::newer().and_then(|toolchain| {
        let comparison = compared(&toolchain, Path::new("newer"), "parity_newer")?;
        Ok((toolchain, comparison))
    });
    let Some((toolchain, comparison)) = known(&newer) else { return };
    say(&format!("compared with std {}: {} items", toolchain.release, comparison.facts.len()));
    if let Some(in_use) = known(&IN_USE) {
        let before: BTreeSet<&str> = in_use.facts.iter().map(|fact| &*fact.line).collect();
        for line in comparison.facts.iter().map(|fact| &fact.line) {
            if !before.contains(&**line) {
                say(&format!(
                    "new in std {}: `{line}`, {}",
                    toolchain.release,
                    state(comparison, line)
                ));
            }
        }
    }
    let wrong = &comparison.not_in_std;
    assert!(wrong.is_empty(), "not in std, or not asked rightly: {wrong:#?}");
    let later: BTreeSet<&str> = LATER.iter().flat_map(|(_, _, lines)| *lines).copied().collect();
    let accounted: BTreeSet<&str> = justified().union(&later).copied().collect();
    let different: BTreeSet<&str> = comparison.differences.keys().map(String::as_str).collect();
    assert_eq!(different, accounted, "std {}\n{}", toolchain.release, lines(comparison));
}

#[test]
fn the_document_is_up_to_date() {
    let Some(comparison) = known(&IN_USE) else { return };
    assert!(document::notes_are_about(&comparison.facts));
    // It is about one release.
    let release = env!("CARGO_PKG_RUST_VERSION");
    let toolchain = Toolchain::in_use();
    if !toolchain.is_of(release) {
        return say(&format!("the document is about std {release}, not {}", toolchain.release));
    }
    let own = pages::own_facts(&documentation());
    assert!(own.contains("method std::net::TcpStream::connect"), "the pages are read: {own:#?}");
    let text = document::text(release, comparison, JUSTIFIED, LATER, &own);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/std-parity.md");
    if env::var_os("PARITY").is_some_and(|wanted| wanted == "write") {
        fs::write(&path, &text).expect("written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let changed = text.lines().zip(written.lines()).find(|(now, then)| now != then);
    assert!(text == written, "PARITY=write writes it anew; the first change: {changed:#?}");
}

/// With the std of the compiler in use.
static IN_USE: LazyLock<Result<Comparison, String>> =
    LazyLock::new(|| compared(&Toolchain::in_use(), Path::new(""), "parity_questions"));

/// The comparison with the std of `toolchain`, if that can be seen; std-shim is built by it in a
/// part of the target directory.
fn compared(toolchain: &Toolchain, part: &Path, program: &str) -> Result<Comparison, String> {
    let facts = pages::std_facts(&toolchain.pages()?.of_std);
    let target = target().join(part);
    cargo(&["build", "--quiet", "--package=std-shim"], &target, &toolchain.rustc);
    let built = target.join("debug");
    let flags = vec![
        format!("--extern=std_shim={}", built.join("libstd_shim.rlib").display()),
        format!("-Ldependency={}", built.join("deps").display()),
    ];
    let mirror = Mirror { rustc: toolchain.rustc.clone(), name: "std_shim", flags };
    Ok(compare(&facts, &mirror, program))
}

/// A mirror in which things differ.
static FAKE: LazyLock<Mirror> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/parity_fake.rs");
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).join("libparity_fake.rmeta");
    let rustc = Toolchain::in_use().rustc;
    let status = Command::new(&rustc)
        .args(["--edition=2024", "--crate-type=lib", "--emit=metadata", "-o"])
        .args([&built, &source])
        .status();
    assert!(status.expect("rustc").success(), "the fake is built");
    let flags = vec![format!("--extern=parity_fake={}", built.display())];
    Mirror { rustc, name: "parity_fake", flags }
});

/// What the mirror has of a line.
fn state(comparison: &Comparison, line: &str) -> &'static str {
    if comparison.differences.contains_key(line) {
        "which the mirror has not"
    } else if comparison.green.contains(line) {
        "which the mirror has"
    } else {
        "which is re-exported"
    }
}

/// What could be had; else says why not.
fn known<T>(found: &Result<T, String>) -> Option<&T> {
    found.as_ref().inspect_err(|why| say(&format!("not compared: {why}"))).ok()
}

/// Says it where a test's own output is not shown.
fn say(text: &str) {
    _ = writeln!(io::stderr(), "parity: {text}");
}

fn justified() -> BTreeSet<&'static str> {
    JUSTIFIED.iter().flat_map(|(_, lines)| *lines).copied().collect()
}

/// Where the documentation of std-shim is, which is made if need be.
fn documentation() -> PathBuf {
    let doc = ["doc", "--quiet", "--no-deps", "--package=std-shim"];
    cargo(&doc, target(), &Toolchain::in_use().rustc);
    target().join("doc/std_shim")
}

fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's target directory")
}

fn cargo(arguments: &[&str], target: &Path, rustc: &Path) {
    let cargo = Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--target-dir")
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("RUSTC", rustc)
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

//! The mirror has what std has: name for name, method for method, implementation for
//! implementation.
//!
//! `data/std-api.txt` lists std's stable API. Each of its lines becomes a check, a line of Rust in
//! std's own paths:
//!
//! ```text
//! struct std::thread::Thread              use std::thread::Thread as _;
//! method std::thread::Thread::unpark      fn c1() { let _ = std::thread::Thread::unpark; }
//! impl Clone for Thread @ std::thread::…  fn c2() where std::thread::Thread: Clone {}
//! ```
//!
//! The checks are one program, compiled twice: as it is, and with `std` renamed to mean the
//! mirror. What the compiler rejects the second time only is what the mirror lacks; the first time
//! proves the checks themselves.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::{env, fs};

/// The modules that are compared, with all in them; `std` is the whole.
const MODULES: &[&str] = &["std"];

const LIST: &str = include_str!("../data/std-api.txt");

/// What the list has, and stable std on Unix has not: unstable, or of other systems.
const NOT_STABLE: &[&str] = &[
    "!",
    "Allocator",
    "BorrowedCursor",
    "ByteStr",
    "CloneFromCell",
    "CoerceUnsized",
    "DerefPure",
    "Dir",
    "DirEntryExt2",
    "DispatchFromDyn",
    "ExitCodeExt",
    "ExitStatusError",
    "FileTimesExt",
    "OpenOptionsExt2",
    "PidFd",
    "PinCoerceUnsized",
    "RecvTimeoutError<T>",
    "SendTimeoutError",
    "StdioExt",
    "Step",
    "TrustedStep",
    "TryRecvError<T>",
    "UniqueRc",
    "UnixSocketExt",
    "UseCloned",
    "std::io::const_error!",
];

/// What the mirror leaves out.
const NOT_GREEN: &[&str] = &[
    // They are dropped as any enum is: written by hand, the drop check would reject a cell that
    // refers to what is dropped before it, which std's accepts.
    "impl Drop for LazyLock<T, F> @ std::sync::LazyLock",
    "impl Drop for OnceLock<T> @ std::sync::OnceLock",
    // Neither the traits nor `Arc` are the mirror's, so it may not implement the one for the other.
    "impl Read for Arc<File> @ std::io::Read",
    "impl Read for Arc<File> @ std::sync::Arc",
    "impl Seek for Arc<File> @ std::io::Seek",
    "impl Seek for Arc<File> @ std::sync::Arc",
    "impl Write for Arc<File> @ std::io::Write",
    "impl Write for Arc<File> @ std::sync::Arc",
];

#[test]
fn the_checks_hold_on_std() {
    let failed = rejected(&checks_of_list(LIST, &["std"]), Std::Real, "list_std");
    assert!(failed.is_empty(), "not in std, or not checked rightly:\n{}", lines(&failed));
}

#[test]
fn what_does_not_exist_is_reported() {
    let there = [
        "struct std::thread::Thread",
        "method std::thread::Thread::unpark",
        "impl Clone for Thread @ std::thread::Thread",
    ];
    let made_up = [
        "fn std::thread::made_up",
        "impl Clone for MadeUp @ std::thread::MadeUp",
        "impl Copy for Thread @ std::thread::Thread",
        "method std::thread::Thread::made_up",
        "struct std::thread::MadeUp",
    ];
    let checks = checks_of_list(&[&there[..], &made_up[..]].concat().join("\n"), &["std"]);
    for (std, program) in [(Std::Real, "made_up_std"), (Std::Mirror, "made_up_mirror")] {
        let failed = rejected(&checks, std, program);
        assert!(failed.keys().eq(&made_up), "{}", lines(&failed));
    }
}

#[test]
fn the_mirror_has_all_that_std_has() {
    let mut checks = checks_of_list(LIST, MODULES);
    checks.retain(|fact, _| !NOT_GREEN.contains(&fact.as_str()));
    let missing = rejected(&checks, Std::Mirror, "list_mirror");
    assert!(
        missing.is_empty(),
        "of {} items in {MODULES:?} the mirror lacks {}:\n{}",
        checks.len(),
        missing.len(),
        lines(&missing)
    );
}

#[test]
fn the_mirrors_types_cross_threads_as_stds_do() {
    let checks = checks_of_auto_traits(LIST, MODULES);
    let on_std = rejected(&checks, Std::Real, "auto_std");
    let on_mirror = rejected(&checks, Std::Mirror, "auto_mirror");
    let only_in = |here: &Rejected, there: &Rejected| {
        let held = checks.keys().filter(|fact| !here.contains_key(*fact));
        held.filter(|fact| there.contains_key(*fact)).cloned().collect::<Vec<_>>()
    };
    let lost = only_in(&on_std, &on_mirror);
    let mut gained = only_in(&on_mirror, &on_std);
    // To unwind more freely than std's type harms nobody, to cross threads more freely does.
    gained.retain(|fact| fact.ends_with(" Send") || fact.ends_with(" Sync"));
    // A scoped handle is made for what is `Send` alone; what it would be else matters not.
    gained.retain(|fact| !fact.starts_with("std::thread::ScopedJoinHandle<"));
    assert!(lost.is_empty(), "holds in std, and not in the mirror: {lost:#?}");
    assert!(gained.is_empty(), "holds in the mirror, and not in std: {gained:#?}");
}

/// Facts, each with the Rust that compiles if it holds.
type Checks = BTreeMap<String, String>;

/// Facts that do not hold, each with the compiler's reason.
type Rejected = BTreeMap<String, String>;

/// The checks of those lines of `list` that are about `modules`.
fn checks_of_list(list: &str, modules: &[&str]) -> Checks {
    let names = Names::of(list);
    let facts = list.lines().filter(|line| {
        let path = line.rsplit(' ').next().unwrap_or_default();
        is_in(modules, path) && !NOT_STABLE.iter().any(|name| has_word(line, name))
    });
    let code = facts.filter_map(|fact| {
        let (kind, rest) = fact.split_once(' ')?;
        let code = match kind {
            "impl" => {
                let (implementation, page) = rest.rsplit_once(" @ ")?;
                let (bound, implementor) = implementation.split_once(" for ")?;
                // Of `impl<T, F: FnOnce() -> T> Deref for …` the list has kept what follows `->`.
                let bound = bound.strip_prefix("T> ").unwrap_or(bound);
                // What std rules out, the comparison of auto traits rules out.
                if bound.starts_with('!') {
                    return None;
                }
                let (head, arguments) = bound.split_at(bound.find('<').unwrap_or(bound.len()));
                let head = find(&names.traits, head, page).unwrap_or(head);
                let arguments = names.spell_out(arguments, page);
                let implementor = names.spell_out(implementor, page);
                format!("where {implementor}: {head}{arguments} {{}}")
            }
            "method" => format!("{{ let _ = {rest}; }}"),
            _ => format!("{{ use {} as _; }}", rest.trim_end_matches('!')),
        };
        Some((fact.to_owned(), code))
    });
    code.collect()
}

/// For each type of `modules`, that it is `Send`, `Sync` and so on, whatever it carries.
fn checks_of_auto_traits(list: &str, modules: &[&str]) -> Checks {
    let names = Names::of(list);
    // Every public type is `Debug`, and its page says so with the type's parameters.
    let types = list.lines().filter_map(|line| {
        let (implementor, page) = line.strip_prefix("impl Debug for ")?.rsplit_once(" @ ")?;
        is_in(modules, page).then(|| names.spell_out(implementor, page))
    });
    let mut checks = Checks::new();
    for name in types {
        for parameter in ["Anything", "Cell<u8>", "Rc<u8>", "SyncOnly"] {
            let name = replace_words(&name, |word| if word == "T" { parameter } else { word });
            for bound in ["Send", "Sync", "Unpin", "UnwindSafe", "RefUnwindSafe"] {
                checks.insert(format!("{name}: {bound}"), format!("where {name}: {bound} {{}}"));
            }
        }
    }
    checks
}

fn is_in(modules: &[&str], path: &str) -> bool {
    modules.iter().any(|module| {
        path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    })
}

/// Finds the paths of the names that stand without one in the list's implementations.
struct Names<'a> {
    types: BTreeMap<&'a str, Vec<&'a str>>,
    traits: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Names<'a> {
    fn of(list: &'a str) -> Names<'a> {
        let mut names = Names { types: BTreeMap::new(), traits: BTreeMap::new() };
        for (kind, path) in list.lines().filter_map(|line| line.split_once(' ')) {
            let table = match kind {
                "struct" | "enum" => &mut names.types,
                "trait" => &mut names.traits,
                _ => continue,
            };
            let name = path.rsplit("::").next().unwrap_or(path);
            table.entry(name).or_default().push(path);
        }
        names
    }

    /// Types as they can be written anywhere: with paths, for `'static`, with std's allocator.
    fn spell_out(&self, types: &str, page: &str) -> String {
        let types = types.replace(", A>", ">").replace('&', "&'static ");
        replace_words(&types.replace("'static 'a", "'static"), |word| match word {
            _ if word.starts_with('\'') => "'static",
            _ => find(&self.types, word, page).unwrap_or(word),
        })
    }
}

/// The path of `name` where the page's reader would look for it: the page's own item, one of the
/// same module, the only one. Other names are in scope in the program.
fn find<'a>(table: &BTreeMap<&str, Vec<&'a str>>, name: &str, page: &str) -> Option<&'a str> {
    let paths = table.get(name)?;
    let module = |path: &'a str| path.rsplit_once("::").map(|(module, _)| module);
    let page_module = page.rsplit_once("::").map(|(module, _)| module);
    let own = paths.iter().find(|path| **path == page);
    let near = paths.iter().find(|path| module(path) == page_module);
    own.or(near).or(paths.first().filter(|_| paths.len() == 1)).copied()
}

/// Words are names, paths and lifetimes.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_:'".contains(c)
}

fn replace_words<'a>(text: &'a str, replacement: impl Fn(&'a str) -> &'a str) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (between, at_word) = rest.split_at(rest.find(is_of_word).unwrap_or(rest.len()));
        let end = at_word.find(|c| !is_of_word(c)).unwrap_or(at_word.len());
        let (word, after) = at_word.split_at(end);
        replaced += between;
        replaced += replacement(word);
        rest = after;
    }
    replaced
}

fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + word.len()..]);
        !before.ends_with(is_of_word) && !after.starts_with(is_of_word)
    })
}

/// What `std` means to a program.
#[derive(Clone, Copy, PartialEq)]
enum Std {
    Real,
    Mirror,
}

/// Errors by which the compiler says that it has found a method, and needs to know for which type.
const FOUND: [&str; 5] = ["E0034", "E0282", "E0283", "E0284", "E0790"];

/// Compiles the checks, and returns those that fail.
///
/// The compiler stops early where a path leads nowhere, so what it has judged is taken out and the
/// rest tried again, until all that is left compiles.
fn rejected(checks: &Checks, std: Std, program: &str) -> Rejected {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = directory.join(format!("{program}.rs"));
    let head = include_str!("../data/parity_probe.rs");
    let numbers = head.lines().count() + 1..;
    let mut open: BTreeMap<usize, _> = numbers.clone().zip(checks).collect();
    let mut rejected = Rejected::new();
    loop {
        let body = numbers.clone().take(checks.len()).map(|number| match open.get(&number) {
            Some((_, code)) => format!("fn check_{number}() {code}\n"),
            None => String::from("\n"),
        });
        fs::write(&source, String::from(head) + &body.collect::<String>()).expect("written");
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()));
        rustc.args(["--edition=2024", "--emit=metadata", "--error-format=short"]);
        if std == Std::Mirror {
            rustc.args(MIRROR_AS_STD.iter());
        }
        let output = rustc.arg("--out-dir").arg(directory).arg(&source).output().expect("rustc");
        if output.status.success() {
            return rejected;
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        let before = open.len();
        for (line, code, message) in errors.lines().filter_map(error) {
            let Some((fact, _)) = open.remove(&line) else { continue };
            if !(fact.starts_with("method ") && FOUND.contains(&code)) {
                rejected.insert(fact.clone(), message.to_owned());
            }
        }
        assert!(open.len() < before, "not an error of a check:\n{errors}");
    }
}

/// Line, code and text of an error as rustc's short format has it.
fn error(text: &str) -> Option<(usize, &str, &str)> {
    let (place, error) = text.split_once(": error")?;
    let line = place.rsplit(':').nth(1)?.parse().ok()?;
    let (code, message) = error.split_once(": ")?;
    Some((line, code.trim_matches(['[', ']']), message))
}

/// What makes rustc take the mirror for `std`. Builds it, if need be.
static MIRROR_AS_STD: LazyLock<[String; 2]> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("cargo's target directory");
    let cargo = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package=std-shim", "--target-dir"])
        .arg(target)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("CARGO_BUILD_TARGET")
        .status();
    assert!(cargo.expect("cargo").success(), "std-shim is built");
    let built = target.join("debug");
    [
        format!("--extern=std={}", built.join("libstd_shim.rlib").display()),
        format!("-Ldependency={}", built.join("deps").display()),
    ]
});

fn lines(facts: &Rejected) -> String {
    facts.iter().map(|(fact, why)| format!("  {fact}\n      {why}\n")).collect()
}

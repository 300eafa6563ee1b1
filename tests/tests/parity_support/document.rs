//! `docs/std-parity.md`: the comparison, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::comparison::Comparison;
use super::list::{Fact, Is};
use super::pages::additions;

/// What the comparison does not see: where something of the mirror's own behaves in another way.
const NOTES: &[(&str, &str)] = &[
    ("std::fs::File", "an `Arc<File>` reads, writes and seeks as `&*file`"),
    ("std::io::IsTerminal", "a twin of std's sealed trait, for the mirror's types and for std's"),
    (
        "std::io::Stderr",
        "its lock keeps out the mirror's writers, not a bare `eprintln!`; a `write!` is one call of the kernel",
    ),
    (
        "std::io::Stdin",
        "its buffer is the mirror's, not the one that real std's `Stdin` reads from",
    ),
    ("std::io::Stdout", "its lock keeps out the mirror's writers, not a bare `println!`"),
    ("std::net::TcpListener", "4,096 connections may wait to be accepted; 128 with std"),
    (
        "std::net::ToSocketAddrs",
        "a twin of std's trait: what implements std's alone, in a crate that has not been moved over, does not pass for one",
    ),
    (
        "std::os::linux::net::TcpStreamExt",
        "a twin of std's sealed trait, for the mirror's type and for std's",
    ),
    (
        "std::os::unix::net::UnixDatagram",
        "a sender whose path fills the kernel's structure to the last byte appears as unnamed",
    ),
    (
        "std::os::unix::process::CommandExt",
        "a twin of std's sealed trait, for the mirror's type, into which std's converts",
    ),
    ("std::process::Command", "one that comes from std holds an OS thread for all of `output`"),
    (
        "std::os::unix::thread::JoinHandleExt",
        "re-exported, and implemented for the mirror's handle; its methods panic, for a green thread has no `pthread_t`",
    ),
    (
        "std::panic::take_hook",
        "the default hook that it puts back knows the names of green threads",
    ),
    ("std::thread::JoinHandle", "`JoinHandleExt` panics"),
];

/// How the document is written anew.
const COMMAND: &str = "PARITY=write cargo test -p tests --test parity";

/// The whole text.
pub(crate) fn text(
    release: &str,
    comparison: &Comparison,
    justified: &[(&str, &[&str])],
    later: &[(&str, &str, &[&str])],
    own: &BTreeSet<String>,
) -> String {
    let mut text = String::new();
    let facts = &comparison.facts;
    let additions = additions(own, facts);
    let n_green = comparison.green.len();
    let n_different = comparison.differences.len();
    write!(
        text,
        "# std, item by item\n\n\
         <!-- Written by `{COMMAND}`; a test fails when it is out of date. -->\n\n\
         The stable API of std {release}: the modules that the mirror has for itself, and the other \
         modules and the macros by name; {} items, methods and implementations.\n\
         {} are *re-exported*: std's own. {n_green} are *green*: the mirror's, under std's names.\n\
         What has no place here is in a module that is re-exported as a whole.\n\n\
         For each item the compiler was asked the same of std and of the mirror, and said the \
         same: the signature, the bounds of each parameter, `const`, `unsafe`, `#[must_use]`, \
         `#[deprecated]`, associated types, auto traits, variance, and what the drop check \
         demands.\n",
        facts.len(),
        facts.len() - n_green,
    )
    .expect("into a string");

    write!(text, "\n## What differs\n\nTo the compiler, {n_different} lines:\n\n")
        .expect("into a string");
    text += "| why | lines |\n|---|---|\n";
    for (why, lines) in justified {
        let lines: Vec<String> = lines.iter().map(|line| format!("`{line}`")).collect();
        writeln!(text, "| {why} | {} |", lines.join("<br>")).expect("into a string");
    }
    text += "\nIn behaviour:\n\n| item | note |\n|---|---|\n";
    for (path, note) in NOTES {
        writeln!(text, "| `{path}` | {note} |").expect("into a string");
    }

    if !later.is_empty() {
        text += "\nOf newer releases, what waits until they are in use:\n\n";
        text += "| std | needs | lines |\n|---|---|---|\n";
        for (release, needs, lines) in later {
            let lines: Vec<String> = lines.iter().map(|line| format!("`{line}`")).collect();
            writeln!(text, "| {release} | {needs} | {} |", lines.join("<br>"))
                .expect("into a string");
        }
    }

    write!(text, "\n## What the mirror adds\n\n").expect("into a string");
    let is_conversion = |fact: &&String| {
        let of = fact.strip_prefix("impl From<").and_then(|rest| rest.split_once("> for "));
        of.is_some_and(|(from, rest)| rest.split(" @ ").next() == Some(from))
    };
    let conversions: Vec<&str> = additions
        .iter()
        .filter(is_conversion)
        .filter_map(|fact| fact.rsplit_once(" @ ").map(|(_, path)| path))
        .collect();
    write!(
        text,
        "From and into std's type of the same name these convert: {}.\n\n\
         What converts into `Stdio` does so from either side into the `Stdio` of either.\n\n",
        conversions.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ")
    )
    .expect("into a string");
    for fact in additions.iter().filter(|fact| !is_conversion(fact)) {
        writeln!(text, "- `{fact}`").expect("into a string");
    }

    for (module, items) in modules(facts) {
        write!(text, "\n## `{module}`\n\n| item | | | note |\n|---|---|---|---|\n")
            .expect("into a string");
        for item in items {
            text += &row(item, facts, comparison);
        }
    }
    text
}

/// The items, by module.
fn modules(facts: &[Fact]) -> BTreeMap<&str, Vec<&Fact>> {
    let mut modules: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
    for fact in facts {
        if let Is::Item { path, .. } = &fact.is {
            let (module, _) = path.rsplit_once("::").unwrap_or(("", path));
            modules.entry(module).or_default().push(fact);
        }
    }
    modules
}

/// An item's line, with all that is on its page.
fn row(item: &Fact, facts: &[Fact], comparison: &Comparison) -> String {
    let Is::Item { kind, path } = &item.is else { return String::new() };
    let of_page: Vec<&Fact> = facts.iter().filter(|fact| fact.page() == path).collect();
    let is_green = |fact: &Fact| comparison.green.contains(&fact.line);
    let is_green_inside = kind == "mod" && {
        let inside = format!("{path}::");
        facts.iter().any(|fact| is_green(fact) && fact.page().starts_with(&inside))
    };
    let whose = match (is_green(item), is_green_inside) {
        (true, _) => "green",
        (false, true) => "green in part",
        (false, false) => "re-exported",
    };

    let mut content = Vec::new();
    let methods: Vec<String> = of_page
        .iter()
        .filter_map(|fact| match &fact.is {
            Is::Method { name, .. } => Some(format!("`{name}`")),
            _ => None,
        })
        .collect();
    let implementations: Vec<String> = of_page
        .iter()
        .filter_map(|fact| {
            let words = fact.line.strip_prefix("impl ")?.split(" @ ").next()?;
            let (of, by) = words.split_once(" for ")?;
            let name = path.rsplit("::").next();
            let is_plain = by.split('<').next() == name;
            Some(if is_plain { format!("`{of}`") } else { format!("`{of} for {by}`") })
        })
        .collect();
    // Of what is std's own, only how much there is.
    if is_green(item) {
        content.push(methods.join(", "));
        content.push(implementations.join(", "));
    } else if methods.len() + implementations.len() > 0 {
        content.push(format!(
            "{} methods, {} implementations",
            methods.len(),
            implementations.len()
        ));
    }
    content.retain(|part| !part.is_empty());
    let note = NOTES.iter().find(|(of, _)| *of == path).map_or("", |(_, note)| note);
    let (_, name) = path.rsplit_once("::").unwrap_or(("", path));
    format!("| {kind} `{name}` | {whose} | {} | {note} |\n", content.join("; "))
}

/// Whether each note is about an item of the list.
pub(crate) fn notes_are_about(facts: &[Fact]) -> bool {
    NOTES.iter().all(|(path, _)| {
        facts.iter().any(|fact| matches!(&fact.is, Is::Item { path: item, .. } if item == path))
    })
}

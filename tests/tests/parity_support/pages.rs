//! What the mirror has, read from its documentation: the way to see what it adds to std.
//!
//! rustdoc's pages name their parts: `<section id="method.connect" class="method">` is a method of
//! the type itself, `class="impl"` an implementation with its header in `<h3>`, and a link into
//! `src/std_shim/` says that the mirror wrote it. What the pages show of std's own is passed over.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The modules of which the mirror has its own.
const MODULES: &[&str] = &["fs", "io", "net", "os", "panic", "process", "sync", "thread"];

/// All that the mirror wrote and a program can see, in the words of the list.
pub(crate) fn own_facts(documentation: &Path) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for module in MODULES {
        read_module(&documentation.join(module), &format!("std::{module}"), &mut facts);
    }
    facts
}

fn read_module(directory: &Path, module: &str, facts: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a module's pages").flatten() {
        let name = entry.file_name().into_string().expect("rustdoc's names are text");
        if entry.path().is_dir() {
            // A prelude has what is elsewhere, too.
            if name != "prelude" {
                read_module(&entry.path(), &format!("{module}::{name}"), facts);
            }
        } else if let Some((kind, item)) =
            name.strip_suffix(".html").and_then(|name| name.split_once('.'))
        {
            let page = fs::read_to_string(entry.path()).expect("a page");
            read_page(&page, kind, &format!("{module}::{item}"), facts);
        }
    }
}

fn read_page(page: &str, kind: &str, path: &str, facts: &mut BTreeSet<String>) {
    let is_own = |part: &str| part.contains("/src/std_shim/");
    let heading =
        page.split_once("main-heading").and_then(|(_, rest)| rest.split_once("</div><pre"));
    if !heading.is_some_and(|(heading, _)| is_own(heading)) {
        return;
    }
    facts.insert(format!("{kind} {path}"));
    for section in page.split("<section id=\"").skip(1) {
        let Some((id, rest)) = section.split_once("\" class=\"") else { continue };
        let Some((class, rest)) = rest.split_once('"') else { continue };
        let Some((links, rest)) = rest.split_once(" class=\"code-header\">") else { continue };
        let method = id.strip_prefix("method.").or(id.strip_prefix("tymethod."));
        match (class, method) {
            ("method", Some(method)) => _ = facts.insert(format!("method {path}::{method}")),
            ("impl", None) if is_own(links) => {
                let header = rest.split_once("</h3>").map_or("", |(header, _)| header);
                if let Some(header) = implementation(&text(header)) {
                    facts.insert(format!("{header} @ {path}"));
                }
            }
            _ => {}
        }
    }
}

/// `impl Debug for Mutex<T>` of a header with parameters and bounds.
fn implementation(header: &str) -> Option<String> {
    let header = header.strip_prefix("unsafe ").unwrap_or(header).strip_prefix("impl")?;
    let header = match header.starts_with('<') {
        true => &header[super::words::end_of_brackets(header)..],
        false => header,
    };
    let header = header.split("where").next()?.trim();
    header.contains(" for ").then(|| format!("impl {header}"))
}

/// What a reader sees.
fn text(html: &str) -> String {
    let mut parts = html.split('<');
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.filter_map(|part| part.split_once('>').map(|(_, text)| text));
    let text = rest.fold(first, |text, part| text + part);
    let decoded = text.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'");
    decoded.replace("&amp;", "&").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What the compiler is asked about types of both, whether anybody wrote it down or not.
const COMPARED: &[&str] = &["Send", "Sync", "UnwindSafe", "RefUnwindSafe", "StructuralPartialEq"];

/// The facts of the mirror that are not in the list.
pub(crate) fn additions(own: &BTreeSet<String>, list: &str) -> BTreeSet<String> {
    // Of `impl<T, F: FnOnce() -> T> Deref for …` the list has kept what follows `->`.
    let known: BTreeSet<String> =
        list.lines().map(|line| without_lifetimes(&line.replace("impl T> ", "impl "))).collect();
    let is_compared =
        |fact: &str| COMPARED.iter().any(|name| fact.starts_with(&format!("impl {name} for ")));
    let unknown = own.iter().filter(|fact| !known.contains(&without_lifetimes(fact)));
    unknown.filter(|fact| !is_compared(fact)).cloned().collect()
}

/// Lifetimes have other names here than there, or none.
fn without_lifetimes(fact: &str) -> String {
    let text = super::words::replace_words(fact, |word| {
        if word.starts_with('\'') { String::from("'") } else { word.to_owned() }
    });
    text.replace("', ", "").replace("<'>", "").replace("' ", "")
}

//! The pages that rustdoc writes: those of std, and those of the mirror.
//!
//! A module's page lists what is in it, `<dt><a class="struct" href="struct.Mutex.html">…</dt>`, and
//! marks what is not stable. An item's page names its parts: `<section id="method.connect"
//! class="method">` is a method of the type itself, `class="impl"` an implementation with its header
//! in `<h3>`, whose links have the full paths as their titles. Headings (`<h2 id="…">`) say which
//! implementations somebody wrote and which the compiler finds. A link into `src/std_shim/` says
//! that the mirror wrote it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::list::{Fact, Is};
use super::words::{end_of_brackets, has_word, replace_words};

/// The modules of which the mirror has its own.
const MODULES: &[&str] = &["fs", "io", "net", "os", "panic", "process", "sync", "thread"];

/// Another one that is listed in full.
const ALSO: &str = "time";

/// Of those the ones that are re-exported as a whole, and listed by name.
const BY_NAME: &[&str] = &[
    "std::io::prelude",
    "std::os::linux::fs",
    "std::os::linux::raw",
    "std::os::raw",
    "std::os::unix::ffi",
    "std::os::unix::io",
    "std::os::unix::prelude",
    "std::os::unix::raw",
    "std::sync::atomic",
];

/// The one whose items are listed, and not what is on their pages: its traits are on all of std's
/// types.
const ITEMS_ONLY: &str = "std::panic";

/// The headings over what somebody wrote.
const WRITTEN: &[&str] = &[
    "foreign-impls",
    "implementations",
    "implementors",
    "provided-methods",
    "required-methods",
    "trait-implementations",
];

/// How the pages name the systems of which the mirror is one, and others.
const SYSTEMS: &[&str] = &["Linux", "Unix"];
const OTHER_SYSTEMS: &[&str] = &["Apple", "WASI", "Windows", "iOS", "macOS"];

/// Ends the names of macros of which each processor has its own.
const OF_A_PROCESSOR: &str = "_feature_detected";

/// All that the pages of std show: the modules that the mirror has in full, and the others and the
/// macros by name.
pub(crate) fn std_facts(documentation: &Path) -> Vec<Fact> {
    let mut facts = BTreeSet::new();
    read_std_module(documentation, "std", &mut facts);
    facts.into_iter().collect()
}

fn read_std_module(directory: &Path, module: &str, facts: &mut BTreeSet<Fact>) {
    let is_root = module == "std";
    let page = fs::read_to_string(directory.join("index.html")).expect("a module's page");
    for entry in page.split("<dt").skip(1) {
        let entry = entry.split("</dt>").next().unwrap_or_default();
        let Some((_, link)) = entry.split_once("<a ") else { continue };
        let (Some(kind), Some(target)) = (attribute(link, "class"), attribute(link, "href")) else {
            continue;
        };
        let name = target.trim_end_matches("/index.html").trim_end_matches(".html");
        let name = name.split_once('.').map_or(name, |(_, name)| name);
        let path = match name {
            "try" => format!("{module}::r#try"),
            _ => format!("{module}::{name}"),
        };
        if !is_ours(entry) {
            continue;
        }
        let mut add = |fact| _ = facts.insert(fact);
        match kind {
            "mod" => {
                let is_full = match is_root {
                    true => MODULES.contains(&name) || name == ALSO,
                    false => !BY_NAME.contains(&&*path),
                };
                add(Fact::item("mod", &path));
                if is_full {
                    read_std_module(&directory.join(name), &path, facts);
                }
            }
            "macro" if name.ends_with(OF_A_PROCESSOR) => {}
            "macro" => add(Fact::item("macro", &format!("{path}!"))),
            "constant" | "enum" | "fn" | "struct" | "trait" | "type" if !is_root => {
                add(Fact::item(kind, &path));
                if module != ITEMS_ONLY {
                    let page = fs::read_to_string(directory.join(target)).expect("an item's page");
                    sections(&page).filter_map(|section| section.fact(&path)).for_each(add);
                }
            }
            _ => {}
        }
    }
}

/// Whether something is stable, and there on the systems in question, by the marks beside it.
fn is_ours(marks: &str) -> bool {
    let portability = marks.split_once("stab portability").map(|(_, portability)| portability);
    let names = |text, systems: &[&str]| systems.iter().any(|system| has_word(text, system));
    let is_here = |text| names(text, SYSTEMS) || !names(text, OTHER_SYSTEMS);
    !marks.contains("stab unstable") && portability.is_none_or(is_here)
}

/// All that the mirror wrote and a program can see, in the words of std's facts.
pub(crate) fn own_facts(documentation: &Path) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    for module in MODULES {
        read_own_module(&documentation.join(module), &format!("std::{module}"), &mut facts);
    }
    facts
}

fn read_own_module(directory: &Path, module: &str, facts: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).expect("a module's pages").flatten() {
        let name = entry.file_name().into_string().expect("rustdoc's names are text");
        if entry.path().is_dir() {
            // A prelude has what is elsewhere, too.
            if name != "prelude" {
                read_own_module(&entry.path(), &format!("{module}::{name}"), facts);
            }
        } else if let Some((kind, item)) =
            name.strip_suffix(".html").and_then(|name| name.split_once('.'))
        {
            let page = fs::read_to_string(entry.path()).expect("a page");
            read_own_page(&page, kind, &format!("{module}::{item}"), facts);
        }
    }
}

fn read_own_page(page: &str, kind: &str, path: &str, facts: &mut BTreeSet<String>) {
    let is_own = |part: &str| part.contains("/src/std_shim/");
    let heading =
        page.split_once("main-heading").and_then(|(_, rest)| rest.split_once("</div><pre"));
    if !heading.is_some_and(|(heading, _)| is_own(heading)) {
        return;
    }
    facts.insert(format!("{kind} {path}"));
    let own = sections(page).filter(|section| section.class != "impl" || is_own(section.links));
    // Beside std's type of the same name the mirror's has its path.
    let without_path = |word: &str| match word.strip_prefix("std_shim::") {
        Some(path) => path.rsplit("::").next().unwrap_or(path).to_owned(),
        None => word.to_owned(),
    };
    let lines = own.filter_map(|section| section.fact(path)).map(|fact| fact.line);
    facts.extend(lines.map(|line| replace_words(&line, without_path)));
}

/// A part of a page: a method, an implementation.
struct Section<'a> {
    id: &'a str,
    class: &'a str,
    links: &'a str,
    header: &'a str,
    marks: &'a str,
}

/// The parts that somebody wrote.
fn sections(page: &str) -> impl Iterator<Item = Section<'_>> {
    let groups = page.split("<h2 id=\"").skip(1);
    let written = groups.filter(|group| {
        let id = group.split('"').next().unwrap_or_default();
        WRITTEN.contains(&id)
    });
    written.flat_map(|group| group.split("<section id=\"").skip(1)).filter_map(|section| {
        let (id, rest) = section.split_once("\" class=\"")?;
        let (class, rest) = rest.split_once('"')?;
        let class = class.strip_suffix(" deprecated").unwrap_or(class);
        let (links, rest) = rest.split_once(" class=\"code-header\">")?;
        let heading = if class == "impl" { "</h3>" } else { "</h4>" };
        let (header, marks) = rest.split_once(heading)?;
        let marks = marks.split("<div class=\"docblock").next()?;
        Some(Section { id, class, links, header, marks })
    })
}

impl Section<'_> {
    /// What this says on the page of `path`.
    fn fact(&self, path: &str) -> Option<Fact> {
        if !is_ours(self.marks) {
            return None;
        }
        let (kind, name) = self.id.split_once('.').unwrap_or(("", self.id));
        match (self.class, kind) {
            ("method", "method" | "tymethod") => Some(Fact::method("method", path, name)),
            ("associatedconstant", "associatedconstant") => {
                Some(Fact::method("associated constant", path, name))
            }
            ("impl", _) => {
                let (of, by) = implementation(&text(self.header))?;
                let line = format!("impl {of} for {by} @ {path}");
                // What std rules out, the comparison of auto traits rules out.
                if of.starts_with('!') {
                    return None;
                }
                let (of, by) = implementation(&text(&with_paths(self.header)))?;
                let page = path.to_owned();
                let is = Is::Implementation { of: anywhere(&of), by: anywhere(&by), page };
                Some(Fact { line, is })
            }
            _ => None,
        }
    }
}

/// `Debug` and `Mutex<T>` of a header with parameters and bounds.
fn implementation(header: &str) -> Option<(String, String)> {
    let header = header.strip_prefix("unsafe ").unwrap_or(header).strip_prefix("impl")?;
    let header = match header.starts_with('<') {
        true => &header[end_of_brackets(header)..],
        false => header,
    };
    let header = header.split("where").next()?.trim();
    let header = header.strip_prefix("const ").unwrap_or(header);
    let (of, by) = header.split_once(" for ")?;
    Some((of.to_owned(), by.to_owned()))
}

/// `html` with the full path in each link to a type or a trait, in std.
fn with_paths(html: &str) -> String {
    let mut parts = html.split("<a ");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((link, after)) = part.split_once("</a>") else { continue };
        let shown = link.split_once('>').map_or("", |(_, shown)| shown);
        let title = attribute(link, "title").unwrap_or_default();
        match title.split_once(' ') {
            Some(("enum" | "struct" | "trait" | "type" | "union", path)) => {
                // Of what is ambiguous, part of the path is there already.
                let is_of_path = |c: char| c.is_alphanumeric() || "_:".contains(c);
                let is_begun = text.ends_with("::");
                let end =
                    if is_begun { text.trim_end_matches(is_of_path).len() } else { text.len() };
                text.truncate(end);
                let of_std = path.strip_prefix("core::").or(path.strip_prefix("alloc::"));
                text += &of_std.map_or(path.to_owned(), |path| format!("std::{path}"));
            }
            _ => text += shown,
        }
        text += after;
    }
    text
}

/// A type as it can be written anywhere: for `'static`, with std's allocator.
fn anywhere(types: &str) -> String {
    let types = types.replace(", A>", ">").replace('&', "&'static ");
    replace_words(&types.replace("'static 'a", "'static"), |word| match word {
        _ if word.starts_with('\'') => String::from("'static"),
        _ => word.to_owned(),
    })
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!("{name}=\""))?;
    value.split('"').next()
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

/// The facts of the mirror that std has not.
pub(crate) fn additions(own: &BTreeSet<String>, of_std: &[Fact]) -> BTreeSet<String> {
    let known: BTreeSet<String> = of_std.iter().map(|fact| without_lifetimes(&fact.line)).collect();
    let is_compared =
        |fact: &str| COMPARED.iter().any(|name| fact.starts_with(&format!("impl {name} for ")));
    let unknown = own.iter().filter(|fact| !known.contains(&without_lifetimes(fact)));
    unknown.filter(|fact| !is_compared(fact)).cloned().collect()
}

/// Lifetimes have other names here than there, or none.
fn without_lifetimes(fact: &str) -> String {
    let text = replace_words(fact, |word| {
        if word.starts_with('\'') { String::from("'") } else { word.to_owned() }
    });
    text.replace("', ", "").replace("<'>", "").replace("' ", "")
}

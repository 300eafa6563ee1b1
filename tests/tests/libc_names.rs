//! `docs/libc.md`: which functions of libc's are green, which are blocking sections, which are passed on, which
//! are refused. What it says is what the library that makes a program green exports.
//!
//! `LIBC=write cargo test -p tests --test libc_names` takes in what is new, with its module, and out what is
//! gone; what is new is taken for what most of its module are, until somebody writes it elsewhere.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use tests::whole;

/// What a function does for a green thread.
const STATES: [&str; 5] = ["green", "told", "section", "passed on", "refused"];

macro_rules! names {
    ($($module:ident: $($name:ident),+;)+) => {
        [$((stringify!($module), vec![$(stringify!($name)),+])),+]
    };
}

/// What most functions of a module are.
fn usual(module: &str) -> &'static str {
    match module {
        "attributes" | "descriptors" => "told",
        "files" | "resolver" | "stdio" => "section",
        _ => "green",
    }
}

/// Each name, with the module that has it.
fn in_table() -> Vec<(&'static str, &'static str)> {
    let all = sylvan_posix::heard_of!(names).into_iter().chain(sylvan_posix::green!(names));
    all.flat_map(|(module, names)| names.into_iter().map(move |name| (module, name))).collect()
}

/// The functions that the library shows.
fn exported() -> BTreeSet<String> {
    let listed = Command::new("nm")
        .args(["--dynamic", "--defined-only"])
        .arg(whole::preload())
        .output()
        .expect("nm runs");
    let listed = String::from_utf8(listed.stdout).expect("names are plain");
    listed
        .lines()
        .filter_map(|line| line.split(' ').nth(2))
        .map(|name| name.split('@').next().unwrap_or(name).to_owned())
        .filter(|name| !name.starts_with("rust_"))
        .collect()
}

/// A row of the document's table.
struct Row {
    module: String,
    state: String,
    names: Vec<String>,
}

impl Row {
    fn parse(line: &str) -> Option<Self> {
        let mut cells = line.strip_prefix('|')?.strip_suffix('|')?.split('|').map(str::trim);
        let (module, state, names) = (cells.next()?, cells.next()?, cells.next()?);
        let module = module.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        let names = names.split(", ").filter_map(|it| it.strip_prefix('`')?.strip_suffix('`'));
        Some(Self { module, state: state.to_owned(), names: names.map(Into::into).collect() })
    }

    fn write(&self) -> String {
        let names: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
        format!("| `{}` | {} | {} |", self.module, self.state, names.join(", "))
    }
}

/// The document, with its rows as they are to be.
fn renewed(text: &str, table: &[(&str, &str)]) -> String {
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    let mut last_row = 0;
    for line in text.lines() {
        let Some(mut row) = Row::parse(line) else {
            lines.push(line.to_owned());
            continue;
        };
        row.names.retain(|name| table.iter().any(|(_, known)| known == name));
        seen.extend(row.names.iter().cloned());
        if !row.names.is_empty() {
            lines.push(row.write());
            last_row = lines.len();
        }
    }
    for &(module, name) in table.iter().filter(|(_, name)| !seen.contains(*name)) {
        let of_module = lines.iter().position(|line| {
            Row::parse(line).is_some_and(|row| row.module == module && row.state == usual(module))
        });
        let row =
            Row { module: module.into(), state: usual(module).into(), names: vec![name.into()] };
        match of_module {
            Some(at) => {
                let mut row = Row::parse(&lines[at]).expect("a row");
                row.names.push(name.into());
                lines[at] = row.write();
            }
            None => {
                lines.insert(last_row, row.write());
                last_row += 1;
            }
        }
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_document_has_what_the_library_exports() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/libc.md");
    let mut text = fs::read_to_string(&path).expect("the document");
    let table = in_table();
    if env::var_os("LIBC").is_some_and(|it| it == "write") {
        text = renewed(&text, &table);
        fs::write(&path, &text).expect("it is written");
    }
    let rows: Vec<Row> = text.lines().filter_map(Row::parse).collect();
    for row in &rows {
        assert!(STATES.contains(&&*row.state), "`{}` is no state", row.state);
        for name in &row.names {
            let known = table.iter().any(|(module, known)| *module == row.module && known == name);
            assert!(known, "`{name}` of `{}` is not in the table of names", row.module);
        }
    }
    let names: Vec<&String> = rows.iter().flat_map(|row| &row.names).collect();
    let documented: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(documented.len(), names.len(), "each name once");
    let exported = exported();
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| -> Vec<String> {
        a.difference(b).cloned().collect()
    };
    assert_eq!(only(&exported, &documented), [""; 0], "not in docs/libc.md (`LIBC=write`)");
    assert_eq!(only(&documented, &exported), [""; 0], "not exported");
}

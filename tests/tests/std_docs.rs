//! The documentation of the mirror reads as std's does.
//!
//! Each public item has a summary, a link to what it is in std, and says so where it differs; each type and
//! function, and each method that waits, has an example. (That the links lead somewhere `ci/doc.sh` checks, and that the examples run
//! `cargo test` does.)

use std::collections::BTreeSet;
use std::fs;
use std::mem;
use std::path::{Path, PathBuf};

/// What needs no example of its own: functions hand it out, which have one.
const HANDED_OUT: &[&str] = &[
    "BarrierWaitResult",
    "Incoming",
    "IntoIter",
    "Iter",
    "MutexGuard",
    "OnceState",
    "RwLockReadGuard",
    "RwLockWriteGuard",
    "Scope",
    "StderrLock",
    "StdinLock",
    "TryIter",
    "WaitTimeoutResult",
];

/// What waits, by the folder or file that it is in.
const WAITS: &[(&str, &[&str])] = &[
    ("src/io/stdio/", &["lock", "read_line"]),
    ("src/net/socket_addr", &["to_socket_addrs"]),
    ("src/net/tcp/", &["accept", "connect", "connect_timeout", "peek"]),
    ("src/net/udp", &["peek", "peek_from", "recv", "recv_from", "send", "send_to"]),
    ("src/os/unix/net/datagram", &["recv", "recv_from", "send", "send_to", "send_to_addr"]),
    ("src/os/unix/net/listener", &["accept"]),
    ("src/os/unix/net/stream", &["connect", "connect_addr"]),
    ("src/process/child", &["wait", "wait_with_output"]),
    ("src/process/command", &["output", "status"]),
    ("src/sync/barrier", &["wait"]),
    ("src/sync/condvar", &["wait", "wait_timeout", "wait_timeout_while", "wait_while"]),
    ("src/sync/lazy_lock", &["force"]),
    ("src/sync/mpsc/receiver", &["recv", "recv_timeout"]),
    ("src/sync/mutex", &["lock"]),
    ("src/sync/once.", &["call_once", "call_once_force", "wait", "wait_force"]),
    ("src/sync/once_lock", &["get_or_init", "wait"]),
    ("src/sync/rwlock", &["read", "write"]),
    ("src/thread/functions", &["park", "park_timeout", "sleep"]),
    ("src/thread/join_handle", &["join"]),
    ("src/thread/scoped", &["join", "scope"]),
];

/// A public item of the mirror, as it stands in the source.
struct Item {
    place: String,
    name: String,
    is_method: bool,
    is_deprecated: bool,
    docs: String,
}

impl Item {
    fn has_example(&self) -> bool {
        self.docs.contains("```")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

/// All files of the mirror, with their paths; without those that have nothing public.
fn sources() -> Vec<(String, String)> {
    let source = root().join("std-shim/src");
    let (mut files, mut folders) = (Vec::new(), vec![source.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the mirror") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_none_or(|name| name != "bridge.rs") {
                let text = fs::read_to_string(&path).expect("a file of the mirror");
                let path = path.strip_prefix(&source).expect("a path below").to_owned();
                files.push((path.to_string_lossy().into_owned(), text));
            }
        }
    }
    files
}

/// The public items of a file: `pub`, or a method of a public trait.
fn items(path: &str, text: &str) -> Vec<Item> {
    let (mut found, mut docs) = (Vec::new(), String::new());
    let (mut in_trait, mut is_deprecated) = (false, false);
    for (i, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if let Some(doc) = code.strip_prefix("///") {
            docs += doc.strip_prefix(' ').unwrap_or(doc);
            docs += "\n";
            continue;
        }
        // A macro that documents methods of several types says so with the type's name.
        if let Some(doc) = code.strip_prefix("#[doc = concat!(") {
            docs += &doc.replace("\", stringify!($std), \"", "std::");
            continue;
        }
        is_deprecated |= code.starts_with("#[deprecated");
        if code.starts_with("#[") || code.starts_with("//") || code == "$($more)*" {
            continue;
        }
        let is_top = code.len() == line.len();
        if is_top && !code.is_empty() {
            in_trait = code.starts_with("pub trait ");
        }
        let docs = mem::take(&mut docs);
        let is_deprecated = mem::take(&mut is_deprecated);
        let public = code.strip_prefix("pub ").or_else(|| in_trait.then_some(code));
        let mut words = public.unwrap_or_default().split([' ', '(', '<', ';', ':', '{']);
        let kind = words.find(|word| !["const", "unsafe", ""].contains(word));
        if let Some("fn" | "struct" | "enum" | "trait" | "union" | "static") = kind
            && !text.contains(&format!("mod sealed {{\n{line}"))
        {
            let name = words.next().expect("a name").to_owned();
            let place = format!("std-shim/src/{path}:{}: {name}", i + 1);
            found.push(Item { place, name, is_method: !is_top, is_deprecated, docs });
        }
    }
    found
}

fn all_items() -> Vec<Item> {
    let items: Vec<Item> = sources().iter().flat_map(|(path, text)| items(path, text)).collect();
    assert!(items.len() > 300, "only {} items were found", items.len());
    items
}

fn assert_each(rule: &str, holds: impl Fn(&Item) -> bool) {
    let broken: Vec<String> =
        all_items().into_iter().filter(|item| !holds(item)).map(|item| item.place).collect();
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn each_item_has_a_summary() {
    assert_each("the first paragraph is a sentence", |item| {
        let summary = item.docs.split("\n\n").next().unwrap_or_default().trim_end();
        summary.starts_with(char::is_uppercase) && summary.ends_with('.')
    });
}

#[test]
fn each_item_links_to_what_it_is_in_std() {
    assert_each("`This corresponds to [`std::…`].`", |item| item.docs.contains("[`std::"));
}

#[test]
fn each_type_and_function_has_an_example() {
    let needs_none = |item: &Item| item.is_deprecated || HANDED_OUT.contains(&&*item.name);
    assert_each("an example", |item| item.is_method || item.has_example() != needs_none(item));
}

#[test]
fn what_waits_says_so_and_has_an_example() {
    let says_so = |item: &Item| item.docs.replace('\n', " ").contains("the calling green thread");
    for (folder, names) in WAITS {
        for name in *names {
            let is_it = |item: &Item| item.name == *name && item.place.contains(folder);
            assert!(all_items().iter().any(is_it), "no `{name}` in {folder}");
            assert_each("what is parked", |item| !is_it(item) || says_so(item));
        }
    }
    assert_each("an example", |item| !says_so(item) || item.has_example());
}

#[test]
fn what_differs_says_so() {
    // The table of what differs in behaviour has an item of std in each row.
    let page = fs::read_to_string(root().join("docs/std-parity.md")).expect("the page");
    let table = page.split("In behaviour:").nth(1).and_then(|rest| rest.split("\n## ").next());
    let rows = table.expect("a table").lines().filter_map(|line| line.strip_prefix("| `std::"));
    let names: BTreeSet<&str> = rows
        .filter_map(|row| row.split('`').next())
        .map(|path| path.rsplit("::").next().expect("a name"))
        .collect();
    assert!(names.len() > 10, "{names:?}");

    let sources = sources();
    for name in names {
        let defines = |text: &str| {
            ["struct ", "trait ", "fn "].iter().any(|kind| {
                let definition = format!("pub {kind}{name}");
                text.split(&definition).skip(1).any(|rest| !rest.starts_with(char::is_alphanumeric))
            }) || text.contains(&format!("> {name} for "))
        };
        let (path, text) = sources.iter().find(|(_, text)| defines(text)).expect(name);
        assert!(text.contains("**Differences**"), "{path} does not say how `{name}` differs");
    }
}

//! Rules of the house that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 700;

/// A file of the repository, by its path from the root.
struct File {
    path: String,
    text: String,
}

/// All files with one of these extensions, without what was built or is hidden.
fn files(extensions: &[&str]) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry of a folder").path();
            let name = path.file_name().expect("a name").to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && !name.starts_with("target") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ext| extensions.iter().any(|e| *e == ext)) {
                found.push(file(root, path));
            }
        }
    }
    assert!(!found.is_empty(), "no file with {extensions:?} in {}", root.display());
    found
}

fn file(root: &Path, path: PathBuf) -> File {
    let text = fs::read_to_string(&path).expect("a text file");
    let path = path.strip_prefix(root).expect("a path below the root");
    File { path: path.to_string_lossy().into_owned(), text }
}

/// Fails with each line of each file that breaks a rule.
fn no_line(files: &[File], rule: &str, broken: impl Fn(&str) -> bool) {
    let lines: Vec<String> = files
        .iter()
        .flat_map(|file| file.text.lines().enumerate().map(move |(i, line)| (file, i, line)))
        .filter(|(_, _, line)| broken(line))
        .map(|(file, i, line)| format!("{}:{}: {line}", file.path, i + 1))
        .collect();
    assert!(lines.is_empty(), "{rule}:\n{}", lines.join("\n"));
}

#[test]
fn files_are_short() {
    let long: Vec<String> = files(&["rs", "md", "sh"])
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines >= LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines} lines", file.path))
        .collect();
    assert!(long.is_empty(), "split these along their nouns:\n{}", long.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, or this file would break the rule.
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    let files = files(&["rs", "md", "sh", "toml"]);
    no_line(&files, "do it now", |line| marks.iter().any(|mark| line.contains(mark)));
}

#[test]
fn no_test_is_ignored() {
    let attributes = [["#[ig", "nore"].concat(), ["```ig", "nore"].concat()];
    let files = files(&["rs", "md"]);
    no_line(&files, "a test runs", |line| attributes.iter().any(|found| line.contains(found)));
}

#[test]
fn no_line_ends_in_a_blank() {
    no_line(&files(&["md", "sh", "toml"]), "trailing blanks", |line| line.ends_with([' ', '\t']));
}

/// What a forge calls a heading in a link: lower case, blanks as hyphens, no punctuation.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The anchors of a document's headings.
fn anchors(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if !is_code && heading.len() < line.len() && heading.starts_with(' ') {
            found.push(anchor(heading.trim()));
        }
    }
    found
}

#[test]
fn each_link_of_a_document_leads_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let (mut n_links, mut dead) = (0, Vec::new());
    for file in files(&["md"]) {
        let folder = root.join(&file.path).parent().expect("a folder").to_owned();
        for link in file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            n_links += 1;
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let text = match path {
                "" => Ok(file.text.clone()),
                // A folder, a picture.
                _ if heading.is_empty() && folder.join(path).exists() => Ok(String::new()),
                _ => fs::read_to_string(folder.join(path)),
            };
            let leads =
                |text: &String| heading.is_empty() || anchors(text).iter().any(|a| a == heading);
            if !text.as_ref().is_ok_and(leads) {
                dead.push(format!("{}: {link}", file.path));
            }
        }
    }
    assert!(n_links > 100, "only {n_links} links were found");
    assert!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
}

#[test]
fn each_file_that_a_document_names_is_there() {
    const EXTENSIONS: [&str; 4] = ["rs", "sh", "py", "toml"];
    let all = files(&EXTENSIONS);
    let is_there = |name: &str| all.iter().any(|file| Path::new(&file.path).ends_with(name));
    let is_name = |code: &&str| {
        let has_extension = code.rsplit_once('.').is_some_and(|(_, ext)| EXTENSIONS.contains(&ext));
        has_extension && code.chars().all(|c| c.is_ascii_alphanumeric() || "_-./".contains(c))
    };
    let (mut n_names, mut gone) = (0, Vec::new());
    for file in files(&["md"]) {
        for name in file.text.split('`').skip(1).step_by(2).filter(is_name) {
            n_names += 1;
            if !is_there(name) {
                gone.push(format!("{}: {name}", file.path));
            }
        }
    }
    assert!(n_names > 100, "only {n_names} names were found");
    assert!(gone.is_empty(), "files that are not there:\n{}", gone.join("\n"));
}

#[test]
fn each_page_is_in_the_list_of_pages() {
    let pages = files(&["md"]);
    let list = pages.iter().find(|file| file.path == "docs/README.md").expect("the list");
    for file in &pages {
        if let Some(name) = file.path.strip_prefix("docs/")
            && name != "README.md"
        {
            assert!(list.text.contains(&format!("]({name})")), "{} is not listed", file.path);
        }
    }
}

#[test]
fn each_crate_takes_the_lints_of_the_workspace() {
    let without: Vec<File> = files(&["toml"])
        .into_iter()
        .filter(|file| file.path.ends_with("Cargo.toml") && file.text.contains("[package]"))
        .filter(|file| !file.text.contains("[lints]\nworkspace = true"))
        .collect();
    let paths: Vec<&str> = without.iter().map(|file| &*file.path).collect();
    assert!(without.is_empty(), "`[lints]` with `workspace = true` is missing: {paths:?}");
}

#[test]
fn each_library_says_what_it_is() {
    for file in files(&["rs"]) {
        if file.path.ends_with("src/lib.rs") {
            assert!(file.text.starts_with("//! "), "{} has no header", file.path);
        }
    }
}

#[test]
fn only_the_bridge_names_the_runtime() {
    let shim: Vec<File> = files(&["rs"])
        .into_iter()
        .filter(|file| file.path.starts_with("std-shim/src/"))
        .filter(|file| file.path != "std-shim/src/bridge.rs")
        .collect();
    no_line(&shim, "the mirror reaches the runtime through `bridge`", |line| {
        line.contains("sylvan::") && !line.trim_start().starts_with("//")
    });
}

#[test]
fn each_script_of_ci_stops_at_the_first_error() {
    for file in files(&["sh"]) {
        assert!(file.text.contains("\nset -euo pipefail\n"), "{}", file.path);
    }
}

#[test]
fn modules_of_the_bench_suite_import_each_other_in_no_circle() {
    const SRC: &str = "benches/src/";
    let files = files(&["rs"]);
    let modules: Vec<(String, &str)> = files
        .iter()
        .filter_map(|file| Some((file.path.strip_prefix(SRC)?.strip_suffix(".rs")?, &file.text)))
        .map(|(path, text)| (path.trim_end_matches("/mod").replace('/', "::"), text.as_str()))
        .collect();
    assert!(modules.len() > 20, "{} modules in {SRC}", modules.len());
    // Who imports whom; one of a folder may import what stands above it there.
    let mut left: Vec<(&str, Vec<&str>)> = modules
        .iter()
        .map(|(name, text)| {
            let above = name.rsplit_once("::").map_or("", |(above, _)| above);
            let imports = text.lines().filter_map(|line| line.strip_prefix("use "));
            let paths = imports.filter_map(|path| {
                let within = path.strip_prefix("super::").map(|path| format!("{above}::{path}"));
                within.or_else(|| Some(path.strip_prefix("crate::")?.to_owned()))
            });
            let imported = paths.filter_map(|path| {
                let is_it = |module: &&(String, &str)| {
                    path.strip_prefix(&module.0).is_some_and(|rest| rest.starts_with("::"))
                };
                let most = modules.iter().filter(is_it).max_by_key(|module| module.0.len())?;
                Some(most.0.as_str()).filter(|module| module != name)
            });
            (name.as_str(), imported.collect())
        })
        .collect();
    // Takes out who imports nobody that is left, until nobody is.
    while !left.is_empty() {
        let names: Vec<&str> = left.iter().map(|(name, _)| *name).collect();
        left.retain(|(_, imports)| imports.iter().any(|module| names.contains(module)));
        assert!(left.len() < names.len(), "a circle is among these: {left:#?}");
    }
}

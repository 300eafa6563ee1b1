//! The list of std's stable API, and where its names lead.

use std::collections::BTreeMap;

use super::words::{has_word, replace_words};

/// What std has, a line each; made from its documentation. In full the modules of which the mirror
/// has its own, and the others by name.
pub(crate) const LIST: &str =
    concat!(include_str!("../../data/std-api.txt"), include_str!("../../data/std-modules.txt"));

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

/// One line of the list.
#[derive(Debug)]
pub(crate) struct Fact<'a> {
    pub(crate) line: &'a str,
    pub(crate) is: Is<'a>,
}

/// What a line says.
#[derive(Debug)]
pub(crate) enum Is<'a> {
    /// There is a function, type, trait, … of this path.
    Item { kind: &'a str, path: &'a str },
    /// There is such a method, of a type or a trait.
    Method { owner: &'a str, name: &'a str },
    /// A type implements a trait; both are written out as they can be used anywhere.
    Implementation { of: String, by: String, page: &'a str },
}

impl Fact<'_> {
    /// The item on whose page in the documentation this stands.
    pub(crate) fn page(&self) -> &str {
        match &self.is {
            Is::Item { path, .. } => path,
            Is::Method { owner, .. } => owner,
            Is::Implementation { page, .. } => page,
        }
    }
}

/// The facts of a list that stable std has.
pub(crate) fn facts(list: &str) -> Vec<Fact<'_>> {
    let names = Names::of(list);
    let lines = list.lines().filter(|line| !line.starts_with('#'));
    let stable = lines.filter(|line| !NOT_STABLE.iter().any(|name| has_word(line, name)));
    stable
        .filter_map(|line| {
            let (kind, rest) = line.split_once(' ')?;
            let is = match kind {
                "impl" => {
                    let (implementation, page) = rest.rsplit_once(" @ ")?;
                    let (of, by) = implementation.split_once(" for ")?;
                    // Of `impl<T, F: FnOnce() -> T> Deref for …` the list has kept what follows `->`.
                    let of = of.strip_prefix("T> ").unwrap_or(of);
                    // What std rules out, the comparison of auto traits rules out.
                    if of.starts_with('!') {
                        return None;
                    }
                    let (head, arguments) = of.split_at(of.find('<').unwrap_or(of.len()));
                    let head = find(&names.traits, head, page).unwrap_or(head);
                    let of = format!("{head}{}", names.spell_out(arguments, page));
                    Is::Implementation { of, by: names.spell_out(by, page), page }
                }
                "method" => {
                    let (owner, name) = rest.rsplit_once("::")?;
                    Is::Method { owner, name }
                }
                _ => Is::Item { kind, path: rest },
            };
            Some(Fact { line, is })
        })
        .collect()
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
            _ if word.starts_with('\'') => String::from("'static"),
            _ => String::from(find(&self.types, word, page).unwrap_or(word)),
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

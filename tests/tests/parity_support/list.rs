//! The facts of std's API, a line each.

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fact {
    /// As the documentation has it: `impl Read for &File @ std::io::Read`.
    pub(crate) line: String,
    pub(crate) is: Is,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Is {
    /// There is a function, type, trait, … of this path.
    Item { kind: String, path: String },
    /// A type or a trait has this method, or constant.
    Method { owner: String, name: String },
    /// A type implements a trait; both are written out as they can be used anywhere.
    Implementation { of: String, by: String, page: String },
}

impl Fact {
    pub(crate) fn item(kind: &str, path: &str) -> Fact {
        let is = Is::Item { kind: kind.to_owned(), path: path.to_owned() };
        Fact { line: format!("{kind} {path}"), is }
    }

    /// `kind` is `method` or `associated constant`.
    pub(crate) fn method(kind: &str, owner: &str, name: &str) -> Fact {
        let is = Is::Method { owner: owner.to_owned(), name: name.to_owned() };
        Fact { line: format!("{kind} {owner}::{name}"), is }
    }

    /// The item on whose page in the documentation this stands.
    pub(crate) fn page(&self) -> &str {
        match &self.is {
            Is::Item { path, .. } => path,
            Is::Method { owner, .. } => owner,
            Is::Implementation { page, .. } => page,
        }
    }
}

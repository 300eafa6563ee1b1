//! What is asked of the compiler for each line of the list: lines of Rust in std's paths.
//!
//! First, of everything, whether it is there, and what the compiler takes it for. To a function
//! where `()` is due it says `found fn item` and the signature:
//!
//! ```text
//! fn q() { let _: () = std::sync::Mutex::lock; }
//! ```
//!
//! Where that says the same of both, down to the path, the mirror has std's own item, and there is
//! nothing more to ask. Else the rest that a caller can see:
//!
//! | of | is asked |
//! |---|---|
//! | functions, methods | a call with each of [`FILLS`] for each parameter (bounds), in a constant (`const`), as a statement (`#[must_use]`, `#[deprecated]`) |
//! | implementations | each of [`FILLS`] for the parameters (bounds), associated types |
//! | types | auto traits, variance, and whether what they borrow may be dropped first |
//! | traits | what an implementation has to have, and whether there can be a `dyn` |

use super::list::{Fact, Is};
use super::words::{count_arguments, end_of_brackets, replace_words};

/// What stands for a type parameter. `Anything` fulfils all bounds but those on functions and
/// iterators, `Nothing` and the unsized `Slack` none; the others each fulfil some.
const FILLS: &[&str] = &[
    "Anything",
    "Nothing",
    "Slack",
    "fn() -> Anything",
    "fn() -> &'a Anything",
    "fn() -> std::io::Result<()>",
    "fn(&mut Anything) -> bool",
    "fn(&std::sync::OnceState)",
    "for<'s> fn(&'s std::thread::Scope<'s, '_>) -> Anything",
    "&'a fn() -> Anything",
    "*const fn() -> Anything",
    "Vec<Anything>",
    "Vec<(Anything, Anything)>",
];

/// What a type is without anybody saying so. Why it is not, may differ.
pub(crate) const AUTO_TRAITS: &[&str] = &["Send", "Sync", "Unpin", "UnwindSafe", "RefUnwindSafe"];

/// The names of type parameters in the list.
const PARAMETERS: &[&str] = &["B", "E", "F", "I", "R", "S", "T", "U", "W"];

/// The associated types of the traits in the list.
const ASSOCIATED: &[(&str, &[&str])] = &[
    ("Add", &["Output"]),
    ("Deref", &["Target"]),
    ("FromStr", &["Err"]),
    ("IntoIterator", &["Item", "IntoIter"]),
    ("Iterator", &["Item"]),
    ("Sub", &["Output"]),
    ("ToSocketAddrs", &["Iter"]),
];

/// Whether it is there, and what it is.
pub(crate) fn what_it_is(fact: &Fact) -> Vec<String> {
    match &fact.is {
        Is::Item { kind, path } if kind == "fn" || kind == "constant" => vec![due_unit(path)],
        Is::Item { kind, path } if kind == "type" => {
            vec![existence(path), due_unit(&format!("PhantomData::<{path}<Anything>>"))]
        }
        Is::Item { path, .. } => vec![existence(path)],
        Is::Method { owner, name } => vec![due_unit(&format!("{owner}::{name}"))],
        Is::Implementation { of, by, .. } => {
            // The type's own name, for the comparison.
            vec![format!("fn q() where {by}: {of} {{}}"), due_unit(&format!("PhantomData::<{by}>"))]
        }
    }
}

fn existence(path: &str) -> String {
    format!("fn q() {{ use {} as _; }}", path.trim_end_matches('!'))
}

/// Makes the compiler say which type `value` has.
fn due_unit(value: &str) -> String {
    format!("fn q() {{ let _: () = {value}; }}")
}

/// What else can be seen of a thing of the mirror's own; `found` is the compiler's word on it, and
/// `implementor` a type that has the trait, if it is a trait's.
pub(crate) fn what_it_is_like(fact: &Fact, found: &str, implementor: Option<&str>) -> Vec<String> {
    match &fact.is {
        Is::Item { kind, path } if kind == "fn" => calls(path, 0, found),
        Is::Item { kind, path } if kind == "trait" => vec![
            format!("fn q() {{ use {path} as Bare; impl Bare for Nothing {{}} }}"),
            due_unit(&format!("PhantomData::<dyn {path}>")),
        ],
        Is::Item { .. } => Vec::new(),
        Is::Method { owner, name } => match implementor {
            Some(implementor) => calls(&format!("<{implementor} as {owner}>::{name}"), 0, found),
            None => calls(&format!("{owner}::{name}"), arguments_of_type(found), found),
        },
        Is::Implementation { of, by, page } => {
            let mut lines = Vec::new();
            for fill in FILLS.iter().filter(|fill| !fill.contains("'_")) {
                let (of, by) = (filled(of, fill), filled(by, fill));
                lines.push(format!("fn q<'a>() where {by}: {of} {{}}"));
            }
            let head = of.split('<').next().and_then(|head| head.rsplit("::").next());
            for (_, associated) in ASSOCIATED.iter().filter(|(name, _)| Some(*name) == head) {
                lines.extend(
                    associated
                        .iter()
                        .map(|name| due_unit(&format!("PhantomData::<<{by} as {of}>::{name}>"))),
                );
            }
            if of == "std::fmt::Debug" && by.starts_with(&**page) {
                lines.extend(shape(by));
            }
            lines
        }
    }
}

/// `text` with `fill` for the parameters.
fn filled(text: &str, fill: &str) -> String {
    replace_words(
        text,
        |word| {
            if PARAMETERS.contains(&word) { fill.to_owned() } else { word.to_owned() }
        },
    )
}

/// Calls of a function that has `n_of_type` parameters from its type and others of its own.
fn calls(path: &str, n_of_type: usize, found: &str) -> Vec<String> {
    let Some((signature, name)) = found.rsplit_once(" {") else { return Vec::new() };
    let Some(parameters) = signature.find("fn(") else { return Vec::new() };
    let values = vec!["any()"; count_arguments(&signature[parameters + 2..])].join(", ");
    let n_own = arguments_at_end(name.trim_end_matches(['`', '}'])).map_or(0, count_types);
    let (owner, method) = path.rsplit_once("::").unwrap_or(("", path));

    let mut lines = Vec::new();
    for types in fillings(n_of_type + n_own) {
        let (of_type, own) = types.split_at(n_of_type);
        let list = |types: &[&str]| match types {
            [] => String::new(),
            types => format!("::<{}>", types.join(", ")),
        };
        let call = format!("{owner}{}::{method}{}({values})", list(of_type), list(own));
        lines.push(format!("const unsafe fn q<'a>() {{ std::mem::forget({call}) }}"));
        lines.push(format!("unsafe fn q<'a>() {{ {call}; }}"));
    }
    lines
}

/// Fillings of so many places: all alike; and each fill in each place, with what suits most, or
/// what the compiler infers, in the others.
fn fillings(n: usize) -> Vec<Vec<&'static str>> {
    if n == 0 {
        return vec![Vec::new()];
    }
    let mut fillings: Vec<_> = FILLS.iter().map(|fill| vec![*fill; n]).collect();
    if n > 1 {
        for place in 0..n {
            for (fill, other) in FILLS.iter().flat_map(|fill| [(fill, "Anything"), (fill, "_")]) {
                let mut filling = vec![other; n];
                filling[place] = fill;
                fillings.push(filling);
            }
        }
    }
    fillings
}

/// How many type arguments the compiler's name of a method has for the method's type.
fn arguments_of_type(found: &str) -> usize {
    let name = found.rsplit_once(" {").map_or("", |(_, name)| name).trim_end_matches(['`', '}']);
    let own = arguments_at_end(name).map_or(0, |own| own.len() + 2);
    let Some((owner, _)) = name[..name.len() - own].rsplit_once("::") else { return 0 };
    match arguments_at_end(owner) {
        Some(implementor) if implementor.starts_with("<impl ") => {
            arguments_at_end(implementor[..implementor.len() - 1].trim_end()).map_or(0, count_types)
        }
        Some(arguments) => count_types(arguments),
        None => 0,
    }
}

/// The `<…>` at the end of a path.
fn arguments_at_end(path: &str) -> Option<&str> {
    let starts = path.match_indices('<').map(|(at, _)| at);
    let mut outermost = starts.filter(|at| at + end_of_brackets(&path[*at..]) == path.len());
    path.ends_with('>').then(|| outermost.next().map(|at| &path[at..])).flatten()
}

/// How many of the arguments in `<…>` are types.
fn count_types(arguments: &str) -> usize {
    count_arguments(arguments) - arguments.matches("'_").count()
}

/// What can be seen of a type itself.
fn shape(name: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for parameter in ["Anything", "Cell<u8>", "Rc<u8>", "SyncOnly"] {
        for bound in AUTO_TRAITS {
            lines.push(format!("fn q() where {}: {bound} {{}}", filled(name, parameter)));
        }
    }
    // With one lifetime in the places of all, in parameters and as parameters.
    let lived =
        |lifetime: &str| filled(&name.replace("'static", lifetime), &format!("&{lifetime} u8"));
    if lived("'a") != lived("'b") {
        let (long, short) = (lived("'static"), lived("'a"));
        lines.push(format!("fn q<'a>(x: {long}) -> {short} {{ x }}"));
        lines.push(format!("fn q<'a>(x: {short}) -> {long} {{ x }}"));
        let made = format!("fn made<'a>(_: &'a u8) -> {short} {{ any() }}");
        lines.push(format!(
            "fn q() {{ {made} let (mut x, y); y = 1; x = made(&y); touch(&mut x); }}"
        ));
    }
    lines
}

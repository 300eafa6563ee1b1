//! The comparison of the mirror with std, line for line of the list.

use std::collections::{BTreeMap, BTreeSet};

use super::compiler::{Answers, Mirror, ask};
use super::list::{Fact, Is};
use super::questions::{AUTO_TRAITS, what_it_is, what_it_is_like};
use super::words::replace_words;

/// What came out.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// What stable std has.
    pub(crate) facts: Vec<Fact>,
    /// The lines that are not so in std itself, or were not asked rightly.
    pub(crate) not_in_std: BTreeMap<String, BTreeSet<String>>,
    /// The lines for which the mirror has something of its own.
    pub(crate) green: BTreeSet<String>,
    /// Where the compiler sees a difference.
    pub(crate) differences: BTreeMap<String, Vec<Difference>>,
}

/// Something that compiles, or is called, in another way.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) asked: String,
    pub(crate) of_std: BTreeSet<String>,
    pub(crate) of_mirror: BTreeSet<String>,
}

/// Errors by which the compiler says that it has found something, and needs to know more.
const FOUND: [&str; 6] = ["E0034", "E0282", "E0283", "E0284", "E0308", "E0790"];

/// Compares `mirror` with std in all that `facts` say.
pub(crate) fn compare(facts: &[Fact], mirror: &Mirror, program: &str) -> Comparison {
    let mut comparison = Comparison::default();

    let answers = ask_of_each(facts, what_it_is, mirror, program);
    let (facts, answers): (Vec<Fact>, Vec<_>) = facts
        .iter()
        .cloned()
        .zip(answers)
        .filter(|(_, answers)| !answers.iter().any(|(_, answer)| is_unstable(answer)))
        .unzip();
    let own = |answer: &Answers| answer.of_std != answer.of_mirror;
    for (fact, answers) in facts.iter().zip(&answers) {
        let is_found = answers[0].1.of_std.iter().all(|saying| is_found(fact, saying));
        if !is_found {
            comparison.not_in_std.insert(fact.line.clone(), answers[0].1.of_std.clone());
        }
        if answers.iter().any(|(_, answer)| own(answer)) {
            comparison.green.insert(fact.line.clone());
        }
    }
    // A type is the mirror's own if an implementation by it is, a trait if one of its methods is.
    let own_paths = own_paths(&facts, &comparison.green);
    let is_own = |fact: &Fact| {
        comparison.green.contains(&fact.line)
            || matches!(&fact.is, Is::Item { path, .. } if own_paths.contains(path))
    };
    let own_facts: Vec<&Fact> = facts.iter().filter(|fact| is_own(fact)).collect();
    let green = own_facts.iter().map(|fact| fact.line.clone()).collect();

    let first = facts.iter().zip(answers).flat_map(|(fact, answers)| {
        answers.into_iter().map(|(asked, answer)| (&*fact.line, asked, answer))
    });
    let mut said: Vec<_> = first.collect();
    let found: BTreeMap<&str, String> = said
        .iter()
        .filter_map(|(line, _, answer)| Some((*line, answer.of_std.first()?.clone())))
        .collect();
    let further = ask_of_each(
        &own_facts,
        |fact| {
            let found = found.get(&*fact.line).map_or("", String::as_str);
            what_it_is_like(fact, found, implementor(&facts, fact).as_deref())
        },
        mirror,
        &format!("{program}_further"),
    );
    said.extend(own_facts.iter().zip(further).flat_map(|(fact, answers)| {
        answers.into_iter().map(|(asked, answer)| (&*fact.line, asked, answer))
    }));

    let of_line: BTreeMap<&str, &Fact> = facts.iter().map(|fact| (&*fact.line, fact)).collect();
    for (line, asked, answer) in said {
        let is_yes_or_no =
            AUTO_TRAITS.iter().any(|name| asked.ends_with(&format!(": {name} {{}}")));
        let said =
            |sayings: &BTreeSet<String>, path: &dyn Fn(&str) -> String| -> BTreeSet<String> {
                sayings.iter().map(|saying| comparable(saying, path)).collect()
            };
        let mut of_std = said(&answer.of_std, &|path| as_own(path, &own_paths, mirror));
        match of_line.get(line).map(|fact| &fact.is) {
            Some(Is::Item { kind, path }) if kind == "trait" => {
                of_std = of_std.iter().map(|saying| only_stable(saying, path, &of_line)).collect();
            }
            _ => {}
        }
        let of_mirror = said(&answer.of_mirror, &|path| {
            // Only what a prelude has too: a type of std that is not its own stays one.
            if path.contains("::prelude::") {
                as_own(path, &own_paths, mirror)
            } else {
                path.to_owned()
            }
        });
        let is_alike = if is_yes_or_no {
            of_std.is_empty() == of_mirror.is_empty()
        } else {
            of_std == of_mirror
        };
        if !is_alike && !comparison.not_in_std.contains_key(line) {
            let differences = comparison.differences.entry(line.to_owned()).or_default();
            differences.push(Difference { asked, of_std, of_mirror });
        }
    }
    comparison.green = green;
    comparison.facts = facts;
    comparison
}

/// Asks the same of each, and gives each its questions with the answers.
fn ask_of_each<F>(
    facts: &[F],
    questions: impl Fn(&F) -> Vec<String>,
    mirror: &Mirror,
    program: &str,
) -> Vec<Vec<(String, Answers)>> {
    let of_each: Vec<Vec<String>> = facts.iter().map(questions).collect();
    let mut answers = ask(&of_each.concat(), mirror, program).into_iter();
    of_each.into_iter().map(|questions| questions.into_iter().zip(&mut answers).collect()).collect()
}

/// Whether `saying` is what the compiler says of a thing that it has found.
fn is_found(fact: &Fact, saying: &str) -> bool {
    saying.starts_with("warning: use of deprecated")
        || match &fact.is {
            Is::Item { kind, .. } if kind != "fn" && kind != "constant" => false,
            Is::Implementation { .. } => false,
            _ => FOUND.iter().any(|code| saying.starts_with(&format!("error[{code}]"))),
        }
}

/// Whether the compiler says that something is there, and not yet to be used.
fn is_unstable(answer: &Answers) -> bool {
    answer.of_std.iter().any(|saying| saying.starts_with("error[E0658]"))
}

/// The paths of the types and traits that are the mirror's own.
fn own_paths(facts: &[Fact], green: &BTreeSet<String>) -> BTreeSet<String> {
    let own = facts.iter().filter(|fact| green.contains(&fact.line));
    let paths = own.filter_map(|fact| match &fact.is {
        Is::Item { path, .. } => Some(path.clone()),
        Is::Method { owner, .. } => Some(owner.clone()),
        // Not `Arc<File>`, which is on the page of `Arc`, too.
        Is::Implementation { by, page, .. } => match by.strip_prefix(&**page) {
            Some(arguments) if !arguments.contains("std::") => Some(page.clone()),
            _ => None,
        },
    });
    paths.collect()
}

/// A type that implements the trait that `fact` is about, if it is about one.
fn implementor(facts: &[Fact], fact: &Fact) -> Option<String> {
    let Is::Method { owner, .. } = &fact.is else { return None };
    facts.iter().find_map(|other| match &other.is {
        Is::Implementation { of, by, .. } if of == owner && !by.starts_with('&') => {
            Some(by.clone())
        }
        _ => None,
    })
}

/// What the compiler says, without what no caller sees: where a function is, which reason the
/// author gives for a lint, what keeps others from implementing a trait.
fn comparable(saying: &str, path: impl Fn(&str) -> String) -> String {
    let of_caller = if saying.starts_with("error[E0015]: cannot call non-const") {
        "not const"
    } else if saying.starts_with("warning: ") {
        let up_to_name = saying.match_indices('`').nth(1);
        up_to_name.map_or(saying, |(end, _)| &saying[..=end])
    } else if saying.contains(" fn item `") {
        saying.rsplit_once(" {").map_or(saying, |(signature, _)| signature)
    } else {
        saying
    };
    replace_words(of_caller, |word| match word.rsplit_once("::") {
        Some((_, "Sealed")) => String::from("Sealed"),
        _ => path(word),
    })
}

/// What an implementation of the trait `path` lacks, without what is not stable.
fn only_stable(saying: &str, path: &str, of_line: &BTreeMap<&str, &Fact>) -> String {
    let Some((head, names)) = saying.split_once(", missing: ") else { return saying.to_owned() };
    let is_stable = |name: &&str| {
        let name = name.trim_matches('`');
        let is_type = name.starts_with(char::is_uppercase);
        is_type || of_line.contains_key(&*format!("method {path}::{name}"))
    };
    let stable: Vec<&str> = names.split(", ").filter(is_stable).collect();
    format!("{head}, missing: {}", stable.join(", "))
}

/// The name that the mirror's own twin of `path` has, if there is one.
fn as_own(path: &str, own_paths: &BTreeSet<String>, mirror: &Mirror) -> String {
    let after = |path: &str, own: &str| {
        let rest = path.strip_prefix(own)?;
        (rest.is_empty() || rest.starts_with("::")).then(|| rest.to_owned())
    };
    for own in own_paths {
        let (_, name) = own.rsplit_once("::").unwrap_or(("", own));
        // What a prelude has too may go by that name.
        let in_prelude = path.split_once("::prelude::").and_then(|(_, path)| after(path, name));
        if let Some(rest) = after(path, own).or(in_prelude) {
            return mirror.instead_of_std(&format!("{own}{rest}"));
        }
    }
    path.to_owned()
}

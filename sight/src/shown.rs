//! Names as they are printed: what a program calls its threads is no command to a terminal.

use std::borrow::Cow;

/// A name that stays within its place: control characters, ends of lines among them, and those that change the
/// direction of writing are escapes.
///
/// ```
/// assert_eq!(sylvan_sight::shown::shown("a 'b' ü"), "a 'b' ü");
/// assert_eq!(sylvan_sight::shown::shown("new\nline \u{1b}[31m"), r"new\nline \u{1b}[31m");
/// ```
#[must_use]
pub fn shown(name: &str) -> Cow<'_, str> {
    let is_command = |c: char| {
        let turns = matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        c.is_control() || turns
    };
    if !name.contains(is_command) {
        return Cow::Borrowed(name);
    }
    let mut shown = String::new();
    for c in name.chars() {
        if is_command(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// How a thread is called: by its name, if it has one, and its number.
#[must_use]
pub fn thread(name: Option<&str>, id: u64) -> String {
    match name {
        Some(name) => format!("'{}' ({id})", shown(name)),
        None => id.to_string(),
    }
}

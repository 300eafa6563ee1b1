//! Names as they are printed: what a program calls its threads is no command to a terminal.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// As wide is the column of names, in tables of threads.
pub const NAME: usize = 20;

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

/// As much of a line as there is room for in so many columns of a terminal; an ellipsis is in the place of the rest.
///
/// ```
/// use sylvan_sight::shown::cut;
/// assert_eq!(cut("client 1", 8), "client 1");
/// assert_eq!(cut("client 10", 8), "client …");
/// assert_eq!(cut("顧客の接続", 8), "顧客の…");
/// ```
#[must_use]
pub fn cut(line: &str, n_columns: usize) -> Cow<'_, str> {
    // A character takes two columns, at most.
    if line.len() <= n_columns || line.width() <= n_columns {
        return Cow::Borrowed(line);
    }
    let mut left = n_columns.saturating_sub(1);
    let fits = |c: &char| {
        let width = c.width().unwrap_or(0);
        let has_room = width <= left;
        left = left.saturating_sub(width);
        has_room
    };
    let kept: String = line.chars().take_while(fits).collect();
    Cow::Owned(kept + "…")
}

/// A cell of a table: a name of the program's, cut off or filled up to so many columns.
///
/// ```
/// assert_eq!(sylvan_sight::shown::cell("顧客", 6) + "|", "顧客  |");
/// ```
#[must_use]
pub fn cell(name: &str, n_columns: usize) -> String {
    let name = shown(name);
    let name = cut(&name, n_columns);
    let n_spaces = n_columns.saturating_sub(name.width());
    format!("{name}{:n_spaces$}", "")
}

/// How a thread is called: by its name, if it has one, and its number.
#[must_use]
pub fn thread(name: Option<&str>, id: u64) -> String {
    match name {
        Some(name) => format!("'{}' ({id})", shown(name)),
        None => id.to_string(),
    }
}

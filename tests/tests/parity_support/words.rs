//! Words of Rust: names, paths and lifetimes.

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || "_:'".contains(c)
}

/// Whether `word` stands in `text`, by itself.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(start, _)| {
        let (before, after) = (&text[..start], &text[start + word.len()..]);
        !before.ends_with(is_of_word) && !after.starts_with(is_of_word)
    })
}

/// `text` with each of its words replaced.
pub(super) fn replace_words(text: &str, mut replacement: impl FnMut(&str) -> String) -> String {
    let mut replaced = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (between, at_word) = rest.split_at(rest.find(is_of_word).unwrap_or(rest.len()));
        let end = at_word.find(|c| !is_of_word(c)).unwrap_or(at_word.len());
        // The colon before a bound is not the word's.
        let is_bounded = at_word[..end].ends_with(':') && !at_word[..end].ends_with("::");
        let (word, after) = at_word.split_at(end - usize::from(is_bounded && end > 1));
        replaced += between;
        if !word.is_empty() {
            replaced += &replacement(word);
        }
        rest = after;
    }
    replaced
}

/// The byte after the bracket that closes the one at the head of `text`.
pub(super) fn end_of_brackets(text: &str) -> usize {
    let mut depth = 0;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '<' | '(' | '[' | '{' => depth += 1,
            // An arrow closes nothing.
            '>' if before == '-' => {}
            '>' | ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
        before = c;
    }
    text.len()
}

/// How many arguments stand between the brackets at the head of `text`.
pub(super) fn count_arguments(text: &str) -> usize {
    let inside = &text[1..end_of_brackets(text) - 1];
    let mut rest = inside;
    let mut count = usize::from(!inside.trim().is_empty());
    while let Some(at) = rest.find(['<', '(', '[', '{', ',']) {
        let is_comma = rest[at..].starts_with(',');
        count += usize::from(is_comma);
        rest = &rest[at + if is_comma { 1 } else { end_of_brackets(&rest[at..]) }..];
    }
    count
}

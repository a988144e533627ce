//! Other people's text in our output: panic messages, names, arguments, file names.
//!
//! A guest that can print an escape sequence, a carriage return or a bidi override as part of a line of ours can forge
//! lines, hide what happened, or drive the reader's terminal. So whatever a guest, a module or a path says is shown
//! through one of these two functions, wherever we print it. What a guest writes to its own stdout passes untouched.

use std::borrow::Cow;

/// `text` with every control character made visible, but for new lines and tabs: for a block of text.
///
/// Made visible are C0 and C1 controls with ESC, DEL, the bidi controls, and Unicode's own line separators.
///
/// ```
/// assert_eq!(insula::printable("red: \x1b[31m\n"), "red: \\u{1b}[31m\n");
/// ```
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    escape(text, |char| acts_on_its_reader(char) && !matches!(char, '\n' | '\t'))
}

/// `text` with every control character made visible: for what must stay within a line, as a name.
///
/// ```
/// assert_eq!(insula::printable_line("main\nError: all lost"), "main\\nError: all lost");
/// ```
#[must_use]
pub fn printable_line(text: &str) -> Cow<'_, str> {
    escape(text, acts_on_its_reader)
}

fn escape(text: &str, escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' if escaped(char) => out.extend(char.escape_default()),
            _ if escaped(char) => out.extend(char.escape_unicode()),
            _ => out.push(char),
        }
    }
    Cow::Owned(out)
}

/// Controls (`Cc`: C0, DEL, C1), bidi controls (Unicode TR 9, table 1), line and paragraph separator.
fn acts_on_its_reader(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn honest_text_is_borrowed_as_it_is() {
        for text in ["", "plain", "Größe: 3 µm, 数, 🙂\n\tindented"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn no_control_and_no_bidi_override_gets_through() {
        for char in (0..=0x9f).chain(0x2000..0x2070).chain([0x61c]).filter_map(char::from_u32) {
            let shown = printable_line(&format!("a{char}b")).into_owned();
            assert!(!shown.contains(acts_on_its_reader), "{char:?} in {shown:?}");
            assert_eq!(shown.contains(char), !acts_on_its_reader(char), "{char:?}");
        }
    }

    #[test]
    fn an_escape_sequence_is_shown_and_a_new_line_kept() {
        assert_eq!(printable("\x1b]0;pwned\x07\r\nnext\t\u{202e}"), "\\u{1b}]0;pwned\\u{7}\\r\nnext\t\\u{202e}");
        assert_eq!(printable_line("a\n\u{9b}31m\tb\u{7f}"), "a\\n\\u{9b}31m\\tb\\u{7f}");
    }
}

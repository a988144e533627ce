//! Text with parts of it blanked: every byte of a comment or literal becomes a space, and lines stay where they are.

/// What happens to literals when comments are blanked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Literals {
    /// They stay.
    Kept,
    /// What is between their quotes is blanked.
    Blanked,
}

/// What begins at a place of the text.
enum Piece {
    Comment,
    Literal,
    Code,
}

/// The Rust text without its comments, and without its literals if so asked.
pub(crate) fn comments(text: &str, literals: Literals) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let (piece, length) = piece(text, at);
        let content = &text[at..at + length];
        match piece {
            Piece::Comment => blank(content, &mut out),
            Piece::Literal if literals == Literals::Blanked => blank(content, &mut out),
            Piece::Literal | Piece::Code => out.push_str(content),
        }
        at += length;
    }
    out
}

/// The Rust text as code alone: no comments, no literals.
pub(crate) fn code(text: &str) -> String {
    comments(text, Literals::Blanked)
}

/// Code without the items that are compiled for tests only.
pub(crate) fn tests(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let item = &rest[at..];
        let length = match item.find(['{', ';']) {
            Some(brace) if item[brace..].starts_with('{') => brace + block(&item[brace..]),
            Some(semicolon) => semicolon + 1,
            None => item.len(),
        };
        out.push_str(&rest[..at]);
        blank(&item[..length], &mut out);
        rest = &item[length..];
    }
    out.push_str(rest);
    out
}

/// The length of the block of code that begins with the text's first byte, a brace.
pub(crate) fn block(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The line of a byte of the text, counted from 1.
pub(crate) fn line(text: &str, at: usize) -> usize {
    1 + text[..at].bytes().filter(|byte| *byte == b'\n').count()
}

/// Where a word stands by itself in the text.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let edge = |character: Option<char>| !character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |at| edge(text[..*at].chars().next_back()) && edge(text[at + word.len()..].chars().next()))
}

/// As many spaces as the content has bytes, with its line ends.
fn blank(content: &str, out: &mut String) {
    out.extend(content.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
}

/// What begins at this byte, and how long it is.
fn piece(text: &str, at: usize) -> (Piece, usize) {
    let rest = &text[at..];
    if rest.starts_with("//") {
        (Piece::Comment, rest.find('\n').unwrap_or(rest.len()))
    } else if rest.starts_with("/*") {
        (Piece::Comment, block_comment(rest))
    } else if rest.starts_with('"') {
        (Piece::Literal, quoted(rest, '"'))
    } else if let Some(length) = raw_string(text, at) {
        (Piece::Literal, length)
    } else if let Some(length) = character(rest) {
        (Piece::Literal, length)
    } else {
        (Piece::Code, rest.chars().next().map_or(1, char::len_utf8))
    }
}

/// The length of a comment in `/* */`, which may hold others.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest.as_bytes()[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.as_bytes()[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// The length of what begins with a quote and ends with the same, where a backslash hides the next character.
fn quoted(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return at + 1;
        }
    }
    rest.len()
}

/// The length of a raw string that begins here with its `r`.
fn raw_string(text: &str, at: usize) -> Option<usize> {
    let before = text[..at].chars().next_back();
    let in_word = before.is_some_and(|c| (c.is_alphanumeric() && c != 'b' && c != 'c') || c == '_');
    let behind = text[at..].strip_prefix('r').filter(|_| !in_word)?;
    let hashes = behind.len() - behind.trim_start_matches('#').len();
    let content = behind[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = content.find(&end).map_or(content.len(), |found| found + end.len());
    Some(1 + hashes + 1 + length)
}

/// The length of a character literal that begins here; a lifetime is none.
fn character(rest: &str) -> Option<usize> {
    let first = rest.strip_prefix('\'')?.chars().next()?;
    if first == '\\' {
        return Some(quoted(rest, '\''));
    }
    let end = 1 + first.len_utf8();
    rest[end..].starts_with('\'').then_some(end + 1)
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "a // b \" c\n/* d /* e */ f */ g \"h \\\" i\" j r#\"k \" l\"# m 'n' 'o '\\'' for r in b\"p\" // q";
    let words: Vec<_> = code(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["a", "g", "j", "m", "'o", "for", "r", "in", "b"]);
    assert_eq!(code(text).len(), text.len());
}

#[test]
fn literals_can_be_kept() {
    assert_eq!(comments("x = \"// é\"; // é", Literals::Kept), "x = \"// é\";      ");
}

#[test]
fn items_of_tests_are_left_out() {
    let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { {} } }\n#[cfg(test)] use c;\nfn d() {}";
    let words: Vec<_> = tests(text).split_whitespace().map(str::to_owned).collect();
    assert_eq!(words, ["fn", "a()", "{}", "fn", "d()", "{}"]);
    assert_eq!(line(text, text.find("fn d").expect("it is there")), 5);
}

#[test]
fn a_word_stands_by_itself() {
    assert_eq!(words("fd fdx x_fd (fd)", "fd").collect::<Vec<_>>(), [0, 13]);
}

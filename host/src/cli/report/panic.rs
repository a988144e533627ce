//! What a guest without the SDK says of its panic: Rust's own hook writes it to standard error, and then there is a trap.
//!
//! The words are the guest's, as all others in a report: one that makes them up fools whoever reads about itself.

use insula::Exit;

/// A panic as the guest told it.
#[derive(Debug, PartialEq)]
pub(crate) struct Told<'a> {
    /// `file:line:column`.
    pub(crate) place: String,
    pub(crate) message: String,
    /// What it had written before that.
    pub(crate) before: &'a str,
}

/// The last panic that is told in `stderr`, if the isolate ended with what Rust does after one.
pub(crate) fn of<'a>(exit: Option<&Exit>, stderr: &'a str) -> Option<Told<'a>> {
    match exit {
        Some(Exit::Trapped { kind, .. }) if kind == "unreachable" => told(stderr),
        _ => None,
    }
}

fn told(stderr: &str) -> Option<Told<'_>> {
    const SAYS: &str = " panicked at ";
    let said = stderr.rfind(SAYS)?;
    let start = stderr[..said].rfind('\n').map_or(0, |newline| newline + 1);
    if !stderr[start..].starts_with("thread '") {
        return None;
    }
    let (place, rest) = stderr[said + SAYS.len()..].split_once(":\n")?;
    let ends = |line: &&str| line.starts_with("note: run with `RUST_BACKTRACE=");
    let message: Vec<&str> = rest.lines().take_while(|line| !ends(line)).collect();
    let before = stderr[..start].trim_end();
    Some(Told { place: place.to_owned(), message: message.join("\n").trim_end().to_owned(), before })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_panic_is_found_and_what_was_written_before_it() {
        let stderr = "one\n\nthread 'main' (1) panicked at src/main.rs:2:5:\nboom\nand more\nnote: run with `RUST_BACKTRACE=1` x\n";
        let told = told(stderr).unwrap();
        assert_eq!((told.place.as_str(), told.message.as_str()), ("src/main.rs:2:5", "boom\nand more"));
        assert_eq!(told.before, "one");
    }

    #[test]
    fn other_traps_and_other_words_are_no_panic() {
        assert_eq!(told("nobody panicked at all:\nhere"), None);
        let exit = |kind: &str| Exit::Trapped { kind: kind.to_owned(), frames: vec![] };
        let stderr = "thread 'main' panicked at a:1:2:\nboom\n";
        assert!(of(Some(&exit("unreachable")), stderr).is_some());
        assert_eq!(of(Some(&exit("integer divide by zero")), stderr), None);
        assert_eq!(of(None, stderr), None);
    }
}

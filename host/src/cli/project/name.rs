//! What a package may be called.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::report;

/// Words that cargo or rustc would not take, or take for something else.
const TAKEN: [&str; 62] = [
    "Self",
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "build",
    "const",
    "continue",
    "core",
    "crate",
    "deps",
    "do",
    "dyn",
    "else",
    "enum",
    "examples",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "incremental",
    "insula-guest",
    "insula-wire",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "proc_macro",
    "pub",
    "ref",
    "return",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsized",
    "use",
    "where",
    "while",
];

/// The name of a folder, which need not be there yet.
pub(super) fn of_folder(folder: &Path) -> Result<String> {
    let whole = folder.canonicalize().unwrap_or_else(|_| PathBuf::from(folder));
    let name = whole.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).with_context(|| format!("{} has no name for a package: give --name", report::path(folder)))
}

/// Whether cargo makes a package of this name, and a module that is called so.
pub(super) fn check(name: &str) -> Result<()> {
    let first = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let rest = name.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'));
    if !first || !rest {
        bail!(
            "`{name}` is no name for a package: give one with --name that begins with a letter, and has letters, digits, \
             - and _ only"
        );
    }
    if TAKEN.contains(&name) {
        bail!("`{name}` means something to Rust or cargo: give another name with --name");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_cargo_takes() {
        for name in ["hello", "_x", "two-words", "a_1"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "1st", "-x", "a b", "ümlaut", "a/b", "fn", "test", "serde", "a\nb"] {
            assert!(check(name).unwrap_err().to_string().contains("--name"), "{name}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_has_a_name_too() {
        assert_eq!(of_folder(Path::new("no/such/hello")).unwrap(), "hello");
        assert!(of_folder(Path::new("/")).is_err());
    }
}

//! What an embedder sees of insula: no type of the crates that it stands on, enums that may grow, few dependencies, and
//! a test for every call that may wait.
//!
//! The public API is read off the sources ([`surface`]), since the compiler's own list of it is not to be had from a
//! stable toolchain. What cannot be understood is a finding, and each check is shown a violation that it must find.

mod crates;
mod dependencies;
mod surface;
mod waits;

use crate::tidy::source::{Source, sources};
use crates::{Crates, Named};
use surface::Surface;

/// The crates whose types the public API may show, and why.
const SHOWN: [(&str, &str); 3] = [
    ("serde", "what is sent is any type that serde knows: an embedder has the same serde"),
    ("prometheus_client", "with the feature `metrics` only: a collector is what its registries take from others"),
    ("futures_core", "`Stream` is a trait of its own, which the language does not have yet"),
];

/// Public enums that will have no further case, and why that is a promise.
const CLOSED: [(&str, &str); 4] = [
    ("Either", "one of two is all that there is"),
    ("Value", "the kinds of the untyped message are the format's: one more is another format"),
    ("Priority", "given to insula, and closed in the ABI; the host acts on each, without a rest"),
    ("MailboxPolicy", "given to insula, and closed in the ABI; the host acts on each, without a rest"),
];

fn of(sources: &[Source]) -> Surface {
    let crates = Crates::read(sources, &[("insula", "host/src/"), ("insula_wire", "wit/src/")]);
    Surface::of(&crates, "insula")
}

/// What a signature names that it must not.
fn foreign(surface: &Surface) -> Vec<String> {
    let mut found = Vec::new();
    for (at, named) in &surface.foreign {
        match named {
            Named::Theirs(path) if SHOWN.iter().any(|(name, _)| path.split("::").next() == Some(name)) => {}
            Named::Theirs(path) => found.push(format!("{at} shows {path}")),
            Named::Unknown(path) => found.push(format!("{at} names {path}, which the check does not understand")),
            Named::Ours(_) | Named::Language => {}
        }
    }
    found
}

/// Public enums that cannot grow, and exceptions that are none.
fn exhaustive(surface: &Surface) -> Vec<String> {
    let listed = |name: &str| CLOSED.iter().any(|(closed, _)| *closed == name);
    let enums = surface.enums.iter().filter(|one| !one.is_non_exhaustive && !listed(&one.name));
    enums.map(|one| format!("{}: enum {} is not #[non_exhaustive]", one.file, one.name)).collect()
}

#[test]
fn no_type_of_another_crate_is_in_the_public_api() {
    let surface = of(sources());
    assert!(surface.callables.len() > 200, "only {} functions were found", surface.callables.len());
    let found = foreign(&surface);
    assert!(found.is_empty(), "{} findings; SHOWN says what may be seen:\n{}", found.len(), found.join("\n"));
}

#[test]
fn public_enums_may_grow() {
    let surface = of(sources());
    let found = exhaustive(&surface);
    assert!(found.is_empty(), "mark it, or say in CLOSED why its cases are all there are:\n{}", found.join("\n"));
    for (name, _) in CLOSED {
        let is_closed = surface.enums.iter().any(|one| one.name == name && !one.is_non_exhaustive);
        assert!(is_closed, "CLOSED names {name}, which is no public enum without #[non_exhaustive]");
    }
}

/// What the check says of a crate with these lines in a module `inner`, whose `Shown` and `shown` are exported.
fn planted(lines: &str) -> Vec<String> {
    let root = "mod inner;\npub use inner::{Shown, shown};\n#[doc(hidden)]\nmod private;\n";
    let inner = format!("use crate::private::{{Hidden, Handed}};\npub struct Shown;\npub fn shown() {{}}\n{lines}");
    let private = "pub use other::Handed;\npub struct Hidden(pub other::Inner);\nstruct Free(other::Inner);\n";
    let files = [("lib.rs", root), ("inner.rs", &inner), ("private/mod.rs", private)];
    let sources = files.map(|(path, text)| Source::new(&format!("host/src/{path}"), text));
    let surface = of(&sources);
    foreign(&surface).into_iter().chain(exhaustive(&surface)).collect()
}

#[test]
fn a_planted_type_of_another_crate_is_found() {
    let found = |lines: &str, what: &str| assert_eq!(planted(lines), [what], "{lines}");
    found("impl Shown { pub fn a(&self) -> Option<Vec<other::Store>> {} }", "Shown::a shows other::Store");
    found("use other::{Store, x}; impl Shown { pub async fn a(store: &mut Store) {} }", "Shown::a shows other::Store");
    found("use other as it; impl Shown { pub fn a(a: impl Fn(it::A)) {} }", "Shown::a shows other::A");
    found("impl Shown { pub fn a<T: other::A>(t: T) {} }", "Shown::a shows other::A");
    found("impl Shown { pub fn a<T>(t: T) where T: other::A {} }", "Shown::a shows other::A");
    found("impl Shown { pub fn a(&self) -> impl Future<Output = other::A> {} }", "Shown::a shows other::A");
    found("impl Shown { pub fn a(a: Box<dyn Fn() -> other::A>) {} }", "Shown::a shows other::A");
    found("impl Shown { pub fn a(a: Handed) {} }", "Shown::a shows other::Handed");
    found("impl Shown { pub fn a(a: Hidden) {} }", "Hidden shows other::Inner");
    found("impl Shown { pub const A: [other::A; 2] = []; }", "Shown shows other::A");
    found("type A = other::A; impl Shown { pub fn a(a: A) {} }", "A shows other::A");
    found("impl From<other::E> for Shown { fn from(e: other::E) -> Shown {} }", "From for Shown shows other::E");
    found("impl From<Shown> for other::E { fn from(e: Shown) -> other::E {} }", "From for Shown shows other::E");
    found("impl other::A for Shown {}", "A for Shown shows other::A");
    found("impl Iterator for &Shown { type Item = other::A; }", "Iterator for Shown shows other::A");
    found(
        "impl Shown { pub fn a(a: Nowhere) {} }",
        "Shown::a names Nowhere in insula::inner, which the check does not understand",
    );
    let within = "impl Shown { fn a(a: other::A) { other::b() } pub(crate) fn b(a: other::A) { other::c() } }";
    assert_eq!(planted(within), [""; 0]);
    let allowed = "impl serde::Serialize for Shown { fn a(a: other::A) {} } #[cfg(test)] mod t { use other::A; }";
    assert_eq!(planted(allowed), [""; 0]);
}

#[test]
fn a_planted_enum_that_cannot_grow_is_found() {
    let lines = "pub enum A { B } impl Shown { pub fn a(&self) -> A {} }";
    assert_eq!(planted(lines), ["host/src/inner.rs: enum A is not #[non_exhaustive]"]);
    assert_eq!(planted(&format!("#[non_exhaustive] {lines}")), [""; 0]);
}

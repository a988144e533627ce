//! Every guest program under `tests/guests` is there for a test.

use super::source::Source;

/// The manifest of the guest programs.
const MANIFEST: &str = "tests/guests/Cargo.toml";

/// Whether the file is a guest program of the tests.
pub(super) fn is_program(source: &Source) -> bool {
    name(source).is_some()
}

/// A test names it.
pub(super) fn named(source: &Source, sources: &[Source]) -> Vec<String> {
    let Some(name) = name(source) else { return vec![] };
    let quoted = format!("\"{name}\"");
    let mut tests =
        sources.iter().filter(|test| test.is_in("tests/") && test.is_rust() && !test.is_in("tests/guests/"));
    if tests.any(|test| test.text().contains(&quoted)) {
        return vec![];
    }
    vec![source.finding(1, format!("no test names the guest program {name}"))]
}

/// The manifest declares it, so that it is compiled.
pub(super) fn declared(source: &Source, sources: &[Source]) -> Vec<String> {
    let Some(name) = name(source) else { return vec![] };
    let manifest = sources.iter().find(|manifest| manifest.path() == MANIFEST).map_or("", Source::text);
    if manifest.contains(&format!("name = \"{name}\"")) {
        return vec![];
    }
    vec![source.finding(1, format!("{MANIFEST} does not declare {name}"))]
}

/// The program's name.
fn name(source: &Source) -> Option<&str> {
    let name = source.path().strip_prefix("tests/guests/")?.strip_suffix(".rs")?;
    (!name.contains('/') && name != "lib").then_some(name)
}

#[test]
fn a_program_without_a_test_is_found() {
    let program = Source::new("tests/guests/lonely.rs", "//! \"lonely\"");
    let test = |text| Source::new("tests/semantics/life.rs", text);
    assert_eq!(
        named(&program, &[test("guest(\"other\")")]),
        ["tests/guests/lonely.rs:1: no test names the guest program lonely"]
    );
    assert_eq!(named(&program, &[test("guest(\"lonely\")")]), [""; 0]);
    assert!(!is_program(&test("")));
}

#[test]
fn a_program_that_is_not_declared_is_found() {
    let program = Source::new("tests/guests/lonely.rs", "");
    let manifest = |text| Source::new(MANIFEST, text);
    assert_eq!(declared(&program, &[manifest("[[bin]]\nname = \"lonely_too\"")]).len(), 1);
    assert_eq!(declared(&program, &[manifest("[[bin]]\nname = \"lonely\"\n")]), [""; 0]);
}

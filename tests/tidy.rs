//! Style as tests: what a reviewer would say about lengths, words, layers and places, said by a machine.
//!
//! Every rule is a small function from a file's text to findings, `path:line: what`, and has a test of its own that
//! plants a violation; the tests here apply the rules to the whole repository. Rules look at text, not at a syntax
//! tree: comments and literals are blanked first ([`blank`]), which is enough for what they ask, and needs nothing
//! that a reader could not follow. Where a rule has exceptions, each is listed beside it with its reason.

pub(crate) mod blank;
mod guests;
mod layers;
mod lengths;
mod order;
mod places;
pub(crate) mod source;
mod uses;
mod words;

use source::{Source, sources};

/// Applies a rule to the sources that it is meant for, and fails with all findings.
fn hold(rule: impl Fn(&Source) -> Vec<String>, meant: impl Fn(&Source) -> bool) {
    let findings: Vec<String> = sources().iter().filter(|source| meant(source)).flat_map(rule).collect();
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

#[test]
fn every_source_file_says_at_its_head_what_it_is() {
    hold(lengths::head, Source::is_rust);
}

#[test]
fn files_and_functions_are_short() {
    hold(lengths::file, Source::is_rust);
    hold(lengths::functions, Source::is_rust);
}

#[test]
fn one_word_has_one_meaning() {
    hold(words::banned, |source| source.is_rust() || source.is_prose());
    hold(words::names, Source::is_rust);
}

#[test]
fn the_library_does_not_unwrap() {
    hold(words::unwrap, |source| ["host/src/", "guest/src/", "wit/src/"].iter().any(|folder| source.is_in(folder)));
}

#[test]
fn imports_point_down() {
    let layers = layers::Layers::of_repository();
    let host = |source: &Source| source.is_in("host/src/") && source.is_rust();
    hold(|source| layers.directions(source), host);
    hold(|source| layers.crates(source), host);
    hold(|source| layers.is_listed(source), host);
}

#[test]
fn the_core_has_no_clock_and_no_thread_of_its_own() {
    let layers = layers::Layers::of_repository();
    hold(|source| layers.pure(source), |source| source.is_in("host/src/") && source.is_rust());
    hold(places::clocks, |source| source.is_in("host/src/") && source.is_rust());
}

#[test]
fn unsafe_has_its_places() {
    hold(places::unsafes, Source::is_rust);
}

#[test]
fn tests_are_never_ignored_and_never_sleep() {
    hold(places::ignored, Source::is_rust);
    hold(places::sleeps, |source| source.is_test() && !source.is_in("tests/guests/"));
}

#[test]
fn nothing_is_left_for_later() {
    hold(places::unfinished, Source::is_rust);
}

#[test]
fn no_path_of_one_machine_is_in_the_repository() {
    hold(places::machine, |_| true);
}

#[test]
fn imports_are_in_the_order_of_the_wit() {
    hold(order::imports, |source| source.is_in("host/src/abi/") || source.path() == "guest/src/sys.rs");
}

#[test]
fn every_guest_program_has_a_test() {
    hold(|source| guests::named(source, sources()), guests::is_program);
    hold(|source| guests::declared(source, sources()), guests::is_program);
}

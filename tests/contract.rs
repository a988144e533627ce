//! One contract, three places that state it: `wit/isolate.wit`, the host's linker, and the SDK's `sys.rs`.
//!
//! The WIT is the law. It is parsed here and lowered by the rules in its own head to core signatures, and the host's
//! imports and the SDK's declarations are compared with them, function by function; the numbers of its enums and the
//! C layout of its records are compared with `insula-wire`. A difference is reported with the name of the function
//! and both signatures. The last tests plant differences, so that a comparison which sees nothing is itself noticed.

use std::collections::BTreeMap;
use std::fmt;

mod planted;
mod sys;
mod wire;
mod wit;

pub(crate) use wit::{Contract, Role};

/// A core value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Core {
    I32,
    I64,
}

impl Core {
    /// From its name in WebAssembly's text format.
    fn named(name: &str) -> Core {
        match name {
            "i32" => Core::I32,
            "i64" => Core::I64,
            other => panic!("the contract has no core value {other}"),
        }
    }
}

/// A core function type.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Signature {
    params: Vec<Core>,
    results: Vec<Core>,
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |values: &[Core]| {
            let names = values.iter().map(|value| if *value == Core::I32 { "i32" } else { "i64" });
            names.collect::<Vec<_>>().join(", ")
        };
        write!(f, "({}) -> ({})", names(&self.params), names(&self.results))
    }
}

/// Functions by module and field.
type Functions = BTreeMap<(String, String), Signature>;

/// What differs between the contract and an implementation of it, a line each.
fn differences(contract: &Functions, implementation: &str, functions: &Functions) -> Vec<String> {
    let mut lines = Vec::new();
    for (name @ (module, field), wanted) in contract {
        match functions.get(name) {
            None => lines.push(format!("{module} {field}: not in {implementation}")),
            Some(found) if found != wanted => {
                lines.push(format!("{module} {field}: {wanted} in the WIT, {found} in {implementation}"));
            }
            Some(_) => {}
        }
    }
    let unknown = functions.keys().filter(|name| !contract.contains_key(*name));
    lines.extend(unknown.map(|(module, field)| format!("{module} {field}: in {implementation}, not in the WIT")));
    lines
}

/// What the host's linker defines of ours.
fn host() -> Functions {
    let cores = |names: &[&str]| names.iter().map(|name| Core::named(name)).collect();
    let imports = insula::imports().into_iter();
    imports
        .map(|import| {
            let signature = Signature { params: cores(&import.params), results: cores(&import.results) };
            ((import.module.to_string(), import.field.to_string()), signature)
        })
        .collect()
}

/// The text of the SDK's declarations.
fn sys_text() -> String {
    let path = crate::harness::repository().join("guest/src/sys.rs");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with what differs, a line each.
fn none(differences: &[String]) {
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn the_linker_offers_what_the_wit_says() {
    let contract = Contract::parse(insula_wire::WIT);
    none(&differences(&contract.functions(), "the linker", &host()));
}

#[test]
fn the_sdk_imports_what_the_wit_says() {
    let contract = Contract::parse(insula_wire::WIT);
    none(&differences(&contract.functions(), "sys.rs", &sys::functions(&sys_text())));
}

#[test]
fn enums_and_records_cross_as_the_wit_says() {
    let contract = Contract::parse(insula_wire::WIT);
    none(&wire::differences(&contract));
}

#[test]
fn the_package_and_its_version_are_those_of_the_wit() {
    let contract = Contract::parse(insula_wire::WIT);
    let (major, minor, patch) = insula_wire::VERSION;
    assert_eq!(contract.package(), format!("{}@{major}.{minor}.{patch}", insula_wire::PACKAGE));
}

//! The SDK's declarations, read from the text of `sys.rs`.
//!
//! What is read is the plain form only: blocks `extern "C" { .. }` under `#[link(wasm_import_module = "..")]`, with
//! functions of numbers and pointers under `#[link_name = ".."]`. Anything else in such a block fails the tests: a
//! declaration that is not understood is a declaration that is not checked.

use super::{Core, Functions, Signature};
use crate::tidy::blank::{self, Literals};

/// All functions that the text declares as imports of ours.
pub(super) fn functions(text: &str) -> Functions {
    let text = blank::comments(text, Literals::Kept);
    let mut functions = Functions::new();
    let mut rest = text.as_str();
    while let Some((module, body, after)) = next_block(rest) {
        for item in body.split(';').map(str::trim).filter(|item| !item.is_empty()) {
            let (field, signature) = function(item);
            let name = (module.to_owned(), field);
            let line = format!("{name:?} is declared twice");
            assert!(functions.insert(name, signature).is_none(), "{line}");
        }
        rest = after;
    }
    functions
}

/// The next block: the module that it imports from, what is in it, and the text behind it.
fn next_block(text: &str) -> Option<(&str, &str, &str)> {
    let (_, rest) = text.split_once("wasm_import_module")?;
    let module = quoted(rest).expect("wasm_import_module = \"..\"");
    let (_, rest) = rest.split_once("extern")?;
    let (_, rest) = rest.split_once('{')?;
    let (body, rest) = rest.split_once('}')?;
    Some((module, body, rest))
}

/// The first string literal of the text.
fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

/// A declaration: the name it is imported by, and its signature.
fn function(item: &str) -> (String, Signature) {
    let (attributes, declaration) = item.split_once("fn ").unwrap_or_else(|| panic!("no function: {item}"));
    let (name, rest) = declaration.split_once('(').unwrap_or_else(|| panic!("no parameters: {item}"));
    let (params, rest) = rest.rsplit_once(')').unwrap_or_else(|| panic!("no parameters: {item}"));
    let field = match attributes.split_once("link_name") {
        Some((_, value)) => quoted(value).unwrap_or_else(|| panic!("link_name = \"..\": {item}")),
        None => name.trim(),
    };
    let params = params.split(',').map(str::trim).filter(|param| !param.is_empty());
    let params = params.map(|param| core(param.split_once(':').map_or(param, |(_, ty)| ty)));
    let results = rest.split_once("->").map(|(_, ty)| core(ty));
    let signature = Signature { params: params.collect(), results: results.into_iter().collect() };
    (field.to_owned(), signature)
}

/// What a Rust type is as a core value of wasm32.
fn core(ty: &str) -> Core {
    match ty.trim() {
        "u32" | "i32" | "usize" | "isize" => Core::I32,
        "u64" | "i64" => Core::I64,
        pointer if ["*const ", "*mut ", "&"].iter().any(|start| pointer.starts_with(start)) => Core::I32,
        other => panic!("sys.rs: {other} is no number and no pointer"),
    }
}

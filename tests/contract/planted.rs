//! The test of the test: differences planted in the texts must be found, and named.

use std::fmt::Write as _;

use super::wit::Contract;
use super::{Core, Functions, Signature, differences, host, sys, sys_text, wire};

/// The WIT with one edit, which must have an effect on the text.
fn edited(from: &str, to: &str) -> Contract {
    let text = insula_wire::WIT.replacen(from, to, 1);
    assert_ne!(text, insula_wire::WIT, "{from:?} is not in the WIT");
    Contract::parse(&text)
}

/// The WIT's functions as `sys.rs` would declare them.
fn declared(functions: &Functions) -> String {
    let mut text = String::from("//! Comments with `extern \"C\" { fn nothing(); }` are nothing.\n");
    for ((module, field), signature) in functions {
        let name = field.replace('-', "_");
        let types = |core: &Core| if *core == Core::I32 { "*const u8" } else { "u64" };
        let params = signature.params.iter().enumerate();
        let params: String = params.map(|(at, core)| format!("a{at}: {}, ", types(core))).collect();
        let result: String = signature.results.iter().map(|core| format!(" -> {}", types(core))).collect();
        writeln!(
            text,
            "#[link(wasm_import_module = \"{module}\")] unsafe extern \"C\" {{\n    /// A {{ brace.\n    \
             #[link_name = \"{field}\"]\n    fn {name}({params}){result};\n}}"
        )
        .expect("a string can be written to");
    }
    text
}

#[test]
fn a_lowering_is_what_the_table_says() {
    let functions = Contract::parse(insula_wire::WIT).functions();
    let shown = |interface: &str, field: &str| {
        let module = format!("insula:isolate/{interface}@0.1.0");
        functions[&(module, field.to_owned())].to_string()
    };
    assert_eq!(shown("ports", "open"), "(i64, i32, i32) -> (i32)");
    assert_eq!(shown("ports", "send"), "(i32, i32, i32, i32, i32) -> (i32)");
    assert_eq!(shown("ports", "receive"), "(i32, i64, i32, i32, i32, i32, i32) -> (i32)");
    assert_eq!(shown("ports", "receive-any"), "(i32, i32, i64, i32, i32, i32, i32, i32) -> (i32)");
    assert_eq!(shown("ports", "close"), "(i32) -> (i32)");
    assert_eq!(shown("blobs", "create"), "(i32, i32, i32) -> (i32)");
    assert_eq!(shown("isolates", "spawn"), "(i32, i32, i32) -> (i32)");
    assert_eq!(shown("control", "stop-requested"), "() -> (i32)");
    assert_eq!(shown("clock", "now"), "() -> (i64)");
    assert_eq!(shown("report", "panic"), "(i32, i32, i32, i32) -> (i32)");
}

#[test]
fn declarations_are_read_as_they_are_written() {
    let contract = Contract::parse(insula_wire::WIT).functions();
    assert_eq!(differences(&contract, "sys.rs", &sys::functions(&declared(&contract))), [""; 0]);
}

#[test]
fn a_renamed_function_is_found_on_both_sides() {
    let contract = edited("    discard: func", "    throw-away: func").functions();
    for (name, functions) in [("the linker", host()), ("sys.rs", sys::functions(&sys_text()))] {
        let module = "insula:isolate/ports@0.1.0";
        let wanted =
            [format!("{module} throw-away: not in {name}"), format!("{module} discard: in {name}, not in the WIT")];
        assert_eq!(differences(&contract, name, &functions), wanted);
    }
}

#[test]
fn an_added_parameter_is_found_on_both_sides() {
    let contract = edited("sender: func(port: handle)", "sender: func(port: handle, count: u64)").functions();
    for (name, functions) in [("the linker", host()), ("sys.rs", sys::functions(&sys_text()))] {
        let wanted = format!(
            "insula:isolate/ports@0.1.0 sender: (i32, i64, i32) -> (i32) in the WIT, (i32, i32) -> (i32) in {name}"
        );
        assert_eq!(differences(&contract, name, &functions), [wanted]);
    }
}

#[test]
fn another_version_of_the_package_is_another_module() {
    let contract = edited("package insula:isolate@0.1.0;", "package insula:isolate@0.2.0;").functions();
    assert_eq!(differences(&contract, "the linker", &host()).len(), 2 * contract.len());
}

#[test]
fn a_swapped_case_is_found() {
    let from = "        /// The port is closed, or its isolate is dead. A send that answers so had no effect.\n        \
                closed,\n        /// The mailbox, or the room that a notice needs, is full.\n        full,";
    let found = wire::differences(&edited(from, "        full,\n        closed,"));
    assert!(matches!(&found[..], [line] if line.starts_with("status: [(\"full\", 1), (\"closed\", 2)")), "{found:?}");
}

#[test]
fn a_moved_field_is_found() {
    let found = wire::differences(&edited("        paused: bool,\n", "        paused: u64,\n"));
    assert!(matches!(&found[..], [line] if line.starts_with("spawn-options: ")), "{found:?}");
}

#[test]
fn a_type_that_nobody_compares_is_found() {
    let found = wire::differences(&edited("    record limit {", "    enum colour { red }\n    record limit {"));
    assert_eq!(found, ["colour: in the WIT, not compared with insula-wire"]);
}

#[test]
#[should_panic(expected = "no lowering for F32")]
fn a_type_without_a_lowering_is_refused() {
    edited("now: func() -> instant", "now: func() -> f32").functions();
}

#[test]
#[should_panic(expected = "bool is no number and no pointer")]
fn a_declaration_that_is_not_understood_is_refused() {
    sys::functions("#[link(wasm_import_module = \"m\")] extern \"C\" { fn f(on: bool); }");
}

#[test]
fn a_missing_declaration_is_found() {
    let contract = Contract::parse(insula_wire::WIT).functions();
    let mut functions = contract.clone();
    functions.remove(&("insula:isolate/clock@0.1.0".to_owned(), "now".to_owned()));
    let extra = Signature { params: vec![], results: vec![] };
    functions.insert(("insula:isolate/clock@0.1.0".to_owned(), "then".to_owned()), extra);
    assert_eq!(
        differences(&contract, "sys.rs", &sys::functions(&declared(&functions))),
        ["insula:isolate/clock@0.1.0 now: not in sys.rs", "insula:isolate/clock@0.1.0 then: in sys.rs, not in the WIT"]
    );
}

//! Modules that are made to hurt who compiles them: each is refused, or compiled within the limits, and the host goes on.

use std::time::Duration;

use insula::{CompileLimits, Exit, Host, LoadError, Module, Spawn};

/// What becomes of a bomb.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Compiled,
    /// Beyond this limit of compiling.
    Limit(&'static str),
    /// No module.
    Invalid,
    /// Beyond what the pool has room for.
    Shape,
    /// It wants what the host does not have.
    Import,
}

fn fate(loaded: &Result<Module, LoadError>) -> Option<Fate> {
    match loaded {
        Ok(_) => Some(Fate::Compiled),
        Err(LoadError::Limit { which, .. }) => Some(Fate::Limit(which)),
        Err(LoadError::NotWasm { .. }) => Some(Fate::Invalid),
        Err(LoadError::Shape { .. }) => Some(Fate::Shape),
        Err(LoadError::UnknownImport { .. }) => Some(Fate::Import),
        Err(_) => None,
    }
}

fn module(fields: &str) -> Vec<u8> {
    format!("(module {fields})").into_bytes()
}

/// So many fields, each of its number.
fn fields(count: usize, field: impl Fn(usize) -> String) -> String {
    (0..count).map(field).collect()
}

/// A function of one `i32` with this body.
fn function(body: &str) -> Vec<u8> {
    module(&format!(
        "(memory 1) (table 1 funcref) (type $none (func)) (func $self (param i32) (local i32 i32 i32) {body})"
    ))
}

/// Bodies around bodies.
fn nested(depth: usize, open: &str, close: &str) -> Vec<u8> {
    function(&(open.repeat(depth) + &close.repeat(depth)))
}

/// Functions, and what is in them.
fn of_code() -> Vec<(&'static str, Fate, Vec<u8>)> {
    let lie = b"\0asm\x01\0\0\0\x03\x05\xff\xff\xff\xff\x0f".to_vec();
    let locals = |count: usize, of: &str| format!("(func (local {}))", of.repeat(count));
    let long_table = format!("local.get 0 br_table {} 0", "0 ".repeat(70_000));
    let multiplied = format!("local.get 0 {} drop", "i32.const 3 i32.mul ".repeat(5_000));
    let branch = "local.get 0 if local.get 1 local.set 2 else local.get 2 local.set 3 end ";
    let swap = "local.get 1 local.get 2 local.set 1 local.set 2 local.get 0 br_if 0 end ";
    let checks = "local.get 0 local.get 0 i32.load local.get 0 i32.div_s i32.store ";
    vec![
        ("functions", Fate::Limit("functions"), module(&"(func)".repeat(2_001))),
        ("a lie about functions", Fate::Limit("functions"), lie),
        ("a long function", Fate::Limit("function_bytes"), function(&"nop ".repeat(70_000))),
        ("a long table of jumps", Fate::Limit("function_bytes"), function(&long_table)),
        ("one expression", Fate::Compiled, function(&multiplied)),
        ("a deep stack", Fate::Compiled, nested(5_000, "local.get 0 ", "drop ")),
        ("calls of itself", Fate::Compiled, function(&"local.get 0 call $self ".repeat(3_000))),
        ("indirect calls", Fate::Compiled, function(&"local.get 0 call_indirect (type $none) ".repeat(2_000))),
        ("branches", Fate::Compiled, function(&branch.repeat(1_000))),
        ("nested blocks", Fate::Compiled, nested(5_000, "block ", "local.get 0 br_if 0 end ")),
        ("nested loops", Fate::Compiled, nested(500, "loop ", swap)),
        ("jumps everywhere", Fate::Compiled, function(&jumps_everywhere())),
        ("jumps with a thousand values", Fate::Compiled, module(&jumps_with_values())),
        ("locals", Fate::Compiled, module(&locals(50_000, "i32 ").repeat(3))),
        ("too many locals", Fate::Invalid, module(&locals(50_001, "i64 "))),
        ("checks", Fate::Compiled, function(&checks.repeat(1_000))),
        ("no end of parentheses", Fate::Invalid, "(".repeat(100_000).into_bytes()),
    ]
}

/// A hundred tables of jumps out of as many blocks around them.
fn jumps_everywhere() -> String {
    let table = format!("block local.get 0 br_table {} end ", fields(150, |target| format!("{target} ")));
    format!("{} {} {}", "block ".repeat(200), table.repeat(100), "end ".repeat(200))
}

/// Each jump takes a thousand values along, and each is checked.
fn jumps_with_values() -> String {
    let (types, values, drops) = ("i32 ".repeat(1_000), "i32.const 0 ".repeat(1_000), "drop ".repeat(1_000));
    let jumps = format!("local.get 0 br_table {} 0", "0 ".repeat(1_000));
    format!("(func (param i32) {values} block (param {types}) (result {types}) {jumps} end {drops})")
}

/// Everything else that a module has.
fn of_parts() -> Vec<(&'static str, Fate, Vec<u8>)> {
    let exports = fields(20_000, |number| format!("(export \"{number}\" (func $f))"));
    let names = fields(5, |number| format!("(export \"{number}{}\" (func $f))", "n".repeat(90_000)));
    let imports = fields(10_000, |number| format!("(import \"env\" \"{number}\" (func))"));
    let types = fields(10_000, |number| format!("(type (func (param {}i64)))", "i32 ".repeat(number % 20)));
    let segments = "(data (i32.const 0) \"x\")".repeat(20_000);
    let apart = fields(500, |number| format!("(data (i32.const {}) \"x\")", number * 4_000_000));
    let elements = "(elem (i32.const 0) $f)".repeat(10_000);
    let constant = format!("{} {}", "i32.const 1 ".repeat(10_000), "i32.add ".repeat(9_999));
    vec![
        ("bytes", Fate::Limit("bytes"), vec![b' '; (4 << 20) + 1]),
        ("exports", Fate::Compiled, module(&format!("(func $f) {exports}"))),
        ("long names", Fate::Compiled, module(&format!("(func $f) {names}"))),
        ("imports", Fate::Import, module(&imports)),
        ("types", Fate::Compiled, module(&types)),
        ("globals", Fate::Shape, module(&"(global i32 (i32.const 0))".repeat(70_000))),
        ("segments", Fate::Compiled, module(&format!("(memory 1) {segments}"))),
        ("too many segments", Fate::Invalid, too_many_segments()),
        ("segments far apart", Fate::Compiled, module(&format!("(memory 65536) {apart}"))),
        ("elements", Fate::Compiled, module(&format!("(table 1 funcref) (func $f) {elements}"))),
        ("a long constant", Fate::Compiled, module(&format!("(global i32 {constant})"))),
        ("a table", Fate::Shape, module("(table 10000000 funcref)")),
        ("tables", Fate::Shape, module(&"(table 1 funcref)".repeat(100))),
        ("memories", Fate::Shape, module(&"(memory 1)".repeat(50))),
    ]
}

/// 100,001 empty segments of data.
fn too_many_segments() -> Vec<u8> {
    let segments = [&[0xa1, 0x8d, 0x06][..], &[0, 0x41, 0, 0x0b, 0].repeat(100_001)].concat();
    let memory = [0x05, 3, 1, 0, 1];
    // 500,008 bytes, as LEB128.
    [b"\0asm\x01\0\0\0", &memory[..], &[0x0b, 0xa8, 0xc2, 0x1e], &segments].concat()
}

#[test]
fn no_module_harms_who_compiles_it() {
    let limits = CompileLimits::default().bytes(4 << 20).functions(2_000).function_bytes(64 << 10);
    let host = Host::builder().isolates(4).threads(1).compile_limits(limits.wall(Duration::from_secs(120)));
    let host = host.build().expect("there is room for a small host");
    let good = host.load("good", b"(module (func (export \"run\")))").expect("it is a module");
    let bombs: Vec<_> = of_code().into_iter().chain(of_parts()).collect();
    assert!(bombs.len() >= 20);
    for (name, expected, bytes) in bombs {
        let loaded = host.load(name, &bytes);
        assert_eq!(fate(&loaded), Some(expected), "{name}: {loaded:?}");
        if let Err(error) = &loaded {
            assert!(error.to_string().starts_with(name) && error.to_string().len() < 1_000, "{error}");
        }
        let isolate = host.spawn(&good, Spawn::entry("run")).expect("there is room");
        assert_eq!((isolate.join(), host.compiles_left_behind()), (Exit::Returned, 0), "{name}");
    }
}

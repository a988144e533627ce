//! Input that cannot be run: a message that names the file and the thing, exit code 1, and nothing of our insides.

use std::path::Path;

use super::{Ran, run};
use crate::harness::Folder;

/// The start of every module.
const HEADER: &[u8] = b"\0asm\x01\0\0\0";

/// Runs a file of this content and returns how it was refused.
fn refused(name: &str, content: impl AsRef<[u8]>) -> Ran {
    let folder = Folder::new("bad-input");
    let path = folder.file(name, content);
    refusal(&path)
}

/// Runs the target, checks that it is refused as everything is, by its name, and returns what was said.
fn refusal(target: &Path) -> Ran {
    let ran = run([target]);
    let name = target.file_name().and_then(|name| name.to_str()).expect("a path of ours has a name");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains(name), "the file is not named: {ran:?}");
    for inside in ["panicked", "backtrace", "RUST_BACKTRACE", "unwrap"] {
        assert!(!ran.stderr.contains(inside), "{ran:?}");
    }
    ran
}

/// The refusal says all of this.
fn says(ran: &Ran, words: &[&str]) {
    for word in words {
        assert!(ran.stderr.contains(word), "{word} is not in {ran:?}");
    }
}

#[test]
fn what_is_no_module() {
    says(&refused("hello.wasm", "hello"), &["WebAssembly"]);
    says(&refused("empty.wasm", ""), &["WebAssembly"]);
    says(&refused("truncated.wasm", [HEADER, b"\x01\x85\x80"].concat()), &["WebAssembly"]);
    says(&refused("text.wat", "(module (func"), &["text.wat"]);
}

#[test]
fn a_component() {
    says(&refused("part.wasm", b"\0asm\x0d\0\x01\0"), &["component"]);
}

#[test]
fn an_import_that_nobody_has() {
    let module = r#"(module (import "env" "nothing" (func)) (func (export "_start")))"#;
    says(&refused("imports.wat", module), &["nothing", "env"]);
}

#[test]
fn an_import_of_another_type() {
    let module = r#"(module (import "insula:isolate/clock@0.1.0" "now" (func (result i32))) (func (export "_start")))"#;
    says(&refused("types.wat", module), &["now", "insula:isolate/clock@0.1.0"]);
}

#[test]
fn a_newer_contract() {
    let module =
        r#"(module (import "insula:isolate/clock@0.99.0" "now" (func (result i64))) (func (export "_start")))"#;
    says(&refused("newer.wat", module), &["0.99.0", "0.1.0"]);
}

#[test]
fn no_entry() {
    says(&refused("library.wat", r#"(module (func (export "other")))"#), &["_start"]);
    says(&refused("typed.wat", r#"(module (func (export "_start") (param i32)))"#), &["_start"]);
}

#[test]
fn shared_memory() {
    refused("shared.wat", r#"(module (memory 1 1 shared) (func (export "_start")))"#);
}

#[test]
fn compiled_code_from_a_stranger() {
    refused("code.cwasm", b"\x7fELF\x02\x01\x01 and so on");
}

#[test]
fn nothing_there() {
    let folder = Folder::new("bad-input");
    refusal(&folder.path().join("missing.wasm"));
    refusal(&folder.path().join("missing.rs"));
    let empty = folder.path().join("empty-folder");
    std::fs::create_dir(&empty).expect("the folder can be made");
    says(&refusal(&empty), &["Cargo.toml"]);
}

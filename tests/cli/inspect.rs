//! `insula inspect`: what is told of a module, for people and for programs.

use super::golden::golden;
use super::{Ran, insula};
use crate::harness::{Folder, guest};

/// One of each: imports of all origins, two that no host has, a memory, entries, and what a host calls by itself.
const MODULE: &str = r#"(module
    (import "env" "nothing" (func))
    (import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))
    (import "insula:isolate/clock@0.1.0" "now" (func (result i64)))
    (import "insula:isolate/clock@0.9.0" "sleep" (func (param i64) (result i32)))
    (memory (export "memory") 1 16)
    (func (export "_start"))
    (func (export "_initialize"))
    (func (export "score"))
    (func (export "insula_entry") (param i32))
    (func (export "odd") (param f64) (result i32) i32.const 0))"#;

fn json(ran: &Ran) -> serde_json::Value {
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    serde_json::from_str(&ran.stdout).expect("it is JSON")
}

/// Runs `insula inspect` on the module, in its folder.
fn inspect(arguments: &[&str]) -> Ran {
    let folder = Folder::new("inspect");
    folder.file("all.wat", MODULE);
    let mut command = crate::harness::insula();
    command.arg("inspect").args(arguments).arg("all.wat").current_dir(folder.path());
    super::output(command)
}

#[test]
fn people_are_told_everything() {
    let ran = inspect(&[]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    golden("inspect", &ran.stdout);
}

#[test]
fn programs_are_told_the_same() {
    let ran = inspect(&["--json"]);
    let told = json(&ran);
    golden("inspect-json", &ran.stdout);
    assert_eq!(told["links"], false);
    let unmet: Vec<_> =
        told["imports"].as_array().expect("a list").iter().filter(|one| !one["unmet"].is_null()).collect();
    assert_eq!(unmet.len(), 2, "{told}");
    assert_eq!(told["entries"], serde_json::json!(["_start", "score"]));
}

#[test]
fn a_guest_of_the_sdk_links_and_spawns_functions() {
    let told = json(&insula(["inspect".as_ref(), "--json".as_ref(), guest("main_first").as_os_str()]));
    assert_eq!((&told["links"], &told["spawns_functions"]), (&true.into(), &true.into()), "{told}");
    assert_eq!(told["contract"], "insula:isolate@0.1.0");
    let bytes = std::fs::read(guest("main_first")).expect("it was built");
    assert_eq!(told["sha256"], insula::Sha256::of(&bytes).to_string());
    let sections = told["sections"].as_array().expect("a list");
    assert!(sections.iter().any(|section| section["name"] == "code" && section["bytes"].as_u64() > Some(1_000)));
}

#[test]
fn what_is_no_module_is_refused_by_name() {
    let folder = Folder::new("inspect");
    for (name, content, said) in [
        ("empty.wasm", &b""[..], "it is empty"),
        ("part.wasm", b"\0asm\x0d\0\x01\0", "component"),
        ("elf.cwasm", b"\x7fELF\x02\x01\x01 and so on", "not a WebAssembly module"),
    ] {
        let ran = insula(["inspect".as_ref(), folder.file(name, content).as_os_str()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.stderr.contains(name) && ran.stderr.contains(said), "{ran:?}");
    }
}

#[test]
fn a_name_in_a_module_does_not_drive_the_terminal() {
    let folder = Folder::new("inspect");
    let module = folder.file("red.wat", "(module (func (export \"\\1b[31mred\\0aline\")))");
    let ran = insula(["inspect".as_ref(), module.as_os_str()]);
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.contains("\\u{1b}[31mred\\nline"), "{ran:?}");
}

//! What is refused before anything is born.

use insula::{BuildError, Exit, Host, LoadError, Sha256, Spawn, SpawnError};

use crate::harness::{self, Folder};

fn host(isolates: u32) -> Host {
    Host::builder().isolates(isolates).threads(1).build().expect("there is room for a small host")
}

#[test]
fn s2_3_a_spawn_error_names_the_module_and_the_entry() {
    let host = host(4);
    let text = "(module (func (export \"typed\") (param i32)) (global (export \"number\") i32 (i32.const 0)))";
    let module = host.load("library", text.as_bytes()).expect("the text is a module");
    let refused = |entry: &str| host.spawn(&module, Spawn::entry(entry)).map(|_| ());
    let (module_name, entry) = ("library".to_owned(), "missing".to_owned());
    assert_eq!(refused("missing"), Err(SpawnError::NoEntry { module: module_name, entry }));
    assert!(matches!(refused("typed"), Err(SpawnError::EntryType { .. })));
    assert!(refused("number").is_err());
    assert_eq!(host.live(), 0);
}

#[test]
fn s9_one_isolate_too_many_is_an_error_that_says_the_limit() {
    let host = host(2);
    let text = "(module (func (export \"run\") (loop $again (br $again))) (func (export \"done\")))";
    let module = host.load("two", text.as_bytes()).expect("the text is a module");
    let running = [(); 2].map(|()| host.spawn(&module, Spawn::entry("run")).expect("there is room for two"));
    let refused = host.spawn(&module, Spawn::entry("run")).map(|_| ());
    assert_eq!(refused, Err(SpawnError::TooManyIsolates { max: 2 }));
    running[0].kill(insula::Priority::Immediate);
    assert!(matches!(running[0].join(), Exit::Killed { .. }));
    let again = host.spawn(&module, Spawn::entry("done")).expect("there is room again");
    assert_eq!(again.join(), Exit::Returned);
}

#[test]
fn a_memory_finds_room_in_its_address_space() {
    const PAGE: u64 = 64 << 10;
    let builder = Host::builder().isolates(1).threads(1).memory_max(2 * PAGE);
    for reservation in [PAGE, (4 << 30) + 1] {
        assert!(matches!(builder.clone().memory_reservation(reservation).build(), Err(BuildError::Invalid(_))));
    }
    let host = builder.memory_reservation(2 * PAGE).build().expect("there is room for a small host");
    // The first access is in the second page, and the other one, behind it, is out of bounds.
    let text = "(module (memory 2) (func (export \"within\") (i32.store (i32.const 131068) (i32.const 1)))
                (func (export \"behind\") (i32.store (i32.const 131072) (i32.const 1))))";
    let module = host.load("bounds", text.as_bytes()).expect("the text is a module");
    let ended = |entry| host.spawn(&module, Spawn::entry(entry)).expect("there is room for it").join();
    assert_eq!(ended("within"), Exit::Returned);
    assert!(matches!(ended("behind"), Exit::Trapped { .. }));
}

#[test]
fn a_load_error_says_what_is_wrong() {
    let host = host(1);
    let error = |bytes: &[u8]| host.load("x", bytes).map(|_| ()).expect_err("it is no module of ours");
    assert!(matches!(error(b"hello"), LoadError::NotWasm { .. }));
    assert!(matches!(error(b"\0asm\x0d\0\x01\0"), LoadError::Component { .. }));
    assert!(matches!(error(b"\x7fELF and so on"), LoadError::Precompiled { .. } | LoadError::NotWasm { .. }));
    let unknown = error(br#"(module (import "env" "f" (func)))"#);
    assert!(matches!(unknown, LoadError::UnknownImport { ref field, .. } if field == "f"), "{unknown:?}");
    let newer = error(br#"(module (import "insula:isolate/clock@9.0.0" "now" (func (result i64))))"#);
    assert!(matches!(newer, LoadError::NewerAbi { .. }), "{newer:?}");
}

#[test]
fn bytes_with_another_sha256_than_expected_are_not_loaded() {
    let host = host(1);
    let folder = Folder::new("expecting");
    let text = "(module (func (export \"run\")))";
    let path = folder.file("module.wat", text);
    let sha256 = Sha256::of(text.as_bytes());
    let from_file = host.load_file_expecting(&path, &sha256).expect("these are the bytes");
    let from_bytes = host.load_expecting("module", text.as_bytes(), &sha256).expect("these are the bytes");
    assert_eq!(from_file.digest(), from_bytes.digest());
    assert_ne!(from_file.digest(), sha256, "that is of the binary form");

    std::fs::write(&path, "(module (func (export \"ran\")))").expect("the file can be written");
    let refused = host.load_file_expecting(&path, &sha256).map(|_| ()).expect_err("these are others");
    let said = refused.to_string();
    assert!(said.contains("module.wat") && said.contains(&sha256.to_string()), "{said}");
    assert!(matches!(refused, LoadError::WrongDigest { expected, found, .. } if expected == sha256 && found != sha256));
    // What is no module at all is refused for its digest: nothing else is done with it before.
    let refused = host.load_expecting("module", b"\0asm and what not", &sha256).map(|_| ());
    assert!(matches!(refused, Err(LoadError::WrongDigest { .. })));
}

#[test]
fn a_module_says_what_it_imports_and_exports_before_it_is_loaded() {
    let text = r#"(module
        (import "env" "dance" (func (param f64) (result i32 i64)))
        (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
        (func $late (export "run"))
        (func (export "takes") (param v128 f32))
        (table (export "table") 1 funcref)
        (export "again" (func $late))
        (memory (export "memory") 1)
        (global (export "number") i32 (i32.const 0)))"#;
    let info = insula::inspect("dancer", text.as_bytes()).expect("it is a module");
    let imports: Vec<String> =
        info.imports.iter().map(|import| format!("{} {}: {}", import.module, import.name, import.item)).collect();
    let expected = [
        "env dance: function (f64) -> (i32, i64)",
        "wasi_snapshot_preview1 fd_write: function (i32, i32, i32, i32) -> (i32)",
    ];
    assert_eq!(imports, expected);
    let exports: Vec<String> = info.exports.iter().map(|export| format!("{}: {}", export.name, export.item)).collect();
    let expected = [
        "run: function () -> ()",
        "takes: function (v128, f32) -> ()",
        "table: table",
        "again: function () -> ()",
        "memory: memory of 65536 bytes",
        "number: global",
    ];
    assert_eq!(exports, expected);
    assert_eq!(info.entries().collect::<Vec<_>>(), ["run", "again"]);
    assert!(matches!(host(1).load("dancer", text.as_bytes()), Err(LoadError::UnknownImport { .. })));

    let guest = std::fs::read(harness::guest("prints")).expect("the guest is there");
    let loaded = host(1).load("prints", &guest).expect("it is a module");
    assert_eq!(loaded.info(), insula::inspect("prints", &guest).expect("it is a module"));
    assert!(loaded.info().entries().any(|entry| entry == "_start"));
    for broken in [&b"hello"[..], b"", b"\0asm\x01\0\0\0\x07\x01"] {
        assert!(matches!(insula::inspect("broken", broken), Err(LoadError::NotWasm { .. })), "{broken:?}");
    }
}

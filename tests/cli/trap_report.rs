//! What is said of an isolate that failed: what, who, where, in which module, what it said last, and what helps.

use super::{Ran, output, run};
use crate::harness::{self, Folder, guest};

/// The report of a module given as text.
fn text(module: &str) -> Ran {
    let folder = Folder::new("trap-report");
    run([folder.file("program.wat", module)])
}

#[track_caller]
fn says(ran: &Ran, lines: &[&str]) {
    for line in lines {
        assert!(ran.stderr.contains(line), "{line:?} is not in\n{}", ran.stderr);
    }
}

/// A program of the standard library only, with lines, that fails as its argument says.
const PROGRAM: &str = r#"fn deep(number: usize) -> u32 {
    let data = [1, 2, 3];
    data[number]
}

fn main() {
    eprintln!("about to fail");
    match std::env::args().nth(1).as_deref() {
        Some("file") => drop(std::fs::read("some.txt").unwrap()),
        Some("variable") => drop(std::env::var("NO_SUCH_VARIABLE").unwrap()),
        _ => drop(deep(std::env::args().count() + 6)),
    }
}
"#;

const MANIFEST: &str = "[package]\nname = \"fails\"\nedition = \"2024\"\n[workspace]\n\
    [profile.release]\ndebug = \"line-tables-only\"\nopt-level = 0\n";

fn program() -> Folder {
    let folder = Folder::new("fails");
    folder.file("Cargo.toml", MANIFEST);
    folder.file("src/main.rs", PROGRAM);
    folder
}

#[test]
fn a_panic_of_a_child_says_what_who_and_where() {
    let ran = run([guest("uncaught")]);
    says(
        &ran,
        &[
            "error: isolate #2 `lonely` panicked: nobody \\u{1b}[31m listens\n",
            " --> tests/guests/uncaught.rs:8:5\n",
            "8 |     panic!(\"nobody",
            "= note: spawned by isolate #1 `uncaught`, in uncaught::main @ 0x",
            "= note: module uncaught.wasm, sha256 ",
            "frames are of libraries; --backtrace full shows them\n",
            "= help: for files and lines, build with debug information",
        ],
    );
}

#[test]
fn a_panic_without_the_sdk_is_known_as_one_and_has_lines() {
    let folder = program();
    let ran = run([folder.path()]);
    assert_eq!(ran.code, Some(134), "{ran:?}");
    says(
        &ran,
        &[
            "error: isolate #1 `fails` panicked: index out of bounds: the len is 3 but the index is 7\n",
            " --> src/main.rs:3:5\n",
            "2 |     let data = [1, 2, 3];\n3 |     data[number]\n  |     ^^^^\n4 | }\n",
            "0: fails::deep\n                 at src/main.rs:3:5\n",
            "1: fails::main\n                 at src/main.rs:11:19\n",
            "frames of libraries left out; --backtrace full shows all",
            "the last of its standard error:\n          | about to fail\n",
        ],
    );
    assert!(!ran.stderr.contains("std::rt::lang_start"), "{ran:?}");
    assert!(!ran.stderr.contains('\u{1b}'), "nobody asked for colours: {ran:?}");

    let path = folder.path().display().to_string();
    let full = run(["--backtrace", "full", &path]);
    let mut command = harness::insula();
    command.env("RUST_BACKTRACE", "full").arg("run").arg(&path);
    for full in [full, output(command)] {
        says(&full, &["std::rt::lang_start", "fails::deep"]);
        assert!(!full.stderr.contains("left out"), "{full:?}");
    }
    let mut command = harness::insula();
    command.env("RUST_BACKTRACE", "full").args(["run", "--backtrace", "short", &path]);
    says(&output(command), &["left out"]);
}

#[test]
fn what_was_not_granted_is_named_with_the_flag_that_grants_it() {
    let folder = program();
    let path = folder.path().display().to_string();
    says(&run([&path, "file"]), &["= help: a program sees no file that it was not given: --dir HOST[::GUEST]"]);
    says(&run([&path, "variable"]), &["= help: a program has no environment variable", "--env NAME[=VALUE]"]);
}

#[test]
fn colours_come_where_they_are_asked_for() {
    let folder = Folder::new("trap-report");
    let module = folder.file("program.wat", r#"(module (func (export "_start") unreachable))"#);
    for (variable, coloured) in [(Some("CLICOLOR_FORCE"), true), (None, false)] {
        let mut command = harness::insula();
        command.env_remove("NO_COLOR").envs(variable.map(|name| (name, "1"))).arg("run").arg(&module);
        let ran = output(command);
        assert_eq!(ran.stderr.contains("\u{1b}["), coloured, "{ran:?}");
    }
}

#[test]
fn a_stack_without_an_end_is_explained() {
    let ran = text(r#"(module (func $again (export "_start") call $again))"#);
    assert_eq!(ran.code, Some(134), "{ran:?}");
    says(&ran, &["error: isolate #1 `program` trapped: call stack exhausted\n", "= help: a function calls itself"]);
    says(&ran, &["1: again @ 0x", " times)\n"]);
    assert!(ran.stderr.lines().count() < 12, "{ran:?}");
}

#[test]
fn a_limit_is_named() {
    let ran = text(
        r#"(module (memory 1 65536)
            (func (export "_start") (drop (memory.grow (i32.const 5000))) unreachable))"#,
    );
    assert_eq!(ran.code, Some(1), "{ran:?}");
    says(&ran, &["error: isolate #1 `program` exceeded its limit: memory 268435456\n", "= help: "]);
}

#[test]
fn no_module_has_a_file_of_its_choice_shown_or_the_terminal_driven() {
    let name = "\\1b]0;owned\\07\\0aerror: all lost ".repeat(2_000);
    let module = format!(
        r#"(module
            (import "insula:isolate/report@0.1.0" "panic" (func $panic (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (data (i32.const 0) "\1b[2J\0aerror: forged")
            (data (i32.const 64) "/etc/passwd:1:1")
            (func $start (@name "{name}") (export "_start")
                (drop (call $panic (i32.const 0) (i32.const 18) (i32.const 64) (i32.const 15)))
                unreachable))"#
    );
    let ran = text(&module);
    assert_eq!(ran.code, Some(134), "{ran:?}");
    says(&ran, &["panicked: \\u{1b}[2J\n", "--> /etc/passwd:1:1\n"]);
    assert!(!ran.stderr.contains("root:") && !ran.stderr.contains(['\u{1b}', '\u{7}']), "{ran:?}");
    assert!(ran.stderr.len() < 8_000, "{} bytes", ran.stderr.len());
    let forged = ran.stderr.lines().filter(|line| line.starts_with("error:")).count();
    assert_eq!(forged, 1, "a line of the guest's stands like one of ours: {ran:?}");
}

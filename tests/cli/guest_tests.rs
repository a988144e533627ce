//! `insula test`, and insula as cargo's runner: the tests of a package of the standard library only, some of which fail in
//! each of the ways that there are.

use std::path::Path;
use std::process::Command;

use super::{Ran, output};
use crate::harness::{self, Folder};

const MANIFEST: &str = "[package]\nname = \"tested\"\nedition = \"2024\"\n[workspace]\n";

const LIBRARY: &str = r#"pub fn deep(number: usize) -> u32 {
    let data = [1, 2, 3];
    data[number]
}

#[cfg(test)]
mod tests {
    #[test]
    fn passes() {
        println!("said by one that passes");
    }

    #[test]
    fn panics() {
        println!("said by one that panics");
        super::deep(std::env::args().count() + 100);
    }

    #[test]
    fn fails() -> Result<(), String> {
        Err("no good".to_owned())
    }

    #[test]
    fn loops() {
        while std::hint::black_box(true) {}
    }

    #[test]
    fn leaves() {
        std::process::exit(0);
    }

    #[test]
    #[ignore = "by choice"]
    fn waits() {}

    #[test]
    #[should_panic]
    fn should() {
        panic!("as it should");
    }
}
"#;

const SURROUNDINGS: &str = r#"//! What tests find around them.

#[test]
fn the_package_can_be_read() {
    let relative = std::fs::read_to_string("data/file.txt").unwrap();
    let absolute = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/file.txt")).unwrap();
    assert_eq!((relative.as_str(), absolute.as_str()), ("content", "content"));
    assert_eq!(std::env::var("CARGO_MANIFEST_DIR").as_deref(), Ok(env!("CARGO_MANIFEST_DIR")));
}

#[test]
fn nothing_can_be_written() {
    assert!(std::fs::write("data/new.txt", "new").is_err());
    assert!(std::fs::read("/etc/passwd").is_err());
}

#[test]
fn more_is_given_by_flags() {
    assert_eq!(std::env::var("MODE").as_deref(), Ok("fast"));
    assert!(std::fs::write("/out/new.txt", "new").is_ok());
}
"#;

const PROGRAM: &str = r#"fn main() {
    println!("{:?}", std::env::args().skip(1).collect::<Vec<_>>());
    std::process::exit(7);
}
"#;

fn package() -> Folder {
    let folder = Folder::new("tested");
    folder.file("Cargo.toml", MANIFEST);
    folder.file("src/lib.rs", LIBRARY);
    folder.file("src/bin/program.rs", PROGRAM);
    folder.file("tests/surroundings.rs", SURROUNDINGS);
    folder.file("data/file.txt", "content");
    folder
}

/// `insula test` in this folder.
fn test(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = harness::insula();
    // Packages of one name would find each other's builds there.
    command.env_remove("CARGO_TARGET_DIR").current_dir(folder).arg("test").args(arguments);
    output(command)
}

/// cargo in this folder, with a runner.
fn cargo(folder: &Folder, runner: &[&str], arguments: &[&str]) -> Ran {
    let insula = harness::insula().get_program().to_string_lossy().into_owned();
    let words: Vec<String> = [insula.as_str()].iter().chain(runner).map(|word| format!("{word:?}")).collect();
    let config =
        format!("[build]\ntarget = \"wasm32-wasip1\"\n[target.wasm32-wasip1]\nrunner = [{}]\n", words.join(", "));
    folder.file(".cargo/config.toml", config);
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in
        ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_BUILD_TARGET_DIR", "CARGO_TARGET_DIR"]
    {
        command.env_remove(name);
    }
    command.env("XDG_CACHE_HOME", harness::cache()).env("NO_COLOR", "1").env_remove("RUST_BACKTRACE");
    command.env_remove("CARGO_TARGET_WASM32_WASIP1_RUNNER");
    command.current_dir(folder.path()).args(arguments);
    output(command)
}

#[track_caller]
fn says(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn one_test_that_fails_fails_alone_in_its_own_way() {
    let folder = package();
    let ran = test(folder.path(), &["src/lib.rs", "--timeout", "2"]);
    assert_eq!(ran.code, Some(101), "{ran:?}");
    says(
        &ran.stdout,
        &[
            "running 7 tests\n",
            "test tests::passes ... ok\n",
            "test tests::panics ... FAILED\n",
            "test tests::fails ... FAILED\n",
            "test tests::loops ... FAILED (timed out)\n",
            "test tests::leaves ... FAILED\n",
            "test tests::waits ... ignored, by choice\n",
            "test tests::should ... ignored, should panic, which libtest cannot test on wasm\n",
            "---- tests::panics stdout ----\nsaid by one that panics\n",
            "`tests::panics` panicked: index out of bounds: the len is 3 but the index is 10",
            " --> src/lib.rs:3:5\n",
            "at src/lib.rs:3:5\n",
            "---- tests::fails stderr ----\nError: \"no good\"\n",
            "    tests::panics (panicked: index out of bounds",
            "    tests::fails (it returned an error)\n",
            "    tests::loops (it took longer than 2s)\n",
            "    tests::leaves (it ended the program before it was over)\n",
            "test result: FAILED. 1 passed; 4 failed; 2 ignored; 0 measured; 0 filtered out; finished in ",
        ],
    );
    assert!(!ran.stdout.contains("said by one that passes"), "{ran:?}");
    says(&ran.stderr, &["Running unittests src/lib.rs ("]);
}

#[test]
fn tests_are_chosen_as_libtest_chooses_them() {
    let folder = package();
    for (arguments, names) in [
        (&["pass"][..], &["passes"][..]),
        (&["tests::pass", "--exact"], &[]),
        (&["tests::passes", "--exact"], &["passes"]),
        (&["wait", "pass", "--skip", "waits"], &["passes"]),
        (&["--ignored"], &["waits"]),
        (&["a", "--skip", "fails", "--skip", "panics", "--skip", "leaves", "--include-ignored"], &["passes", "waits"]),
    ] {
        let listed = test(folder.path(), &[&["src/lib.rs", "--list", "--format", "terse"], arguments].concat());
        let lines: Vec<String> = names.iter().map(|name| format!("tests::{name}: test")).collect();
        assert_eq!(listed.stdout.lines().collect::<Vec<_>>(), lines, "{listed:?}");
        let ran = test(folder.path(), &[&["src/lib.rs"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let ignored_stays = arguments.contains(&"--ignored") || arguments.contains(&"--include-ignored");
        let passed = names.iter().filter(|name| ignored_stays || **name != "waits").count();
        says(&ran.stdout, &[&format!("test result: ok. {passed} passed; 0 failed; ")]);
    }
    let ran = test(folder.path(), &["src/lib.rs", "--list", "pass"]);
    assert_eq!(ran.stdout, "tests::passes: test\n\n1 test, 0 benchmarks\n", "{ran:?}");
}

#[test]
fn output_is_shown_as_it_is_asked_for() {
    let folder = package();
    let passes = ["src/lib.rs", "passes"];
    let quiet = test(folder.path(), &[&passes[..], &["-q"]].concat());
    says(&quiet.stdout, &["\nrunning 1 test\n.\n\ntest result: ok. 1 passed"]);
    for flag in ["--nocapture", "--show-output"] {
        let ran = test(folder.path(), &[&passes[..], &[flag, "--test-threads", "1"]].concat());
        assert_eq!(ran.stdout.matches("said by one that passes\n").count(), 1, "{ran:?}");
    }
    let ran = test(folder.path(), &["src/lib.rs", "panics", "--backtrace", "full", "--format", "terse"]);
    says(&ran.stdout, &["\nF\n", "core::panicking::panic_bounds_check"]);
}

#[test]
fn results_for_machines() {
    let folder = package();
    let ran = test(folder.path(), &["src/lib.rs", "pa", "should", "--format", "json", "--junit", "out.xml"]);
    assert_eq!(ran.code, Some(101), "{ran:?}");
    let events: Vec<serde_json::Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
    let of = |name: &str, event: &str| events.iter().find(|it| it["name"] == name && it["event"] == event);
    assert_eq!(events[0]["test_count"], 3, "{ran:?}");
    assert!(of("tests::passes", "started").is_some() && of("tests::passes", "ok").is_some(), "{ran:?}");
    let failed = of("tests::panics", "failed").expect("it is told");
    says(failed["stdout"].as_str().expect("it is text"), &["said by one that panics", "index out of bounds"]);
    let should = of("tests::should", "ignored").expect("it is told");
    says(should["message"].as_str().expect("it is text"), &["should panic"]);
    let last = events.last().expect("there are events");
    assert_eq!((&last["event"], &last["passed"], &last["failed"]), (&"failed".into(), &1.into(), &1.into()));

    let xml = std::fs::read_to_string(folder.path().join("out.xml")).expect("it is written");
    says(
        &xml,
        &[
            "<testsuites name=\"insula test\" tests=\"3\" skipped=\"1\" failures=\"1\" errors=\"0\">",
            "<testcase name=\"tests::passes\" classname=\"unittests src/lib.rs\"",
            "<failure message=\"panicked: index out of bounds",
            "<system-out>said by one that panics\n</system-out>",
            "<skipped message=\"should panic, which libtest cannot test on wasm\"/>",
        ],
    );
    let ran = test(folder.path(), &["src/lib.rs", "passes", "--format", "junit"]);
    assert!(ran.stdout.starts_with("<?xml version=\"1.0\"") && ran.stdout.ends_with("</testsuites>\n"), "{ran:?}");
}

#[test]
fn a_package_s_tests_read_its_folder_and_have_what_flags_give_them() {
    let folder = package();
    let out = Folder::new("out");
    let dir = format!("{}::/out", out.path().display());
    let ran = test(folder.path(), &["tests/surroundings.rs", "--dir", &dir, "--env", "MODE=fast", "--release"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    says(&ran.stdout, &["test result: ok. 3 passed; 0 failed"]);
    assert!(out.path().join("new.txt").is_file());
    let ran = test(folder.path(), &[".", "more_is_given", "the_package"]);
    assert_eq!(ran.code, Some(101), "{ran:?}");
    says(&ran.stdout, &["test the_package_can_be_read ... ok\n", "test more_is_given_by_flags ... FAILED\n"]);
    says(
        &ran.stderr,
        &["Running unittests src/lib.rs", "Running unittests src/bin/program.rs", "Running tests/surroundings.rs"],
    );
}

#[test]
fn as_cargo_s_runner_each_test_has_an_isolate_and_programs_run() {
    let folder = package();
    let runner = ["test", "--env", "MODE=fast", "--timeout", "20", "--runner"];
    let ran =
        cargo(&folder, &runner, &["test", "--test", "surroundings", "--", "the_package", "--exact", "--skip", "x"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    says(&ran.stdout, &["running 0 tests\n", "3 filtered out"]);
    let ran = cargo(&folder, &runner, &["test", "--test", "surroundings", "the_package"]);
    says(&ran.stdout, &["test the_package_can_be_read ... ok\n"]);
    assert_eq!(ran.stderr.matches("Running ").count(), 1, "cargo says so already: {ran:?}");
    let ran = cargo(&folder, &runner, &["test", "--lib", "--", "panics", "passes"]);
    assert_eq!(ran.code, Some(101), "{ran:?}");
    says(&ran.stdout, &["test tests::panics ... FAILED\n", "test tests::passes ... ok\n"]);
    let ran = cargo(&folder, &runner, &["run", "--quiet", "--", "one", "--skip", "--two"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), "[\"one\", \"--skip\", \"--two\"]\n"), "{ran:?}");
    let json = ["test", "--lib", "--", "-Z", "unstable-options", "--format", "json", "passes"];
    says(&cargo(&folder, &runner, &json).stdout, &["\"event\":\"ok\"", "\"passed\":1"]);
    let ran = cargo(&folder, &runner, &["test", "--lib", "--", "--no-such-flag"]);
    says(&ran.stderr, &["unexpected argument '--no-such-flag'", "exit status: 2"]);
}

#[test]
fn as_cargo_s_runner_run_has_arguments_and_codes() {
    let folder = package();
    let ran = cargo(&folder, &["run"], &["run", "--quiet", "--", "one", "--two"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(7), "[\"one\", \"--two\"]\n"), "{ran:?}");
    let ran = cargo(&folder, &["run"], &["test", "--quiet", "--lib", "--", "passes"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    says(&ran.stdout, &["test result: ok. 1 passed"]);
    let ran = cargo(&folder, &["run"], &["test", "--quiet", "--lib", "--", "panics"]);
    assert_ne!(ran.code, Some(0), "{ran:?}");
    says(&ran.stderr, &["exit status: 134", " --> src/lib.rs:3:5\n"]);
}

#[test]
fn what_cannot_be_tested_is_refused_by_name() {
    let folder = package();
    let module = folder.file("plain.wat", r#"(module (func (export "_start")))"#);
    let empty = folder.path().join("data");
    for (arguments, words) in [
        (&["nope"][..], &["`nope` is not there", "insula test . FILTER"][..]),
        (&[module.to_str().expect("a path of ours is text")], &["plain.wat", "no test binary"]),
        (&[empty.to_str().expect("a path of ours is text")], &["Cargo.toml"]),
        (&["src/none.rs"], &["src/none.rs"]),
        (&["src/bin/program.rs", "--junit", "no/such/folder.xml"], &["no/such/folder.xml"]),
    ] {
        let ran = test(folder.path(), arguments);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        says(&ran.stderr, words);
    }
    folder.file("src/lib.rs", "this is no Rust");
    let ran = test(folder.path(), &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    says(&ran.stderr, &["cargo cannot build the tests in"]);
}

#[test]
fn a_test_binary_is_tested_as_it_is() {
    let folder = package();
    let built = cargo(&folder, &["run"], &["test", "--quiet", "--lib", "--no-run"]);
    assert_eq!(built.code, Some(0), "{built:?}");
    let deps = folder.path().join("target/wasm32-wasip1/debug/deps");
    let files = std::fs::read_dir(deps).expect("it is built").flatten().map(|file| file.path());
    let binary = { files }.find(|file| file.extension().is_some_and(|ending| ending == "wasm")).expect("it is built");
    let ran = test(folder.path(), &[binary.to_str().expect("a path of ours is text"), "passes"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    says(&ran.stdout, &["test tests::passes ... ok\n"]);
}

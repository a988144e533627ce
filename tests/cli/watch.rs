//! `insula run --watch`: what is started again, and when.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};

use crate::harness::{self, Folder};

/// A run that is watched, and what it prints.
struct Watched {
    child: Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
}

impl Watched {
    fn start(target: &std::path::Path) -> Watched {
        Watched::start_with(&[], target)
    }

    fn start_with(flags: &[&str], target: &std::path::Path) -> Watched {
        let mut command = harness::insula();
        command.args(["run", "--watch", "--grace", "0"]).args(flags).arg(target);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("insula can be run");
        let stdin = child.stdin.take().expect("it is piped");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let stderr = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        Watched { child, stdin, stdout, stderr }
    }

    /// Waits for the next line of the program's, which is this one.
    fn prints(&mut self, line: &str) {
        assert_eq!(self.stdout.next().expect("it goes on").expect("it is text"), line);
    }

    /// Waits until insula says this.
    fn says(&mut self, text: &str) {
        let line = self.stderr.find(|line| line.as_ref().is_ok_and(|line| line.contains(text)));
        assert!(line.is_some(), "insula ended and did not say: {text}");
    }

    fn types(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("the program reads");
    }

    fn ends(mut self) {
        let kill = Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()), "the signal is sent");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(143));
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // Of a test that failed; any other has waited for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A module that prints this line.
fn prints(line: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\{:02x}\00\00\00{line}\n")
        (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 64)))))"#,
        line.len() + 1
    )
}

#[test]
fn a_module_is_started_again_when_its_file_changes() {
    let folder = Folder::new("watch-file");
    let path = folder.file("program.wat", prints("one"));
    let mut watched = Watched::start(&path);
    watched.prints("one");
    watched.says("it ended with exit code 0: waiting for a change");
    folder.file("program.wat", prints("two"));
    watched.prints("two");
    watched.says("waiting for a change");
    folder.file("program.wat", "(module (func");
    watched.says("not started: waiting for a change");
    // Put in its place, as compilers and editors do it.
    let next = folder.file("next", prints("three"));
    std::fs::rename(next, &path).expect("it can be moved");
    watched.prints("three");
    watched.ends();
}

#[test]
fn metrics_stay_at_their_address_and_are_those_of_the_present_run() {
    let folder = Folder::new("watch-metrics");
    let path = folder.file("program.wat", prints("one"));
    let mut watched = Watched::start_with(&["--metrics", "127.0.0.1:0"], &path);
    let said = watched.stderr.next().expect("it says where").expect("it is text");
    let address = super::metrics::address(&said);
    for line in ["one", "two"] {
        folder.file("program.wat", prints(line));
        watched.prints(line);
        watched.says("waiting for a change");
        let seen = super::metrics::scraped(address);
        assert_eq!(seen.value("insula_isolates_born_total"), 1.0, "{line}");
        let looks = seen.value("insula_cache_hits_total") + seen.value("insula_cache_misses_total");
        assert_eq!(looks, 1.0, "the one before looked for the next one's code, too: {line}");
    }
    watched.ends();
}

#[test]
fn a_package_is_built_again_and_the_old_one_goes_on_while_that_fails() {
    let folder = Folder::new("watch-package");
    let manifest = "[package]\nname = \"watched\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n";
    folder.file("Cargo.toml", manifest);
    let echo = |name: &str| {
        format!(
            "println!(\"{name}\");\nfor line in std::io::stdin().lines() {{ println!(\"{name}: {{}}\", line.unwrap()); }}"
        )
    };
    folder.file("src/main.rs", format!("fn main() {{ {} }}", echo("one")));
    let mut watched = Watched::start(folder.path());
    watched.prints("one");
    folder.file("src/main.rs", "fn main() { broken }");
    watched.says("cannot find value `broken`");
    watched.says("the one before goes on");
    watched.types("still there");
    watched.prints("one: still there");
    // What it needs next is in no dependency file yet.
    folder.file("src/main.rs", "mod part;\nfn main() { part::run() }");
    watched.says("the one before goes on");
    folder.file("src/part.rs", format!("pub fn run() {{ {} }}", echo("two")));
    watched.says("started again");
    watched.prints("two");
    watched.types("hello");
    watched.prints("two: hello");
    watched.ends();
}

#[test]
fn what_is_no_target_is_not_waited_for() {
    let mut command = harness::insula();
    command.args(["run", "--watch", "nowhere.wasm"]);
    let ran = super::output(command);
    assert!(ran.code == Some(1) && ran.stderr.contains("`nowhere.wasm` is not there"), "{ran:?}");
}

//! `insula run --log` and `--log-format`: nothing by default, whole lines beside what guests print, and as JSON all that
//! insula itself says.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use serde_json::Value;

use super::{Ran, output, run};
use crate::harness::{self, Folder, example, guest};

/// `insula run` with these arguments, and these variables.
fn run_with(variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = harness::insula();
    command.envs(variables.iter().copied()).args(["run", "--no-socket"]).args(arguments);
    output(command)
}

/// Each line of standard error, which is a JSON object.
#[track_caller]
fn lines(ran: &Ran) -> Vec<Value> {
    let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\n{ran:?}"));
    ran.stderr.lines().map(line).collect()
}

/// Those that say this.
fn saying<'a>(lines: &'a [Value], message: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["fields"]["message"].as_str().is_some_and(|said| said.contains(message))).collect()
}

fn program(name: &str) -> String {
    example(name).display().to_string()
}

#[test]
fn nothing_is_logged_unless_it_is_asked_for() {
    let ran = run([program("pingpong")]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let ran = run(["--log", "off", &program("pingpong")]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let ran = run(["--log", "warn", &program("pingpong")]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "all is well: {ran:?}");
}

#[test]
fn a_level_and_a_target_say_what_is_logged() {
    let said = |filter: &str| run(["--log", filter, &program("pingpong")]).stderr;
    let ends = |text: &str| text.lines().filter(|line| line.contains(" INFO ") && line.contains(": ended ")).count();
    let births = |text: &str| text.lines().filter(|line| line.contains("DEBUG ") && line.contains(": born")).count();
    let info = said("info");
    assert_eq!((ends(&info), births(&info)), (2, 0), "{info}");
    assert!(info.contains("isolate{host=1 isolate=1 debug_name=\"pingpong\""), "{info}");
    assert!(info.contains("reason=\"returned\"") && !info.contains('\u{1b}'), "{info}");
    let is_dated = |line: &str| line.starts_with("20") && line.as_bytes()[10] == b'T';
    assert!(info.lines().all(is_dated), "whole lines, each with its time: {info}");
    let debug = said("insula=debug");
    assert_eq!((ends(&debug), births(&debug)), (2, 2), "{debug}");
    assert_eq!(said("insula=off,debug").lines().filter(|line| line.contains(" insula:")).count(), 0);
}

#[test]
fn a_wrong_filter_is_wrong_usage() {
    let program = program("pingpong");
    for filter in ["inof", "insula", "insula=loud", ""] {
        let ran = run(["--log", filter, &program]);
        assert!(ran.code == Some(2) && ran.stdout.is_empty(), "{ran:?}");
        assert!(ran.stderr.contains("TARGET=LEVEL") || ran.stderr.contains("a value is required"), "{ran:?}");
    }
    let ran = run_with(&[("INSULA_LOG", "loud")], &[&program]);
    assert!(ran.code == Some(2) && ran.stdout.is_empty(), "{ran:?}");
    assert!(ran.stderr.contains("INSULA_LOG: `loud` is neither a level"), "{ran:?}");
    assert_eq!(run(["--log-format", "xml", &program]).code, Some(2));
}

#[test]
fn a_variable_and_a_file_say_it_too_and_the_command_line_wins() {
    let program = program("pingpong");
    let variable = [("INSULA_LOG", "info")];
    assert!(run_with(&variable, &[&program]).stderr.contains(": ended "));
    assert_eq!(run_with(&variable, &["--log", "off", &program]).stderr, "");
    assert_eq!(run_with(&[("INSULA_LOG", "")], &[&program]).stderr, "");
    let folder = Folder::new("logs");
    let file = folder.file("insula.toml", "[run]\nlog = 'insula=debug'\nlog-format = 'json'\n").display().to_string();
    let ran = run_with(&variable, &["--config", &file, &program]);
    assert_eq!(saying(&lines(&ran), "born").len(), 2, "{ran:?}");
    assert_eq!(run_with(&[], &["--config", &file, "--log=off", &program]).stderr, "");
}

#[test]
fn colours_are_there_where_they_are_wanted() {
    let mut command = harness::insula();
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").args(["run", "--log", "info", &program("pingpong")]);
    assert!(output(command).stderr.contains("\u{1b}["), "they are forced");
    let mut command = harness::insula();
    command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").args(["run", "--log-format", "json"]);
    command.arg(program("pingpong"));
    assert!(!output(command).stderr.contains('\u{1b}'), "JSON has none");
}

#[test]
fn as_json_the_report_of_a_failure_is_a_line_with_its_parts() {
    let ran = run(["--log-format", "json", &guest("uncaught").display().to_string()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "main is still here\n"), "{ran:?}");
    let lines = lines(&ran);
    let reports: Vec<&Value> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(reports.len(), 1, "an error is told once: {ran:?}");
    let fields = &reports[0]["fields"];
    assert_eq!(reports[0]["target"], "insula::cli");
    assert_eq!(fields["message"], "isolate #2 `lonely` panicked: nobody \\u{1b}[31m listens");
    assert_eq!(
        (&fields["isolate"], &fields["debug_name"], &fields["reason"]),
        (&2.into(), &"lonely".into(), &"panicked".into())
    );
    assert_eq!(
        (&fields["place"], &fields["module"]),
        (&"tests/guests/uncaught.rs:8:5".into(), &"uncaught.wasm".into())
    );
    for (field, part) in [
        ("source", "panic!(\"nobody"),
        ("spawned_by", "isolate #1 `uncaught`, in uncaught::main"),
        ("frames", "--backtrace full"),
        ("help", "for files and lines"),
    ] {
        assert!(fields[field].as_str().is_some_and(|text| text.contains(part)), "{field}: {fields}");
    }
    assert_eq!(fields["sha256"].as_str().map(str::len), Some(64), "{fields}");
    let ended: Vec<&Value> = lines.iter().filter(|line| line["fields"]["message"] == "ended").collect();
    let reasons: Vec<&Value> = ended.iter().map(|line| &line["fields"]["reason"]).collect();
    assert_eq!(reasons, ["panicked", "returned"], "{ran:?}");
    assert_eq!((&ended[0]["span"]["isolate"], &ended[0]["span"]["parent"]), (&2.into(), &1.into()), "{ran:?}");
    assert_eq!(ended[0]["span"]["name"], "isolate");
}

#[test]
fn as_json_whatever_insula_says_of_a_run_is_a_line_of_the_log() {
    let json = |arguments: &[&str]| run_with(&[], &[&["--log", "off", "--log-format", "json"], arguments].concat());
    let asleep = json(&[&guest("all_asleep").display().to_string()]);
    let said = lines(&asleep);
    assert_eq!((asleep.code, said.len()), (Some(1), 1), "{asleep:?}");
    assert!(said[0]["fields"]["asleep"].as_str().is_some_and(|text| text.contains("sleeping beauty")), "{asleep:?}");

    let killed = json(&[&guest("kills_itself").display().to_string()]);
    assert_eq!(killed.code, Some(137), "{killed:?}");
    assert_eq!(saying(&lines(&killed), "main: killed by isolate #1").len(), 1, "{killed:?}");

    let lost = json(&["no-such-module.wasm"]);
    assert_eq!((lost.code, lines(&lost).len()), (Some(1), 1), "{lost:?}");
    assert_eq!(saying(&lines(&lost), "no-such-module.wasm").len(), 1, "{lost:?}");

    let listens = json(&["--metrics", "127.0.0.1:0", &program("pingpong")]);
    let said = lines(&listens);
    assert_eq!((listens.code, said.len(), &said[0]["level"]), (Some(0), 1, &"INFO".into()), "{listens:?}");
    assert!(said[0]["fields"]["url"].as_str().is_some_and(|url| url.starts_with("http://127.0.0.1:")), "{listens:?}");
}

/// Leaves a line of standard error without an end, and traps.
const UNFINISHED: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\0a\00\00\00")
    (data (i32.const 16) "unfinished")
    (func (export "_start") (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 8))) unreachable))"#;

#[test]
fn a_line_of_the_log_begins_where_a_line_does() {
    let folder = Folder::new("logs-unfinished");
    let file = folder.file("unfinished.wat", UNFINISHED).display().to_string();
    let ran = run(["--log-format", "json", "--no-socket", &file]);
    assert_eq!(ran.code, Some(134), "{ran:?}");
    let (guests, ours): (Vec<&str>, Vec<&str>) = ran.stderr.lines().partition(|line| *line == "unfinished");
    assert_eq!((guests.len(), ran.stderr.ends_with('\n')), (1, true), "{ran:?}");
    for line in &ours {
        assert!(serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
    assert!(ours.len() >= 2, "its end, and the report: {ran:?}");
    let text = run(["--log", "info", "--no-socket", &file]);
    assert!(text.stderr.starts_with("unfinished\n") || text.stderr.contains("\nunfinished\n"), "{text:?}");
    assert!(
        text.stderr.contains("error: isolate #1 `unfinished` trapped: unreachable"),
        "people have the report: {text:?}"
    );
}

/// Spawns so many children of this name, which end at once or are paused for ever, and prints a line.
fn spawns_many(children: usize, name: &str, paused: bool) -> String {
    let (length, paused) = (name.len(), u8::from(paused));
    let name: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    format!(
        r#"(module
    (import "insula:isolate/isolates@0.1.0" "spawn-export" (func $spawn (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "child")
    (data (i32.const 32) "\30\00\00\00\05\00\00\00")
    (data (i32.const 48) "done\n")
    (data (i32.const 1024) "{name}")
    (func (export "child"))
    (func (export "_start") (local $spawned i32)
        (i32.store (i32.const 4112) (i32.const 1024))
        (i32.store (i32.const 4116) (i32.const {length}))
        (i32.store (i32.const 4120) (i32.const {paused}))
        (loop $next
            (if (call $spawn (i32.const 8) (i32.const 5) (i32.const 4096) (i32.const 200)) (then unreachable))
            (local.set $spawned (i32.add (local.get $spawned) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $spawned) (i32.const {children}))))
        (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 40)))))"#
    )
}

#[test]
fn the_last_word_comes_however_many_are_asleep() {
    let folder = Folder::new("logs-asleep");
    let text = spawns_many(450, &"\u{1}".repeat(1020), true);
    let file = folder.file("asleep.wat", text).display().to_string();
    for flags in [&[][..], &["--log", "warn"], &["--log-format", "json"]] {
        let ran = run_with(&[], &[flags, &["--isolates", "500", &file]].concat());
        assert_eq!(ran.code, Some(1), "{flags:?}");
        assert_eq!(ran.stderr.matches("all isolates are asleep").count(), 1, "{flags:?}");
        assert_eq!(ran.stderr.matches("` is paused").count(), 100, "{flags:?}");
        assert!(ran.stderr.contains("  and 350 more"), "{flags:?}");
    }
}

#[test]
fn what_insula_says_beside_logs_is_never_lost_however_long_it_is() {
    let folder = Folder::new("logs-long");
    let name = "\u{202e}".repeat(200 << 10);
    let file = folder.file("insula.toml", format!("[run]\nmodule = ['beside={name}.wasm']\n")).display().to_string();
    let program = program("pingpong");
    for flags in [&[][..], &["--log", "warn"], &["--log-format", "json"]] {
        let ran = run_with(&[], &[flags, &["--config", &file, &program]].concat());
        assert_eq!(ran.code, Some(1), "{flags:?}");
        assert!(ran.stderr.len() > 1 << 20, "{flags:?}: {} bytes came", ran.stderr.len());
        assert!(ran.stderr.ends_with('\n'), "{flags:?}");
    }
}

#[test]
fn what_is_lost_last_is_told_to_a_reader_that_begins_late() {
    let folder = Folder::new("logs-late");
    let text = spawns_many(4_000, &"x".repeat(1020), false);
    let file = folder.file("ends.wat", text).display().to_string();
    for (format, mark) in [("text", "lines="), ("json", "\"lines\":")] {
        let mut command = harness::insula();
        command.args(["run", "--no-socket", "--isolates", "5000", "--log", "info", "--log-format", format, &file]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("insula can be run");
        let mut printed = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut printed).expect("it prints");
        assert_eq!(printed, "done\n");
        // By now there is more of the log than is kept, and no line is to come but perhaps those of the last ends.
        let mut log = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut log).expect("it is text");
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
        let (lost, ends): (Vec<&str>, Vec<&str>) = log.lines().partition(|line| line.contains("and are lost"));
        let count = |line: &&str| {
            let number = line.split_once(mark).expect("it has the number").1;
            let digits = number.find(|char: char| !char.is_ascii_digit()).map_or(number, |end| &number[..end]);
            digits.parse::<usize>().expect("it is a number")
        };
        assert!(!lost.is_empty(), "{} lines came, and no word of those that did not", ends.len());
        let lost: usize = lost.iter().map(count).sum();
        assert_eq!(ends.len() + lost, 4_001, "{} came, {lost} are said to be lost", ends.len());
    }
}

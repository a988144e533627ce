//! What `insula run` says of children, what their errors mean for it, and what a report has of all.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use super::run;
use crate::harness::{self, Folder, guest};

#[test]
fn on_child_error_fail_is_1_where_main_s_own_code_is_0() {
    let path = guest("uncaught").display().to_string();
    for (flags, code) in [(&["--on-child-error", "fail"][..], 1), (&["--on-child-error=report"], 0), (&[], 0)] {
        let ran = run(flags.iter().copied().chain([path.as_str()]));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), "main is still here\n"), "{ran:?}");
        assert!(ran.stderr.contains("`lonely`"), "it is told in any case: {ran:?}");
    }
}

#[test]
fn on_child_error_fail_leaves_a_run_without_errors_and_another_code_alone() {
    let ran = run(["--on-child-error", "fail", &guest("main_first").display().to_string()]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let ran = run(["--on-child-error", "fail", &guest("main_first").display().to_string(), "panic"]);
    assert_eq!(ran.code, Some(134), "{ran:?}");
}

#[test]
fn grace_is_what_isolates_have_after_a_signal() {
    let mut command = harness::insula();
    // Its child would sleep for an hour.
    command.args(["run", "--grace", "0"]).arg(guest("main_first")).arg("patient").stdout(Stdio::piped());
    let mut child = command.spawn().expect("insula can be run");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it is text");
    assert_eq!(line, "main ends\n");
    let kill = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(kill.is_ok_and(|status| status.success()), "the signal is sent");
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
}

#[test]
fn label_begins_each_line_with_who_printed_it() {
    let path = guest("prints").display().to_string();
    let ran = run(["--label", &path, "line:hello", "child", "error:oh"]);
    assert_eq!(ran.stdout, "[prints #1] hello\n[child #2] of the child\n", "{ran:?}");
    assert_eq!(ran.stderr, "[child #2] error of the child\n[prints #1] oh\n", "{ran:?}");
    let ran = run(["--label", "--label=false", &path, "line:hello"]);
    assert_eq!(ran.stdout, "hello\n", "the last one holds: {ran:?}");
}

/// The report of a run with these arguments, which ends with this code.
fn reported(code: i32, arguments: &[&str]) -> serde_json::Value {
    let folder = Folder::new("report");
    let path = folder.path().join("run.json").display().to_string();
    let ran = run(["--report", &path].iter().chain(arguments));
    assert_eq!(ran.code, Some(code), "{ran:?}");
    let text = std::fs::read_to_string(path).expect("the report is written");
    let report: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(report["exit_code"], code);
    report
}

#[test]
fn a_report_has_the_whole_run() {
    let path = guest("uncaught").display().to_string();
    let report = reported(0, &[&path]);
    assert_eq!(report["module"], path);
    assert_eq!(report["sha256"].as_str().map(str::len), Some(64));
    assert_eq!((&report["main"]["is_ok"], &report["main"]["reason"]), (&true.into(), &"returned".into()));
    let counts = serde_json::json!({ "born": 2, "ended": 2, "uncaught_errors": 1, "not_listed": 0, "missed": 0 });
    assert_eq!(report["counts"], counts);
    let [main, lonely] = &report["isolates"].as_array().expect("it is a list")[..] else { panic!("{report}") };
    assert_eq!((&main["id"], &main["parent"], &main["name"]), (&1.into(), &().into(), &"uncaught".into()));
    assert_eq!((&lonely["id"], &lonely["parent"], &lonely["name"]), (&2.into(), &1.into(), &"lonely".into()));
    assert_eq!((&main["exit"]["is_ok"], &lonely["exit"]["is_ok"]), (&true.into(), &false.into()));
    assert!(lonely["uncaught_errors"][0].as_str().is_some_and(|error| error.contains("listens")), "{report}");
    assert!(main["born_us"].as_u64() <= lonely["born_us"].as_u64() && lonely["ended_us"].is_u64(), "{report}");
    assert!(report["usage"]["memory_bytes_peak"].as_u64() >= Some(2 * 65_536), "{report}");
}

#[test]
fn a_report_says_why_a_run_ended_that_did_not_end_well() {
    let report = reported(1, &["--on-child-error", "fail", &guest("uncaught").display().to_string()]);
    assert_eq!(report["main"]["is_ok"], true);
    let report = reported(1, &[&guest("all_asleep").display().to_string()]);
    assert!(report["asleep"].as_array().is_some_and(|asleep| !asleep.is_empty()), "{report}");
    let report = reported(1, &["--invoke", "nothing", &guest("uncaught").display().to_string()]);
    assert!(report["error"].as_str().is_some_and(|error| error.contains("no export `nothing`")), "{report}");
    let ran = run(["--report", "/nowhere/run.json", &guest("uncaught").display().to_string()]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "it is said before the program runs: {ran:?}");
    assert!(ran.stderr.contains("cannot write the report `/nowhere/run.json`"), "{ran:?}");
}

#[test]
fn invoke_runs_another_export() {
    let folder = Folder::new("invoke");
    let module =
        r#"(module (func (export "_start") unreachable) (func (export "other")) (func (export "add") (param i32)))"#;
    let path = folder.file("exports.wat", module).display().to_string();
    assert_eq!(run(["--invoke", "other", &path]).code, Some(0));
    assert_eq!(run([&path]).code, Some(134));
    for (entry, said) in
        [("nothing", "no export `nothing`"), ("add", "export `add` is not a function without parameters")]
    {
        let ran = run(["--invoke", entry, &path]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
}

//! `--profile guest`: what the Firefox profiler is given of a run.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use serde_json::Value;

use super::run;
use crate::harness::{self, Folder};

/// Samples that each of two isolates has at least, of a second in steps of a millisecond on a machine that is busy.
const SAMPLES_MIN: usize = 10;

/// The thread of a profile whose name begins so.
fn thread<'a>(profile: &'a Value, name: &str) -> &'a Value {
    let threads = profile["threads"].as_array().expect("it is a list");
    let is_meant = |thread: &&Value| thread["name"].as_str().is_some_and(|it| it.starts_with(name));
    threads.iter().find(is_meant).unwrap_or_else(|| panic!("no thread {name}"))
}

/// The functions of each sample of a thread, innermost first.
fn samples(thread: &Value) -> Vec<Vec<String>> {
    let number = |value: &Value| value.as_u64().map(|number| number as usize);
    let column = |table: &str, column: &str, at: usize| number(&thread[table][column][at]);
    let function = |stack: usize| {
        let frame = column("stackTable", "frame", stack).expect("a stack has a frame");
        let function = column("frameTable", "func", frame).expect("a frame has a function");
        let name = column("funcTable", "name", function).expect("a function has a name");
        thread["stringArray"][name].as_str().expect("a name is text").to_owned()
    };
    let stacks = thread["samples"]["stack"].as_array().expect("it is a list");
    let frames = |stack: &Value| {
        let stacks = std::iter::successors(number(stack), |stack| column("stackTable", "prefix", *stack));
        stacks.map(function).collect()
    };
    stacks.iter().map(frames).collect()
}

#[test]
fn each_isolate_is_a_thread_and_its_samples_are_where_it_computes() {
    let folder = Folder::new("profile");
    let file = folder.path().join("p.json");
    let ran = run([
        "--profile".as_ref(),
        format!("guest,{},1ms", file.display()).as_ref(),
        harness::guest("grinds").as_os_str(),
    ]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "ground\n", ""), "{ran:?}");
    let profile: Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("it is there")).expect("it is JSON");
    assert_eq!(profile["meta"]["product"], "insula grinds.wasm");
    assert_eq!(profile["meta"]["interval"].as_f64(), Some(1.0));
    for (name, function, other) in
        [("left #", "grinds_left", "grinds_right"), ("right #", "grinds_right", "grinds_left")]
    {
        let thread = thread(&profile, name);
        let samples = samples(thread);
        assert!(samples.len() >= SAMPLES_MIN, "{name}: {}", samples.len());
        let mut counts = HashMap::<&str, usize>::new();
        samples.iter().for_each(|frames| *counts.entry(frames[0].as_str()).or_default() += 1);
        let (most, _) = counts.iter().max_by_key(|(_, count)| **count).expect("there are some");
        assert!(most.ends_with(&format!("grinds::{function}")), "{name}: {counts:?}");
        assert!(!samples.iter().flatten().any(|frame| frame.contains(other)), "{name}");
        let weights = thread["samples"]["weight"].as_array().expect("they have weights");
        assert_eq!((weights.len(), &thread["samples"]["weightType"]), (samples.len(), &"tracing-ms".into()));
        assert!(weights.iter().filter_map(Value::as_i64).sum::<i64>() > 0);
    }
}

#[test]
fn a_profile_is_written_however_the_program_ends_or_nothing_runs() {
    let folder = Folder::new("profile-ends");
    let module = folder.file("traps.wat", "(module (func (export \"_start\") unreachable))");
    let file = folder.path().join("p.json");
    let ran = run(["--profile".as_ref(), format!("guest,{}", file.display()).as_ref(), module.as_os_str()]);
    assert_eq!(ran.code, Some(134), "{ran:?}");
    let profile: Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("it is there")).expect("it is JSON");
    assert_eq!(profile["meta"]["interval"].as_f64(), Some(10.0));
    assert!(profile["threads"].is_array());
    let nowhere = format!("guest,{}/none/p.json", folder.path().display());
    let ran = run(["--profile", &nowhere, harness::guest("grinds").to_str().expect("text")]);
    assert!(ran.code == Some(1) && ran.stdout.is_empty() && ran.stderr.contains("cannot write the profile"), "{ran:?}");
}

#[test]
fn only_guests_are_profiled_and_that_is_said() {
    for native in ["perfmap", "jitdump", "vtune", "pulley"] {
        let ran = run(["--profile", native, "app.wasm"]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        for text in ["is for profilers of native code", "--profile guest[,FILE[,INTERVAL]]"] {
            assert!(ran.stderr.contains(text), "{ran:?}");
        }
    }
    let ran = run(["--profile", "guest,p.json,1us", "app.wasm"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("an interval is 1ms or more"), "{ran:?}");
}

/// Of all that is written when a run is over: a run that is cut short takes away nothing that was there.
/// A module that prints `on`, and then does this.
fn prints_and(does: &str) -> String {
    r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\08\00\00\00\03\00\00\00on\n")
        (func (export "_start")
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
            DOES))"#
        .replace("DOES", does)
}

#[test]
fn a_run_that_is_cut_short_leaves_its_files_as_they_were() {
    let folder = Folder::new("cut-short");
    let module = folder.file("spins.wat", prints_and("(loop (br 0))"));
    let files = ["trace.json", "report.json", "profile.json"].map(|name| folder.file(name, "as it was"));
    let [trace, report, profile] = files.each_ref().map(|file| file.display().to_string());
    let mut command = harness::insula();
    command.args(["run", "--trace", &trace, "--report", &report, "--profile", &format!("guest,{profile}")]).arg(module);
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut running = piped.spawn().expect("insula can be run");
    let mut line = String::new();
    let mut stdout = BufReader::new(running.stdout.take().expect("it is piped"));
    stdout.read_line(&mut line).expect("it says that it runs");
    assert_eq!(line, "on\n");
    running.kill().expect("it runs");
    running.wait().expect("it ends");
    for file in &files {
        assert_eq!(std::fs::read(file).expect("it is there"), b"as it was", "{}", file.display());
    }
    // One that comes to its end writes them anew, and nothing of what was there is left behind.
    std::fs::write(&files[1], "x".repeat(1 << 20)).expect("it can be written");
    let ends = folder.file("ends.wat", "(module (func (export \"_start\")))");
    let ran = run(["--report".as_ref(), report.as_ref(), ends.as_os_str()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let text = std::fs::read_to_string(&files[1]).expect("it is there");
    assert!(serde_json::from_str::<Value>(&text).is_ok(), "{text}");
}

#[test]
fn what_is_written_to_the_file_that_the_program_prints_to_comes_behind_that() {
    let folder = Folder::new("printed-to");
    let (printed, module) = (folder.file("printed", ""), folder.file("prints.wat", prints_and("")));
    let mut command = harness::insula();
    command.args(["run", "--report", "/dev/stdout"]).arg(module);
    let stdout = std::fs::File::create(&printed).expect("it can be written");
    let status = command.stdin(Stdio::null()).stdout(stdout).status().expect("insula can be run");
    assert!(status.success());
    let text = std::fs::read_to_string(&printed).expect("it is there");
    let report = text.strip_prefix("on\n").expect("it printed that");
    assert!(serde_json::from_str::<Value>(report).is_ok(), "{text}");
}

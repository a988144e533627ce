//! `run --otlp`: spans of a run reach a collector, and one that is away costs a line and nothing else.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::{Ran, output};
use crate::harness::{self, Collector, Folder, example};

fn run(flags: &[&str], variables: &[(&str, &str)]) -> Ran {
    runs("pingpong", flags, variables)
}

fn runs(program: &str, flags: &[&str], variables: &[(&str, &str)]) -> Ran {
    let mut command = harness::insula();
    command.arg("run").args(flags).arg(example(program));
    // Whatever runs the tests may be in a trace itself.
    ["OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_HEADERS", "TRACEPARENT"].iter().for_each(|name| {
        command.env_remove(name);
    });
    command.envs(variables.iter().copied());
    output(command)
}

#[test]
fn a_run_is_one_trace_that_goes_on_from_whoever_ran_it() {
    let collector = Collector::start();
    let flag = format!("--otlp={}", collector.url());
    let within = [("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let ran = run(&[&flag], &within);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let sent = collector.stop();
    assert_eq!(sent.paths, HashSet::from(["/v1/traces".to_owned()]));
    assert_eq!(sent.services, HashSet::from(["pingpong.wasm".to_owned()]));

    let names: Vec<&str> = sent.spans.iter().map(|span| span.name.as_str()).collect();
    for name in ["isolate pingpong", "isolate worker", "process pingpong", "process worker"] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    let parent = 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes();
    let ids: HashSet<&[u8]> = sent.spans.iter().map(|span| &span.span_id[..]).collect();
    for span in &sent.spans {
        assert_eq!(span.trace_id, trace, "{span:?}");
        let is_main = span.name == "isolate pingpong";
        assert_eq!(span.parent_span_id == parent, is_main, "{span:?}");
        assert!(is_main || ids.contains(&span.parent_span_id[..]), "its parent was sent too: {span:?}");
    }
}

/// Notices of errors have no context of their own; who takes one goes on in what was under way.
#[test]
fn notices_end_no_trace() {
    let collector = Collector::start();
    let flag = format!("--otlp={}", collector.url());
    let within = [("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")];
    let ran = runs("errors", &[&flag], &within);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let sent = collector.stop();
    let trace = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    let others: Vec<_> = sent.spans.iter().filter(|span| span.trace_id != trace).collect();
    assert!(others.is_empty() && sent.spans.len() >= 7, "{others:?}");
    let failed =
        |span: &&opentelemetry_proto::tonic::trace::v1::Span| span.status.as_ref().is_some_and(|s| s.code == 2);
    assert_eq!(sent.spans.iter().filter(failed).count(), 3, "{:?}", sent.spans);
}

#[test]
fn the_environment_names_the_service_and_a_path_is_kept() {
    let collector = Collector::start();
    let flag = format!("--otlp={}/somewhere/else", collector.url());
    let ran = run(&[&flag], &[("OTEL_SERVICE_NAME", "orders"), ("TRACEPARENT", "nonsense")]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    let sent = collector.stop();
    assert_eq!(sent.services, HashSet::from(["orders".to_owned()]));
    assert_eq!(sent.paths, HashSet::from(["/somewhere/else".to_owned()]));
}

#[test]
fn a_collector_that_is_away_is_told_in_a_line_and_the_run_is_what_it_is() {
    let url = Collector::start().into_url_of_nobody();
    let ran = run(&[&format!("--otlp={url}")], &[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.contains(&format!("spans did not reach {url}: ")), "{ran:?}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran:?}");
    let refused = run(&["--otlp=https://127.0.0.1:4318"], &[]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("http://") && refused.stdout.is_empty(), "nothing runs: {refused:?}");
}

#[test]
fn a_signal_to_a_run_that_is_over_ends_the_wait_for_a_collector_and_changes_no_code() {
    let folder = Folder::new("otlp-signal");
    let exits = r#"(module
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        (memory (export "memory") 1)
        (func (export "_start") (call $exit (i32.const 3))))"#;
    let file = folder.file("exits.wat", exits);
    for signal in ["INT", "TERM"] {
        let collector = TcpListener::bind("127.0.0.1:0").expect("there is a port");
        let url = format!("http://{}", collector.local_addr().expect("it listens"));
        let mut command = harness::insula();
        // With so much grace nothing but the signal ends the wait.
        command.args(["run", "--grace", "1h", "--report", "/dev/stdout", &format!("--otlp={url}")]).arg(&file);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("insula can be run");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let lines = lines.map(|line| line.expect("insula prints UTF-8"));
        // The report is written when the run is over, and before the collector is waited for.
        let mut report = String::new();
        for line in lines {
            report += &line;
            if line == "}" {
                break;
            }
        }
        let report: serde_json::Value = serde_json::from_str(&report).expect("it is JSON");
        assert_eq!((&report["exit_code"], &report["signal"]), (&3.into(), &serde_json::Value::Null), "{report}");
        // It accepts, and never answers.
        let (_asker, _) = collector.accept().expect("spans are sent");
        let kill = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(kill.is_ok_and(|status| status.success()), "the signal is sent");
        let mut said = String::new();
        child.stderr.take().expect("it is piped").read_to_string(&mut said).expect("it is text");
        assert_eq!(child.wait().expect("it ends").code(), Some(3), "{said}");
        assert_eq!(said, format!("insula: a signal came: spans that {url} did not take yet are lost\n"));
    }
}

#[test]
fn a_file_that_was_merely_found_sends_nothing_anywhere() {
    let folder = Folder::new("otlp-found");
    std::fs::write(folder.path().join("insula.toml"), "[run]\notlp = \"http://127.0.0.1:1\"\n").expect("it is written");
    let mut command = harness::insula();
    command.arg("run").arg(example("pingpong")).current_dir(folder.path());
    let ran = output(command);
    assert!(ran.stdout.is_empty() && ran.stderr.contains("--config"), "{ran:?}");
}

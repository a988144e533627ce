//! Many isolates at once, as Dart's suites pin them.

use std::process::Stdio;

use insula::{Exit, Host, Isolate, Module, Output, ReceivePort, Spawn};

use crate::harness;

/// Runs the export `run` of a guest among up to 300 isolates and returns what it tells.
fn told(name: &str) -> Vec<String> {
    let builder = Host::builder().isolates(300).threads(2).cache_folder(harness::cache());
    let host = builder.build().expect("there is room for the host");
    let module = host.load_file(harness::guest(name)).expect("the guest is a module");
    let (isolate, port) = begun(&host, &module);
    let told = std::iter::from_fn(|| port.recv().ok()).collect();
    assert_eq!(isolate.join(), Exit::Returned, "{name}");
    told
}

fn begun(host: &Host, module: &Module) -> (Isolate, ReceivePort<String>) {
    let port = host.receive_port::<String>();
    let spawn = Spawn::entry("run").message(&port.send_port()).stderr(Output::Null);
    (host.spawn(module, spawn).expect("there is room"), port)
}

#[test]
fn dart_recursive_spawn() {
    assert_eq!(told("dart_recursive_spawn"), ["a chain of 41", "32 leaves", "fibonacci of 7: 13"]);
}

#[test]
fn dart_thread_pool() {
    assert_eq!(told("dart_thread_pool"), ["200 wait", "200 passed"]);
}

#[test]
fn dart_many_debug_names() {
    assert_eq!(told("dart_many_debug_names"), ["wrong: []"]);
}

#[test]
fn dart_blocked_at_read() {
    let mut command = harness::insula();
    command.arg("run").arg(harness::guest("dart_blocked_at_read"));
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("insula can be run");
    let stdin = child.stdin.take().expect("it is piped"); // open, and nobody types
    let output = child.wait_with_output().expect("it ends although nobody types");
    drop(stdin);
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!((output.status.code(), &*printed), (Some(0), "2190\n"), "{output:?}");
}

/// The programs of the suite that are quick, and what each tells is what it tells alone.
#[test]
fn dart_suite_n_fold() {
    const FOLD: usize = 8;
    let names = [
        "dart_exit_at_spawn",
        "dart_error_at_spawn",
        "dart_handle_error",
        "dart_isolate_current",
        "dart_kill_before_next_event",
        "dart_ondone",
        "dart_cross_isolate",
        "dart_custom_capability",
        "dart_resume_unknown",
        "dart_ping_busy",
        "dart_ping_before_kill",
        "dart_errors_fan_out",
        "dart_active_passive",
        "dart_exit_after_last_throw",
        "dart_two_senders",
        "dart_receive_port_stream",
    ];
    let builder = Host::builder().isolates(600).threads(2).cache_folder(harness::cache());
    let host = builder.build().expect("there is room for the host");
    let modules = names.map(|name| host.load_file(harness::guest(name)).expect("the guest is a module"));
    let begun: Vec<_> = (0..FOLD).flat_map(|_| modules.iter().map(|module| begun(&host, module))).collect();
    let mut told = Vec::new();
    for (isolate, port) in begun {
        told.push(std::iter::from_fn(|| port.recv().ok()).collect::<Vec<String>>());
        assert_eq!(isolate.join(), Exit::Returned, "{}", isolate.debug_name());
    }
    for (name, (at, alone)) in names.iter().zip(told[..names.len()].iter().enumerate()) {
        assert!(!alone.is_empty(), "{name} told nothing");
        for fold in 1..FOLD {
            assert_eq!(&told[fold * names.len() + at], alone, "{name}, the {fold}th beside the first");
        }
    }
}

#[test]
fn dart_shared_module() {
    const INSTANCES: u64 = 200;
    let text = r#"(module
        (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
        (memory (export "memory") 1)
        (data (i32.const 0) "\2a")
        (func (export "run")
            ;; Its memory is as the module has it, whoever began at the same moment and wrote into theirs.
            (if (i32.ne (i32.load8_u (i32.const 0)) (i32.const 42)) (then unreachable))
            (i32.store8 (i32.const 0) (i32.const 1))))"#;
    let host = Host::builder().isolates(300).threads(2).build().expect("there is room for the host");
    let module = host.load("shared.wat", text.as_bytes()).expect("the text is a module");
    let born: Vec<_> =
        (0..INSTANCES).map(|_| host.spawn(&module, Spawn::entry("run").paused(true)).expect("there is room")).collect();
    born.iter().for_each(Isolate::resume_birth);
    assert!(born.iter().all(|isolate| isolate.join() == Exit::Returned));
}

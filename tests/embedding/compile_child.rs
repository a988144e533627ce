//! Modules compiled in a child process: what comes of it, and what a child can do to its host, which is nothing but fail.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use insula::{ChildFailure, CompileChild, CompileLimits, Exit, Host, LoadError, Output, Spawn};

use super::children::Children;
use crate::harness;

fn host(child: CompileChild) -> Host {
    Host::builder().isolates(2).threads(1).compile_in_child(child).build().expect("there is room for a small host")
}

/// Why this child does not compile an empty module.
fn failure(child: CompileChild) -> ChildFailure {
    match host(child).load("empty", b"(module)").map(|_| ()) {
        Err(LoadError::Child { failure, program, .. }) => {
            assert!(program.is_absolute());
            failure
        }
        other => panic!("it ended so: {other:?}"),
    }
}

/// A program of insula's own that compiles.
fn insula() -> CompileChild {
    CompileChild::program(harness::insula().get_program()).arg("compile-child")
}

/// A host that leaves it to this child to refuse a large function.
fn lenient(child: CompileChild) -> Host {
    let limits = CompileLimits::default().function_bytes(8 << 20);
    let builder = Host::builder().isolates(2).threads(1).compile_limits(limits).compile_in_child(child);
    builder.build().expect("there is room for a small host")
}

/// One function that multiplies again and again. It takes the compiler many seconds and more than a gigabyte.
fn bomb() -> Vec<u8> {
    let number = |mut number: usize| -> Vec<u8> {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    };
    let body = [&[0, 0x20, 0][..], &[0x41, 3, 0x6c].repeat(600_000), &[0x0b]].concat();
    let code = [&[1][..], &number(body.len()), &body].concat();
    let types = [0x01, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, 0x03, 2, 1, 0];
    [b"\0asm\x01\0\0\0", &types[..], &[0x0a], &number(code.len()), &code].concat()
}

#[test]
fn a_guest_that_a_child_compiled_runs_and_is_found_in_the_cache() {
    let children = Children::new("child-runs");
    let builder = Host::builder().isolates(2).threads(1).trusted_isolates(1).compile_in_child(children.counted());
    let builder = builder.cache_folder(children.folder().path().join("cache"));
    for round in 0..2 {
        let host = builder.clone().build().expect("there is room for a small host");
        let checked = host.load_file(harness::guest("prints")).expect("it is a module");
        let trusted = host.load_trusted_file(harness::guest("prints")).expect("it is a module");
        for module in [checked, trusted] {
            let spawn = Spawn::main().args(["prints", "out:hello"]).stdout(Output::Capture { bytes_max: 100 });
            let isolate = host.spawn(&module, spawn).expect("there is room");
            assert_eq!(isolate.join(), Exit::Returned);
            assert!(String::from_utf8_lossy(&isolate.stdout().bytes).contains("hello"));
        }
        assert_eq!(children.count(), 2, "round {round}: one for each kind, and none for what is in the cache");
    }
}

#[test]
fn a_child_without_bounds_compiles_as_well() {
    let child = insula().cpu_time(Duration::MAX).memory(u64::MAX);
    host(child).load("empty", b"(module)").expect("nothing is in its way");
}

#[test]
fn a_child_refuses_what_is_no_module_as_the_host_does() {
    let children = Children::new("child-refuses");
    let (aside, here) = (host(children.counted()), Host::builder().isolates(2).build().expect("there is room"));
    let memory = format!("(module (memory {}))", 1 << 16);
    for bytes in [&b"\0asm\x01\0\0\0\x07\x01"[..], b"(module (func (result i32)))", b"(module (memory 1 1 shared))"] {
        let said = |host: &Host| host.load("broken", bytes).map(|_| ()).expect_err("it is no module").to_string();
        assert_eq!(said(&aside), said(&here));
    }
    let narrow = Host::builder().isolates(1).memory_max(1 << 20).compile_in_child(children.counted());
    let error = narrow.build().expect("there is room").load("wide", memory.as_bytes()).map(|_| ());
    assert!(matches!(error, Err(LoadError::Shape { .. })), "{error:?}");
}

#[test]
fn a_child_that_fails_is_an_error_that_says_how() {
    let children = Children::new("child-fails");
    for path in ["/nowhere/insula".into(), children.folder().file("text", "no program")] {
        assert!(matches!(failure(CompileChild::program(path)), ChildFailure::NotStarted { .. }));
    }
    assert_eq!(failure(children.script("exit 3")), ChildFailure::Ended { code: 3 });
    assert_eq!(failure(children.script("exec <&-; exit 0")), ChildFailure::Ended { code: 0 });
    assert_eq!(failure(children.script("echo hello")), ChildFailure::NoAnswer);
    assert_eq!(failure(children.script("while :; do echo hello; done")), ChildFailure::NoAnswer);
    assert_eq!(failure(children.script("echo insula-compile-1; exit 4")), ChildFailure::Ended { code: 4 });
    for signal in [6, 9, 11] {
        let killed = children.script(&format!("kill -{signal} $$")).memory(1 << 30);
        assert_eq!(failure(killed), ChildFailure::Signal { signal, memory_bytes_max: 1 << 30 });
    }
    // Half of an answer, and one whose length is a lie.
    let head =
        |answer: &[u8]| format!("printf 'insula-compile-1\\n\\{:03o}\\000\\000\\000{}'", answer.len(), octal(answer));
    assert_eq!(failure(children.script(&head(&[0, 100]))), ChildFailure::Ended { code: 0 });
    let lie = [&[0][..], &[0xff; 8], &[0x7f]].concat();
    assert_eq!(failure(children.script(&head(&lie))), ChildFailure::NoAnswer);
    let other = ChildFailure::OtherEngine { version: "9.9.9".to_owned() };
    assert_eq!(failure(children.script(&head(b"\x03\x059.9.9"))), other);
    assert!(other.to_string().contains("9.9.9"));
}

fn octal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:03o}")).collect()
}

#[test]
fn a_child_that_says_nothing_is_killed_with_all_that_it_started() {
    let children = Children::new("child-silent");
    let limits = CompileLimits::default().wall(Duration::from_millis(200));
    // The shell waits for a shell, which waits for nothing that ever comes.
    let child = children.script("/bin/sh -c 'echo $$ > inner; read go < gate'; :");
    let builder = Host::builder().isolates(1).compile_limits(limits).compile_in_child(child);
    let host = builder.build().expect("there is room");
    let error = host.load("empty", b"(module)").map(|_| ()).expect_err("nobody compiles it");
    assert!(matches!(error, LoadError::TimedOut { .. }), "{error}");
    while host.compiles_left_behind() > 0 {
        std::thread::yield_now();
    }
    let inner = std::fs::read_to_string(children.folder().path().join("inner")).unwrap_or_default();
    let alive = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", inner.trim())).unwrap_or_default();
        !inner.is_empty() && status.contains("\nState:") && !status.contains("zombie")
    };
    while alive() {
        std::thread::yield_now();
    }
}

/// Says at its end how much memory this process had at most, for the test below, and by itself holds that the bomb is
/// refused.
#[test]
fn a_bomb_in_a_child_is_refused() {
    let memory_bytes_max = 600 << 20;
    let error = lenient(insula().memory(memory_bytes_max)).load("bomb", &bomb()).map(|_| ());
    let Err(LoadError::Child { name, failure, .. }) = error else { panic!("it ended so: {error:?}") };
    assert!(
        matches!(failure, ChildFailure::Signal { memory_bytes_max: limit, .. } if limit == memory_bytes_max),
        "{failure}"
    );
    assert_eq!(name, "bomb");
    let status = std::fs::read_to_string("/proc/self/status").expect("this is Linux");
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM:")).expect("Linux knows it"));
}

#[test]
fn a_bomb_in_a_child_takes_no_memory_of_its_host() {
    let this = std::env::current_exe().expect("a test knows itself");
    let mut command = Command::new(this);
    command.args(["--exact", "embedding::compile_child::a_bomb_in_a_child_is_refused", "--nocapture"]);
    let ran = command.output().expect("a test can be run");
    let said = String::from_utf8_lossy(&ran.stdout);
    let peak = said.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    let peak: u64 = peak.expect("it says its peak").parse().expect("it is a number");
    // The child was ended when it wanted more than 600 MiB.
    assert!(ran.status.success() && peak < 200 << 10, "{peak} KiB: {ran:?}");
}

#[test]
fn a_child_that_computes_too_long_is_ended_by_its_limit() {
    let time = Duration::from_millis(900);
    let error = lenient(insula().cpu_time(time).memory(16 << 30)).load("bomb", &bomb()).map(|_| ());
    let Err(LoadError::Child { failure, .. }) = error else { panic!("it ended so: {error:?}") };
    assert_eq!(failure, ChildFailure::CpuTime { limit: time });
}

/// What `insula compile-child` answers, and its exit code.
fn asked(request: &[u8]) -> (Vec<u8>, Option<i32>) {
    let mut child = harness::insula();
    child.arg("compile-child").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().expect("insula can be run");
    let mut stdin = child.stdin.take().expect("it is piped");
    // It may have ended by then.
    let _ = stdin.write_all(request);
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    (output.stdout, output.status.code())
}

#[test]
fn the_command_that_compiles_answers_a_host_and_nobody_else() {
    for request in [&b""[..], b"hello\n", b"insula-compile-1\n\xff\xff\xff\xff"] {
        assert_eq!(asked(request), (Vec::new(), Some(2)));
    }
    // A host with another engine is told whom it asked.
    let version = env!("CARGO_PKG_VERSION");
    let answer = [&[3, u8::try_from(version.len()).expect("it is short")], version.as_bytes()].concat();
    for asks in ["0.0.1", version] {
        let head = postcard::to_allocvec(&(asks, [0_u8; 32], false, 4_u64 << 30, 1_u64 << 30, 60_u64, 8_u64));
        let request = [said(&head.expect("it is of types that postcard knows")), b"\0asm\x01\0\0\0".to_vec()].concat();
        assert_eq!(asked(&request), (said(&answer), Some(0)), "{asks}");
    }
}

/// A head as it goes over the pipe.
fn said(head: &[u8]) -> Vec<u8> {
    let length = u32::try_from(head.len()).expect("it is short").to_le_bytes();
    [&b"insula-compile-1\n"[..], &length, head].concat()
}

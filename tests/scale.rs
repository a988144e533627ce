//! Many isolates at once: nobody is lost, and the host lives.

use insula::{Exit, Host, Isolate, Killer, Module, Priority, Spawn};

use crate::harness;

const BUSY: usize = 9;
const IDLE: usize = 1000;
const TRIES: usize = 200;

fn born(host: &Host, module: &Module, entry: &str) -> Isolate {
    host.spawn(module, Spawn::entry(entry)).expect("there is room")
}

#[test]
fn one_of_nine_busy_isolates_is_killed_and_no_sibling_is_lost() {
    let text = r#"(module
        (import "insula:isolate/clock@0.1.0" "now" (func $now (result i64)))
        (import "insula:isolate/clock@0.1.0" "sleep" (func $sleep (param i64) (result i32)))
        (func (export "busy") (loop $again (br $again)))
        (func (export "idle")
            (drop (call $sleep (i64.add (call $now) (i64.const 3600000000000))))))"#;
    let isolates = u32::try_from(BUSY + IDLE).expect("it is a small number") + 8;
    let host = Host::builder().isolates(isolates).threads(2).build().expect("there is room");
    let module = host.load("busy.wat", text.as_bytes()).expect("the text is a module");
    let idle: Vec<_> = (0..IDLE).map(|_| born(&host, &module, "idle")).collect();
    let mut busy: Vec<_> = (0..BUSY).map(|_| born(&host, &module, "busy")).collect();
    for victim in 0..TRIES {
        let victim = victim % BUSY;
        busy[victim].kill(Priority::Immediate);
        assert_eq!(busy[victim].join(), Exit::Killed { by: Killer::Embedder });
        busy[victim] = born(&host, &module, "busy");
        assert_eq!(host.live(), BUSY + IDLE, "a sibling was lost");
    }
    let parked = &idle[0];
    parked.kill(Priority::Immediate);
    assert_eq!(parked.join(), Exit::Killed { by: Killer::Embedder });
    assert!(idle[1..].iter().chain(&busy).all(|sibling| sibling.exit().is_none()));
}

/// In a process of its own: all hosts of one process share what the kernel has room for.
#[test]
fn ten_thousand_wait_and_each_answers() {
    let mut command = harness::insula();
    command.args(["run", "--isolates", "10000"]).arg(harness::guest("ten_thousand"));
    let output = command.output().expect("insula can be run");
    let told = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = told.lines().collect();
    let [wait, refused, answer, lives] = &lines[..] else { panic!("{told}{errors}") };
    assert_eq!([*wait, *answer, *lives], ["9999 wait", "9999 answer", "the host lives"], "{told}{errors}");
    assert!(refused.starts_with("one more: ") && refused.contains("10000"), "{told}");
    assert_eq!(output.status.code(), Some(0), "{told}{errors}");
}

//! What an embedder is told of what its isolates use.

use std::time::Duration;

use insula::{Exit, Host, Isolate, Priority, Spawn, Usage};

use super::ends::loaded;
use crate::harness;

const PAGE: u64 = 64 << 10;

/// Sends itself five messages of ten bytes, grows its memory by two pages, and loops.
const BUSY: &str = r#"(module
    (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
    (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
    (import "insula:isolate/ports@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func $ok (param i32) (if (local.get 0) (then unreachable)))
    (func $work (local $left i32)
        (call $ok (call $open (i64.const 0) (i32.const 0) (i32.const 0)))
        (call $ok (call $sender (i32.load (i32.const 0)) (i32.const 8)))
        (local.set $left (i32.const 5))
        (loop $again
            (call $ok (call $send (i32.load (i32.const 8)) (i32.const 64) (i32.const 10) (i32.const 0) (i32.const 0)))
            (local.set $left (i32.sub (local.get $left) (i32.const 1)))
            (br_if $again (local.get $left)))
        (drop (memory.grow (i32.const 2))))
    (func (export "returns") (call $work))
    (func (export "loops") (call $work) (loop (br 0)))
    (func (export "refused") (drop (memory.grow (i32.const 60000)))))"#;

fn spawn(host: &Host, text: &str, entry: &str) -> Isolate {
    let module = host.load("busy", text.as_bytes()).expect("the text is a module");
    host.spawn(&module, Spawn::entry(entry)).expect("there is room")
}

/// Looks until it is so.
fn until(usage: impl Fn() -> Usage, so: impl Fn(&Usage) -> bool) -> Usage {
    loop {
        let usage = usage();
        if so(&usage) {
            return usage;
        }
        std::thread::yield_now();
    }
}

#[test]
fn an_isolate_says_what_it_uses_and_what_it_used() {
    let (host, _) = loaded("(module)");
    let isolate = spawn(&host, BUSY, "loops");
    let usage = until(|| isolate.usage(), |usage| usage.memory_bytes == 3 * PAGE && !usage.cpu_time.is_zero());
    assert_eq!((usage.isolates, usage.memory_bytes_peak, usage.children), (1, 3 * PAGE, 0));
    assert_eq!((usage.queued_messages, usage.queued_bytes), (5, 5 * 74), "nobody takes them");
    assert_eq!((usage.received_messages, usage.received_bytes), (5, 5 * 74));
    assert_eq!((usage.sent_messages, usage.sent_bytes), (5, 5 * 74));
    assert_eq!(usage.handles, 2, "its port, and the SendPort of it");
    isolate.kill(Priority::Immediate);
    let exit = isolate.join();
    let dead = isolate.usage();
    let has = (dead.isolates, dead.memory_bytes, dead.queued_messages, dead.queued_bytes, dead.handles);
    assert_eq!(has, (0, 0, 0, 0, 0), "{exit}");
    assert!(dead.cpu_time >= usage.cpu_time, "the poll that it was in counted too");
    let used = (dead.memory_bytes_peak, dead.received_messages, dead.received_bytes, dead.sent_messages);
    assert_eq!(used, (3 * PAGE, 5, 5 * 74, 5));
}

#[test]
fn a_growth_that_is_refused_is_not_counted() {
    let (host, _) = loaded("(module)");
    let isolate = spawn(&host, BUSY, "refused");
    assert_eq!(isolate.join(), Exit::Returned);
    assert_eq!((isolate.usage().memory_bytes_peak, host.usage().memory_bytes_peak), (PAGE, PAGE));
}

#[test]
fn a_host_says_the_sum_of_all_the_dead_included() {
    let (host, _) = loaded("(module)");
    assert_eq!(host.usage(), Usage::default());
    let looping = spawn(&host, BUSY, "loops");
    let gone: Vec<Isolate> = (0..8).map(|_| spawn(&host, BUSY, "returns")).collect();
    gone.iter().for_each(|isolate| drop(isolate.join()));
    until(|| looping.usage(), |usage| usage.memory_bytes == 3 * PAGE);
    let sum = host.usage();
    assert_eq!((sum.isolates, sum.memory_bytes, sum.queued_messages), (1, 3 * PAGE, 5));
    assert_eq!((sum.sent_messages, sum.sent_bytes, sum.received_messages), (9 * 5, 9 * 5 * 74, 9 * 5));
    assert!((3 * PAGE..=27 * PAGE).contains(&sum.memory_bytes_peak), "{sum:?}");
    looping.kill(Priority::Immediate);
    assert!(matches!(looping.join(), Exit::Killed { .. }));
    let of_all = gone.iter().chain([&looping]).map(|isolate| isolate.usage().cpu_time).sum::<Duration>();
    let sum = host.usage();
    assert_eq!((sum.cpu_time, sum.isolates, sum.memory_bytes), (of_all, 0, 0));
    assert!(!of_all.is_zero());
}

#[test]
fn children_are_counted_while_they_live() {
    let host = Host::builder().isolates(8).threads(2).cache_folder(harness::cache()).build().expect("there is room");
    let module = host.load_file(harness::guest("stops_when_asked")).expect("the guest is a module");
    let port = host.receive_port::<String>();
    let root = host.spawn(&module, Spawn::entry("family_heeds").message(&port.send_port())).expect("it has the entry");
    assert_eq!(port.messages().take(3).filter(Result::is_ok).count(), 3, "all are ready");
    assert_eq!((root.usage().children, host.usage().children, host.usage().isolates), (2, 2, 3));
    root.stop_tree(Duration::ZERO);
    assert_eq!((root.usage().children, host.usage().isolates), (0, 0));
}

//! A host's metrics: what they say is what happened, what counts the dead never goes back, and the page of them is true.

use std::sync::atomic::{AtomicBool, Ordering};

use insula::{Exit, Host, Metrics, Output, Priority, Spawn};

use crate::harness::{self, Exposition, Folder, repository};

/// A program that returns, one that traps, and one that waits until it is killed.
const PROGRAM: &[u8] = br#"(module
    (memory (export "memory") 2)
    (func (export "returns"))
    (func (export "traps") unreachable)
    (func (export "loops") (loop (br 0))))"#;

fn read(metrics: &Metrics) -> Exposition {
    Exposition::parse(&metrics.encode())
}

fn ended(reason: &str) -> String {
    format!("insula_isolates_ended_total{{reason=\"{reason}\"}}")
}

#[test]
fn births_ends_errors_and_memory_are_what_they_were() {
    let host = Host::builder().isolates(7).threads(1).total_memory_max(1 << 20).on_uncaught(|_| ());
    let host = host.build().expect("there is room for a small host");
    let metrics = Metrics::of(&host);
    let none = read(&metrics);
    assert!(
        none.samples()
            .iter()
            .all(|(series, value)| *value == 0.0 || ["insula_build", "limit"].iter().any(|part| series.contains(part)))
    );
    assert_eq!(none.value("insula_isolates_limit"), 7.0);
    assert_eq!(none.value("insula_total_memory_limit_bytes"), f64::from(1 << 20));
    assert_eq!(none.samples().keys().filter(|series| series.contains("reason=")).count(), Exit::REASONS.len());

    let module = host.load("program", PROGRAM).expect("the text is a module");
    let spawn = |entry: &str| host.spawn(&module, Spawn::entry(entry)).expect("it has an entry");
    assert!(spawn("returns").join().is_ok());
    assert!(!spawn("traps").join().is_ok() && !spawn("traps").join().is_ok());
    let loops = spawn("loops");
    let now = read(&metrics);
    let (living, born) = (now.value("insula_isolates"), now.value("insula_isolates_born_total"));
    assert_eq!((living, born), (1.0, 4.0));
    assert_eq!(
        [now.value(&ended("returned")), now.value(&ended("trapped")), now.value(&ended("killed"))],
        [1.0, 2.0, 0.0]
    );
    assert_eq!(now.value("insula_uncaught_errors_total"), 2.0);
    assert_eq!(now.value("insula_memory_peak_bytes"), 131_072.0);
    assert_eq!((now.value("insula_compile_seconds_count"), now.value("insula_compiles_failed_total")), (1.0, 0.0));
    loops.kill(Priority::Immediate);
    assert!(matches!(loops.join(), Exit::Killed { .. }));
    let then = read(&metrics);
    assert_eq!((then.value("insula_isolates"), then.value(&ended("killed"))), (0.0, 1.0));
    assert_eq!(then.value("insula_memory_bytes"), 0.0);
    assert!(then.value("insula_cpu_seconds_total") > 0.0);
    assert!(host.load("broken", b"\0asm\x01\0\0\0\x01\x01\x05").is_err());
    let broken = read(&metrics);
    assert_eq!(
        (broken.value("insula_compile_seconds_count"), broken.value("insula_compiles_failed_total")),
        (2.0, 1.0)
    );
}

#[test]
fn messages_are_counted_for_who_sends_and_who_receives() {
    let host = Host::builder().isolates(16).threads(2).cache_folder(harness::cache());
    let host = host.build().expect("there is room for a small host");
    let metrics = Metrics::of(&host);
    let module = host.load_file(harness::example("pingpong")).expect("the example is a module");
    host.run(&module, Spawn::main().args(["pingpong"]).stdout(Output::Null)).expect("it can be run");
    let (usage, now) = (host.usage(), read(&metrics));
    assert!(usage.sent_messages > 2 && usage.received_bytes > 2);
    for (series, count) in [
        ("insula_messages_sent_total", usage.sent_messages),
        ("insula_messages_sent_bytes_total", usage.sent_bytes),
        ("insula_messages_received_total", usage.received_messages),
        ("insula_messages_received_bytes_total", usage.received_bytes),
        ("insula_mailbox_messages", 0),
        ("insula_mailbox_bytes", 0),
        ("insula_handles", 0),
    ] {
        assert_eq!(now.value(series), count as f64, "{series}");
    }
}

#[test]
fn the_cache_is_counted_where_there_is_one() {
    let folder = Folder::new("metrics-cache");
    let looks = |with_folder: bool| {
        let builder = Host::builder().isolates(1);
        let builder = if with_folder { builder.cache_folder(folder.path()) } else { builder };
        let host = builder.build().expect("there is room for a small host");
        let load = || host.load("program", PROGRAM).expect("the text is a module");
        let both = (load(), load());
        assert_eq!(both.0, both.1, "what is known is not looked for");
        let now = read(&Metrics::of(&host));
        let counts = ["insula_cache_hits_total", "insula_cache_misses_total", "insula_compile_seconds_count"];
        counts.map(|series| now.value(series))
    };
    assert_eq!(looks(false), [0.0, 0.0, 1.0]);
    assert_eq!(looks(true), [0.0, 1.0, 1.0]);
    assert_eq!(looks(true), [1.0, 0.0, 0.0]);
}

#[test]
fn what_counts_the_dead_never_goes_back_whoever_dies_meanwhile() {
    let host = Host::builder().isolates(64).threads(2).cache_folder(harness::cache());
    let host = host.build().expect("there is room for a small host");
    let (metrics, over) = (Metrics::of(&host), AtomicBool::new(false));
    let module = host.load_file(harness::example("pingpong")).expect("the example is a module");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100 {
                host.run(&module, Spawn::main().args(["pingpong"]).stdout(Output::Null)).expect("it can be run");
            }
            over.store(true, Ordering::SeqCst);
        });
        let mut before = read(&metrics);
        let mut looks = 0;
        while !over.load(Ordering::SeqCst) {
            let now = read(&metrics);
            for (series, value) in now.samples().iter().filter(|(series, _)| series.contains("_total")) {
                assert!(*value >= before.value(series), "{series}: {} and then {value}", before.value(series));
            }
            let lives =
                now.samples().iter().filter(|(series, _)| series.contains("ended_total")).map(|(_, value)| value);
            assert!(lives.sum::<f64>() <= now.value("insula_isolates_born_total"));
            (before, looks) = (now, looks + 1);
        }
        assert!(looks > 0);
    });
    assert_eq!(read(&metrics).value("insula_isolates_born_total"), 200.0);
}

#[test]
fn a_host_ends_although_somebody_has_its_metrics() {
    let host = Host::builder().isolates(1).build().expect("there is room for a small host");
    let module = host.load("program", PROGRAM).expect("the text is a module");
    let isolate = host.spawn(&module, Spawn::entry("loops")).expect("it has an entry");
    let metrics = Metrics::of(&host);
    assert_eq!(read(&metrics).value("insula_isolates"), 1.0);
    drop(host);
    assert_eq!(isolate.join(), Exit::HostClosed);
    drop((isolate, module));
    let left = read(&metrics.clone());
    assert!(left.samples().is_empty() || left.value("insula_isolates") == 0.0);
}

/// A row of the page's table: what is asked for, its type, its unit, and what it is.
type Row = [String; 4];

#[test]
fn the_page_lists_every_metric_with_its_type_and_unit() {
    let host = Host::builder().isolates(1).total_memory_max(1 << 20).build().expect("there is room for a small host");
    let families = read(&Metrics::of(&host)).families;
    let told: Vec<Row> = families
        .into_iter()
        .map(|family| {
            let suffix = match family.kind.as_str() {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            [format!("`{}{suffix}`", family.name), family.kind, family.unit.unwrap_or_default(), family.help]
        })
        .collect();
    let page = std::fs::read_to_string(repository().join("docs/observing.md")).expect("the page is there");
    let rows = page.lines().skip_while(|line| *line != "| metric | type | unit | is |").skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let listed: Vec<Row> = rows.map(|row| cells(row).try_into().expect("a row has four cells")).collect();
    let table = |rows: &[Row]| rows.iter().map(|row| format!("| {} |", row.join(" | "))).collect::<Vec<_>>().join("\n");
    assert_eq!(table(&listed), table(&told), "docs/observing.md lists what there is, in its order");
    let reasons = page.lines().find(|line| line.starts_with("The `reason`")).expect("the page says which there are");
    for reason in Exit::REASONS {
        assert!(reasons.contains(&format!("`{reason}`")), "{reason} is not in {reasons}");
    }
}

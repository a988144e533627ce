//! Every flag that bounds a run, by going beyond it.

use std::process::Command;

use super::{Ran, output, run};
use crate::harness::{self, Folder, guest};

/// What comes of a guest that goes beyond `what`, with these flags.
fn beyond(what: &str, flags: &[&str]) -> Ran {
    let target = guest("exceeds").display().to_string();
    run(flags.iter().copied().chain([target.as_str(), what]))
}

/// The guest is refused, goes on, and says this.
fn is_refused(what: &str, flags: &[&str], said: &str) {
    let ran = beyond(what, flags);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), format!("{said}\n").as_str(), ""),
        "{ran:?}"
    );
}

/// The guest is ended, with exit code 1, and standard error says this of it.
fn is_ended(what: &str, flags: &[&str], said: &str) {
    let ran = beyond(what, flags);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.contains(said), "{ran:?}");
}

/// A module with a table of so many elements.
fn table(elements: u32, flags: &[&str]) -> Ran {
    let folder = Folder::new("table");
    let module = format!("(module (table {elements} funcref) (func (export \"_start\")))");
    let path = folder.file("table.wat", module).display().to_string();
    run(flags.iter().copied().chain([path.as_str()]))
}

#[test]
fn w_timeout_ends_main_wherever_it_is() {
    is_ended("time", &["-W", "timeout=50ms"], "deadline passed while waiting");
    is_ended("cpu", &["-W", "timeout=50ms"], "deadline passed");
}

#[test]
fn w_timeout_is_one_for_main_and_all_below() {
    let ran = beyond("child cpu", &["-W", "timeout=200ms"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(1), ""),
        "main waits for its child, and its time is over: {ran:?}"
    );
}

#[test]
fn w_run_timeout_and_w_cpu_time_end_who_is_busy() {
    is_ended("cpu", &["-W", "run-timeout=50ms"], "deadline passed");
    is_ended("cpu", &["-W", "cpu-time=50ms"], "exceeded its limit: cpu-time");
    let ran = beyond("child cpu", &["--wasm", "cpu-time=50ms"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "the child is gone\n"), "each has its own: {ran:?}");
    assert!(ran.stderr.contains("`spins`") && ran.stderr.contains("exceeded its limit: cpu-time"), "{ran:?}");
}

#[test]
fn w_fuel_is_counted_for_each_isolate_and_comes_out_the_same() {
    let folder = Folder::new("fuel");
    // Ten operations more or less, and as many as it is told to loop.
    let counts = |rounds: u32| {
        let text = format!(
            "(module (func (export \"_start\") (local i32) (local.set 0 (i32.const {rounds}))
                (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"
        );
        folder.file("counts.wat", text).display().to_string()
    };
    let with = |fuel: u32, rounds: u32| run(["-W", &format!("fuel={fuel}"), &counts(rounds)]);
    let least = (1..200).find(|fuel| with(fuel * 16, 100).code == Some(0)).expect("some are enough") * 16;
    assert!((100..2_000).contains(&least), "some operations for each of 100 rounds: {least}");
    assert_eq!(with(least, 100).code, Some(0), "the same program takes the same");
    let ended = with(least - 16, 100);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(1), ""), "{ended:?}");
    let said = format!("exceeded its limit: fuel {}", least - 16);
    assert!(ended.stderr.contains(&said), "{ended:?}");
    is_ended("cpu", &["-W", "fuel=1000000"], "exceeded its limit: fuel 1000000");
    let ran = beyond("child cpu", &["-W", "fuel=10000000"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "the child is gone\n"), "each has its own: {ran:?}");
    assert!(ran.stderr.contains("`spins`") && ran.stderr.contains("exceeded its limit: fuel 10000000"), "{ran:?}");
}

#[test]
fn w_max_memory_size_and_w_max_total_memory() {
    is_refused("memory", &[], "64 MiB: true");
    is_refused("memory", &["-W", "max-memory-size=32MiB"], "64 MiB: false");
    is_refused("memory", &["-W", "max-total-memory=48M"], "64 MiB: false");
}

#[test]
fn w_max_table_elements_bounds_and_widens() {
    let refused = table(200, &["-W", "max-table-elements=100"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("exceeded its limit: table-elements 100"), "{refused:?}");
    let refused = table(150_000, &[]);
    assert_eq!(refused.code, Some(1), "there are 100,000 by default: {refused:?}");
    assert!(refused.stderr.contains("exceeds the limit of 100000"), "{refused:?}");
    let wide = table(150_000, &["-W", "max-table-elements=150000"]);
    assert_eq!((wide.code, wide.stderr.as_str()), (Some(0), ""), "{wide:?}");
}

#[test]
fn mailbox_messages_and_mailbox_bytes() {
    is_refused("mailbox", &["--mailbox-messages", "5"], "5 sent, then: Err(\"the mailbox is full\")");
    is_refused("mailbox", &["--mailbox-bytes", "8K"], "7 sent, then: Err(\"the mailbox is full\")");
}

#[test]
fn w_max_sender_share_of_a_mailbox() {
    let share = |percent| format!("max-sender-share={percent}");
    let bytes = ["--mailbox-bytes", "40K", "-W"];
    is_refused("share", &[&bytes[..], &[&share(25)]].concat(), "9 sent, then: Err(\"the mailbox is full\")");
    is_refused("share", &[&bytes[..], &[&share(50)]].concat(), "19 sent, then: Err(\"the mailbox is full\")");
}

#[test]
fn w_max_message_size_ports_handles_and_blobs() {
    let refused = beyond("message", &["-W", "max-message-size=64K"]);
    assert!(refused.stdout.starts_with("Err(") && refused.code == Some(0), "{refused:?}");
    is_refused("message", &[], "Ok(())");
    let counted = beyond("ports", &["-W", "max-ports=20"]);
    assert!(counted.stdout.starts_with("19 held, then: the limit of 20 ports"), "its own is one: {counted:?}");
    let counted = beyond("ports", &["-W", "max-handles=30"]);
    assert!(counted.stdout.contains(" held, then: ") && counted.code == Some(0), "{counted:?}");
    let counted = beyond("blobs", &["-W", "max-blob-size=10K"]);
    assert!(counted.stdout.starts_with("10 held, then: "), "{counted:?}");
}

#[test]
fn isolates_and_depth() {
    is_refused("isolates", &["--isolates", "5"], "4 held, then: the limit of 5 live isolates is reached");
    is_refused("depth", &["--depth", "3"], "3 below main, then: the limit `depth` of 3 is reached");
    let ran = beyond("depth", &["--depth", "0"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("the limit `depth` of 0 is reached"), "{ran:?}");
}

#[test]
fn several_keys_stand_in_one_w_and_the_last_of_the_same_holds() {
    is_refused("memory", &["-W", "timeout=1h,max-memory-size=32M", "-W", "max-memory-size=128M"], "64 MiB: true");
}

#[test]
fn w_help_lists_every_key() {
    let ran = run(["-W", "help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran:?}");
    for line in ["-W timeout=TIME", "-W max-memory-size=SIZE", "-W max-sender-share=PERCENT"] {
        assert!(ran.stdout.contains(line), "{ran:?}");
    }
}

#[test]
fn a_wrong_w_is_2_and_says_what_was_meant() {
    for (given, said) in [
        ("timeot=1s", "there is no `timeot`; did you mean `timeout`?"),
        ("timeout=soon", "a time is written as 10, 10s, 100ms, 5m or 1h"),
        ("timeout", "`timeout` wants a value: timeout=TIME"),
        ("max-memory-size=5G", "4G of linear memory at most"),
        ("max-sender-share=0", "a share is 1 to 100 percent"),
        ("max-wasm-stack=1", "insula has no `max-wasm-stack`: each isolate has a stack of the same size"),
        ("fuel=much", "a number of at least 1 is wanted"),
    ] {
        let ran = beyond("memory", &["-W", given]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
}

#[test]
fn what_only_wasmtime_has_is_2_and_says_what_there_is_instead() {
    for (flags, said) in
        [(&["--preload", "x=y"][..], "--module NAME=TARGET"), (&["-S", "http"], "--dir, --env and --module")]
    {
        let ran = beyond("memory", flags);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
    }
}

#[test]
fn a_module_that_the_address_space_has_no_room_for_is_named_with_the_limit() {
    let folder = Folder::new("no-room");
    let path = folder.file("app.wat", "(module (memory 1) (func (export \"_start\")))");
    let plain = harness::insula();
    // One memory has more.
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -v 4000000; exec \"$0\" run \"$1\""]).arg(plain.get_program()).arg(&path);
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = output(command);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for part in ["app.wat: there is no room", "ulimit -v"] {
        assert!(ran.stderr.contains(part), "{ran:?}");
    }
}

//! Nothing hangs: every public call that may wait has a test in which the other side dies at the worst moment.
//!
//! Which calls may wait is found, and not listed: those that give a future, that take a time, that say in their docs that
//! they block or wait, or whose name is one of waiting, and the iterators, streams and futures among public types. Each
//! is in one of two tables below: with the test that holds it, or with the reason why it waits for nobody.

use std::collections::BTreeSet;

use super::surface::Surface;
use crate::sentences::found::tests_in;
use crate::tidy::source::{Source, sources};

const RECEIVES: &str = "whoever_receives_is_told_that_the_last_sender_died";
const ROOM: &str = "whoever_waits_for_room_is_told_that_the_receiver_died";
const ASKS: &str = "whoever_asks_is_told_that_the_asked_died";
const LINKS: &str = "whoever_has_a_link_is_told_that_the_other_end_died";
const CALLS: &str = "no_call_hangs_when_the_isolate_dies_before_it_serves";
const MAILBOX: &str = "no_call_hangs_when_the_isolate_dies_with_the_request_in_its_mailbox";
const POOL: &str = "where_as_many_live_as_may_a_check_out_waits_for_a_death";
const ENDS: &str = "whoever_waits_for_an_end_is_told_of_it_whatever_it_is";
const VALUES: &str = "whoever_waits_for_a_value_is_told_that_its_isolate_died";
// Of plugins and groups the calls that block wait for the futures of those that do not.
const PLUGINS: &str = "no_call_hangs_when_the_host_closes";
const IN_FLIGHT: &str = "what_is_in_flight_at_a_death_is_over_and_never_sent_again";
const BETWEEN: &str = "what_is_asked_between_two_isolates_waits_within_its_own_time";
const STOPS: &str = "no_stop_and_no_join_hangs_when_the_host_closes";
const UPGRADES: &str = "no_upgrade_hangs_when_the_host_closes";
const GROUPS: &str = "no_stop_of_a_group_hangs_when_the_host_closes";
const SHUTDOWN: &str = "whoever_shuts_a_host_down_comes_back_whatever_its_isolates_are_at";
const LOADS: &str = "a_load_aside_ends_when_its_host_does";
const RUNS: &str = "whoever_runs_a_program_is_told_that_its_host_was_shut_down";
const OBSERVES: &str = "the_end_of_a_host_is_told_to_who_still_observes";
const RECORDS: &str = "a_recording_outlives_its_host";
const OBSERVES_TOO: &str = "what_happened_before_and_after_an_observation_is_not_told_and_others_go_on";

const STACKS: &str = "whoever_asks_is_told_of_an_end_that_comes_first";
const SAMPLES: &str = "the_end_of_a_host_ends_its_samples";

const SETS: &str = "sets something down for later";
const LOOKS: &str = "looks, and comes back with what is there";
const ENDS_IT: &str = "brings an end about, and does not wait for it";

/// What waits, and the test in which whoever it waits for dies. (The end of a host's last clone is no call: it is held by
/// `whoever_drops_the_last_of_a_host_comes_back_whatever_its_isolates_are_at`.)
const HELD: &[(&str, &str)] = &[
    ("Answers::next_async", MAILBOX),
    ("Broadcast::recv", RECEIVES),
    ("Computation::join", VALUES),
    ("Computation::join_timeout", VALUES),
    ("Drop for Observation", OBSERVES),
    ("Duplex::recv", LINKS),
    ("Duplex::recv_timeout", LINKS),
    ("Duplex::send", LINKS),
    ("Future for Loading", LOADS),
    ("Group::stop", GROUPS),
    ("Group::stop_async", GROUPS),
    ("Host::load_ahead", "whoever_waits_for_a_reader_that_is_gone_reads_the_file"),
    ("Host::load_async", LOADS),
    ("Host::load_trusted", "a_left_behind_compile_holds_up_no_other"),
    ("Host::observe", OBSERVES_TOO),
    ("Host::observe_samples", SAMPLES),
    ("Host::run", RUNS),
    ("Host::run_attended", RUNS),
    ("Host::run_until", RUNS),
    ("Host::shutdown", SHUTDOWN),
    ("IntoFuture for Computation", VALUES),
    ("Isolate::ended", ENDS),
    ("Isolate::ended_within", ENDS),
    ("Isolate::join", ENDS),
    ("Isolate::join_timeout", ENDS),
    ("Isolate::on_end", ENDS),
    ("Isolate::stack", STACKS),
    ("Isolate::stack_async", STACKS),
    ("Isolate::stop", ENDS),
    ("Isolate::stop_async", ENDS),
    ("Isolate::stop_tree", ENDS),
    ("Isolate::stop_tree_async", ENDS),
    ("Iterator for Answers", "a_stream_ends_with_whoever_dies"),
    ("Iterator for Messages", RECEIVES),
    ("Listener::join", RECEIVES),
    ("Plugin::call", PLUGINS),
    ("Plugin::call_async", IN_FLIGHT),
    ("Plugin::ended", STOPS),
    ("Plugin::join", PLUGINS),
    ("Plugin::join_timeout", STOPS),
    ("Plugin::stop", STOPS),
    ("Plugin::stop_async", STOPS),
    ("Plugin::stream", IN_FLIGHT),
    ("Plugin::stream_async", STOPS),
    ("Plugin::tell", BETWEEN),
    ("Plugin::tell_async", IN_FLIGHT),
    ("Plugin::upgrade", UPGRADES),
    ("Plugin::upgrade_async", UPGRADES),
    ("ReceivePort::first", RECEIVES),
    ("ReceivePort::recv", RECEIVES),
    ("ReceivePort::recv_async", RECEIVES),
    ("ReceivePort::recv_message", RECEIVES),
    ("ReceivePort::recv_message_async", RECEIVES),
    ("ReceivePort::recv_message_timeout", RECEIVES),
    ("ReceivePort::recv_timeout", RECEIVES),
    ("ReceivePort::single", RECEIVES),
    ("Recording::stop", RECORDS),
    ("SendPort::ask", ASKS),
    ("SendPort::ask_async", ASKS),
    ("SendPort::send", ROOM),
    ("SendPort::send_async", ROOM),
    ("SendPort::send_ref", ROOM),
    ("SendPort::send_timeout", ROOM),
    ("Service::call", CALLS),
    ("Service::call_async", CALLS),
    ("Service::stream", CALLS),
    ("Service::stream_async", MAILBOX),
    ("Service::tell", CALLS),
    ("Service::tell_async", CALLS),
    ("ServicePool::call", POOL),
    ("ServicePool::call_async", POOL),
    ("ServicePool::check_out", POOL),
    ("ServicePool::check_out_async", POOL),
    ("StderrLines::write_waiting", "whoever_waits_for_a_reader_of_lines_is_told_that_it_is_gone"),
    ("Stream for ReceivePort", RECEIVES),
    ("recv_any", RECEIVES),
    ("recv_either", RECEIVES),
];

/// What only looks as if it waited, and why it does not.
const AT_ONCE: &[(&str, &str)] = &[
    ("Broadcast::send_port", LOOKS),
    ("Caller::has_ended", LOOKS),
    ("CompileChild::cpu_time", SETS),
    ("CompileLimits::at_once", SETS),
    ("CompileLimits::wall", SETS),
    ("Drop for CheckedOut", ENDS_IT),
    ("Drop for ReceivePort", ENDS_IT),
    ("Drop for ServicePool", ENDS_IT),
    ("Faults::delay_at", SETS),
    ("Function::at_once", SETS),
    ("Function::at_once_each", SETS),
    ("Host::function", SETS),
    ("Host::skipped_core_dumps", LOOKS),
    ("HostBuilder::on_core_dump", SETS),
    ("Host::function_async", SETS),
    ("Host::left_behind", LOOKS),
    ("Host::open", "spawns, and waits for nobody"),
    ("HostBuilder::function_threads", SETS),
    ("HostBuilder::on_uncaught", SETS),
    ("HostBuilder::on_warning", SETS),
    ("Isolate::kill", ENDS_IT),
    ("Limits::cpu_time", SETS),
    ("Limits::deadline", SETS),
    ("Limits::run_deadline", SETS),
    ("RawReceivePort::send_port", LOOKS),
    ("Plugin::send_port", LOOKS),
    ("ReceivePort::send_port", LOOKS),
    ("Restart::at_most", SETS),
    ("Restart::back_off", SETS),
    ("Restart::grace", SETS),
    ("Restart::ready_within", SETS),
    ("SendPort::try_send", "never waits, as it says"),
    ("ServicePool::ready", LOOKS),
    ("Spawn::fixed_clock", SETS),
    ("Spawn::paused", SETS),
    ("Spawn::stdout_to", SETS),
    ("Summons::call", "leaves word, as a handler of signals must"),
    ("printable", "makes a text of a text"),
];

/// Verbs of waiting, which a name begins with.
const VERBS: [&str; 16] = [
    "ask",
    "await",
    "call",
    "check_out",
    "ended",
    "first",
    "join",
    "next",
    "recv",
    "run",
    "send",
    "shutdown",
    "single",
    "stop",
    "stream",
    "tell",
];

/// Words in a description that say so.
const WORDS: [&str; 8] = ["awaits", "block", "blocks", "blocking", "wait", "waited", "waiting", "waits"];

/// Traits whose methods wait, or may.
const TRAITS: [&str; 5] = ["Drop", "Future", "IntoFuture", "Iterator", "Stream"];

/// What may wait, by its name and for what reason.
fn may_wait(surface: &Surface) -> Vec<(String, &'static str)> {
    let mut found = Vec::new();
    for one in &surface.callables {
        let method = one.name.rsplit("::").next().unwrap_or(&one.name);
        let verb = |verb: &str| method == verb || method.starts_with(&format!("{verb}_"));
        let summary = one.docs.split("```").next().unwrap_or_default().to_lowercase();
        let says = || summary.split(|c: char| !c.is_alphabetic()).any(|word| WORDS.contains(&word));
        let reason = match () {
            () if one.is_async => "gives a future",
            () if one.is_timed => "takes a time",
            () if VERBS.iter().any(|word| verb(word)) => "has a name of waiting",
            () if says() => "says that it waits",
            () => continue,
        };
        found.push((one.name.clone(), reason));
    }
    let waiting = surface.traits.iter().filter(|(_, of)| TRAITS.contains(&of.as_str()));
    found.extend(waiting.map(|(name, of)| (format!("{of} for {name}"), "has methods that wait")));
    found.sort();
    found.dedup();
    found
}

/// What is wrong with the tables, for what there is and these tests.
fn findings(
    surface: &Surface,
    tests: &BTreeSet<String>,
    held: &[(&str, &str)],
    at_once: &[(&str, &str)],
) -> Vec<String> {
    let mut found = Vec::new();
    let waits = may_wait(surface);
    for (name, reason) in &waits {
        let tables = [held, at_once].map(|table| table.iter().filter(|(listed, _)| listed == name).count());
        match tables {
            [1, 0] | [0, 1] => {}
            [0, 0] => found.push(format!("`{name}` {reason}, and is in neither table")),
            _ => found.push(format!("`{name}` is in the tables more than once")),
        }
    }
    for (name, _) in held.iter().chain(at_once) {
        if !waits.iter().any(|(there, _)| there == name) {
            found.push(format!("`{name}` is in a table, and nothing of that name waits"));
        }
    }
    for (name, test) in held {
        if !tests.contains(*test) {
            found.push(format!("`{name}` is held by {test}, which is no test"));
        }
    }
    found
}

fn tests() -> BTreeSet<String> {
    let with_tests = sources().iter().filter(|source| source.is_in("tests/embedding/") && source.is_rust());
    with_tests.flat_map(|source| tests_in(source.text())).collect()
}

#[test]
fn every_call_that_may_wait_has_a_test_in_which_the_other_side_dies() {
    let found = findings(&super::of(sources()), &tests(), HELD, AT_ONCE);
    assert!(
        found.is_empty(),
        "{} findings. Write a test in tests/embedding in which whoever it waits for dies meanwhile, and name it in HELD of \
         tests/public_api/waits.rs, or say in AT_ONCE there why it waits for nobody:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn a_call_that_waits_and_has_no_test_is_found() {
    let inner = "pub struct Shown; pub fn shown() {}
        impl Shown {
            pub async fn a(&self) {}
            pub fn b(&self, time: std::time::Duration) {}
            /// It blocks.
            pub fn c(&self) {}
            pub fn recv_d(&self) {}
            pub fn receives(&self) {}
            /// Code says nothing:
            /// ```
            /// wait();
            /// ```
            pub fn e(&self) {}
            fn recv_private(&self) {}
        }
        impl Iterator for Shown {}";
    let files = [("lib.rs", "mod inner;\npub use inner::{Shown, shown};"), ("inner.rs", inner)];
    let surface = super::of(&files.map(|(path, text)| Source::new(&format!("host/src/{path}"), text)));
    let tests = BTreeSet::from(["a_test".to_owned()]);
    let held = [("Shown::a", "a_test"), ("Shown::b", "no_test"), ("Shown::gone", "a_test")];
    let expected = [
        "`Iterator for Shown` has methods that wait, and is in neither table",
        "`Shown::c` says that it waits, and is in neither table",
        "`Shown::gone` is in a table, and nothing of that name waits",
        "`Shown::b` is held by no_test, which is no test",
    ];
    assert_eq!(findings(&surface, &tests, &held, &[("Shown::recv_d", "a reason")]), expected);
}

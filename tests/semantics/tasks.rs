//! Semantics 4.6, 5.3 and 6.1 for tasks: futures on the event loop of an isolate.

use super::tells;

#[test]
fn tasks_mix_with_callbacks_and_blocking_calls() {
    tells(
        "tasks_mixed",
        &[
            "called with 1",
            "awaited 2, with a local of the entry",
            "the sum is 9",
            "after the entry returned: Some(9)",
            "a timer, which spawns a task",
            "the task",
            "called with 5",
        ],
    );
}

#[test]
fn tasks_sleep_select_and_time_out() {
    tells(
        "tasks_timing",
        &[
            "slept: first",
            "slept: second",
            "slept: third",
            "dropped: too late",
            "timed out: true",
            "in time: Ok(7)",
            "slept: won",
            "dropped: lost",
            "Second(())",
            "the first is looked at first: true",
            "First(Ok(1))",
            "a future that was lent is still there",
        ],
    );
}

#[test]
fn tasks_lose_no_message_when_a_receive_is_dropped() {
    tells(
        "tasks_cancelled",
        &[
            "timed out: true, then Ok(1)",
            "received: Ok(2), Ok(3)",
            "no more: true",
            "awaited: Ok(4), Some(5)",
            "of any port: Ok((1, 10))",
            "discarded: true, then Ok(12)",
            "listened: 6",
            "listened: 7",
            "two that wait get one each: (Ok(14), Ok(13))",
            "closed: true",
            "dropped with its port: true",
        ],
    );
}

#[test]
fn s6_1_streams_end_and_close() {
    tells(
        "tasks_streams",
        &[
            "unreachable after [0, 1, 2]",
            "through the trait: 10",
            "closed: None, Err(the port is closed)",
            "first, borrowed: Ok(0)",
            "take: Some(1) Some(2) None",
            "take, owned: (Some(3), true, None)",
            "first, owned: (Ok(1), true)",
            "first of none: true",
            "single: Ok(0)",
            "single of two: true",
            "single of none: true",
            "blocking single: Ok(0) true",
            "in time: true Some(Ok(0)) None",
        ],
    );
}

#[test]
fn s5_3_an_unfinished_task_keeps_its_isolate_alive() {
    tells(
        "tasks_alive",
        &[
            "slept",
            "it ended",
            "done at once",
            "it ended",
            "aborted",
            "it ended",
            "unreachable: Err(nobody can send to the port)",
            "it ended",
            "got Ok(1)",
            "it ended",
            "stops",
            "it ended",
        ],
    );
}

#[test]
fn s4_6_an_error_of_a_task_that_nobody_awaits_is_uncaught() {
    tells(
        "tasks_errors",
        &[
            "dropped at once",
            "dropped when it was done",
            "awaited: 1, and it goes on: 2",
            "and this one is fatal",
            "insula_guest::run is called in a task, a listener or a timer, where the event loop runs already: await the future, or spawn a task; in the guest's own file: true",
            "insula_guest::run: the future waits for what can never come: no task is ready, no timer is set, and nobody can send to a port that is waited for; in the guest's own file: true",
        ],
    );
}

#[test]
fn s4_1_a_pause_holds_tasks() {
    tells(
        "tasks_paused",
        &[
            "a task that is always ready starves no timer: 0, and no message: 1",
            "paused: 100",
            "nothing but the ping: 200, true",
            "resumed: (2, 3, 4)",
            "gone",
        ],
    );
}

#[test]
fn s2_5_a_computation_can_be_awaited() {
    tells(
        "tasks_computed",
        &[
            "the sum is 29",
            "Err(\"as it is\")",
            "panicked: true",
            "timed out: true",
            "and killed: Err(nobody can send to the port)",
            "cancelled: Err(nobody can send to the port)",
        ],
    );
}

#[test]
fn s6_4_a_message_that_a_stream_cannot_decode_is_an_uncaught_error() {
    tells("tasks_undecodable", &["the message does not decode as u32, at byte 1", "received 7", "the end"]);
}

#[test]
fn a_task_that_is_ready_when_a_run_ends_goes_on() {
    tells("tasks_left_ready", &["a task that was ready went on"]);
}

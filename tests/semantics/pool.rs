//! Pools: few isolates that work on many jobs (semantics 2.5 and 7.1 for each of them).

use super::tells;

#[test]
fn a_pool_gives_values_errors_and_failures_to_those_who_submitted() {
    tells(
        "pool_results",
        &[
            "100 squares: true",
            "Ok(4)",
            "Err(Odd { number: 7, next: 8 })",
            "failed: true",
            "and nobody else: Ok(2)",
            "trapped: call stack exhausted",
            "PoolStats { idle: 3, busy: 0, queued: 0, done: 103, failed: 2, cancelled: 0, replaced: 2 }",
            "awaited: 13",
            "the first begins",
            "left by the first",
            "the second begins",
            "left by the second",
        ],
    );
}

#[test]
fn a_pool_is_bounded_and_takes_the_highest_priority_first() {
    tells(
        "pool_queue",
        &[
            "full: true, PoolStats { idle: 0, busy: 1, queued: 4, done: 0, failed: 0, cancelled: 0, replaced: 0 }",
            "high",
            "normal",
            "normal too",
            "low",
            "PoolStats { idle: 1, busy: 0, queued: 0, done: 5, failed: 0, cancelled: 1, replaced: 0 }",
        ],
    );
}

#[test]
fn a_pool_kills_what_is_late_or_cancelled_and_replaces_the_worker() {
    tells(
        "pool_killed",
        &[
            "timed out: true, its worker is gone",
            "the next has a worker: Ok(1)",
            "an idle one was killed: Ok(1)",
            "cancelled: its worker is gone",
            "the next has a worker: Ok(2)",
            "given up: true, its worker is gone",
            "awaited no longer: true, its worker is gone",
            "the next has a worker: Ok(3)",
            "PoolStats { idle: 1, busy: 0, queued: 0, done: 6, failed: 1, cancelled: 3, replaced: 5 }",
            "killed with the pool's owner: its worker is gone",
            "the pool is dropped: its worker is gone",
            "under way: Err(the pool has ended), queued: Err(the pool has ended)",
            "awaited: Err(the pool has ended)",
            "too late: Err(the pool has ended), Err(the pool has ended)",
        ],
    );
}

#[test]
fn a_job_waits_for_jobs_of_its_own_pool() {
    tells(
        "pool_nested",
        &[
            "size 1: joined true, awaited true",
            "size 3: joined true, awaited true",
            "to and fro between two of size 1: 5",
            "as deep as there is room for isolates, then an error: true",
            "after a cancel of both: Ok(1)",
        ],
    );
}

#[test]
fn a_pool_that_cannot_be_born_or_answer_says_so() {
    tells(
        "pool_refused",
        &[
            "Err(a pool has at least one worker)",
            "without memory: true",
            "more than there is room for: true",
            "the worker does not take the argument: the message is larger than the limit",
            "the value cannot be sent: 1.Value: a secret",
            "the worker is still there: Ok(1)",
            "PoolStats { idle: 1, busy: 0, queued: 0, done: 1, failed: 2, cancelled: 0, replaced: 0 }",
            "Err(the value found no room in this isolate's mailbox)",
        ],
    );
}

//! Results as libtest's JSON: one object a line, each an event.

use anstream::adapter::strip_str;
use serde_json::{Value, json};

use super::each::{Done, Verdict};
use super::show::Sum;

pub(super) fn began(count: usize) -> String {
    line(&json!({ "type": "suite", "event": "started", "test_count": count }))
}

/// Two lines: libtest says of each test when it starts, too.
pub(super) fn ended(done: &Done) -> String {
    let started = line(&json!({ "type": "test", "event": "started", "name": done.name }));
    let event = match &done.verdict {
        Verdict::Passed => "ok",
        Verdict::Ignored(_) => "ignored",
        Verdict::Failed(_) | Verdict::TimedOut(_) => "failed",
    };
    let mut over = json!({ "type": "test", "name": done.name, "event": event, "exec_time": done.took.as_secs_f64() });
    match &done.verdict {
        Verdict::Passed | Verdict::Ignored(None) => {}
        Verdict::Ignored(Some(reason)) => over["message"] = reason.as_str().into(),
        Verdict::Failed(why) => over["message"] = why.as_str().into(),
        Verdict::TimedOut(_) => over["reason"] = "time limit exceeded".into(),
    }
    let told = strip_str(&done.raw()).to_string();
    if event != "ignored" && !told.is_empty() {
        over["stdout"] = told.into();
    }
    started + &line(&over)
}

pub(super) fn is_over(sum: &Sum) -> String {
    let event = if sum.failed == 0 { "ok" } else { "failed" };
    line(&json!({
        "type": "suite", "event": event, "passed": sum.passed, "failed": sum.failed, "ignored": sum.ignored,
        "measured": 0, "filtered_out": sum.filtered_out, "exec_time": sum.took.as_secs_f64(),
    }))
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

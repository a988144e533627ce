//! Has the port of a plugin, and knows nothing of the isolates behind it; and a plugin that keeps what it is told.

use insula_guest::{HostFunction, Request, SendPort, ServiceEnd};
use serde::{Deserialize, Serialize};

/// Some of what `serves_calls` answers.
#[derive(Serialize, Deserialize)]
enum Question {
    Count(u64),
    Fail(String),
    Panic(String),
    Drop,
    Keep,
}

type Asked = HostFunction<Question, Vec<u64>>;
type Halved = Result<u64, String>;

/// Asks the plugin what it is asked.
fn asks((plugin, end): (Asked, ServiceEnd<Question, Result<Vec<u64>, String>>)) {
    end.serve(|question| plugin.call(&question).map_err(|error| error.to_string()));
}

/// Has numbers halved without pause until one is not, and says how many were.
fn hammers((halves, until, report): (HostFunction<u64, Halved>, u64, SendPort<Halved>)) {
    for number in 0..until {
        match halves.call(&(2 * number)) {
            Ok(Ok(half)) if half == number => {}
            other => {
                report.send(Err(format!("{number}: {other:?}"))).ok();
                return;
            }
        }
    }
    report.send(Ok(until)).ok();
}

/// Asks what the plugin keeps for good, and dies of nothing but a kill.
fn waits_for_good(plugin: Asked) {
    plugin.call(&Question::Keep).ok();
}

/// Keeps the numbers that it is told; asked for 0, it gives them away.
fn notes(end: ServiceEnd<u64, Vec<u64>>) {
    let mut noted = Vec::new();
    end.serve(|number| {
        if number == 0 {
            return std::mem::take(&mut noted);
        }
        noted.push(number);
        Vec::new()
    });
}

/// As `notes`, with a listener.
fn listens(end: ServiceEnd<u64, Vec<u64>>) {
    let mut noted = Vec::new();
    end.open().listen(move |Request { question, reply }| {
        let answer = if question == 0 { std::mem::take(&mut noted) } else { Vec::new() };
        noted.extend(Some(question).filter(|number| *number != 0));
        reply.answer(answer).ok();
    });
}

insula_guest::export!(asks as "asks");
insula_guest::export!(listens as "listens");
insula_guest::export!(hammers as "hammers");
insula_guest::export!(waits_for_good as "waits");
insula_guest::export!(notes as "notes");

fn main() {}

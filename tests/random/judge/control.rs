//! Pings and pauses.

use std::collections::BTreeSet;

use super::view::{Step, View};
use crate::random::language::{Act, Record};
use crate::random::run::Heard;

/// An answer was asked for, comes once, and where an isolate asks itself it comes at the right time.
pub(super) fn pings_are_answered_once(view: &View<'_>, complaints: &mut Vec<String>) {
    for who in view.labels() {
        let mut seen = BTreeSet::new();
        for heard in view.log(who) {
            let Heard::Ping(pong) = heard else { continue };
            let Record::Pong { by, number } = *pong else {
                complaints.push(format!("a ping is answered with its response: {who} answered {pong:?}"));
                continue;
            };
            let asks = |step: &Step<'_>| matches!(step.act, Act::Ping { whom, number: asked, .. } if (*whom, *asked) == (who, number));
            if !view.lives.get(by as usize).is_some_and(|life| life.steps.iter().any(asks)) {
                complaints.push(format!("no answer without a ping: {who} answered {by}'s {number}"));
            }
            if !seen.insert((by, number)) {
                complaints.push(format!("a ping is answered once: {who} answered {by}'s {number} again"));
            }
        }
        for step in &view.life(who).steps {
            if let (Act::Ping { whom, number, at_once }, Some((done, _))) = (step.act, step.outcome)
                && *whom == who
            {
                own_ping(view, who, (*number, *at_once), step.at..done, complaints);
            }
        }
    }
}

/// At once is before the call returns; the end of the turn is not, and it is not later than the next wait.
fn own_ping(
    view: &View<'_>,
    who: u32,
    (number, at_once): (u32, bool),
    call: std::ops::Range<usize>,
    complaints: &mut Vec<String>,
) {
    let pong = Heard::Ping(Record::Pong { by: who, number });
    let answered = view.log(who).iter().position(|heard| *heard == pong);
    let within = answered.is_some_and(|at| call.contains(&at));
    if within != at_once {
        let when = if at_once { "at once" } else { "at the end of its turn" };
        complaints.push(format!("a ping is answered {when}: {who}'s {number} to itself"));
    }
    let waited = view.life(who).steps.iter().filter(|step| step.at > call.end && step.waits());
    let wait = waited.filter_map(|step| step.outcome).map(|(done, _)| done).min();
    if let Some(wait) = wait.filter(|wait| answered.is_none_or(|at| at > *wait)) {
        complaints.push(format!("a wait ends a turn: {who}'s ping {number} to itself was open after it, at {wait}"));
    }
}

/// Between what is paused and what resumes it no wait comes to its end, and who is born paused does not begin.
pub(super) fn pauses_hold(view: &View<'_>, complaints: &mut Vec<String>) {
    for who in view.labels() {
        let life = view.life(who);
        let waits = life.steps.iter().filter(|step| step.waits());
        let waits = waits.filter_map(|step| Some((step.at, step.outcome?.0)));
        let serves = life.steps.iter().find(|step| step.serves()).map_or(usize::MAX, |step| step.at);
        let served = life.taken.iter().filter(|taken| taken.at > serves);
        for (since, until) in waits.chain(served.map(|taken| (taken.since, taken.at))) {
            let mut paused = BTreeSet::new();
            for (at, heard) in view.log(who)[..until].iter().enumerate() {
                match heard {
                    Heard::Said(Record::Paused { by, token }) if at < since => drop(paused.insert((*by, *token))),
                    Heard::Said(Record::Resuming { by, token }) => drop(paused.remove(&(*by, *token))),
                    _ => {}
                }
            }
            if let Some((by, token)) = paused.first() {
                complaints.push(format!(
                    "a pause holds: isolate {who} went on at {until}, paused by {by} with {token} before {since}"
                ));
            }
        }
        let born_paused = view.birth(who).is_some_and(|(_, step)| matches!(step.act, Act::Spawn { paused: true, .. }));
        let mut lifts = view
            .steps()
            .filter(|(_, step)| matches!(step.act, Act::ResumeBirth { whom, allowed: true } if *whom == who));
        if born_paused && lifts.next().is_none() && !life.steps.is_empty() {
            complaints.push(format!("a birth that is paused waits: isolate {who} began"));
        }
    }
}

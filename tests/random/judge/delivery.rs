//! Accepted is delivered, or dropped at the close, or still queued; each sender's order is kept.

use std::collections::{BTreeMap, BTreeSet};

use super::exits::{knows_dead, late_is_at_once};
use super::view::{Fate, Sent, Taken, View};
use crate::random::language::{Act, Name, Op, Outcome};

/// All that was sent, by sender and number.
fn by_number<'v>(view: &'v View<'_>) -> BTreeMap<(u32, u32), Sent<'v>> {
    view.sends().map(|sent| ((sent.from, sent.number), sent)).collect()
}

/// For each sender and port: what is taken was sent, once, unchanged, in order, and without a gap that nobody made.
pub(super) fn accepted_is_delivered_or_dropped(view: &View<'_>, complaints: &mut Vec<String>) {
    let sends = by_number(view);
    let mut seen = BTreeSet::new();
    let mut last: BTreeMap<(u32, Name), u32> = BTreeMap::new();
    for taken in all_taken(view) {
        let (from, number, at) = (taken.got.from, taken.got.number, taken.got.at);
        let what = format!("{from}'s message {number} at {at:?}");
        let Some(sent) = sends.get(&(from, number)).filter(|sent| sent.to == at) else {
            complaints.push(format!("nothing is invented: {what} was never sent there"));
            continue;
        };
        if sent.fate == Fate::Refused {
            complaints.push(format!("what is refused is not delivered: {what} was"));
        }
        if (sent.port, sent.handle) != (taken.got.port, taken.got.handle) {
            complaints.push(format!("a message arrives as it was sent: {what} carried {sent:?}, {taken:?}"));
        }
        if !seen.insert((from, number)) {
            complaints.push(format!("nothing is delivered twice: {what} was"));
        } else if last.insert((from, at), number).is_some_and(|last| last > number) {
            complaints.push(format!("each sender's order is kept: {what} came after a later one"));
        }
    }
    for ((from, at), last) in last {
        let queued = sends.values().filter(|sent| sent.from == from && sent.to == at && sent.number < last);
        let missing = queued.filter(|sent| sent.fate == Fate::Accepted && !seen.contains(&(from, sent.number)));
        let missing: Vec<u32> = missing.map(|sent| sent.number).collect();
        if missing.len() > view.discards(at) {
            complaints.push(format!("no accepted message is lost: {from}'s {missing:?} at {at:?}, before {last}"));
        }
    }
}

/// All messages that were taken, notices aside, each receiver's in order.
fn all_taken<'v, 'a>(view: &'v View<'a>) -> impl Iterator<Item = &'v Taken<'a>> {
    view.lives.iter().flat_map(|life| &life.taken).filter(|taken| !taken.got.notice)
}

/// Of all ports at once, each sender's earliest message comes first.
pub(super) fn one_order_across_ports(view: &View<'_>, complaints: &mut Vec<String>) {
    let sends = by_number(view);
    for taken in all_taken(view).filter(|taken| taken.is_of_any) {
        let (from, at) = (taken.got.from, taken.got.at);
        let earlier = sends.range((from, 0)..(from, taken.got.number)).map(|(_, sent)| sent);
        for sent in earlier.filter(|sent| sent.fate == Fate::Accepted && sent.to.owner == at.owner) {
            let closed = view.closes_at(sent.to).is_some_and(|closed| closed < taken.at);
            let gone = closed || view.discards(sent.to) > 0;
            if !gone && !view.is_taken(from, sent.number, sent.to, taken.at) {
                complaints.push(format!(
                    "each sender's order is kept across ports: {from}'s {} at {at:?} came before its {} at {:?}",
                    taken.got.number, sent.number, sent.to
                ));
            }
        }
    }
}

/// What an isolate knows for certain of its own ports: whether they are open, whether there is room, what is queued.
pub(super) fn own_ports_answer_truly(view: &View<'_>, complaints: &mut Vec<String>) {
    for sent in view.sends() {
        let Some((_, outcome)) = sent.step.outcome else { continue };
        let what = format!("{}'s send {} to {:?} is {outcome:?}", sent.from, sent.number, sent.to);
        let closed = view.closes_at(sent.to).is_some_and(|closed| closed < sent.step.at);
        let own = sent.to.owner == sent.from;
        if own && (*outcome == Outcome::Closed) != closed {
            complaints.push(format!("one's own port is closed when one has closed it: {what}"));
        }
        if *outcome == Outcome::Full && !has_little_room(view, sent.to.owner) {
            complaints.push(format!("a mailbox with room is not full: {what}"));
        }
    }
    for label in view.labels() {
        for step in &view.life(label).steps {
            let (Act::TryReceive { port } | Act::ReceiveFor1Ms { port } | Act::Receive { port }) = step.act else {
                continue;
            };
            let closed = view.closes_at(*port).is_some_and(|closed| closed < step.at);
            match step.outcome {
                Some((_, Outcome::Empty)) => no_own_left(view, *port, step.at, complaints),
                Some((_, outcome)) if (*outcome == Outcome::Closed) != closed => {
                    complaints.push(format!("a port is closed when its owner has closed it: {port:?}, {step:?}"));
                }
                Some(_) | None => {}
            }
        }
    }
}

/// A child has no more room than its parent.
fn has_little_room(view: &View<'_>, label: u32) -> bool {
    let ops = || view.run.program.scripts.iter().flatten();
    let little =
        |who: u32| ops().any(|op| matches!(op, Op::Spawn(birth) if birth.child == who && birth.room.is_some()));
    std::iter::successors(Some(label), |who| view.birth(*who).map(|(parent, _)| parent)).any(little)
}

fn no_own_left(view: &View<'_>, port: Name, before: usize, complaints: &mut Vec<String>) {
    let own = view.sends().filter(|sent| sent.from == port.owner && sent.to == port && sent.step.at < before);
    for sent in own.filter(|sent| sent.fate == Fate::Accepted && view.discards(port) == 0) {
        if !view.is_taken(sent.from, sent.number, port, before) {
            complaints.push(format!("a port with a message is not empty: {port:?} has {}", sent.number));
        }
    }
}

/// Who learns that nobody can send has taken all that was sent, and nothing comes any more.
pub(super) fn unreachable_is_empty(view: &View<'_>, complaints: &mut Vec<String>) {
    for label in view.labels() {
        let steps = &view.life(label).steps;
        for step in steps.iter().filter(|step| matches!(step.outcome, Some((_, Outcome::Unreachable)))) {
            let ports: Vec<Name> = match step.act {
                Act::Receive { port } | Act::ReceiveFor1Ms { port } | Act::TryReceive { port } => vec![*port],
                _ => own_open(view, label, step.at),
            };
            for port in ports {
                let passed_on = steps.iter().any(|later| later.at > step.at && passes_on(later.act, port));
                let unread = view.sends().find(|sent| {
                    sent.to == port
                        && sent.from != label
                        && sent.fate == Fate::Accepted
                        && !view.is_taken(sent.from, sent.number, port, step.at)
                });
                if let Some(sent) = unread.filter(|_| !passed_on && view.discards(port) == 0) {
                    complaints.push(format!("nobody can send to an unreachable port: {port:?} was sent {sent:?}"));
                }
            }
        }
    }
}

fn own_open(view: &View<'_>, label: u32, before: usize) -> Vec<Name> {
    let steps = view.life(label).steps.iter().filter(|step| step.at < before);
    let opened = steps.filter_map(|step| match step.act {
        Act::Open { port, .. } => Some(*port),
        _ => None,
    });
    opened.filter(|port| view.closes_at(*port).is_none_or(|closed| closed > before)).collect()
}

fn passes_on(act: &Act, port: Name) -> bool {
    match act {
        Act::Send { port: carried, .. } => *carried == Some(port),
        Act::Spawn { ports, .. } => ports.contains(&port),
        Act::Watch { port: at, .. } => *at == port,
        _ => false,
    }
}

/// Who takes an exit notice has taken before it what the dead had sent to the same port, and finds the dead dead.
pub(super) fn data_before_the_notice(view: &View<'_>, complaints: &mut Vec<String>) {
    for by in view.labels() {
        for who in view.labels().filter(|who| *who != by) {
            let Some((since, at)) = knows_dead(view, by, who) else { continue };
            late_is_at_once(view, by, who, since, complaints);
            let sends = view.sends().filter(|sent| sent.from == who && sent.to == at && sent.fate == Fate::Accepted);
            for sent in sends.filter(|sent| view.discards(at) == 0 && !view.is_taken(who, sent.number, at, since)) {
                complaints.push(format!(
                    "what was sent before the death comes before the notice: {who}'s {} at {at:?} does not",
                    sent.number
                ));
            }
            let late = view.sends().filter(|sent| sent.from == by && sent.to.owner == who && sent.step.at > since);
            for sent in late.filter(|sent| sent.fate == Fate::Accepted) {
                complaints.push(format!("the dead accept nothing: {who}, known dead, took {by}'s {}", sent.number));
            }
        }
    }
}

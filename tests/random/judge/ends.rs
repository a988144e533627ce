//! Why isolates ended, and why a run did.

use insula::Exit;

use super::errors::is_fatal;
use super::view::{Fate, Step, View};
use crate::random::language::{Act, Name, Outcome};

/// Whether the act is the last of an isolate if it does what it says. One that fails in the event loop goes on.
pub(super) fn is_terminal(act: &Act) -> bool {
    matches!(act, Act::Panic { .. } | Act::Trap | Act::ProcExit { .. } | Act::Return)
}

/// Whether the run ended others than main.
fn is_closed(view: &View<'_>) -> bool {
    view.run.asleep.is_some() || !matches!(view.run.main, Exit::Returned | Exit::Exited)
}

/// Whether somebody, itself included, asked for its end who may, or its run or its parent may have ended it.
pub(super) fn is_killable(view: &View<'_>, who: u32) -> bool {
    let scoped = view.birth(who).is_some_and(|(_, step)| matches!(step.act, Act::Spawn { scoped: true, .. }));
    let asleep = view.run.asleep.is_some();
    asleep || (who != 0 && is_closed(view)) || scoped || is_killed(view, who)
}

fn is_killed(view: &View<'_>, who: u32) -> bool {
    let mut line = vec![who];
    while let Some((parent, _)) = line.last().and_then(|child| view.birth(*child)) {
        line.push(parent);
    }
    view.steps().any(|(_, step)| match step.act {
        Act::Kill { whom, allowed, .. } => *allowed && *whom == who,
        Act::KillTree { whom, allowed } => *allowed && line.contains(whom),
        _ => false,
    })
}

/// Whoever was born and not killed ended by what it did itself.
pub(super) fn nobody_dies_without_a_cause(view: &View<'_>, complaints: &mut Vec<String>) {
    for who in view.labels().filter(|who| view.is_born(*who) == Some(true) && !is_killable(view, *who)) {
        let life = view.life(who);
        let served = life.steps.iter().any(Step::serves);
        let cause = life.steps.last().is_some_and(|step| match step.act {
            Act::Report { .. } => step.outcome.is_none() && is_fatal(view, who, step.at) != Some(false),
            Act::Fail { .. } | Act::Exit { .. } => step.outcome.is_none(),
            act => is_terminal(act),
        });
        if !cause && !served {
            complaints.push(format!("nobody dies without a cause: isolate {who}, after {:?}", life.steps.last()));
        }
    }
}

/// The exit that the run tells of main is one that main said or somebody asked for.
pub(super) fn mains_exit_is_true(view: &View<'_>, complaints: &mut Vec<String>) {
    let life = view.life(0);
    let served = life.steps.iter().any(Step::serves);
    let last = life.steps.last().filter(|step| step.outcome.is_none()).map(|step| step.act);
    let is_true = match &view.run.main {
        Exit::Returned => matches!(last, Some(Act::Return | Act::Fail { .. })) || served,
        Exit::Exited => matches!(last, Some(Act::Exit { .. })),
        Exit::Failed { .. } => matches!(last, Some(Act::Fail { .. } | Act::Report { .. })) || served,
        Exit::Panicked { .. } => matches!(last, Some(Act::Panic { .. })),
        Exit::Trapped { .. } => matches!(last, Some(Act::Trap)),
        Exit::ProcExit { code } => matches!(last, Some(Act::ProcExit { code: said }) if said == code),
        Exit::Killed { .. } => is_killed(view, 0),
        Exit::HostClosed => view.run.asleep.is_some(),
        _ => false,
    };
    if !is_true {
        complaints.push(format!("main's exit is true: {:?} after {last:?}", view.run.main));
    }
}

/// A run that ends because all sleep: each of the sleepers waits, for what cannot come.
///
/// The sleepers are ended one after another, and one that goes wakes those who waited for it: they may get some way
/// before it is their turn. So where a sleeper learned that nobody can send, no more is asked than that all had waited.
pub(super) fn who_sleeps_cannot_wake(view: &View<'_>, complaints: &mut Vec<String>) {
    let Some(asleep) = &view.run.asleep else { return };
    let sleepers: Vec<u32> = asleep.iter().map(|(label, _)| *label).collect();
    let mut ports = Vec::new();
    for (who, paused) in asleep {
        let mut steps = view.steps();
        let may_pause = steps.any(|(_, step)| match step.act {
            Act::Pause { whom, allowed: true, .. } | Act::Spawn { child: whom, paused: true, .. } => whom == who,
            _ => false,
        });
        if *paused {
            if !may_pause {
                complaints.push(format!("only who was paused is paused: isolate {who} sleeps so"));
            }
            continue;
        }
        let life = view.life(*who);
        let last = life.steps.last().filter(|step| step.outcome.is_none()).map(|step| step.act);
        let waits = |act: &Act| matches!(act, Act::Receive { .. } | Act::ReceiveAny | Act::Serve { .. });
        if !life.steps.iter().any(|step| waits(step.act)) && !matches!(last, Some(Act::Send { .. })) {
            complaints.push(format!("who sleeps waits: isolate {who} sleeps after {:?}", life.steps.last()));
        }
        if let Some(Act::Receive { port }) = last {
            ports.push(*port);
        }
    }
    let unreachable = |step: &Step<'_>| matches!(step.outcome, Some((_, Outcome::Unreachable)));
    if !sleepers.iter().any(|who| view.life(*who).steps.iter().any(unreachable)) {
        ports.iter().for_each(|port| waits_in_vain(view, *port, &sleepers, complaints));
    }
}

/// No message is there, and somebody who sleeps could send one.
fn waits_in_vain(view: &View<'_>, port: Name, sleepers: &[u32], complaints: &mut Vec<String>) {
    let untaken = |to: Name, from: u32, number: u32| !view.is_taken(from, number, to, usize::MAX);
    for sent in view.sends().filter(|sent| sent.to == port && sent.fate == Fate::Accepted) {
        if untaken(port, sent.from, sent.number) && view.discards(port) == 0 {
            complaints.push(format!("nobody sleeps with a message there: {port:?} has {sent:?}"));
        }
    }
    let given = view.steps().any(|(by, step)| match step.act {
        Act::Spawn { child, ports, .. } => sleepers.contains(child) && ports.contains(&port),
        Act::Watch { whom, port: at, .. } => *at == port && sleepers.contains(whom),
        _ => {
            matches!(step.outcome, Some((_, Outcome::Got(got))) if got.port == Some(port))
                && sleepers.contains(&by)
                && by != port.owner
        }
    });
    let served = sleepers.iter().flat_map(|by| &view.life(*by).taken);
    let served = served.filter(|taken| taken.got.port == Some(port) && taken.got.at.owner != port.owner).count() > 0;
    let carried = view.sends().any(|sent| {
        sent.port == Some(port)
            && sent.fate != Fate::Refused
            && sleepers.contains(&sent.to.owner)
            && untaken(sent.to, sent.from, sent.number)
    });
    if !(given || served || carried) {
        complaints.push(format!("who waits for an unreachable port is told: {port:?} has no holder that lives"));
    }
}

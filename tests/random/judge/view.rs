//! The records in the order in which the laws ask for them.

use crate::random::language::{Act, Got, Name, Outcome, Record};
use crate::random::run::{Heard, Run};

/// One thing that an isolate did.
#[derive(Debug)]
pub(super) struct Step<'a> {
    pub(super) act: &'a Act,
    /// Where in its log it said so.
    pub(super) at: usize,
    /// What came of it, and where it said that.
    pub(super) outcome: Option<(usize, &'a Outcome)>,
}

/// A message that an isolate took.
#[derive(Debug)]
pub(super) struct Taken<'a> {
    pub(super) got: &'a Got,
    pub(super) at: usize,
    /// Where the wait for it began.
    pub(super) since: usize,
    /// Whether it was the first that had come to any open port.
    pub(super) is_of_any: bool,
}

/// What became of a send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Accepted,
    Refused,
    /// The sender ended before it could say.
    Unknown,
}

#[derive(Debug)]
pub(super) struct Sent<'a> {
    pub(super) from: u32,
    pub(super) to: Name,
    pub(super) number: u32,
    pub(super) port: Option<Name>,
    pub(super) handle: Option<u32>,
    pub(super) fate: Fate,
    pub(super) step: &'a Step<'a>,
}

/// What an isolate did, in order.
#[derive(Debug, Default)]
pub(super) struct Life<'a> {
    pub(super) steps: Vec<Step<'a>>,
    pub(super) taken: Vec<Taken<'a>>,
}

pub(super) struct View<'a> {
    pub(super) run: &'a Run,
    pub(super) lives: Vec<Life<'a>>,
}

impl<'a> View<'a> {
    pub(super) fn of(run: &'a Run) -> View<'a> {
        View { run, lives: run.logs.iter().map(|log| life(log)).collect() }
    }

    /// The labels of all isolates that the program has.
    pub(super) fn labels(&self) -> impl Iterator<Item = u32> + use<> {
        0..u32::try_from(self.lives.len()).expect("few isolates")
    }

    pub(super) fn life(&self, label: u32) -> &Life<'a> {
        &self.lives[label as usize]
    }

    pub(super) fn log(&self, label: u32) -> &'a [Heard] {
        &self.run.logs[label as usize]
    }

    /// All steps of all isolates, with whose they are.
    pub(super) fn steps(&self) -> impl Iterator<Item = (u32, &Step<'a>)> {
        self.labels().flat_map(|label| self.life(label).steps.iter().map(move |step| (label, step)))
    }

    /// All that was sent, each sender's in order.
    pub(super) fn sends(&self) -> impl Iterator<Item = Sent<'_>> {
        self.steps().filter_map(|(from, step)| {
            let (to, number, port, handle) = match step.act {
                Act::Send { to, number, port, handle } => (*to, *number, *port, *handle),
                Act::Exit { to: Some(to), number } => (*to, *number, None, None),
                _ => return None,
            };
            let fate = match step.outcome {
                Some((_, Outcome::Done)) => Fate::Accepted,
                Some(_) => Fate::Refused,
                None => Fate::Unknown,
            };
            Some(Sent { from, to, number, port, handle, fate, step })
        })
    }

    /// The step that spawned an isolate.
    pub(super) fn birth(&self, label: u32) -> Option<(u32, &Step<'a>)> {
        self.steps().find(|(_, step)| matches!(step.act, Act::Spawn { child, .. } if *child == label))
    }

    /// Whether it was born; nothing where its parent ended before it could say, and nobody heard of it.
    pub(super) fn is_born(&self, label: u32) -> Option<bool> {
        let birth = self.birth(label).map(|(_, step)| step.outcome);
        match birth {
            _ if label == 0 => Some(true),
            Some(Some((_, Outcome::Done))) => Some(true),
            Some(None) if !self.life(label).steps.is_empty() => Some(true),
            Some(None) => None,
            Some(Some(_)) | None => Some(false),
        }
    }

    /// Whether a port's owner threw messages away unread.
    pub(super) fn discards(&self, port: Name) -> usize {
        let steps = self.life(port.owner).steps.iter();
        let discards = steps.filter(|step| matches!(step.act, Act::Discard { port: from } if *from == port));
        discards.filter(|step| !matches!(step.outcome, Some((_, Outcome::Empty)))).count()
    }

    /// Where in its owner's log a port begins to close.
    pub(super) fn closes_at(&self, port: Name) -> Option<usize> {
        let life = self.life(port.owner);
        let closed = life.steps.iter().find(|step| matches!(step.act, Act::Close { port: closed } if *closed == port));
        let ended = life.taken.iter().find(|taken| taken.got.at == port && taken.got.closes);
        closed.map(|step| step.at).into_iter().chain(ended.map(|taken| taken.at)).min()
    }

    /// Whether the owner of a port took this message out of it, before this place of its log.
    pub(super) fn is_taken(&self, from: u32, number: u32, at: Name, before: usize) -> bool {
        let mut taken = self.life(at.owner).taken.iter().filter(|taken| taken.at < before && !taken.got.notice);
        taken.any(|taken| (taken.got.from, taken.got.number, taken.got.at) == (from, number, at))
    }
}

impl Step<'_> {
    pub(super) fn is_done(&self) -> bool {
        matches!(self.outcome, Some((_, Outcome::Done)))
    }

    /// Whether it ends a turn.
    pub(super) fn waits(&self) -> bool {
        let waits = matches!(self.act, Act::Receive { .. } | Act::ReceiveFor1Ms { .. } | Act::ReceiveAny | Act::Sleep);
        waits || self.serves()
    }

    /// Whether the event loop runs from here on.
    pub(super) fn serves(&self) -> bool {
        matches!(self.act, Act::Serve { .. })
    }
}

fn life(log: &[Heard]) -> Life<'_> {
    let mut life = Life::default();
    let mut last_said = 0;
    for (at, heard) in log.iter().enumerate() {
        match heard {
            Heard::Said(Record::Will(act)) => life.steps.push(Step { act, at, outcome: None }),
            Heard::Said(Record::Did(outcome)) => {
                let serves = life.steps.iter().any(Step::serves);
                let step = life.steps.last_mut();
                let is_of_any = serves || step.as_ref().is_some_and(|step| *step.act == Act::ReceiveAny);
                if let Outcome::Got(got) = outcome {
                    life.taken.push(Taken { got, at, since: last_said, is_of_any });
                }
                if let Some(step) = step.filter(|_| !serves) {
                    step.outcome = Some((at, outcome));
                }
            }
            Heard::Said(_) | Heard::Exit(_) | Heard::Ping(_) | Heard::Error(_) => continue,
        }
        last_said = at;
    }
    life
}

/// Nobody saw what must never be, and nothing was refused that must not be.
pub(super) fn honest(view: &View<'_>, complaints: &mut Vec<String>) {
    for label in view.labels() {
        for heard in view.log(label) {
            if let Heard::Said(Record::Did(Outcome::Broken(what))) = heard {
                complaints.push(format!("isolate {label} saw: {what}"));
            }
        }
    }
    for (label, step) in view.steps() {
        // A notice to one's own port may find no room, or the port closed.
        if let (Some((_, Outcome::Refused(why))), false) = (step.outcome, matches!(step.act, Act::Watch { .. })) {
            complaints.push(format!("isolate {label} was refused {:?}: {why}", step.act));
        }
    }
}

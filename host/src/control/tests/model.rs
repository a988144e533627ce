//! Isolates, mailboxes and the registry together against a model that is written from semantics.md: whatever is done to
//! them, in whatever order, everybody hears what the model says, in its order, and all room and all rights come back.
//!
//! The model keeps no counts. What is reserved, queued and held follows from what is registered, sent and alive.

mod pair;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use pair::Pair;

/// Ports of observers, which are there from the start: two in one mailbox, one in another.
const OBSERVERS: [usize; 3] = [0, 0, 1];

/// Isolates that live at once, and ports that each is born with.
const LIVING_MAX: u32 = 3;
const PORTS_EACH: usize = 2;

/// Messages that fit a mailbox.
const ROOM: u64 = 14;

#[derive(Clone, Copy, Debug)]
enum Cause {
    Returned,
    Exited,
    Failed,
    Trapped,
    HostClosed,
}

/// Isolates and ports are named by number, modulo how many there are.
#[derive(Clone, Debug)]
enum Act {
    Birth { parent: Option<usize>, fatal: bool, paused: bool, scoped: bool },
    Send { port: usize, carries: Option<usize> },
    Take { port: usize },
    ClosePort { port: usize },
    Hold { who: usize, port: usize },
    LetGo { who: usize, port: usize },
    Pause { who: usize, token: u64 },
    Resume { who: usize, token: u64 },
    Ping { who: usize, port: usize, at_once: bool },
    ListenExit { who: usize, port: usize },
    ForgetExit { who: usize, port: usize },
    ListenErrors { who: usize, port: usize },
    ForgetErrors { who: usize, port: usize },
    LastWords { who: usize, port: usize },
    SetFatal { who: usize, fatal: bool },
    Report { who: usize },
    Wait { who: usize, waits: bool },
    End { who: usize, at_once: bool },
    EndOfTurn { who: usize },
    Die { who: usize, cause: Cause },
}

/// A message as it is queued: its kind, its text or what an error's begins with, and the port that it carries.
#[derive(Clone, Debug, PartialEq)]
struct Queued {
    kind: Kind,
    text: String,
    bytes: u64,
    carries: Option<usize>,
}

/// A port, of an observer or an isolate.
#[derive(Debug)]
struct Place {
    mailbox: usize,
    is_open: bool,
    queue: Vec<Queued>,
}

/// What an isolate owes: where to, and what.
type Owed = (usize, String);

#[derive(Debug, Default)]
struct Someone {
    parent: Option<usize>,
    mailbox: usize,
    lives: bool,
    waits: bool,
    fatal: bool,
    pauses: Vec<u64>,
    ends_now: Option<Exit>,
    ends_after_turn: Option<Exit>,
    exit: Option<Exit>,
    exit_listeners: Vec<Owed>,
    /// With the errors that each missed.
    error_listeners: Vec<(usize, u64)>,
    pings: Vec<Owed>,
    last_words: Option<Owed>,
    holds: Vec<usize>,
    scoped: Vec<usize>,
}

#[derive(Debug, Default)]
struct Model {
    places: Vec<Place>,
    /// Whether each mailbox is open.
    mailboxes: Vec<bool>,
    isolates: Vec<Someone>,
    /// An error found no room: its text, and so the bytes from then on, are the implementation's choice.
    missed: bool,
}

fn cost(text: &str, carries: Option<usize>) -> u64 {
    text.len() as u64 + OVERHEAD * (1 + u64::from(carries.is_some()))
}

/// Two strings, each behind its length.
fn error_cost(error: &RemoteError) -> u64 {
    OVERHEAD + 1 + error.message.len() as u64 + 1 + error.stack.len() as u64
}

impl Model {
    /// Messages and bytes that a mailbox should count.
    fn load(&self, mailbox: usize) -> (u64, u64) {
        if !self.mailboxes[mailbox] {
            return (0, 0);
        }
        let here = |port: &usize| self.places[*port].mailbox == mailbox;
        let queued = self.places.iter().filter(|place| place.mailbox == mailbox).flat_map(|place| &place.queue);
        let mut room: Vec<u64> = queued.map(|queued| queued.bytes).collect();
        for someone in &self.isolates {
            let owed = someone.exit_listeners.iter().chain(&someone.pings).chain(&someone.last_words);
            room.extend(owed.filter(|(port, _)| here(port)).map(|(_, text)| cost(text, None)));
            room.extend(someone.error_listeners.iter().filter(|(port, _)| here(port)).map(|_| ERROR_ROOM));
        }
        (room.len() as u64, room.iter().sum())
    }

    fn has_room(&self, port: usize) -> bool {
        self.load(self.places[port].mailbox).0 < ROOM
    }

    /// Whether room can be set aside for a notice at a port.
    fn reserves(&self, port: usize) -> Result<(), Status> {
        match (self.places[port].is_open, self.has_room(port)) {
            (false, _) => Err(Status::Closed),
            (true, false) => Err(Status::Full),
            (true, true) => Ok(()),
        }
    }

    fn arrives(&mut self, port: usize, queued: Queued) {
        if self.places[port].is_open {
            self.places[port].queue.push(queued);
        }
    }

    fn notice(&mut self, (port, text): Owed, kind: Kind) {
        let bytes = cost(&text, None);
        self.arrives(port, Queued { kind, text, bytes, carries: None });
    }

    /// Who could send to a port: tables, messages under way, registrations.
    fn is_reachable(&self, port: usize) -> bool {
        let carried = self.places.iter().flat_map(|place| &place.queue).any(|queued| queued.carries == Some(port));
        carried
            || self.isolates.iter().any(|someone| {
                let owed = someone.exit_listeners.iter().chain(&someone.pings).chain(&someone.last_words);
                let told = owed.map(|(port, _)| *port).chain(someone.error_listeners.iter().map(|(port, _)| *port));
                someone.holds.iter().copied().chain(told).any(|held| held == port)
            })
    }

    /// Semantics 5.1. Answers whether the error has to be reported, and who ends with this isolate.
    fn die(&mut self, who: usize, exit: &Exit) -> (bool, Vec<usize>) {
        let fresh = Someone { parent: self.isolates[who].parent, ..Someone::default() };
        let mut left = std::mem::replace(&mut self.isolates[who], fresh);
        self.isolates[who].mailbox = left.mailbox;
        self.isolates[who].exit = Some(exit.clone());
        self.mailboxes[left.mailbox] = false;
        for place in self.places.iter_mut().filter(|place| place.mailbox == left.mailbox) {
            (place.is_open, place.queue) = (false, Vec::new());
        }
        if left.waits && *exit != Exit::HostClosed {
            left.pings.drain(..).for_each(|ping| self.notice(ping, Kind::Ping));
        }
        if let Some(words) = left.last_words.filter(|_| *exit == Exit::Exited) {
            self.notice(words, Kind::Data);
        }
        let mut told = false;
        for (port, missed) in left.error_listeners {
            told |= self.places[port].is_open;
            match exit.error() {
                Some(error) => self.error(port, &error),
                None if missed > 0 => self.error(port, &error(&missed.to_string())),
                None => {}
            }
        }
        left.exit_listeners.into_iter().for_each(|listener| self.notice(listener, Kind::Exit));
        (exit.error().is_some() && !told, left.scoped)
    }

    fn error(&mut self, port: usize, error: &RemoteError) {
        let (text, bytes) = (error.message.clone(), error_cost(error));
        self.arrives(port, Queued { kind: Kind::Error, text, bytes, carries: None });
    }

    /// An error that ends nobody. Answers whether somebody listens.
    fn report(&mut self, who: usize, text: &str) -> bool {
        let mut told = false;
        for at in 0..self.isolates[who].error_listeners.len() {
            let (port, _) = self.isolates[who].error_listeners[at];
            match (self.places[port].is_open, self.has_room(port)) {
                (false, _) => continue,
                (true, true) => {
                    self.isolates[who].error_listeners[at].1 = 0;
                    self.error(port, &error(text));
                }
                (true, false) => {
                    self.isolates[who].error_listeners[at].1 += 1;
                    self.missed = true;
                }
            }
            told = true;
        }
        told
    }

    fn descends(&self, who: usize, from: usize) -> bool {
        let parents = std::iter::successors(self.isolates[who].parent, |parent| self.isolates[*parent].parent);
        parents.into_iter().any(|parent| parent == from)
    }
}

fn act() -> impl Strategy<Value = Act> {
    let n = || 0..8_usize;
    let yes = || proptest::bool::ANY;
    let token = || 20..23_u64;
    let cause = || {
        use Cause::{Exited, Failed, HostClosed, Returned, Trapped};
        prop_oneof![Just(Returned), Just(Exited), Just(Failed), Just(Trapped), Just(HostClosed)]
    };
    let birth = (proptest::option::of(n()), yes(), proptest::bool::weighted(0.2), yes());
    prop_oneof![
        6 => birth.prop_map(|(parent, fatal, paused, scoped)| Act::Birth { parent, fatal, paused, scoped }),
        14 => (n(), proptest::option::of(n())).prop_map(|(port, carries)| Act::Send { port, carries }),
        12 => n().prop_map(|port| Act::Take { port }),
        1 => n().prop_map(|port| Act::ClosePort { port }),
        4 => (n(), n()).prop_map(|(who, port)| Act::Hold { who, port }),
        2 => (n(), n()).prop_map(|(who, port)| Act::LetGo { who, port }),
        4 => (n(), token()).prop_map(|(who, token)| Act::Pause { who, token }),
        4 => (n(), token()).prop_map(|(who, token)| Act::Resume { who, token }),
        6 => (n(), n(), yes()).prop_map(|(who, port, at_once)| Act::Ping { who, port, at_once }),
        6 => (n(), n()).prop_map(|(who, port)| Act::ListenExit { who, port }),
        2 => (n(), n()).prop_map(|(who, port)| Act::ForgetExit { who, port }),
        4 => (n(), n()).prop_map(|(who, port)| Act::ListenErrors { who, port }),
        2 => (n(), n()).prop_map(|(who, port)| Act::ForgetErrors { who, port }),
        3 => (n(), n()).prop_map(|(who, port)| Act::LastWords { who, port }),
        2 => (n(), yes()).prop_map(|(who, fatal)| Act::SetFatal { who, fatal }),
        4 => n().prop_map(|who| Act::Report { who }),
        3 => (n(), yes()).prop_map(|(who, waits)| Act::Wait { who, waits }),
        2 => (n(), yes()).prop_map(|(who, at_once)| Act::End { who, at_once }),
        6 => n().prop_map(|who| Act::EndOfTurn { who }),
        3 => (n(), cause()).prop_map(|(who, cause)| Act::Die { who, cause }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn isolates_are_what_semantics_says_they_are(acts in vec(act(), 0..150)) {
        let mut pair = Pair::new();
        for act in acts {
            pair.act(act);
            pair.holds();
        }
        pair.end();
    }
}

//! A mailbox against a list: whatever is done to it, order, accounts and wake-ups are those of the list.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const PLACES: usize = 3;
const ROOM: Room = Room { messages_max: 5, bytes_max: 5 * OVERHEAD + 60, message_bytes_max: 30, ports_max: 3 };

#[derive(Clone, Debug)]
enum Act {
    Open { place: usize, drops_oldest: bool },
    ClosePort { place: usize },
    Send { place: usize, bytes: usize },
    Take { wanted: Pick, waits: bool },
    StopWaiting,
    Discard { place: usize },
    Listen { place: usize, on: bool },
    Reserve { place: usize, bytes: u64 },
    Post { at: usize },
    Unreserve { at: usize },
    Close,
}

/// What is wanted, by places.
#[derive(Clone, Debug)]
enum Pick {
    One(usize),
    Listened,
    Any(Vec<usize>),
}

/// A port of the model; closed ones are kept, so that they are used too.
#[derive(Clone)]
struct Place {
    port: Arc<Port>,
    is_open: bool,
    drops_oldest: bool,
    listened: bool,
}

#[derive(Default)]
struct Model {
    places: Vec<Place>,
    /// All that is queued, in the order of arrival: place, text.
    queue: Vec<(usize, String)>,
    reserved: Vec<(usize, u64)>,
    waiting: Option<Pick>,
    rings: usize,
    /// The last number given, to a port or a message.
    last: u64,
    is_over: bool,
}

fn cost(text: &str) -> u64 {
    text.len() as u64 + OVERHEAD
}

impl Model {
    fn load(&self) -> (u64, u64) {
        let queued: u64 = self.queue.iter().map(|(_, text)| cost(text)).sum();
        let reserved: u64 = self.reserved.iter().map(|(_, bytes)| *bytes).sum();
        ((self.queue.len() + self.reserved.len()) as u64, queued + reserved)
    }

    fn has_room(&self, bytes: u64) -> bool {
        let (messages, used) = self.load();
        messages < ROOM.messages_max && used + bytes <= ROOM.bytes_max
    }

    fn wants(&self, pick: &Pick, place: usize) -> bool {
        match pick {
            Pick::One(wanted) => *wanted == place,
            Pick::Listened => self.places[place].listened,
            Pick::Any(places) => places.contains(&place),
        }
    }

    fn arrives(&mut self, place: usize, text: String) {
        if self.waiting.as_ref().is_some_and(|pick| self.wants(pick, place)) {
            self.waiting = None;
            self.rings += 1;
        }
        self.queue.push((place, text));
    }

    /// What a send does; the queue loses what makes room for it.
    fn send(&mut self, place: usize, text: &str) -> Result<(), Status> {
        if !self.places[place].is_open {
            return Err(Status::Closed);
        }
        if text.len() as u64 > ROOM.message_bytes_max {
            return Err(Status::TooLarge);
        }
        while !self.has_room(cost(text)) {
            let oldest = self.queue.iter().position(|(queued, _)| *queued == place);
            let oldest = oldest.filter(|_| self.places[place].drops_oldest).ok_or(Status::Full)?;
            self.queue.remove(oldest);
        }
        self.arrives(place, text.to_owned());
        Ok(())
    }

    /// Whether there would be no room even without all of the port's messages: a case that the model leaves open.
    fn drops_in_vain(&self, place: usize, text: &str) -> bool {
        let others = Model {
            queue: self.queue.iter().filter(|(queued, _)| *queued != place).cloned().collect(),
            reserved: self.reserved.clone(),
            ..Model::default()
        };
        self.places[place].drops_oldest && !others.has_room(cost(text))
    }

    fn take(&mut self, pick: &Pick, waits: bool) -> Result<(usize, String), Status> {
        if waits {
            self.waiting = None;
        }
        let first = self.queue.iter().position(|(place, _)| self.wants(pick, *place));
        if let Some(first) = first {
            return Ok(self.queue.remove(first));
        }
        let all_closed = match pick {
            Pick::One(place) => !self.places[*place].is_open,
            Pick::Any(places) => places.iter().all(|place| !self.places[*place].is_open),
            Pick::Listened => false,
        };
        if all_closed {
            return Err(Status::Closed);
        }
        if waits {
            self.waiting = Some(pick.clone());
        }
        Err(Status::WouldWait)
    }

    fn close_port(&mut self, place: usize) {
        let wants = |pick: &Pick| self.places[place].is_open && self.wants(pick, place);
        if self.waiting.as_ref().is_some_and(wants) {
            self.waiting = None;
            self.rings += 1;
        }
        self.queue.retain(|(queued, _)| *queued != place);
        (self.places[place].is_open, self.places[place].listened) = (false, false);
    }
}

/// The mailbox beside its model.
struct Pair {
    mailbox: Arc<Mailbox>,
    model: Model,
    bell: Arc<Bell>,
    waker: Waker,
}

impl Pair {
    fn new() -> Pair {
        let (bell, waker) = Bell::new();
        Pair { mailbox: Mailbox::new(ROOM), model: Model::default(), bell, waker }
    }

    fn act(&mut self, act: Act) {
        let places = self.model.places.len();
        match act {
            Act::Open { place, drops_oldest } => self.open(place, drops_oldest),
            Act::Close => {
                drop(self.mailbox.close());
                (self.model.waiting, self.model.reserved, self.model.is_over) = (None, Vec::new(), true);
                (0..places).for_each(|place| self.model.close_port(place));
            }
            Act::StopWaiting => self.stop_waiting(),
            Act::Take { wanted, waits } => self.take(&wanted, waits),
            Act::Post { at } if at < self.model.reserved.len() => self.post(at),
            Act::Unreserve { at } if at < self.model.reserved.len() => {
                let (_, bytes) = self.model.reserved.remove(at);
                self.mailbox.unreserve(bytes);
            }
            Act::Send { place, bytes } if place < places => self.send(place, bytes),
            Act::Reserve { place, bytes } if place < places => self.reserve(place, bytes),
            Act::ClosePort { place } if place < places => {
                self.mailbox.close_port(&self.model.places[place].port);
                self.model.close_port(place);
            }
            Act::Discard { place } if place < places => self.discard(place),
            Act::Listen { place, on } if place < places => {
                let Place { port, is_open, listened, .. } = &mut self.model.places[place];
                assert_eq!(self.mailbox.listen(port, on), *is_open);
                *listened = on && *is_open;
            }
            // It names what is not there yet.
            _ => {}
        }
    }

    fn open(&mut self, place: usize, drops_oldest: bool) {
        // A place that is in use stays so, and a dead isolate opens nothing.
        if self.model.is_over || self.model.places.get(place).is_some_and(|place| place.is_open) {
            return;
        }
        let open = self.model.places.iter().filter(|place| place.is_open).count() as u64;
        let policy = if drops_oldest { MailboxPolicy::DropOldest } else { MailboxPolicy::Error };
        self.model.last += 1;
        let opened = self.mailbox.open(self.model.last, 0, policy);
        assert_eq!(opened.is_ok(), open < ROOM.ports_max);
        let Ok(port) = opened else { return };
        let new = Place { port, is_open: true, drops_oldest, listened: false };
        match self.model.places.get_mut(place) {
            Some(closed) => {
                // The model loses the old port with its place, so nothing may refer to it from here on.
                *closed = new;
                self.model.reserved.drain(..).for_each(|(_, bytes)| self.mailbox.unreserve(bytes));
                self.stop_waiting();
            }
            None => self.model.places.push(new),
        }
    }

    fn stop_waiting(&mut self) {
        self.mailbox.stop_waiting(&self.waker);
        self.model.waiting = None;
    }

    fn send(&mut self, place: usize, bytes: usize) {
        self.model.last += 1;
        let text = format!("{:05}{}", self.model.last, "x".repeat(bytes));
        if !self.model.drops_in_vain(place, &text) {
            let expected = self.model.send(place, &text);
            assert_eq!(send(&self.model.places[place].port, &text), expected);
        }
    }

    fn reserve(&mut self, place: usize, bytes: u64) {
        let Place { port, is_open, drops_oldest, .. } = &self.model.places[place];
        // What becomes of notices among messages that make room is no question of the model's.
        if !drops_oldest {
            let room = if self.model.has_room(bytes) { Ok(()) } else { Err(Status::Full) };
            let expected = if *is_open { room } else { Err(Status::Closed) };
            assert_eq!(self.mailbox.reserve(port, bytes), expected);
            if expected.is_ok() {
                self.model.reserved.push((place, bytes));
            }
        }
    }

    fn post(&mut self, at: usize) {
        let (place, bytes) = self.model.reserved.remove(at);
        self.model.last += 1;
        let text = format!("{:01$}", self.model.last, (bytes - OVERHEAD) as usize);
        self.mailbox.post(&self.model.places[place].port, notice(&text), bytes);
        if self.model.places[place].is_open {
            self.model.arrives(place, text);
        }
    }

    fn discard(&mut self, place: usize) {
        let first = self.model.queue.iter().position(|(queued, _)| *queued == place);
        let Place { port, is_open, .. } = &self.model.places[place];
        assert_eq!(self.mailbox.discard(port), is_open.then_some(first.is_some()));
        if let Some(first) = first {
            self.model.queue.remove(first);
        }
    }

    fn take(&mut self, pick: &Pick, waits: bool) {
        let port = |place: usize| self.model.places.get(place).map(|place| Arc::clone(&place.port));
        let wanted = match pick {
            Pick::One(place) => port(*place).map(Wanted::Port),
            Pick::Listened => Some(Wanted::Listened),
            Pick::Any(places) => places.iter().map(|place| port(*place)).collect::<Option<_>>().map(Wanted::Any),
        };
        let Some(wanted) = wanted else { return };
        let take = Take { wanted: &wanted, waker: waits.then_some(&self.waker), ends_unreachable: false };
        let found = match self.mailbox.take(&take, |_| Ok::<(), ()>(())) {
            Took::Message(port, message, _) => {
                let place = self.model.places.iter().position(|place| place.port.id() == port.id());
                Ok((place.unwrap(), text(&message)))
            }
            Took::Nothing => Err(Status::WouldWait),
            Took::Closed => Err(Status::Closed),
            Took::Kept(..) | Took::Unreachable => panic!("nobody asked for this"),
        };
        assert_eq!(found, self.model.take(pick, waits));
    }

    /// What must hold after every act.
    fn holds(&self) {
        assert_eq!(self.mailbox.load(), self.model.load());
        assert_eq!(self.bell.rings(), self.model.rings);
        assert_eq!(self.mailbox.inner.lock().waiting.is_some(), self.model.waiting.is_some());
    }
}

fn pick() -> impl Strategy<Value = Pick> {
    prop_oneof![(0..PLACES).prop_map(Pick::One), Just(Pick::Listened), vec(0..PLACES, 1..=PLACES).prop_map(Pick::Any),]
}

fn act() -> impl Strategy<Value = Act> {
    let place = || 0..PLACES;
    let yes = || proptest::bool::ANY;
    prop_oneof![
        6 => (place(), yes()).prop_map(|(place, drops_oldest)| Act::Open { place, drops_oldest }),
        2 => place().prop_map(|place| Act::ClosePort { place }),
        18 => (place(), 0..30_usize).prop_map(|(place, bytes)| Act::Send { place, bytes }),
        9 => (pick(), yes()).prop_map(|(wanted, waits)| Act::Take { wanted, waits }),
        1 => Just(Act::StopWaiting),
        2 => place().prop_map(|place| Act::Discard { place }),
        5 => (place(), yes()).prop_map(|(place, on)| Act::Listen { place, on }),
        4 => (place(), OVERHEAD..OVERHEAD + 40).prop_map(|(place, bytes)| Act::Reserve { place, bytes }),
        3 => (0..3_usize).prop_map(|at| Act::Post { at }),
        2 => (0..3_usize).prop_map(|at| Act::Unreserve { at }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mailbox_is_a_list_with_bounds(acts in vec(act(), 0..120), after in vec(act(), 0..10)) {
        let mut pair = Pair::new();
        for act in acts.into_iter().chain([Act::Close]).chain(after) {
            pair.act(act);
            pair.holds();
        }
        prop_assert_eq!(pair.mailbox.load(), (0, 0));
    }
}

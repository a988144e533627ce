//! What is modelled beside its model: each act is done to both, and both answer the same.

use super::*;

pub(super) struct Pair {
    registry: Registry,
    census: Arc<Census>,
    controls: Vec<Arc<Control>>,
    ports: Vec<Arc<Port>>,
    mailboxes: Vec<Arc<Mailbox>>,
    model: Model,
    /// Handles that were freed, and whose: they mean nothing for ever after.
    freed: Vec<(usize, u32)>,
    /// The last number given to a text.
    last: u64,
}

fn new_mailbox() -> Arc<Mailbox> {
    Mailbox::new(Room { messages_max: ROOM, bytes_max: 1 << 20, message_bytes_max: 1 << 10, ports_max: 9 })
}

impl Pair {
    pub(super) fn new() -> Pair {
        let mut pair = Pair {
            registry: Registry::new(LIVING_MAX, 0),
            census: Arc::new(Census::default()),
            controls: Vec::new(),
            ports: Vec::new(),
            mailboxes: vec![new_mailbox(), new_mailbox()],
            model: Model { mailboxes: vec![true, true], ..Model::default() },
            freed: Vec::new(),
            last: 0,
        };
        OBSERVERS.iter().for_each(|mailbox| pair.open(*mailbox));
        pair
    }

    fn open(&mut self, mailbox: usize) {
        let id = 100 + self.ports.len() as u64;
        self.ports.push(self.mailboxes[mailbox].open(id, 0, MailboxPolicy::Error).unwrap());
        self.model.places.push(Place { mailbox, is_open: true, queue: Vec::new() });
    }

    fn text(&mut self) -> String {
        self.last += 1;
        format!("{:04}", self.last)
    }

    fn right(&self, port: usize) -> SendRight {
        SendRight::new(&self.ports[port])
    }

    fn lives(&self, who: usize) -> bool {
        self.model.isolates[who].lives
    }

    pub(super) fn act(&mut self, act: Act) {
        let ports = self.ports.len();
        match act {
            Act::Birth { parent, fatal, paused, scoped } => self.birth(parent, fatal, paused, scoped),
            Act::Send { port, carries } => self.send(port % ports, carries.map(|carried| carried % ports)),
            Act::Take { port } => self.take(port % ports),
            Act::ClosePort { port } => {
                self.ports[port % ports].mailbox().close_port(&self.ports[port % ports]);
                let place = &mut self.model.places[port % ports];
                (place.is_open, place.queue) = (false, Vec::new());
            }
            act => {
                if let Some(isolates) = std::num::NonZero::new(self.controls.len()) {
                    self.act_on(act, isolates.get());
                }
            }
        }
    }

    fn act_on(&mut self, act: Act, n: usize) {
        let ports = self.ports.len();
        match act {
            Act::Hold { who, port } => self.hold(who % n, port % ports),
            Act::LetGo { who, port } => self.let_go(who % n, port % ports),
            Act::Ping { who, port, at_once } => self.ping(who % n, port % ports, at_once),
            Act::ListenExit { who, port } => self.listen_exit(who % n, port % ports),
            Act::ForgetExit { who, port } => {
                self.controls[who % n].remove_exit_listener(self.ports[port % ports].id());
                self.model.isolates[who % n].exit_listeners.retain(|(at, _)| *at != port % ports);
            }
            Act::ListenErrors { who, port } => self.listen_errors(who % n, port % ports),
            Act::ForgetErrors { who, port } => {
                self.controls[who % n].remove_error_listener(self.ports[port % ports].id());
                self.model.isolates[who % n].error_listeners.retain(|(at, _)| *at != port % ports);
            }
            Act::LastWords { who, port } => self.last_words(who % n, port % ports),
            Act::Report { who } => self.report(who % n),
            Act::Die { who, cause } => self.die_of(who % n, cause),
            Act::EndOfTurn { who } => self.end_of_turn(who % n),
            act => self.ask(act, n),
        }
    }

    /// What sets something and answers nothing.
    fn ask(&mut self, act: Act, n: usize) {
        let exit = Exit::Killed { by: Killer::Isolate(IsolateId(1000 + self.last)) };
        match act {
            Act::Pause { who, token } => {
                self.controls[who % n].pause(CapabilityId(token)).unwrap();
                let someone = &mut self.model.isolates[who % n];
                if someone.lives && !someone.pauses.contains(&token) {
                    someone.pauses.push(token);
                }
            }
            Act::Resume { who, token } => {
                self.controls[who % n].resume(CapabilityId(token));
                self.model.isolates[who % n].pauses.retain(|paused| *paused != token);
            }
            Act::SetFatal { who, fatal } => {
                self.controls[who % n].set_errors_fatal(fatal);
                self.model.isolates[who % n].fatal = fatal;
            }
            Act::Wait { who, waits } if self.lives(who % n) => {
                let flags = &self.controls[who % n].flags;
                if waits {
                    flags.set(Flags::WAITING)
                } else {
                    flags.clear(Flags::WAITING)
                }
                self.model.isolates[who % n].waits = waits;
            }
            Act::End { who, at_once } => {
                let end = if at_once { Control::end_now } else { Control::end_after_turn };
                end(&self.controls[who % n], exit.clone());
                let someone = &mut self.model.isolates[who % n];
                if someone.lives {
                    let reason = if at_once { &mut someone.ends_now } else { &mut someone.ends_after_turn };
                    reason.get_or_insert(exit);
                    self.last += 1; // so that the next reason is another
                }
            }
            _ => {}
        }
    }

    fn birth(&mut self, parent: Option<usize>, fatal: bool, paused: bool, scoped: bool) {
        let parent = parent.and_then(|parent| parent.checked_rem(self.controls.len()));
        let living = self.model.isolates.iter().filter(|someone| someone.lives).count();
        let mailbox = new_mailbox();
        let id = self.registry.number();
        let control = Control::new(Cradle {
            id,
            lineage: Lineage::new(id, parent.map(|parent| &self.controls[parent].lineage)),
            mailbox: Arc::clone(&mailbox),
            census: Arc::clone(&self.census),
            paused,
            errors_fatal: fatal,
            ..cradle()
        });
        let admitted = self.registry.admit(&control);
        if living == LIVING_MAX as usize {
            assert_eq!(admitted, Err(NotAdmitted::Full(LIVING_MAX)));
            return control.unborn();
        }
        assert_eq!(admitted, Ok(()));
        self.census.born();
        let (who, place) = (self.controls.len(), self.mailboxes.len());
        self.controls.push(control);
        self.mailboxes.push(mailbox);
        self.model.mailboxes.push(true);
        let pauses = if paused { vec![PAUSE.0] } else { Vec::new() };
        let someone = Someone { parent, mailbox: place, lives: true, waits: true, fatal, pauses, ..Someone::default() };
        self.model.isolates.push(someone);
        (0..PORTS_EACH).for_each(|_| self.open(place));
        if let Some(parent) = parent.filter(|_| scoped) {
            let adopted = self.controls[parent].adopt(self.controls[who].id);
            assert_eq!(adopted, self.lives(parent));
            if adopted {
                self.model.isolates[parent].scoped.push(who);
            }
        }
    }

    fn send(&mut self, port: usize, carries: Option<usize>) {
        let text = self.text();
        let attachments = carries.map(|carried| Attachment::Send(self.right(carried))).into_iter().collect();
        let message = Message { attachments, ..message(&text) };
        let sent = self.ports[port].mailbox().send(&self.ports[port], message, None);
        assert_eq!(sent.map(|_| ()).map_err(|refused| refused.status), self.model.reserves(port));
        if self.model.reserves(port).is_ok() {
            let bytes = cost(&text, carries);
            self.model.arrives(port, Queued { kind: Kind::Data, text, bytes, carries });
        }
    }

    fn take(&mut self, port: usize) {
        let expected = match self.model.places[port].queue.is_empty() {
            true => None,
            false => Some(self.model.places[port].queue.remove(0)),
        };
        let wanted = Wanted::Port(Arc::clone(&self.ports[port]));
        let take = Take { wanted: &wanted, waker: None, ends_unreachable: true };
        match (self.ports[port].mailbox().take(&take, |_| Ok::<(), ()>(())), expected) {
            (Took::Message(at, message, _), Some(expected)) => {
                assert_eq!((at.id(), message.kind), (self.ports[port].id(), expected.kind));
                let carried = message.attachments.iter().map(|attachment| match attachment {
                    Attachment::Send(right) => right.port().id(),
                    Attachment::Capability(_) | Attachment::Control(_) | Attachment::Blob(_) => {
                        panic!("nobody sent that")
                    }
                });
                let expected_carried = expected.carries.map(|carried| self.ports[carried].id());
                assert_eq!(carried.collect::<Vec<_>>(), expected_carried.into_iter().collect::<Vec<_>>());
                match message.kind {
                    Kind::Error => {
                        let error = codec::decode::<RemoteError>(&message.bytes).unwrap();
                        assert!(error.message.starts_with(&expected.text), "{error} and {expected:?}");
                        assert!(self.model.missed || error.message == expected.text);
                    }
                    _ => assert_eq!(String::from_utf8(message.bytes.to_vec()).unwrap(), expected.text),
                }
            }
            (Took::Message(..), None) => panic!("a message that the model does not have"),
            (_, Some(expected)) => panic!("the model has {expected:?}"),
            (Took::Closed, None) => assert!(!self.model.places[port].is_open),
            (Took::Unreachable, None) => assert!(self.model.places[port].is_open && !self.model.is_reachable(port)),
            (Took::Nothing, None) => assert!(self.model.places[port].is_open && self.model.is_reachable(port)),
            (Took::Kept(..), None) => panic!("every message fits"),
        }
    }

    fn hold(&mut self, who: usize, port: usize) {
        // A dead isolate's table has no room.
        let inserted = self.controls[who].table.lock().insert(Object::Send(self.right(port)));
        let known = self.model.isolates[who].holds.contains(&port);
        let room = self.lives(who) && (known || self.table_size(who) < 9);
        assert_eq!(inserted.is_ok(), room);
        if room {
            self.model.isolates[who].holds.push(port);
        }
    }

    fn table_size(&self, who: usize) -> usize {
        let mut different = self.model.isolates[who].holds.clone();
        different.sort_unstable();
        different.dedup();
        different.len()
    }

    /// By the number that another insert would give.
    fn let_go(&mut self, who: usize, port: usize) {
        let Some(at) = self.model.isolates[who].holds.iter().position(|held| *held == port) else { return };
        self.model.isolates[who].holds.remove(at);
        let mut table = self.controls[who].table.lock();
        let number = table.insert(Object::Send(self.right(port))).unwrap();
        let first = table.release(number).unwrap();
        let second = table.release(number).unwrap();
        drop(table);
        assert!(first.is_none());
        if second.is_some() {
            self.freed.push((who, number));
        }
        assert_eq!(second.is_some(), !self.model.isolates[who].holds.contains(&port));
    }

    fn ping(&mut self, who: usize, port: usize, at_once: bool) {
        let (text, expected) = (self.text(), self.model.reserves(port));
        let priority = if at_once { Priority::Immediate } else { Priority::BeforeNextEvent };
        assert_eq!(self.controls[who].ping(self.right(port), message(&text), priority), expected);
        match (expected, self.lives(who), at_once) {
            (Ok(()), true, true) => self.model.notice((port, text), Kind::Ping),
            (Ok(()), true, false) => self.model.isolates[who].pings.push((port, text)),
            _ => {}
        }
    }

    fn listen_exit(&mut self, who: usize, port: usize) {
        let text = self.text();
        let known = self.model.isolates[who].exit_listeners.iter().position(|(at, _)| *at == port);
        let expected = match known {
            // The room is there already; only the port may be gone.
            Some(_) if self.model.places[port].is_open => Ok(()),
            Some(_) => Err(Status::Closed),
            None => self.model.reserves(port),
        };
        assert_eq!(self.controls[who].add_exit_listener(self.right(port), message(&text)), expected);
        match (expected, known) {
            (Err(_), _) => {}
            (Ok(()), Some(at)) => self.model.isolates[who].exit_listeners[at].1 = text,
            (Ok(()), None) if self.lives(who) => self.model.isolates[who].exit_listeners.push((port, text)),
            (Ok(()), None) => self.model.notice((port, text), Kind::Exit),
        }
    }

    fn listen_errors(&mut self, who: usize, port: usize) {
        let known = self.model.isolates[who].error_listeners.iter().any(|(at, _)| *at == port);
        let expected = if known || !self.lives(who) { Ok(()) } else { self.model.reserves(port) };
        assert_eq!(self.controls[who].add_error_listener(self.right(port)), expected);
        if expected.is_ok() && !known && self.lives(who) {
            self.model.isolates[who].error_listeners.push((port, 0));
        }
    }

    fn last_words(&mut self, who: usize, port: usize) {
        let (text, room) = (self.text(), self.model.reserves(port));
        // Words to a closed port are no error: nobody hears them.
        let expected = if room == Err(Status::Closed) { Ok(()) } else { room };
        assert_eq!(self.controls[who].set_last_words(self.right(port), message(&text)), expected);
        if room.is_ok() && self.lives(who) {
            self.model.isolates[who].last_words = Some((port, text));
        }
    }

    fn report(&mut self, who: usize) {
        if !self.lives(who) {
            return; // no code of the dead runs
        }
        let text = self.text();
        match self.controls[who].report(error(&text)) {
            Reported::Fatal(exit) => {
                assert!(self.model.isolates[who].fatal);
                self.die(who, exit);
            }
            Reported::Told => assert!(!self.model.isolates[who].fatal && self.model.report(who, &text)),
            Reported::Uncaught(_) => assert!(!self.model.isolates[who].fatal && !self.model.report(who, &text)),
        }
    }

    fn end_of_turn(&mut self, who: usize) {
        let someone = &mut self.model.isolates[who];
        let pings = std::mem::take(&mut someone.pings);
        let ends =
            someone.exit.clone().or_else(|| someone.ends_now.clone()).or_else(|| someone.ends_after_turn.clone());
        let paused = !someone.pauses.is_empty();
        pings.into_iter().for_each(|ping| self.model.notice(ping, Kind::Ping));
        match (self.controls[who].end_of_turn(), ends) {
            (TurnEnd::End(exit), Some(expected)) => {
                assert_eq!(exit, expected);
                self.die(who, exit);
            }
            (TurnEnd::Paused, None) => assert!(paused),
            (TurnEnd::Go, None) => assert!(!paused),
            (_, expected) => panic!("the model has {expected:?}"),
        }
    }

    fn die_of(&mut self, who: usize, cause: Cause) {
        let text = self.text();
        let exit = match cause {
            Cause::Returned => Exit::Returned,
            Cause::Exited => Exit::Exited,
            Cause::Failed => failed(&text),
            Cause::Trapped => Exit::Panicked { message: text, place: String::new(), frames: vec![] },
            Cause::HostClosed => Exit::HostClosed,
        };
        self.die(who, exit);
    }

    /// Both die, and all that end with it.
    fn die(&mut self, who: usize, exit: Exit) {
        let mut dying = vec![(who, exit)];
        while let Some((who, exit)) = dying.pop() {
            let control = Arc::clone(&self.controls[who]);
            let dead = control.die(exit.clone(), || self.registry.remove(&control));
            assert_eq!(dead.is_some(), self.lives(who), "there is one death");
            let Some(dead) = dead else { continue };
            let (uncaught, scoped) = self.model.die(who, &exit);
            assert_eq!(dead.uncaught.is_some(), uncaught);
            let ids: Vec<IsolateId> = scoped.iter().map(|child| self.controls[*child].id).collect();
            assert_eq!(dead.scoped, ids);
            dying.extend(scoped.into_iter().map(|child| (child, killed())));
        }
    }

    /// What must hold after every act.
    pub(super) fn holds(&self) {
        for (at, mailbox) in self.mailboxes.iter().enumerate() {
            let (load, expected) = (mailbox.load(), self.model.load(at));
            assert_eq!(load.0, expected.0, "messages of mailbox {at}");
            assert!(self.model.missed || load.1 == expected.1, "bytes of mailbox {at}: {load:?}, {expected:?}");
        }
        for (at, port) in self.ports.iter().enumerate() {
            assert_eq!(port.mailbox().is_open(port), self.model.places[at].is_open, "port {at}");
            let place = &self.model.places[at];
            if place.is_open && place.queue.is_empty() {
                let unreachable = Observer(Arc::clone(port)).is_unreachable();
                assert_eq!(unreachable, !self.model.is_reachable(at), "rights to port {at}");
            }
        }
        for (who, number) in &self.freed {
            assert!(self.controls[*who].table.lock().find(*number).is_err(), "{who}'s handle {number} was freed");
        }
        let living = |who: &usize| self.lives(*who);
        let ids = |whose: &mut dyn Iterator<Item = usize>| -> Vec<IsolateId> {
            whose.filter(living).map(|who| self.controls[who].id).collect()
        };
        let found = |controls: Vec<Arc<Control>>| -> Vec<IsolateId> { controls.iter().map(|it| it.id).collect() };
        let all = 0..self.controls.len();
        assert_eq!(found(self.registry.all()), ids(&mut all.clone()));
        assert_eq!(self.census.live(), all.clone().filter(living).count());
        for who in all.clone() {
            let someone = &self.model.isolates[who];
            assert_eq!(self.controls[who].exit(), someone.exit);
            if someone.lives {
                assert_eq!(self.controls[who].flags.any(Flags::PAUSED), !someone.pauses.is_empty());
                assert_eq!(self.controls[who].ending(), someone.ends_now);
                assert_eq!(self.controls[who].table.lock().len(), self.table_size(who));
            }
            let mut below = all.clone().filter(|other| self.model.descends(*other, who));
            assert_eq!(found(self.registry.descendants(self.controls[who].id)), ids(&mut below));
        }
    }

    /// The end of all, after which observers hear what is left, and nothing is counted any more.
    pub(super) fn end(&mut self) {
        (0..self.controls.len()).for_each(|who| self.die(who, Exit::HostClosed));
        self.holds();
        for port in 0..OBSERVERS.len() {
            (0..=self.model.places[port].queue.len()).for_each(|_| self.take(port));
        }
        self.holds();
        for at in 0..self.mailboxes.len() {
            assert_eq!(self.mailboxes[at].load(), (0, 0), "mailbox {at}");
        }
        assert!((0..self.ports.len()).all(|port| !self.model.is_reachable(port)));
    }
}

//! Control over an isolate: pauses, kills, pings, listeners, and its one death.
//!
//! - [`Control`]: what others may touch of an isolate. The Store is not in it, and nothing here needs the Store.
//! - [`Flags`]: the word that the isolate itself looks at; [`Call`]: what it may be waiting in.
//! - [`Question`]: who asks it where it is, and what it [`Found`].
//! - [`Registry`], [`Lineage`]: who lives, and who spawned whom.
//! - [`Census`]: how many live, how many only ports can wake.
//! - [`Accounts`]: what an isolate charges to its ancestors.
//! - [`Dead`]: what the death step leaves for the host to do.
//!
//! Requests are applied by the caller, in call order, under the target's lock (semantics 1.1). Those that ask for the
//! end of a turn set a flag and wake the isolate, whose own wait does the rest. Authority is checked by whoever calls.

mod accounts;
mod answer;
mod asked;
mod call;
mod census;
mod cradle;
mod death;
mod flags;
mod hold;
mod joining;
mod metering;
mod registry;
mod vacancies;

pub(crate) use accounts::Accounts;
pub(crate) use asked::{At, Found, Question};
pub(crate) use call::Call;
pub(crate) use census::Census;
pub(crate) use cradle::Cradle;
pub(crate) use flags::Flags;
pub(crate) use hold::{Aside, Hold, Links};
pub(crate) use registry::{Lineage, NotAdmitted, Registry};

use answer::{Answer, ERROR_ROOM, ErrorListener, Gone};
use joining::OnEnd;
use metering::Used;
use std::any::Any;
use std::collections::BTreeSet;
use std::task::Waker;

use insula_wire::{Kind, Priority, RemoteError, Status};

use crate::exit::{Exit, IsolateId};
use crate::limits::Meter;
use crate::port::{After, CapabilityId, ControlRef, Mailbox, Message, SendRight, Table};
use crate::sync::{Arc, Mutex, Weak};
use crate::warning::Alarm;

/// What others may touch of an isolate.
pub(crate) struct Control {
    pub(crate) id: IsolateId,
    pub(crate) lineage: Arc<Lineage>,
    pub(crate) flags: Flags,
    pub(crate) meter: Meter,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) table: Mutex<Table>,
    pub(crate) accounts: Accounts,
    /// Where the embedder wants to be warned.
    pub(crate) alarm: Option<Arc<Alarm>>,
    pub(crate) pause_capability: CapabilityId,
    pub(crate) terminate_capability: CapabilityId,
    pub(crate) census: Arc<Census>,
    /// What the embedder's functions find of it.
    pub(crate) data: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
    /// The last of its standard error, for as long as somebody holds it.
    pub(crate) tail: Mutex<Option<Weak<dyn Any + Send + Sync>>>,
    /// Where it lives, for as long as it does.
    pub(crate) home: Mutex<Option<Weak<dyn Any + Send + Sync>>>,
    /// Where in a guest's code it was spawned, if the embedder wants to know.
    pub(crate) site: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
    /// What of it is in the embedder's logs, if anybody keeps them, for as long as it lives.
    pub(crate) logged: Mutex<Option<Arc<dyn Any + Send + Sync>>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    name: String,
    /// The death step has begun: nothing is taken in any more.
    dying: bool,
    /// The death step is over, all notices are out.
    dead: Option<Exit>,
    errors_fatal: bool,
    pauses: BTreeSet<CapabilityId>,
    ending: Option<Exit>,
    ending_after_turn: Option<Exit>,
    exit_listeners: Vec<Answer>,
    error_listeners: Vec<ErrorListener>,
    pings: Vec<Answer>,
    asked: Vec<Arc<Question>>,
    stop_listener: Option<Answer>,
    last_words: Option<Answer>,
    scoped: Vec<IsolateId>,
    waker: Option<Waker>,
    attention: Option<Waker>,
    joiners: Vec<Waker>,
    on_end: Vec<OnEnd>,
}

/// Pauses that one isolate may have: whoever pauses it makes it hold them.
const PAUSES_MAX: usize = 65_536;

/// What the end of a turn means for the isolate.
pub(crate) enum TurnEnd {
    /// It goes on.
    Go,
    /// It waits until nothing pauses it; the waker is kept.
    Paused,
    /// It says where it is, and then it goes on, or waits as one that is paused.
    Asked { paused: bool },
    /// It ends.
    End(Exit),
}

/// What became of a reported error.
pub(crate) enum Reported {
    /// Errors are fatal: the isolate is to end with this.
    Fatal(Exit),
    /// Listeners were told.
    Told,
    /// Nobody listens; the host reports it.
    Uncaught(RemoteError),
}

impl Control {
    pub(crate) fn new(cradle: Cradle) -> Arc<Control> {
        let flags = Flags::default();
        // Until its first wait is over: a newborn is at the end of a turn.
        flags.set(Flags::WAITING);
        let mut pauses = BTreeSet::new();
        if cradle.paused {
            pauses.insert(cradle.pause_capability);
            flags.set(Flags::PAUSED);
        }
        let table = Table::new(cradle.handles_max, cradle.blob_bytes_max);
        Arc::new(Control {
            id: cradle.id,
            lineage: cradle.lineage,
            flags,
            meter: Meter::default(),
            mailbox: cradle.mailbox,
            table: Mutex::new(table.charging(cradle.accounts.above()).watched_by(cradle.alarm.as_ref())),
            accounts: cradle.accounts,
            alarm: cradle.alarm,
            pause_capability: cradle.pause_capability,
            terminate_capability: cradle.terminate_capability,
            census: cradle.census,
            data: Mutex::new(None),
            tail: Mutex::new(None),
            home: Mutex::new(None),
            site: Mutex::new(None),
            logged: Mutex::new(None),
            state: Mutex::new(State {
                name: cradle.name,
                errors_fatal: cradle.errors_fatal,
                pauses,
                ..State::default()
            }),
        })
    }

    /// What tables and messages hold of it.
    pub(crate) fn reference(self: &Arc<Control>) -> ControlRef {
        ControlRef { id: self.id, control: Arc::clone(self) as Arc<dyn Any + Send + Sync> }
    }

    /// What a table or a message held.
    pub(crate) fn of(reference: &ControlRef) -> Arc<Control> {
        let control = Arc::clone(&reference.control).downcast::<Control>();
        control.unwrap_or_else(|_| unreachable!("nothing but Control::reference makes one"))
    }

    /// Tells how this isolate is woken, and how it is made to look at its flags at once wherever it is.
    pub(crate) fn attach_body(&self, waker: Waker, attention: Waker) {
        let mut state = self.state.lock();
        if !state.dying {
            (state.waker, state.attention) = (Some(waker), Some(attention));
        }
    }

    /// The debug name.
    pub(crate) fn name(&self) -> String {
        self.state.lock().name.clone()
    }

    /// What a test's record calls it.
    #[cfg(feature = "testing")]
    pub(crate) fn label(&self) -> String {
        format!("{} `{}`", self.id, crate::printable::printable_line(&self.name()))
    }

    /// Adds to the set of pauses; the same one twice is one entry.
    ///
    /// # Errors
    /// `Full` where the set has as many as it may.
    pub(crate) fn pause(&self, token: CapabilityId) -> Result<(), Status> {
        let mut state = self.state.lock();
        if state.dying || state.pauses.contains(&token) {
            return Ok(());
        }
        if state.pauses.len() >= PAUSES_MAX {
            return Err(Status::Full);
        }
        state.pauses.insert(token);
        self.flags.set(Flags::PAUSED);
        // Where it waits it notes that it is paused: its time stands still, and its timers do not keep a run going.
        let waker = state.waker.clone().filter(|_| state.pauses.len() == 1 && self.flags.any(Flags::WAITING));
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Takes out of the set of pauses; of no effect if it is not in there.
    pub(crate) fn resume(&self, token: CapabilityId) {
        let mut state = self.state.lock();
        let lifted = state.pauses.remove(&token) && state.pauses.is_empty();
        if lifted {
            self.flags.clear(Flags::PAUSED);
        }
        let waker = state.waker.clone().filter(|_| lifted);
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Ends it as soon as technically possible. The first reason stays; the dead stay dead.
    pub(crate) fn end_now(&self, exit: Exit) {
        let mut state = self.state.lock();
        if state.dying {
            return;
        }
        state.ending.get_or_insert(exit);
        self.flags.set(Flags::END);
        let attention = state.attention.clone();
        drop(state);
        attention.into_iter().for_each(Waker::wake);
    }

    /// Ends all of them: each is to end before the first one does, so that none goes on for what the end of another
    /// brings it.
    pub(crate) fn end_together(all: &[Arc<Control>], exit: &Exit) {
        for control in all {
            let mut state = control.state.lock();
            if !state.dying {
                state.ending.get_or_insert_with(|| exit.clone());
                control.flags.set(Flags::END);
            }
        }
        all.iter().for_each(|control| control.end_now(exit.clone()));
    }

    /// Ends it at the end of its turn.
    pub(crate) fn end_after_turn(&self, exit: Exit) {
        let mut state = self.state.lock();
        if state.dying {
            return;
        }
        state.ending_after_turn.get_or_insert(exit);
        self.flags.set(Flags::END_OF_TURN);
        let waker = state.waker.clone();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    /// Why it is to end at once, if it is.
    pub(crate) fn ending(&self) -> Option<Exit> {
        self.flags.any(Flags::END).then(|| self.state.lock().ending.clone()).flatten()
    }

    /// Answers a ping now, or at the end of the turn.
    ///
    /// # Errors
    /// `Full` or `Closed` where the answer would find no room.
    pub(crate) fn ping(&self, right: SendRight, response: Message, priority: Priority) -> Result<(), Status> {
        let answer = Answer::reserve(right, response)?;
        let (mut after, mut gone) = (After::default(), Gone::default());
        let mut state = self.state.lock();
        if state.dying {
            drop(state);
            answer.give_up();
            return Ok(());
        }
        if priority == Priority::BeforeNextEvent
            && let Err(status) = state.room_for(&answer.response, &mut gone)
        {
            drop(state);
            answer.give_up();
            return Err(status);
        }
        let waker = match priority {
            Priority::Immediate => {
                answer.post_then(Kind::Ping, &mut after);
                None
            }
            Priority::BeforeNextEvent => {
                state.pings.push(answer);
                self.flags.set(Flags::PINGED);
                state.waker.clone()
            }
        };
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Registers for the exit notice, keyed by port. The dead answer at once.
    ///
    /// # Errors
    /// `Full` or `Closed` where the notice would find no room.
    pub(crate) fn add_exit_listener(&self, right: SendRight, response: Message) -> Result<(), Status> {
        let (mut after, mut gone) = (After::default(), Gone::default());
        let mut state = self.state.lock();
        if state.dead.is_none() {
            state.room_for(&response, &mut gone)?;
        }
        let same = |other: &Answer| other.right.port().id() == right.port().id();
        if let Some(at) = state.exit_listeners.iter().position(same) {
            let known = &mut state.exit_listeners[at];
            let cost = response.cost();
            right.port().mailbox().reserve_instead(right.port(), known.reserved, cost)?;
            let replaced = std::mem::replace(known, Answer { right, response, reserved: cost });
            after.release(replaced.right);
            after.release_all(replaced.response);
            return Ok(());
        }
        let answer = Answer::reserve(right, response)?;
        match &state.dead {
            Some(_) => answer.post_then(Kind::Exit, &mut after),
            None => state.exit_listeners.push(answer),
        }
        Ok(())
    }

    /// Takes an exit listener out.
    pub(crate) fn remove_exit_listener(&self, port: u64) {
        let mut state = self.state.lock();
        let at = state.exit_listeners.iter().position(|answer| answer.right.port().id() == port);
        let removed = at.map(|at| state.exit_listeners.remove(at));
        drop(state);
        removed.into_iter().for_each(Answer::give_up);
    }

    /// Registers for every uncaught error; the same port twice is one listener.
    ///
    /// # Errors
    /// `Full` or `Closed` where a notice would find no room.
    pub(crate) fn add_error_listener(&self, right: SendRight) -> Result<(), Status> {
        let mut after = After::default();
        let mut state = self.state.lock();
        let known = state.error_listeners.iter().any(|other| other.right.port().id() == right.port().id());
        if known || state.dying {
            after.release(right);
            return Ok(());
        }
        right.port().mailbox().reserve(right.port(), ERROR_ROOM)?;
        state.error_listeners.push(ErrorListener { right, reserved: ERROR_ROOM, missed: 0 });
        Ok(())
    }

    /// Takes an error listener out.
    pub(crate) fn remove_error_listener(&self, port: u64) {
        let mut state = self.state.lock();
        let at = state.error_listeners.iter().position(|listener| listener.right.port().id() == port);
        let removed = at.map(|at| state.error_listeners.remove(at));
        drop(state);
        removed.into_iter().for_each(ErrorListener::give_up);
    }

    /// Whether the first uncaught error ends the isolate.
    pub(crate) fn set_errors_fatal(&self, fatal: bool) {
        self.state.lock().errors_fatal = fatal;
    }

    /// An error that the guest's code returned or reported.
    pub(crate) fn report(&self, error: RemoteError) -> Reported {
        let mut after = After::default();
        let mut state = self.state.lock();
        if state.errors_fatal {
            return Reported::Fatal(Exit::Failed { error });
        }
        // One whose port is closed hears nothing: with no other, nobody listens (semantics 4.5, never silent).
        let mut told = false;
        for listener in &mut state.error_listeners {
            told |= listener.tell(&error, &mut after);
        }
        if told { Reported::Told } else { Reported::Uncaught(error) }
    }

    /// Takes all listeners out of an isolate that was not admitted.
    pub(crate) fn unborn(&self) {
        drop(self.mailbox.close());
        self.close_accounts();
        let left = std::mem::take(&mut *self.state.lock());
        left.exit_listeners.into_iter().for_each(Answer::give_up);
        left.error_listeners.into_iter().for_each(ErrorListener::give_up);
    }

    /// A child that ends with this isolate. Answers false for the dead.
    pub(crate) fn adopt(&self, child: IsolateId) -> bool {
        let mut state = self.state.lock();
        state.scoped.push(child);
        !state.dying
    }

    /// Asks it to end by itself.
    pub(crate) fn request_stop(&self) {
        let mut state = self.state.lock();
        self.flags.set(Flags::STOP);
        let answer = state.stop_listener.take();
        drop(state);
        answer.into_iter().for_each(|answer| answer.post(Kind::Ping));
    }

    /// Who is told when it is asked to end; told at once if it was.
    ///
    /// # Errors
    /// `Full` or `Closed` where the message would find no room.
    pub(crate) fn set_stop_listener(&self, listener: Option<(SendRight, Message)>) -> Result<(), Status> {
        let answer = listener.map(|(right, response)| Answer::reserve(right, response)).transpose()?;
        let mut state = self.state.lock();
        let (post, old) = match (self.flags.any(Flags::STOP), state.dying) {
            (_, true) => (None, answer),
            (true, false) => (answer, state.stop_listener.take()),
            (false, false) => (None, std::mem::replace(&mut state.stop_listener, answer)),
        };
        drop(state);
        post.into_iter().for_each(|answer| answer.post(Kind::Ping));
        old.into_iter().for_each(Answer::give_up);
        Ok(())
    }

    /// The message that goes out before all notices when the isolate exits by itself.
    ///
    /// # Errors
    /// `Full` where it would find no room; a closed port is none.
    pub(crate) fn set_last_words(&self, right: SendRight, message: Message) -> Result<(), Status> {
        let answer = match Answer::reserve(right, message) {
            Ok(answer) => answer,
            Err(Status::Closed) => return Ok(()),
            Err(status) => return Err(status),
        };
        let mut state = self.state.lock();
        let unsaid = match state.dying {
            true => Some(answer),
            false => state.last_words.replace(answer),
        };
        drop(state);
        unsaid.into_iter().for_each(Answer::give_up);
        Ok(())
    }

    /// Somebody observes that it says its last words at this time, if it has any.
    pub(crate) fn observe_last_words(&self, at: u64) {
        if let Some(answer) = &self.state.lock().last_words {
            answer.mailbox().observe(at);
        }
    }

    /// What a wait does where a turn ends, before it takes a message (semantics 1.2). `waker` is kept for a resume.
    pub(crate) fn end_of_turn(&self) -> TurnEnd {
        if !self.flags.any(Flags::TURN | Flags::ASKED) {
            return TurnEnd::Go;
        }
        let mut after = After::default();
        let mut state = self.state.lock();
        // Also while the death step is under way: a trusted isolate may come to a wait in the midst of it.
        if state.dying {
            return TurnEnd::End(state.dead.clone().unwrap_or(Exit::HostClosed));
        }
        // First: a kill that finds its target here answers the pings before it (semantics 4.3).
        self.flags.clear(Flags::PINGED);
        for ping in std::mem::take(&mut state.pings) {
            ping.post_then(Kind::Ping, &mut after);
        }
        if let Some(exit) = state.ending.as_ref().or(state.ending_after_turn.as_ref()) {
            return TurnEnd::End(exit.clone());
        }
        match (!state.asked.is_empty(), !state.pauses.is_empty()) {
            (true, paused) => TurnEnd::Asked { paused },
            (false, true) => TurnEnd::Paused,
            (false, false) => TurnEnd::Go,
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.lineage.forget();
    }
}

#[cfg(test)]
mod tests;

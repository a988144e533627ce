//! The death of an isolate: one function, whatever the cause, and the only place that posts its last notices.

use std::task::Waker;

use insula_wire::{Kind, RemoteError, codec};

use super::answer::{Answer, ERROR_ROOM, Said};
use super::{Control, Flags, State};
use crate::exit::{Exit, IsolateId};
use crate::port::{After, Attachments, Message};
use crate::sync::Arc;

/// What the death step leaves for the host to do.
pub(crate) struct Dead {
    /// An error that no listener was told.
    pub(crate) uncaught: Option<RemoteError>,
    /// Children that end with this isolate: before it goes, or the run would seem asleep in between.
    pub(crate) scoped: Vec<IsolateId>,
    /// The message of its exit, where it was accepted.
    pub(crate) said: Option<Said>,
    over: Over,
}

impl Control {
    /// Ends the isolate, once: `None` if it was dead already.
    ///
    /// The order is semantics 5.1: marked dead; ports, handles and mailbox released; `credit` called, which gives the
    /// isolate's place back; the message of an exit, error notices, exit notices. The Store is the caller's to drop.
    pub(crate) fn die(self: &Arc<Control>, exit: Exit, credit: impl FnOnce()) -> Option<Dead> {
        let mut state = self.state.lock();
        if state.dying {
            return None;
        }
        let name = std::mem::take(&mut state.name);
        let (joiners, on_end) = (std::mem::take(&mut state.joiners), std::mem::take(&mut state.on_end));
        let mut left = std::mem::replace(&mut *state, State { name, joiners, on_end, dying: true, ..State::default() });
        self.flags.set(Flags::END);
        drop(state);

        let queued = self.mailbox.close();
        let held = self.table.lock().clear();
        drop(queued);
        drop(held);
        self.close_accounts();
        credit();

        let answers_pings = self.flags.any(Flags::WAITING) && !matches!(exit, Exit::HostClosed);
        for ping in left.pings.drain(..) {
            if answers_pings { ping.post(Kind::Ping) } else { ping.give_up() }
        }
        let said = match left.last_words.take() {
            Some(words) if exit == Exit::Exited => words.say(),
            Some(words) => {
                words.give_up();
                None
            }
            None => None,
        };
        left.stop_listener.take().into_iter().for_each(Answer::give_up);
        let uncaught = tell_error(&mut left, exit.error());
        left.exit_listeners.drain(..).for_each(|listener| listener.post(Kind::Exit));
        let over = Over { control: Arc::clone(self), exit };
        Some(Dead { uncaught, scoped: left.scoped, said, over })
    }
}

impl Dead {
    /// What it died of.
    pub(crate) fn exit(&self) -> &Exit {
        &self.over.exit
    }
}

/// Ends the death step when it goes: from here on everybody sees the isolate dead, and all of its death.
struct Over {
    control: Arc<Control>,
    exit: Exit,
}

impl Drop for Over {
    fn drop(&mut self) {
        let mut state = self.control.state.lock();
        state.dead = Some(self.exit.clone());
        // Before anybody can look, and not before it: who finds one less living finds this one dead.
        self.control.census.died();
        let late = std::mem::take(&mut state.exit_listeners);
        let joiners = std::mem::take(&mut state.joiners);
        // Before anybody can see it dead: whoever waits for that may take what it is handed to away.
        std::mem::take(&mut state.on_end).into_iter().for_each(|told| told(&self.exit));
        drop(state);
        late.into_iter().for_each(|listener| listener.post(Kind::Exit));
        joiners.into_iter().for_each(Waker::wake);
        self.control.census.changed().ring();
    }
}

/// Posts the error to all listeners. Comes back if there are none.
fn tell_error(left: &mut State, error: Option<RemoteError>) -> Option<RemoteError> {
    let Some(error) = error else {
        for listener in left.error_listeners.drain(..) {
            if listener.missed > 0 {
                let text = format!("{} errors found no room in the mailbox", listener.missed);
                let notice = error_notice(&RemoteError { message: text, stack: String::new() }, 0);
                listener.right.port().mailbox().post(listener.right.port(), notice, listener.reserved);
            } else {
                listener.give_up();
            }
        }
        return None;
    };
    // One whose port is closed, as its own isolate's are by now, hears nothing.
    let mut told = false;
    for listener in left.error_listeners.drain(..) {
        let notice = error_notice(&error, listener.missed);
        let (port, mut after) = (listener.right.port(), After::default());
        told |= port.mailbox().post_then(port, notice, listener.reserved, &mut after).is_some();
    }
    (!told).then_some(error)
}

/// An error as a message, cut to the room that is reserved for it.
pub(super) fn error_notice(error: &RemoteError, missed: u64) -> Message {
    let mut message = cut(&error.message, ERROR_ROOM as usize / 2);
    if missed > 0 {
        message.push_str(&format!(" (and {missed} errors before it that found no room)"));
    }
    let error = RemoteError { message, stack: cut(&error.stack, ERROR_ROOM as usize / 4) };
    let mut bytes = Vec::new();
    codec::encode_into(&error, &mut bytes).expect("two strings always encode");
    Message { kind: Kind::Error, bytes: bytes.into(), attachments: Attachments::default() }
}

/// At most `bytes_max` of the text, cut where a character begins, and the cut is marked.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{}[...]", &text[..end])
}

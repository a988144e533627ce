//! Whoever asks an isolate where in its code it is: its own code answers, and all who ask at one time get one answer.
//!
//! A flag stands for them that the isolate looks at anyway, in its epoch callback and in its waits. An isolate that dies
//! answers nobody: who asks waits for its end as well.

use std::task::{Context, Poll, Waker};

use super::{Call, Control, Flags};
use crate::exit::Frame;
use crate::sync::{Arc, Mutex};

/// Where an isolate was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) at: At,
    /// Innermost first; names as the module has them.
    pub(crate) frames: Vec<Frame>,
}

/// What it was found at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    /// A pause before any of its code.
    NotBegun,
    /// Its code.
    Code,
    /// A call that waits.
    Call(Option<Call>),
    /// A pause.
    Pause,
}

/// A question, until it is answered.
#[derive(Default)]
pub(crate) struct Question(Mutex<Slot>);

#[derive(Default)]
struct Slot {
    found: Option<Arc<Found>>,
    waker: Option<Waker>,
}

impl Question {
    /// The answer, or wakes whoever polls when it comes.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Arc<Found>> {
        let mut slot = self.0.lock();
        if let Some(found) = &slot.found {
            return Poll::Ready(Arc::clone(found));
        }
        let before = slot.waker.replace(cx.waker().clone());
        drop(slot);
        drop(before);
        Poll::Pending
    }

    fn answer(&self, found: &Arc<Found>) {
        let mut slot = self.0.lock();
        slot.found = Some(Arc::clone(found));
        let waker = slot.waker.take();
        drop(slot);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Control {
    /// Asks it where it is. None where it dies, or did.
    pub(crate) fn ask(&self) -> Option<Arc<Question>> {
        let question = Arc::<Question>::default();
        let mut state = self.state.lock();
        if state.dying {
            return None;
        }
        state.asked.push(Arc::clone(&question));
        self.flags.set(Flags::ASKED);
        drop(state);
        self.attend();
        Some(question)
    }

    /// Has it look at its flags, wherever it is.
    pub(crate) fn attend(&self) {
        let attention = self.state.lock().attention.clone();
        attention.into_iter().for_each(Waker::wake);
    }

    /// Whoever asked does not want to know any more.
    pub(crate) fn stop_asking(&self, question: &Arc<Question>) {
        let mut state = self.state.lock();
        state.asked.retain(|other| !Arc::ptr_eq(other, question));
        if state.asked.is_empty() {
            self.flags.clear(Flags::ASKED);
        }
    }

    /// Answers all who asked until now; called by the isolate itself.
    pub(crate) fn answer(&self, found: Found) {
        let mut state = self.state.lock();
        self.flags.clear(Flags::ASKED);
        let asked = std::mem::take(&mut state.asked);
        drop(state);
        let found = Arc::new(found);
        asked.iter().for_each(|question| question.answer(&found));
    }
}

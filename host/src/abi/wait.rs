//! The one blocking wait: where turns end, pauses hold, and what was asked for the end of a turn acts.
//!
//! Every import that may wait goes through [`wait()`], WASI's poll included. What it waits for is looked at inside the
//! poll that returns pending, under the lock of what it waits for, so no wake-up falls between a look and the park. A
//! wait that is dropped puts nothing back and loses nothing: a message is taken in the very poll that copies it.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use wasmtime::{Caller, Result};

use super::{State, frames};
use crate::control::{At, Call, Control, Flags, Found, TurnEnd};
use crate::engine::without_frames;
use crate::exit::{Exit, Frame};
use crate::sync::Arc;
use crate::world::{NEVER, Nanos, Timer, World};

/// The isolate is to end; comes out of an import as its error, and is no fault of the guest's.
#[derive(Debug, thiserror::Error)]
#[error("the isolate ends: {0}")]
pub(crate) struct Ended(pub(crate) Exit);

impl Ended {
    /// The error of a call that ends so. No frames are taken for it: nobody asks where somebody was who is killed, and
    /// the walk would be the most of a kill.
    pub(crate) fn error(exit: Exit) -> wasmtime::Error {
        without_frames(Ended(exit).into())
    }
}

/// What may end a wait.
pub(crate) struct Until {
    /// When it gives up; [`NEVER`] for not at all.
    pub(crate) deadline: Nanos,
    /// Whether only ports can end it, so that the isolate may be counted asleep.
    pub(crate) ports_only: bool,
    /// Whether the isolate has no deadline: while it is paused, only a resume can wake it.
    pub(crate) no_end: bool,
    /// The flags of what the guest called; none before it runs.
    pub(crate) call: u32,
}

/// Who waits: a guest in the middle of a call, or an isolate that is not in its code yet.
pub(crate) trait Waits {
    /// Its control.
    fn control(&self) -> &Arc<Control>;
    /// Its host's clock.
    fn world(&self) -> &Arc<World>;
    /// Where its guest is; none where that is not in its code.
    fn frames(&self) -> Option<Vec<Frame>>;
}

impl<W: Waits> Waits for &mut W {
    fn control(&self) -> &Arc<Control> {
        (**self).control()
    }

    fn world(&self) -> &Arc<World> {
        (**self).world()
    }

    fn frames(&self) -> Option<Vec<Frame>> {
        (**self).frames()
    }
}

impl Waits for State {
    fn control(&self) -> &Arc<Control> {
        &self.control
    }

    fn world(&self) -> &Arc<World> {
        &self.place.world
    }

    fn frames(&self) -> Option<Vec<Frame>> {
        None
    }
}

impl Waits for Caller<'_, State> {
    fn control(&self) -> &Arc<Control> {
        self.data().control()
    }

    fn world(&self) -> &Arc<World> {
        self.data().world()
    }

    fn frames(&self) -> Option<Vec<Frame>> {
        Some(frames(self))
    }
}

/// What a wait waits for.
pub(crate) trait Attempt<W> {
    /// What comes of it.
    type Found;

    /// Looks, and has `waker` told where there is nothing. Whether it has waited: then this is what its turn begins with.
    fn attempt(&mut self, who: &mut W, waker: &Waker, has_waited: bool) -> Option<Result<Self::Found>>;

    /// The deadline came.
    fn timed_out(&mut self, who: &mut W) -> Result<Self::Found>;
}

/// A closure that looks finds something, or the deadline comes (`None`).
impl<W, T, F: FnMut(&mut W, &Waker) -> Option<T>> Attempt<W> for F {
    type Found = Option<T>;

    fn attempt(&mut self, who: &mut W, waker: &Waker, _: bool) -> Option<Result<Option<T>>> {
        self(who, waker).map(|found| Ok(Some(found)))
    }

    fn timed_out(&mut self, _: &mut W) -> Result<Option<T>> {
        Ok(None)
    }
}

/// Waits until the attempt finds something, or the deadline comes. It answers with [`Ended`] where a kill or the like ends
/// the isolate here.
///
/// A future of its own and no `async fn`: a guest that waits is the way of every message, and this is one small value
/// that is made where it stays.
#[must_use = "nothing is waited for until it is polled"]
pub(crate) struct Wait<W: Waits, A> {
    who: W,
    until: Until,
    attempt: A,
    timer: Option<Timer>,
    /// Whether its isolate is marked as waiting, and whether as one that is to be counted asleep if it parks.
    marks: Marks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    None,
    Awake,
    Asleep,
}

/// As [`Wait`], for who has the isolate only to look at.
pub(crate) fn wait<W: Waits, A: Attempt<W>>(who: W, until: Until, attempt: A) -> Wait<W, A> {
    Wait { who, until, attempt, timer: None, marks: Marks::None }
}

/// What a guest's call does that waits for something else: no turn ends in it, and whoever looks knows of the call.
pub(crate) async fn in_call<R>(control: &Control, call: Call, work: impl Future<Output = R>) -> R {
    control.flags.set(Flags::of_call(call));
    let done = work.await;
    control.flags.clear(Flags::CALL);
    done
}

impl<W: Waits, A> Wait<W, A> {
    fn mark(&mut self, asleep: bool) {
        let flags = &self.who.control().flags;
        match (self.marks, asleep) {
            (Marks::None, true) => flags.set(self.until.call | Flags::WAITING | Flags::ASLEEP),
            (Marks::None, false) => flags.set(self.until.call | Flags::WAITING),
            (Marks::Awake, true) => flags.set(Flags::ASLEEP),
            (Marks::Asleep, false) => flags.clear(Flags::ASLEEP),
            (Marks::Awake, false) | (Marks::Asleep, true) => {}
        }
        self.marks = if asleep { Marks::Asleep } else { Marks::Awake };
    }

    /// Says where it is to whoever asked. One that is about to begin says so when it has.
    #[cold]
    fn say_where(&self, paused: bool) {
        let found = match (self.who.frames(), paused) {
            (Some(frames), true) => Found { at: At::Pause, frames },
            (Some(frames), false) => Found { at: At::Call(Flags::call_of(self.until.call)), frames },
            (None, true) => Found { at: At::NotBegun, frames: Vec::new() },
            (None, false) => return,
        };
        self.who.control().answer(found);
    }
}

impl<W: Waits + Unpin, A: Attempt<W> + Unpin> Future for Wait<W, A> {
    type Output = Result<A::Found>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<A::Found>> {
        let wait = self.get_mut();
        let deadline = wait.until.deadline;
        // Before the look at what is asked of it: a ping that comes in between finds it waiting, and wakes it.
        let has_waited = wait.marks != Marks::None;
        if !has_waited {
            wait.mark(wait.until.ports_only && deadline == NEVER);
        }
        let end = match wait.who.control().end_of_turn() {
            TurnEnd::Asked { paused } => {
                wait.say_where(paused);
                if paused { TurnEnd::Paused } else { TurnEnd::Go }
            }
            end => end,
        };
        match end {
            TurnEnd::End(exit) => return Poll::Ready(Err(Ended::error(exit))),
            TurnEnd::Paused => {
                wait.mark(wait.until.no_end);
                return Poll::Pending;
            }
            TurnEnd::Go | TurnEnd::Asked { .. } => wait.mark(wait.until.ports_only && deadline == NEVER),
        }
        if let Some(found) = wait.attempt.attempt(&mut wait.who, cx.waker(), has_waited) {
            return Poll::Ready(found);
        }
        if deadline == NEVER {
            return Poll::Pending;
        }
        let world = wait.who.world();
        if world.now() >= deadline {
            wait.who.control().mailbox.stop_waiting(cx.waker());
            return Poll::Ready(wait.attempt.timed_out(&mut wait.who));
        }
        wait.timer.get_or_insert_with(|| world.timer(deadline, cx.waker().clone()));
        Poll::Pending
    }
}

impl<W: Waits, A> Drop for Wait<W, A> {
    fn drop(&mut self) {
        if self.marks != Marks::None {
            self.who.control().flags.clear(Flags::WAITING | Flags::ASLEEP | Flags::CALL);
        }
    }
}

//! The one blocking wait: where turns end, pauses hold, and what was asked for the end of a turn acts.
//!
//! Every import that may wait goes through [`wait`], WASI's poll included. What it waits for is looked at inside the
//! poll that returns pending, under the lock of what it waits for, so no wake-up falls between a look and the park. A
//! wait that is dropped puts nothing back and loses nothing: a message is taken in the very poll that copies it.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use wasmtime::Result;

use crate::control::{Control, Flags, TurnEnd};
use crate::exit::Exit;
use crate::sync::Arc;
use crate::world::{NEVER, Nanos, World};

/// The isolate is to end; comes out of an import as its error, and is no fault of the guest's.
#[derive(Debug, thiserror::Error)]
#[error("the isolate ends: {0}")]
pub(crate) struct Ended(pub(crate) Exit);

/// What may end a wait.
pub(crate) struct Until {
    /// When it gives up; [`NEVER`] for not at all.
    pub(crate) deadline: Nanos,
    /// Whether only ports can end it, so that the isolate may be counted asleep.
    pub(crate) ports_only: bool,
    /// Whether the isolate has no deadline: while it is paused, only a resume can wake it.
    pub(crate) no_end: bool,
}

/// Waits until `attempt` finds something, or the deadline comes (`None`). The waker that `attempt` gets wakes the wait.
///
/// # Errors
/// [`Ended`], where a kill or the like ends the isolate here.
pub(crate) async fn wait<T>(
    control: &Arc<Control>,
    world: &Arc<World>,
    until: Until,
    mut attempt: impl FnMut(&Waker) -> Option<T>,
) -> Result<Option<T>> {
    let mut waiting = Waiting::begin(control);
    let sleeps = until.ports_only && until.deadline == NEVER;
    let mut timer = None;
    poll_fn(|cx| {
        match control.end_of_turn() {
            TurnEnd::End(exit) => return Poll::Ready(Err(Ended(exit).into())),
            TurnEnd::Paused => {
                waiting.asleep(until.no_end);
                return Poll::Pending;
            }
            TurnEnd::Go => waiting.asleep(sleeps),
        }
        if let Some(found) = attempt(cx.waker()) {
            return Poll::Ready(Ok(Some(found)));
        }
        if until.deadline == NEVER {
            return Poll::Pending;
        }
        if world.now() >= until.deadline {
            control.mailbox.stop_waiting(cx.waker());
            return Poll::Ready(Ok(None));
        }
        timer.get_or_insert_with(|| world.timer(until.deadline, cx.waker().clone()));
        Poll::Pending
    })
    .await
}

/// Marks the isolate as waiting for as long as it lives.
struct Waiting<'a> {
    control: &'a Arc<Control>,
    asleep: bool,
}

impl<'a> Waiting<'a> {
    fn begin(control: &'a Arc<Control>) -> Waiting<'a> {
        control.flags.set(Flags::WAITING);
        Waiting { control, asleep: false }
    }

    /// Whether it is to be counted asleep if it parks now.
    fn asleep(&mut self, asleep: bool) {
        if asleep != self.asleep {
            self.asleep = asleep;
            if asleep { self.control.flags.set(Flags::ASLEEP) } else { self.control.flags.clear(Flags::ASLEEP) }
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.control.flags.clear(Flags::WAITING | Flags::ASLEEP);
    }
}

//! Where in its code an isolate is, for whoever asks from outside.
//!
//! It answers itself: on a CPU in its epoch callback, in a wait of ours when that is woken, which nothing of its guest's
//! sees. In a call of WASI's its frames are out of reach, and it answers when that is over.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::{Doing, Isolate, Module, ended};
use crate::abi::Place;
use crate::control::{At, Call, Control, Flags, Found, Question};
use crate::exit::{Exit, Frame, IsolateId};
use crate::sync::Arc;
use crate::until;
use crate::world::{Nanos, World};

/// Where an isolate was in its code, and what it did there; [`Isolate::stack`] asks for it.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{Doing, Host, Priority, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let module = host.load("spins", b"(module (func $spins (export \"run\") (loop (br 0))))")?;
/// let isolate = host.spawn(&module, Spawn::entry("run"))?;
/// let stack = isolate.stack(Duration::from_secs(10))?;
/// assert_eq!((stack.doing, stack.frames[0].function.as_deref()), (Doing::Runs, Some("spins")));
/// isolate.kill(Priority::Immediate);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stack {
    /// Whose it is.
    pub isolate: IsolateId,
    /// What it did.
    pub doing: Doing,
    /// Where it was, innermost first: the innermost 20, as in an [`Exit`].
    pub frames: Vec<Frame>,
    /// What it runs, which knows the lines of those frames: [`Module::places`].
    pub module: Module,
}

/// Why an isolate did not say where it is.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{Host, Spawn, StackError};
/// let host = Host::builder().isolates(1).build()?;
/// let module = host.load("page", b"(module (func (export \"run\")))")?;
/// let isolate = host.spawn(&module, Spawn::entry("run").paused(true))?;
/// assert!(matches!(isolate.stack(Duration::from_secs(10)), Err(StackError::NotBegun { .. })));
/// isolate.resume_birth();
/// isolate.join();
/// assert!(matches!(isolate.stack(Duration::ZERO), Err(StackError::Ended { .. })));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// It was spawned paused, and runs no code before it is resumed.
    #[error("isolate {isolate} has not begun: it is paused, and has a stack when it was resumed")]
    NotBegun {
        /// Which.
        isolate: IsolateId,
    },
    /// It ended before it was asked, or before it answered.
    #[error("isolate {isolate} has ended: {exit}")]
    Ended {
        /// Which.
        isolate: IsolateId,
        /// How.
        exit: Exit,
    },
    /// It is in a call that its frames cannot be seen from, and answers when that is over.
    #[error(
        "isolate {isolate} is in {call}, and says where it is when that is over, which it was not within {within:?}: ask \
         for longer"
    )]
    InCall {
        /// Which.
        isolate: IsolateId,
        /// The interface and the function, as in `wasi.fd_read`.
        call: &'static str,
        /// How long it had.
        within: Duration,
    },
    /// Its module is trusted, so that nothing interrupts it in the middle of its code.
    #[error(
        "isolate {isolate} is of a trusted module and in the middle of its code: it says where it is when it waits, which \
         it did not within {within:?}"
    )]
    Trusted {
        /// Which.
        isolate: IsolateId,
        /// How long it had.
        within: Duration,
    },
    /// It had no CPU in that time, or was in the middle of a long call.
    #[error("isolate {isolate} did not come to say where it is within {within:?}: ask for longer")]
    NoCpu {
        /// Which.
        isolate: IsolateId,
        /// How long it had.
        within: Duration,
    },
}

/// How long until it is looked whether an isolate that does not answer missed that it was asked: the one bump of the epoch
/// that tells it may come while its deadline is being set. Doubled each time.
const AGAIN: Duration = Duration::from_millis(1);
const AGAIN_MAX: Duration = Duration::from_millis(64);

impl Isolate {
    /// Where in its code it is now, and what it does there. Any number of callers may ask at one time.
    ///
    /// Blocks the calling thread, for `within` at most. One that has a CPU is asked at its next check of the epoch, one that
    /// waits or is paused is woken for it and waits on, and its guest sees nothing of that. In a call of WASI's that waits,
    /// at a file or a full pipe, and while a module is loaded that it spawns, it answers when that is over. One of a
    /// [trusted](crate::Host::load_trusted) module answers where it waits only.
    ///
    /// It costs the isolate the walk of its stack, some microseconds, and nothing those that are not asked.
    ///
    /// # Errors
    /// [`StackError`]: it has not begun, it ended, or it did not answer within that time.
    pub fn stack(&self, within: Duration) -> Result<Stack, StackError> {
        until::block_on(&self.links().world, self.stack_async(within))
    }

    /// As [`Isolate::stack`], as a future. Dropping it takes the question back.
    ///
    /// # Errors
    /// As there.
    pub async fn stack_async(&self, within: Duration) -> Result<Stack, StackError> {
        let (control, world) = (self.control(), &self.links().world);
        let isolate = control.id;
        let ends = world.after(within);
        let Some(module) = module(control) else {
            // It is gone, or about to be.
            let exit = until::within(world, ends, ended(control)).await;
            return Err(exit.map_or_else(|| self.unanswered(within), |exit| StackError::Ended { isolate, exit }));
        };
        let asking = Asking { control, question: control.ask() };
        let mut again = AGAIN;
        loop {
            let next = looks_again(world, again).min(ends);
            match until::within(world, next, asking.answer()).await {
                Some(Ok(found)) if found.at == At::NotBegun => return Err(StackError::NotBegun { isolate }),
                Some(Ok(found)) => return Ok(stack(isolate, module, &found)),
                Some(Err(exit)) => return Err(StackError::Ended { isolate, exit }),
                None if next == ends => return Err(self.unanswered(within)),
                None => control.attend(),
            }
            again = (again * 2).min(AGAIN_MAX);
        }
    }

    /// Why it does not say within this time where it is.
    fn unanswered(&self, within: Duration) -> StackError {
        let isolate = self.id();
        match self.doing() {
            Doing::Nothing => StackError::Ended { isolate, exit: self.exit().unwrap_or(Exit::HostClosed) },
            Doing::Waits { call: Some(call) } => StackError::InCall { isolate, call, within },
            _ if self.control().flags.any(Flags::TRUSTED) => StackError::Trusted { isolate, within },
            _ => StackError::NoCpu { isolate, within },
        }
    }
}

/// When to look again, by the host's clock. A test's clock is stepped by whoever waits, and its host ticks all the time.
fn looks_again(world: &World, again: Duration) -> Nanos {
    #[cfg(feature = "testing")]
    if world.stage().is_some() {
        return crate::world::NEVER;
    }
    world.after(again)
}

fn stack(isolate: IsolateId, module: Module, found: &Found) -> Stack {
    let doing = match found.at {
        At::Call(call) => Doing::Waits { call: call.map(Call::name) },
        At::Code => Doing::Runs,
        At::Pause | At::NotBegun => Doing::Paused,
    };
    let frames = module.shown_frames(&found.frames);
    Stack { isolate, doing, frames, module }
}

/// What an isolate runs, for as long as it is there.
fn module(control: &Control) -> Option<Module> {
    let home = control.home.lock().as_ref()?.upgrade()?;
    Module::of_any(Arc::clone(&home.downcast::<Place>().ok()?.module))
}

/// Somebody who asks, until they are answered or do not want to know any more.
struct Asking<'a> {
    control: &'a Control,
    /// None where it dies.
    question: Option<Arc<Question>>,
}

impl Asking<'_> {
    /// Where it is, or how it ended.
    async fn answer(&self) -> Result<Arc<Found>, Exit> {
        let mut end = pin!(ended(self.control));
        poll_fn(|cx| {
            if let Some(Poll::Ready(found)) = self.question.as_ref().map(|question| question.poll(cx)) {
                return Poll::Ready(Ok(found));
            }
            end.as_mut().poll(cx).map(Err)
        })
        .await
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(question) = &self.question {
            self.control.stop_asking(question);
        }
    }
}

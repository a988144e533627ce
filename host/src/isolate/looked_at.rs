//! What an isolate is doing, looked at from outside.

use super::Isolate;
use crate::control::{Call, Control, Flags, Hold, Links};
use crate::exit::IsolateId;
use crate::stdio::{Printed, Tail};
use crate::sync::Arc;

/// What an isolate does at one moment.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Doing, Host, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let module = host.load("page", b"(module (func (export \"run\")))")?;
/// let isolate = host.spawn(&module, Spawn::entry("run"))?;
/// assert!(isolate.join().is_ok());
/// assert_eq!(isolate.doing(), Doing::Nothing);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// It has a CPU.
    Runs,
    /// It could run, and waits for its turn.
    Ready,
    /// It waits, in this call; in none before it runs.
    Waits {
        /// The interface and the function, as in `ports.receive`.
        call: Option<&'static str>,
    },
    /// It is paused, or will be when its turn ends.
    Paused,
    /// It ended.
    Nothing,
}

impl Isolate {
    /// An isolate that lives, for whoever has its host.
    pub(crate) fn of_host(control: Arc<Control>, links: &Arc<Links>) -> Isolate {
        let printed = Tail::of(&control).map(|tail| Printed { tail, stdout: None, stderr: None });
        Isolate::with(control, printed, Hold::new(links))
    }

    /// What it does now; a moment later it may do something else.
    #[must_use]
    pub fn doing(&self) -> Doing {
        let control = self.control();
        let flags = &control.flags;
        match () {
            () if control.exit().is_some() => Doing::Nothing,
            () if control.meter.is_polled() => Doing::Runs,
            () if flags.any(Flags::PAUSED) => Doing::Paused,
            () if flags.any(Flags::WAITING | Flags::CALL) => Doing::Waits { call: flags.call().map(Call::name) },
            () => Doing::Ready,
        }
    }

    /// How often it was started again, as far as the host can tell: how many isolates failed in its place before it, spawned
    /// by the same one, of the same module, entry and debug name. Each failure is made up for by one birth, the next of its
    /// kind; an end that somebody brought about, a kill, is no failure. Of one who spawns, the last 64 failures that nothing
    /// made up for are known.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.control().lineage.restarts()
    }

    /// Who spawned it; none is the embedder.
    #[must_use]
    pub fn parent(&self) -> Option<IsolateId> {
        self.control().lineage.spawner()
    }
}

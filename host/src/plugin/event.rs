//! What happens to a plugin, as it is told.

use std::time::Duration;

use crate::error::SpawnError;
use crate::exit::{Exit, IsolateId};

/// What happened to a plugin; see [`Plugin::on_event`](crate::Plugin::on_event).
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, PluginEvent, Restart, Spawn};
/// let host = Host::builder().isolates(2).on_uncaught(|_| ()).build()?;
/// let module = host.load("traps", b"(module (func (export \"serve\") unreachable))")?;
/// let plugin = host.supervise::<String, u64>(&module, Spawn::entry("serve"), Restart::on_failure())?;
/// let (sender, ends) = std::sync::mpsc::channel();
/// plugin.on_event(move |event| {
///     if let PluginEvent::Over { exit, .. } = event {
///         sender.send(exit.clone()).ok();
///     }
/// });
/// assert_eq!(ends.recv()?.to_string(), "trapped: unreachable");
/// assert_eq!(plugin.restarts(), 3);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PluginEvent {
    /// Its isolate ended, by itself or for the sake of others of its group, and there will be another one.
    Died {
        /// Which one.
        isolate: IsolateId,
        /// How.
        exit: Exit,
        /// The back-off: so long after this, the next one is started.
        again_after: Duration,
    },
    /// Another isolate was started.
    Restarted {
        /// Which one.
        isolate: IsolateId,
        /// How many were started again so far, this one counted.
        restarts: u64,
    },
    /// Another isolate was to be started and was refused. It is tried again.
    Refused {
        /// Why.
        error: SpawnError,
        /// The back-off: so long after this.
        again_after: Duration,
    },
    /// Questions go to an isolate of another module, or to one that was spawned in another way.
    Upgraded {
        /// Which one.
        isolate: IsolateId,
    },
    /// Its last isolate ended. There will be no other one.
    Over {
        /// How.
        exit: Exit,
        /// Why the last restart was refused, where that is the reason.
        refused: Option<SpawnError>,
    },
}

//! Another module in the place of the present one, while callers go on.
//!
//! The new isolate is there before the old one is let go of, and *up* means that it serves: its port arrived. Whoever
//! holds the old one's port, a call that is being sent or answered, keeps that one reachable, so it finds that nobody can
//! ask it any more when the last of them is done.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::oneshot;

use super::Plugin;
use super::core::{Core, Life};
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::isolate::{Isolate, Module};
use crate::spawn::Spawn;
use crate::sync::Arc;
use crate::until;

/// Why a plugin was not upgraded. What served before serves on.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{Host, Restart, Spawn, UpgradeError};
/// let host = Host::builder().isolates(2).on_uncaught(|_| ()).build()?;
/// let old = host.load("deaf", b"(module (func (export \"serve\") (loop (br 0))))")?;
/// let new = host.load("traps", b"(module (func (export \"serve\") unreachable))")?;
/// let plugin = host.supervise::<String, u64>(&old, Spawn::entry("serve"), Restart::on_failure())?;
/// let refused = plugin.upgrade(&new, Spawn::entry("serve"), Duration::ZERO);
/// assert!(matches!(refused, Err(UpgradeError::Died(exit)) if exit.to_string() == "trapped: unreachable"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpgradeError {
    /// The new isolate was not born.
    #[error("the new isolate was not spawned: {0}")]
    Refused(SpawnError),
    /// The new isolate ended before it served.
    #[error("the new isolate ended before it served: {0}")]
    Died(Exit),
    /// The new isolate does not serve, or not in time ([`Restart::ready_within`](crate::Restart::ready_within)). It was
    /// killed.
    #[error("the new isolate does not serve, and was killed")]
    NotReady,
    /// Another upgrade waits for its isolate to serve.
    #[error("another upgrade of the plugin is under way")]
    UnderWay,
    /// The plugin ended for good, or is to.
    #[error("the plugin ended: {0}")]
    Ended(Exit),
}

/// What isolates of a plugin are made of.
pub(super) struct Recipe {
    pub(super) module: Module,
    pub(super) spawn: Spawn,
}

/// Whoever upgrades is told how the old isolate ended.
pub(super) type Outcome = oneshot::Sender<Result<Exit, UpgradeError>>;

/// An upgrade that is asked for.
pub(super) struct Order {
    pub(super) recipe: Recipe,
    pub(super) grace: Duration,
    pub(super) outcome: Outcome,
}

impl<Q, A> Plugin<Q, A> {
    /// Puts an isolate of another module in the place of the present one, and blocks the calling thread until that one
    /// has ended. Says how it did.
    ///
    /// The new isolate is spawned first, and has [`Restart::ready_within`](crate::Restart::ready_within) until it serves.
    /// From then on questions go there, and restarts start the new module with this `spawn`. The old isolate finishes what
    /// it has, in its hands and in its mailbox, and returns when nobody can ask it any more. One that lives after `grace`
    /// is asked to stop, and killed a tenth of a second later. Callers see one plugin: none of them gets an error by this
    /// but those whose question the old isolate has when it is killed.
    ///
    /// Where there is no isolate at the time, the new one is the next, and the exit that of the last one.
    ///
    /// # Errors
    /// [`UpgradeError`] says why there was no upgrade.
    pub fn upgrade(&self, module: &Module, spawn: Spawn, grace: Duration) -> Result<Exit, UpgradeError> {
        until::block_on(self.world(), self.upgrade_async(module, spawn, grace))
    }

    /// As [`Plugin::upgrade`], as a future. Where it is dropped after it was first polled, the upgrade goes on.
    ///
    /// # Errors
    /// As there.
    pub async fn upgrade_async(&self, module: &Module, spawn: Spawn, grace: Duration) -> Result<Exit, UpgradeError> {
        let (outcome, told) = oneshot::channel();
        let recipe = Recipe { module: module.clone(), spawn };
        self.core().order_upgrade(Order { recipe, grace, outcome })?;
        match told.await {
            Ok(told) => told,
            // The keeper let go of it: the plugin ends.
            Err(_) => Err(UpgradeError::Ended(self.core().over().await.exit)),
        }
    }
}

/// An isolate that is up when it serves.
pub(super) struct Candidate {
    pub(super) life: Arc<Life>,
    pub(super) order: Box<Order>,
    pub(super) late_at: u64,
}

/// How long an isolate has that is asked to stop when its grace is over.
const LAST_MOMENT: Duration = Duration::from_millis(100);

/// Sees an isolate off that is called no more, and tells how it ended.
pub(super) async fn drain(core: Arc<Core>, old: Isolate, grace: Duration, outcome: Outcome) {
    let exit = {
        let mut ended = pin!(old.ended_within(grace));
        let mut over = pin!(core.over());
        poll_fn(|cx| match ended.as_mut().poll(cx) {
            Poll::Ready(exit) => Poll::Ready(exit),
            Poll::Pending => over.as_mut().poll(cx).map(|_| None),
        })
        .await
    };
    let exit = match exit {
        Some(exit) => exit,
        None => match old.stop_async(LAST_MOMENT).await {
            Some(exit) => exit,
            None => old.ended().await,
        },
    };
    // Whoever upgraded may not want to know any more.
    let _ = outcome.send(Ok(exit));
}

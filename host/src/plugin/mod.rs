//! Plugins: services that outlive their isolates, since the host starts another one when one ends.
//!
//! - [`Plugin`]: what is called, stopped and upgraded; its port can be given to guests.
//! - `core`: what its callers share with the host's tasks: which isolate is the present one.
//! - `keeper`: the task that starts isolates again, by the decisions of `restart`.
//! - `relay`: the task that hands on what arrives at the port.
//! - [`Group`], [`Strategy`]: plugins that are looked after together; `house` is what those share.
//! - `upgrade`: another module in the place of the present one.
//! - [`PluginEvent`]: what is told of all that.
//!
//! A call goes to the present isolate straight, so that its error is that isolate's; what comes to the port goes by the
//! relay. No question is sent twice: one that an isolate had is over when that ends, and one that it refused because it
//! was ending goes to the next.

mod core;
mod event;
mod group;
mod house;
mod keeper;
mod relay;
mod upgrade;

pub use event::PluginEvent;
pub use group::Group;
pub use house::Strategy;
pub use upgrade::UpgradeError;

use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use insula_wire::{Answer, MailboxPolicy};
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::core::{Core, Life};
use crate::error::SpawnError;
use crate::exit::Exit;
use crate::host::Host;
use crate::isolate::{Isolate, Module};
use crate::ports::{Answers, CallError, Request, SendPort, answers, only_answer};
use crate::restart::Restart;
use crate::spawn::Spawn;
use crate::sync::Arc;
use crate::until;
use crate::world::{Nanos, World};
use house::{House, Newborn};
use keeper::Keeper;

/// A service that is started again when its isolate ends, as its [`Restart`] says: each time in a new instance, with
/// memory of its own and nothing in it.
///
/// It has the calls of a [`Service`](crate::Service), with their errors, over all of its isolates:
///
/// - What an isolate has in its hands or its mailbox when it ends is over, with [`CallError::Ended`] and its [`Exit`].
///   Nothing is sent twice.
/// - What is asked while there is no isolate waits for the next one, within its own time.
/// - When no other one comes, everything is over with the last exit, or with [`CallError::Unborn`] where restarts were
///   refused for want of room.
///
/// [`send_port`](Plugin::send_port) is the same over restarts and upgrades, and can be given to guests. Only an isolate's
/// own end is the plugin's failure: not a question of another type, and no caller that dies or has no patience.
///
/// It goes on for as long as anybody can reach it. When the last clone of this is dropped, and the last of its ports, its
/// isolate finds that nobody can ask it any more, as that of a service does, and returns; it is not started again then. It
/// does not keep its host open, and ends when that closes. Cheap to clone; no thread belongs to it.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{CallError, Host, Limits, Restart, Spawn};
/// let host = Host::builder().build()?;
/// let module = host.load_file("plugin.wasm")?; // a guest with `export_service!(score as "score")`
/// let spawn = Spawn::entry("score").limits(Limits::default().memory(32 << 20));
/// let plugin = host.supervise::<String, u64>(&module, spawn, Restart::on_failure())?;
/// match plugin.call(&"some text".to_owned(), Duration::from_millis(100)) {
///     Ok(score) => println!("{score}"),
///     Err(CallError::Ended(exit)) => println!("it ended with this text, and is started again: {exit}"),
///     Err(error) => println!("{error}"),
/// }
/// # Ok(())
/// # }
/// ```
pub struct Plugin<Q, A> {
    core: Arc<Core>,
    port: SendPort<Request<Q, A>>,
}

impl Host {
    /// Spawns an isolate that serves requests, as [`Host::open`] does, and another one whenever it ended, as `restart` says.
    /// A blob in the message of `spawn` is there for the first of them only, and restarts are refused for want of it.
    ///
    /// # Errors
    /// As [`Host::spawn`], for the first isolate.
    pub fn supervise<Q, A>(&self, module: &Module, spawn: Spawn, restart: Restart) -> Result<Plugin<Q, A>, SpawnError> {
        let host = self.inner();
        let house = House::new(host, Strategy::OneForOne, restart);
        let (newborn, member) = house.bear(host, None, module, spawn)?;
        let plugin = Plugin::of(newborn);
        host.run_task(until::counted(&host.links().world, Keeper::new(house).with(member).keep()));
        Ok(plugin)
    }
}

impl<Q, A> Plugin<Q, A> {
    fn of(newborn: Newborn) -> Plugin<Q, A> {
        Plugin { core: newborn.core, port: newborn.port.cast() }
    }

    fn core(&self) -> &Core {
        &self.core
    }

    fn world(&self) -> &Arc<World> {
        &self.core.links.world
    }

    /// Its name in its group; that of its first isolate where it is in none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core.name
    }

    /// The isolate that is called at present; none between two of them, and none in the end. Whoever kills it has it
    /// started again, where there are restarts after failures.
    #[must_use]
    pub fn isolate(&self) -> Option<Isolate> {
        self.core.isolate()
    }

    /// How many isolates were started again so far.
    #[must_use]
    pub fn restarts(&self) -> u64 {
        self.core.restarts()
    }

    /// The right to send to it, whichever isolate is the present one. It can be put in messages and kept: for a guest it is
    /// a `HostFunction` of the SDK, or a `SendPort` of its `Request`s.
    ///
    /// What arrives waits in a mailbox of the plugin's own until the present isolate's has room, as many messages and bytes
    /// as the limits of its `Spawn` give to a mailbox, and senders learn that it is full: each sender has its share of both.
    /// Nothing of it is lost between two isolates. The messages of one sender keep their order; with calls of this value,
    /// which go to the isolate straight, they have none. When the plugin is over, the port is closed.
    #[must_use]
    pub fn send_port(&self) -> SendPort<Request<Q, A>> {
        self.port.clone()
    }

    /// Has this called with what happens from here on; at once where all is over already. It is called as
    /// [`Isolate::on_end`] calls, on a thread of the host's own.
    pub fn on_event(&self, told: impl Fn(&PluginEvent) + Send + Sync + 'static) {
        self.core.on_event(Arc::new(told));
    }

    /// Ends it for good: [asks](Isolate::request_stop) its isolate to end, waits for `grace`, and kills it where it lives
    /// still. Says how it ended; how the last one did where there is none now. Blocks the calling thread.
    ///
    /// What is asked meanwhile waits, and is over with it.
    pub fn stop(&self, grace: Duration) -> Exit {
        until::block_on(self.world(), self.stop_async(grace))
    }

    /// As [`Plugin::stop`], as a future. Where it is dropped after it was first polled, the plugin ends all the same.
    pub async fn stop_async(&self, grace: Duration) -> Exit {
        self.core.order(|orders| orders.stop = Some(orders.stop.map_or(grace, |other| other.min(grace))));
        self.ended().await
    }

    /// Blocks the calling thread until its last isolate ended, after which no other one comes.
    #[must_use]
    pub fn join(&self) -> Exit {
        until::block_on(self.world(), self.ended())
    }

    /// As [`Plugin::join`], for so long at most.
    #[must_use]
    pub fn join_timeout(&self, timeout: Duration) -> Option<Exit> {
        until::block(self.world(), self.world().after(timeout), self.ended())
    }

    /// As [`Plugin::join`], as a future. Dropping it loses nothing.
    pub async fn ended(&self) -> Exit {
        self.core.over().await.exit
    }

    /// How it ended, if it did.
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.core.is_over().map(|over| over.exit)
    }
}

impl<Q: Serialize, A> Plugin<Q, A> {
    /// Sends a request, and blocks the calling thread for its answer, `timeout` at most.
    ///
    /// # Errors
    /// [`CallError`] says why there is no answer.
    pub fn call(&self, question: &Q, timeout: Duration) -> Result<A, CallError>
    where
        A: DeserializeOwned + 'static,
    {
        self.block(timeout, |_| self.exchange(question))
    }

    /// As [`Plugin::call`], as a future, which the caller may drop: then the answer finds nobody.
    ///
    /// # Errors
    /// As there.
    pub async fn call_async(&self, question: &Q, timeout: Duration) -> Result<A, CallError>
    where
        A: DeserializeOwned + 'static,
    {
        self.within(timeout, |_| self.exchange(question)).await
    }

    /// Sends a request that wants no answer. Blocks the calling thread until an isolate's mailbox has it, `timeout` at most.
    ///
    /// # Errors
    /// [`CallError`] says why it was not sent.
    pub fn tell(&self, question: &Q, timeout: Duration) -> Result<(), CallError> {
        self.block(timeout, |_| self.tell_present(question))
    }

    /// As [`Plugin::tell`], as a future. Dropped before it is done, it has sent nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn tell_async(&self, question: &Q, timeout: Duration) -> Result<(), CallError> {
        self.within(timeout, |_| self.tell_present(question)).await
    }

    /// Sends a request that has any number of answers. Blocks as [`Plugin::tell`] does; the time that is left after that is
    /// for all of the answers.
    ///
    /// # Errors
    /// [`CallError`] says why it was not sent.
    pub fn stream(&self, question: &Q, timeout: Duration) -> Result<Answers<A>, CallError>
    where
        A: 'static,
    {
        self.block(timeout, |ends| self.ask_for_many(question, ends))
    }

    /// As [`Plugin::stream`], as a future. Dropped before it is done, it has sent nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn stream_async(&self, question: &Q, timeout: Duration) -> Result<Answers<A>, CallError>
    where
        A: 'static,
    {
        self.within(timeout, |ends| self.ask_for_many(question, ends)).await
    }

    fn block<T, F>(&self, timeout: Duration, future: impl FnOnce(Nanos) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let ends = self.world().after(timeout);
        until::block(self.world(), ends, future(ends)).unwrap_or(Err(CallError::TimedOut))
    }

    async fn within<T, F>(&self, timeout: Duration, future: impl FnOnce(Nanos) -> F) -> Result<T, CallError>
    where
        F: Future<Output = Result<T, CallError>>,
    {
        let ends = self.world().after(timeout);
        until::within(self.world(), ends, future(ends)).await.unwrap_or(Err(CallError::TimedOut))
    }

    async fn exchange(&self, question: &Q) -> Result<A, CallError>
    where
        A: DeserializeOwned + 'static,
    {
        let answers = answers(&self.core.links, MailboxPolicy::Error);
        let isolate = self.hand_over(question, Some(answers.send_port())).await?;
        only_answer(&answers, &isolate).await
    }

    async fn tell_present(&self, question: &Q) -> Result<(), CallError> {
        self.hand_over(question, None).await.map(drop)
    }

    async fn ask_for_many(&self, question: &Q, ends: Nanos) -> Result<Answers<A>, CallError>
    where
        A: 'static,
    {
        let answers = answers(&self.core.links, MailboxPolicy::Wait);
        let isolate = self.hand_over(question, Some(answers.send_port())).await?;
        Ok(Answers::new(answers, isolate, ends))
    }

    /// Hands a request to the present isolate, or to the next one. Says which one has it.
    async fn hand_over(&self, question: &Q, reply: Option<SendPort<Answer<A>>>) -> Result<Isolate, CallError> {
        let mut life = self.core.present(None).await?;
        loop {
            let isolate = life.isolate().clone();
            match self.hand_to(&life, question, reply.clone()).await? {
                None => return Ok(isolate),
                Some(next) => life = next,
            }
        }
    }

    /// Hands a request to this isolate. Where another one is the present one before this one has it, that is the answer.
    async fn hand_to(
        &self,
        life: &Life,
        question: &Q,
        reply: Option<SendPort<Answer<A>>>,
    ) -> Result<Option<Arc<Life>>, CallError> {
        let mut handed = pin!(life.hand_over(question, reply));
        let mut next = pin!(self.core.present(Some(life.isolate().id())));
        let mut is_ending = false;
        poll_fn(|cx| {
            if !is_ending {
                match handed.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(None)),
                    Poll::Ready(Err(CallError::Ended(_))) => is_ending = true, // without having had it
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => {}
                }
            }
            next.as_mut().poll(cx).map(|next| next.map(Some))
        })
        .await
    }
}

impl<Q, A> Clone for Plugin<Q, A> {
    fn clone(&self) -> Plugin<Q, A> {
        Plugin { core: Arc::clone(&self.core), port: self.port.clone() }
    }
}

impl<Q, A> fmt::Debug for Plugin<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let isolate = self.isolate();
        f.debug_struct("Plugin").field("name", &self.name()).field("isolate", &isolate).finish_non_exhaustive()
    }
}

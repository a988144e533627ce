//! Calls: requests to a guest that serves them, each with an answer or the exact reason why there is none.
//!
//! A request carries a port of its own for what comes back. Whoever has the request and dies lets that port go, so the
//! wait for an answer ends with the other side. Nothing here knows how a guest serves: one that answers several requests
//! at a time answers each to its own port.

use std::fmt;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Duration;

use insula_wire::{Answer, MailboxPolicy, RemoteError, Status};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::receive::{self, Waiting};
use super::{Answers, ReceivePort, RecvError, SendPort};
use crate::control::{Flags, Links};
use crate::error::{SendError, SpawnError};
use crate::exit::Exit;
use crate::host::{Host, Inner};
use crate::isolate::{Isolate, Module};
use crate::limits::Limits;
use crate::spawn::Spawn;
use crate::sync::{Arc, Mutex};
use crate::until;
use crate::world::{Nanos, World};

/// Why a call got no answer.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{CallError, Exit, Host, Spawn};
/// let host = Host::builder().isolates(1).on_uncaught(|_| ()).build()?;
/// let module = host.load("traps", b"(module (func (export \"serve\") unreachable))")?;
/// let plugin = host.open::<String, u64>(&module, Spawn::entry("serve"))?;
/// match plugin.call(&"question".to_owned(), Duration::from_secs(10)) {
///     Err(CallError::Ended(Exit::Trapped { kind, .. })) => assert_eq!(kind, "unreachable"),
///     other => panic!("{other:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The isolate to ask was not born.
    #[error("the isolate was not spawned: {0}")]
    Unborn(SpawnError),
    /// The request was not sent: it cannot be, it is too large, the mailbox is full, or the guest closed its port.
    #[error("{0}")]
    Unsent(SendError),
    /// The time is up. What the guest does about the request goes on, and its answer finds nobody.
    #[error("no answer came in time")]
    TimedOut,
    /// The isolate ended without an answer.
    #[error("the isolate ended without an answer: {0}")]
    Ended(Exit),
    /// The isolate lives, and there will be no answer: it let the request go.
    #[error("the isolate gave no answer")]
    Unanswered,
    /// What came is no answer of the type that was asked for.
    #[error("{0}")]
    Undecodable(RecvError),
    /// The guest says that it failed, and goes on.
    #[error("{0}")]
    Failed(RemoteError),
}

/// A request as it travels: a question, and where its answer goes. It is what a [`Plugin`](crate::Plugin)'s port takes.
///
/// Guests send them by the SDK's `HostFunction`, which such a port is for them. An embedder has calls for those that want
/// an answer, and can send one that wants none.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Host, Request, Restart, SendPort, Spawn};
/// let host = Host::builder().isolates(1).build()?;
/// let module = host.load("deaf", b"(module (func (export \"serve\") (loop (br 0))))")?;
/// let plugin = host.supervise::<String, u64>(&module, Spawn::entry("serve"), Restart::on_failure())?;
/// let port: SendPort<Request<String, u64>> = plugin.send_port();
/// port.send(Request::new("take note of this".to_owned()))?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "Q: Serialize", deserialize = "Q: Deserialize<'de>"))]
pub struct Request<Q, A> {
    /// First, so that it is the first capability of the message.
    pub(super) reply: Option<SendPort<Answer<A>>>,
    pub(super) question: Q,
}

impl<Q, A> Request<Q, A> {
    /// One that wants no answer.
    #[must_use]
    pub fn new(question: Q) -> Request<Q, A> {
        Request { reply: None, question }
    }
}

/// An isolate that is called: it serves requests `Q` with answers `A`.
///
/// Its entry is one that a guest wrote for this: `export_service!`, or an entry that is given a `ServiceEnd`. Every method
/// takes the time that the caller has, and any number of threads and tasks may call at once; whether they are served one
/// after another is the guest's choice. When the isolate dies, each call under way is over at once, with the isolate's
/// [`Exit`].
///
/// Dropping this value ends nothing by itself: the guest finds that nobody can ask it any more, and returns.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use insula::{Host, Limits, Spawn};
/// let host = Host::builder().build()?;
/// let module = host.load_file("plugin.wasm")?; // a guest with `export_service!(score as "score")`
/// let plugin = host.open::<String, u64>(&module, Spawn::entry("score").limits(Limits::default().memory(32 << 20)))?;
/// let score = plugin.call(&"some text".to_owned(), Duration::from_millis(100))?;
/// println!("{score}");
/// # Ok(())
/// # }
/// ```
pub struct Service<Q, A> {
    isolate: Isolate,
    /// Where the guest's port comes to, once, and where it is kept then.
    greeting: ReceivePort<SendPort<Request<Q, A>>>,
    requests: Mutex<Option<SendPort<Request<Q, A>>>>,
}

impl Host {
    /// Spawns an isolate that serves requests. What `spawn` says holds; after its message, or in place of one, the guest is
    /// given the end by which it serves.
    ///
    /// # Errors
    /// As [`Host::spawn`]. It does not wait for the guest: what goes wrong there is an error of the calls.
    pub fn open<Q: 'static, A: 'static>(&self, module: &Module, spawn: Spawn) -> Result<Service<Q, A>, SpawnError> {
        Service::open(self.inner(), module, spawn)
    }
}

impl<Q: 'static, A: 'static> Service<Q, A> {
    /// As [`Host::open`].
    pub(crate) fn open(host: &Arc<Inner>, module: &Module, spawn: Spawn) -> Result<Service<Q, A>, SpawnError> {
        let greeting = ReceivePort::open(host.links(), &Limits::default(), MailboxPolicy::Error);
        let isolate = host.spawn_isolate(module, spawn.followed_by(&greeting.send_port()))?;
        Ok(Service { isolate, greeting, requests: Mutex::new(None) })
    }
}

impl<Q, A> Service<Q, A> {
    /// The isolate that serves.
    #[must_use]
    pub fn isolate(&self) -> &Isolate {
        &self.isolate
    }

    pub(super) fn world(&self) -> &Arc<World> {
        &self.isolate.links().world
    }

    fn ends(&self, timeout: Duration) -> Nanos {
        self.world().after(timeout)
    }

    /// The guest's port; waits until the guest serves.
    async fn requests(&self) -> Result<SendPort<Request<Q, A>>, CallError> {
        let mut waiting = Waiting::at(&self.greeting);
        let greeted = poll_fn(|cx| {
            waiting.with(cx.waker());
            self.poll_requests(cx.waker())
        });
        match greeted.await {
            Ok(requests) => Ok(requests),
            Err(RecvError::Unreachable) => Err(lost(&self.isolate).await),
            Err(error) => Err(CallError::Undecodable(error)),
        }
    }

    /// The guest's port, or wakes `waker` when it is there or will not come.
    pub(crate) fn poll_requests(&self, waker: &Waker) -> Poll<Result<SendPort<Request<Q, A>>, RecvError>> {
        // Whoever takes the port keeps it under the same lock, so nobody finds it neither here nor there.
        let mut requests = self.requests.lock();
        if let Some(requests) = &*requests {
            return Poll::Ready(Ok(requests.clone()));
        }
        match self.greeting.take(Some(waker)).map(|taken| taken.and_then(receive::data)) {
            None => Poll::Pending,
            Some(Err(error)) => Poll::Ready(Err(error)),
            Some(Ok(port)) if port.right().port().mailbox().is_embedders() => Poll::Ready(Err(self.serves_nobody())),
            Some(Ok(port)) => Poll::Ready(Ok(requests.insert(port).clone())),
        }
    }

    /// By a port of the embedder's no isolate serves: it is that of a function, which whoever asks would call in his own
    /// name, or of a plugin, perhaps of this one.
    fn serves_nobody(&self) -> RecvError {
        let (port, wanted) = (self.greeting.number(), "SendPort to a port of an isolate's");
        RecvError::Undecodable { port, wanted, position: 0, too_deep: false }
    }

    /// Hands a request over, of one whose types need not be known here. [`CallError::Ended`] means that the isolate ended
    /// without having had it.
    pub(crate) async fn hand_over<P: Serialize, B>(
        &self,
        question: &P,
        reply: Option<SendPort<Answer<B>>>,
    ) -> Result<(), CallError> {
        let requests = self.requests().await?.cast::<Request<&P, B>>();
        match requests.send_async(Request { reply, question }).await {
            Ok(()) => Ok(()),
            Err(error) if error.status == Status::Closed => match lost(&self.isolate).await {
                CallError::Unanswered => Err(CallError::Unsent(error)),
                ended => Err(ended),
            },
            Err(error) => Err(CallError::Unsent(error)),
        }
    }
}

impl<Q: Serialize, A> Service<Q, A> {
    /// Sends a request, and blocks the calling thread for its answer, `timeout` at most.
    ///
    /// # Errors
    /// [`CallError`] says why there is no answer.
    pub fn call(&self, question: &Q, timeout: Duration) -> Result<A, CallError>
    where
        A: DeserializeOwned + 'static,
    {
        until::block(self.world(), self.ends(timeout), self.exchange(question)).unwrap_or(Err(CallError::TimedOut))
    }

    /// As [`Service::call`], as a future, which the caller may drop: then the answer finds nobody.
    ///
    /// # Errors
    /// As there.
    pub async fn call_async(&self, question: &Q, timeout: Duration) -> Result<A, CallError>
    where
        A: DeserializeOwned + 'static,
    {
        let answer = until::within(self.world(), self.ends(timeout), self.exchange(question));
        answer.await.unwrap_or(Err(CallError::TimedOut))
    }

    /// Sends a request that wants no answer. Blocks the calling thread until the guest's mailbox has it, `timeout` at most:
    /// the first time until the guest serves, later only where the guest's port makes senders wait for room.
    ///
    /// # Errors
    /// [`CallError`] says why it was not sent.
    pub fn tell(&self, question: &Q, timeout: Duration) -> Result<(), CallError> {
        let told =
            until::block(self.world(), self.ends(timeout), self.hand_over(question, None::<SendPort<Answer<A>>>));
        told.unwrap_or(Err(CallError::TimedOut))
    }

    /// As [`Service::tell`], as a future. Dropped before it is done, it has sent nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn tell_async(&self, question: &Q, timeout: Duration) -> Result<(), CallError> {
        let told =
            until::within(self.world(), self.ends(timeout), self.hand_over(question, None::<SendPort<Answer<A>>>));
        told.await.unwrap_or(Err(CallError::TimedOut))
    }

    /// Sends a request that has any number of answers. Blocks as [`Service::tell`] does; the time that is left after that is
    /// for all of the answers.
    ///
    /// # Errors
    /// [`CallError`] says why it was not sent.
    pub fn stream(&self, question: &Q, timeout: Duration) -> Result<Answers<A>, CallError>
    where
        A: 'static,
    {
        let ends = self.ends(timeout);
        let answers = answers(self.isolate.links(), MailboxPolicy::Wait);
        let sent = until::block(self.world(), ends, self.hand_over(question, Some(answers.send_port())));
        sent.unwrap_or(Err(CallError::TimedOut)).map(|()| Answers::new(answers, self.isolate.clone(), ends))
    }

    /// As [`Service::stream`], as a future. Dropped before it is done, it has sent nothing.
    ///
    /// # Errors
    /// As there.
    pub async fn stream_async(&self, question: &Q, timeout: Duration) -> Result<Answers<A>, CallError>
    where
        A: 'static,
    {
        let ends = self.ends(timeout);
        let answers = answers(self.isolate.links(), MailboxPolicy::Wait);
        let sent = until::within(self.world(), ends, self.hand_over(question, Some(answers.send_port()))).await;
        sent.unwrap_or(Err(CallError::TimedOut)).map(|()| Answers::new(answers, self.isolate.clone(), ends))
    }

    async fn exchange(&self, question: &Q) -> Result<A, CallError>
    where
        A: DeserializeOwned + 'static,
    {
        let answers = answers(self.isolate.links(), MailboxPolicy::Error);
        self.hand_over(question, Some(answers.send_port())).await?;
        only_answer(&answers, &self.isolate).await
    }
}

/// A port for what comes back. It has one sender, who may have all of its room.
pub(crate) fn answers<A: 'static>(links: &Arc<Links>, policy: MailboxPolicy) -> ReceivePort<Answer<A>> {
    ReceivePort::open(links, &Limits::default().sender_percent(100), policy)
}

/// The one value that comes back.
pub(crate) async fn only_answer<A: DeserializeOwned>(
    answers: &ReceivePort<Answer<A>>,
    isolate: &Isolate,
) -> Result<A, CallError> {
    answer(answers, isolate).await?.ok_or(CallError::Unanswered)
}

/// The next value that comes back; none at the end.
pub(super) async fn answer<A: DeserializeOwned>(
    answers: &ReceivePort<Answer<A>>,
    isolate: &Isolate,
) -> Result<Option<A>, CallError> {
    match answers.recv_async().await {
        Ok(Answer::Value(value)) => Ok(Some(value)),
        Ok(Answer::End) => Ok(None),
        Ok(Answer::Failed(error)) => Err(CallError::Failed(error)),
        Err(RecvError::Unreachable) => Err(lost(isolate).await),
        Err(error) => Err(CallError::Undecodable(error)),
    }
}

/// What it means that nobody can answer. The isolate's death marks it before it lets any port go, so one that is not
/// marked let this one go by itself.
async fn lost(isolate: &Isolate) -> CallError {
    if isolate.control().flags.any(Flags::END) {
        CallError::Ended(isolate.ended().await)
    } else {
        CallError::Unanswered
    }
}

impl<Q, A> fmt::Debug for Service<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("isolate", &self.isolate).finish_non_exhaustive()
    }
}

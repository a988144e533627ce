//! Host functions: what an embedder lets its guests call.
//!
//! A function is a port of the embedder's, found by its name, with a port of the caller's for what comes back: so a guest
//! that waits for one waits as it does for any message, and is paused, killed and timed out there. It runs on threads of
//! its own ([`Crew`](crate::host::Crew)), never on those of guests. Who calls is what the host knows of the message, and
//! nothing that the message says.

use std::any::Any;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

use insula_wire::{Answer, MailboxPolicy, RemoteError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::call::Request;
use super::{ReceivePort, SendPort};
use crate::control::{Control, Flags, Hold, Links};
use crate::exit::{Exit, IsolateId};
use crate::host::Host;
use crate::isolate::ended;
use crate::limits::Limits;
use crate::port::{Attachment, Message, SendRight, codec};
use crate::spawn::{HostFunction, Spawn};
use crate::sync::{Arc, Mutex};

/// Calls of one function that are under way at one time, unless said otherwise.
const AT_ONCE: usize = 16;

/// Who calls a host function.
///
/// It is told by the host, and is no part of what the guest sends: a guest cannot pass for another one. A child that has
/// the function by inheritance, or was sent it, calls as itself, with the data of its own spawn, or of the ancestor that
/// the embedder spawned.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Caller, Host, Spawn};
/// struct Tenant(String);
/// let host = Host::builder().build()?;
/// let whoami = host.function("whoami", |caller: &Caller, (): ()| {
///     caller.data::<Tenant>().map_or_else(|| caller.debug_name(), |tenant| tenant.0.clone())
/// })?;
/// let spawn = Spawn::main().function(&whoami).data(Tenant("Alice's".to_owned()));
/// host.spawn(&host.load_file("plugin.wasm")?, spawn)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Caller {
    control: Arc<Control>,
}

impl Caller {
    /// The number of the calling isolate.
    #[must_use]
    pub fn id(&self) -> IsolateId {
        self.control.id
    }

    /// What reports call the calling isolate.
    #[must_use]
    pub fn debug_name(&self) -> String {
        self.control.name()
    }

    /// What [`Spawn::data`] gave the calling isolate, or the one that the embedder spawned above it, if it is a `D`.
    #[must_use]
    pub fn data<D: Send + Sync + 'static>(&self) -> Option<Arc<D>> {
        self.control.data.lock().clone()?.downcast().ok()
    }

    /// Whether the calling isolate has ended: then nobody waits for the answer, and a long function may stop.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.control.flags.any(Flags::END)
    }
}

/// A function that guests may call to whom it is [given](Spawn::function); made by [`Host::function`] and
/// [`Host::function_async`].
///
/// The types are the embedder's word, and the guest's stub has its own: where they differ, the call fails and says so.
/// Dropping this value takes the function from nobody.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use insula::{Caller, Host, Spawn};
/// let host = Host::builder().build()?;
/// let double = host.function("double", |_: &Caller, number: u64| number.checked_mul(2).ok_or("too large"))?;
/// let spawn = Spawn::main().function(&double); // the guest: `host_function::<u64, Result<u64, String>>("double")`
/// host.spawn(&host.load_file("plugin.wasm")?, spawn)?;
/// # Ok(())
/// # }
/// ```
pub struct Function<Q, A> {
    given: HostFunction,
    places: Arc<Semaphore>,
    at_once: usize,
    types: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Function<Q, A> {
    /// Its name, by which guests find it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.given.name
    }

    /// How many calls of it may be under way at one time, 16 unless said otherwise; say it before it is given to anybody.
    /// Further calls wait for their turn, in the order in which they came.
    #[must_use]
    pub fn at_once(mut self, calls: usize) -> Function<Q, A> {
        let calls = calls.clamp(1, Semaphore::MAX_PERMITS);
        if calls > self.at_once {
            self.places.add_permits(calls - self.at_once);
        } else {
            self.places.forget_permits(self.at_once - calls);
        }
        self.at_once = calls;
        self
    }
}

impl Spawn {
    /// Lets the isolate, and children that inherit its grants, call a function of the embedder's.
    pub fn function<Q, A>(mut self, function: &Function<Q, A>) -> Spawn {
        self.functions.push(function.given.clone());
        self
    }

    /// What host functions find as the [`data`](Caller::data) of this isolate and of all that it spawns. A `Spawn` that is
    /// used again gives the same value again.
    pub fn data<D: Send + Sync + 'static>(mut self, data: D) -> Spawn {
        self.data = Some(Arc::new(data));
        self
    }
}

impl Host {
    /// A function that blocks: each call has a thread while it runs. All functions of a host share
    /// [`HostBuilder::function_threads`](crate::HostBuilder::function_threads), made when the first one is.
    ///
    /// A guest that calls it waits, under its deadline, and may be killed there; what it called runs on to its end then,
    /// keeps its thread so long, and can ask [`Caller::has_ended`]. A panic in it ends the calling isolate, with
    /// [`Exit::HostFault`], and nobody else.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn function<Q, A, F>(&self, name: &str, function: F) -> io::Result<Function<Q, A>>
    where
        Q: DeserializeOwned + 'static,
        A: Serialize + 'static,
        F: Fn(&Caller, Q) -> A + Send + Sync + 'static,
    {
        let function = Arc::new(function);
        self.serve(name, move |threads, call: Call<A>| {
            let function = Arc::clone(&function);
            threads.spawn_blocking(move || {
                let done = catch_unwind(AssertUnwindSafe(|| {
                    let question = call.question();
                    question.into_iter().for_each(|question| call.answer(&function(&call.caller, question)));
                }));
                done.unwrap_or_else(|panic| call.panicked(&*panic));
            })
        })
    }

    /// A function that waits: its futures share a thread, which they must not block. They may use tokio.
    ///
    /// As [`Host::function`], but when the guest ends, the future that it waited for is dropped.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn function_async<Q, A, F, W>(&self, name: &str, function: F) -> io::Result<Function<Q, A>>
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
        F: Fn(Caller, Q) -> W + Send + Sync + 'static,
        W: Future<Output = A> + Send + 'static,
    {
        let function = Arc::new(function);
        self.serve(name, move |threads, call: Call<A>| {
            let function = Arc::clone(&function);
            threads.spawn(async move {
                let answered = async {
                    if let Some(question) = call.question() {
                        call.answer(&function(call.caller.clone(), question).await);
                    }
                };
                let mut answered = pin!(answered);
                let done = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| answered.as_mut().poll(cx))) {
                    Ok(polled) => polled.map(Ok),
                    Err(panic) => Poll::Ready(Err(panic)),
                });
                done.await.unwrap_or_else(|panic| call.panicked(&*panic));
            })
        })
    }

    fn serve<Q: 'static, A: 'static>(
        &self,
        name: &str,
        begin: impl Fn(&Handle, Call<A>) -> JoinHandle<()> + Send + 'static,
    ) -> io::Result<Function<Q, A>> {
        let links = self.inner().links();
        let threads = self.inner().crew().handle()?;
        let port = ReceivePort::<()>::untyped(links, &Limits::default(), MailboxPolicy::Wait);
        let given = HostFunction { name: name.into(), right: SendRight::new(port.port()), host: links.number };
        let places = Arc::new(Semaphore::new(AT_ONCE));
        threads.spawn(dispatch(port, Arc::clone(&places), Arc::clone(links), Arc::clone(&given.name), begin));
        Ok(Function { given, places, at_once: AT_ONCE, types: PhantomData })
    }
}

/// One call under way: it has its place among those that are, and for so long something may wake its caller.
struct Call<A> {
    caller: Caller,
    name: Arc<str>,
    links: Arc<Links>,
    /// The question, until it is decoded.
    message: Mutex<Option<Message>>,
    /// Held to the end: a caller whose function panicked is to end before it learns that there is no answer.
    reply: Option<SendPort<Answer<A>>>,
    _place: OwnedSemaphorePermit,
    _hold: Hold,
}

impl<A: Serialize> Call<A> {
    /// Decodes the question, once. One that is none of this type is answered so.
    fn question<Q: DeserializeOwned>(&self) -> Option<Q> {
        let message = self.message.lock().take()?;
        match self.links.decode(|| codec::decode::<Request<Q, A>>(message)) {
            Ok(request) => Some(request.question),
            Err(error) => {
                let wanted = std::any::type_name::<Q>();
                self.fail(format!("the question is no {wanted}, at byte {}", error.position));
                None
            }
        }
    }

    /// The caller may be gone, or have given up, and then nobody is told.
    fn answer(&self, answer: &A) {
        let sent = self.reply.as_ref().map_or(Ok(()), |reply| reply.clone().cast().send(Answer::Value(answer)));
        if let Err(error) = sent {
            self.fail(format!("the answer was not sent: {}", error.reason()));
        }
    }

    fn fail(&self, message: String) {
        let failed = Answer::Failed(RemoteError { message, stack: String::new() });
        let _ = self.reply.as_ref().map(|reply| reply.send_ref(&failed));
    }

    fn panicked(&self, panic: &(dyn Any + Send)) {
        let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        let message = format!("the host function `{}` panicked: {}", self.name, text.unwrap_or("no text"));
        self.caller.control.end_now(Exit::HostFault { message });
    }
}

/// The port for what comes back, which comes first in a request that has one.
fn first_port(message: &Message) -> Option<SendRight> {
    match (message.bytes.first(), message.attachments.first()) {
        (Some(1), Some(Attachment::Send(right))) => Some(right.clone()),
        _ => None,
    }
}

/// Takes calls out of the port as there are places for them, until nobody can call any more.
async fn dispatch<A: 'static>(
    port: ReceivePort<()>,
    places: Arc<Semaphore>,
    links: Arc<Links>,
    name: Arc<str>,
    begin: impl Fn(&Handle, Call<A>) -> JoinHandle<()>,
) {
    let threads = Handle::current();
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let Some((sender, message, hold)) = port.request_async().await else { break };
        // Only an isolate that lives can be answered; what the embedder sent here, or a notice, is no call.
        let Some(control) = sender.and_then(|sender| links.registry.find(sender)) else { continue };
        let call = Call {
            caller: Caller { control: Arc::clone(&control) },
            name: Arc::clone(&name),
            links: Arc::clone(&links),
            reply: first_port(&message).map(|right| SendPort::new(right, &links)),
            message: Mutex::new(Some(message)),
            _place: place,
            _hold: hold,
        };
        threads.spawn(watch(begin(&threads, call), control));
    }
}

/// Waits for a call, or for the end of its caller, which is the end of the call too.
async fn watch(mut call: JoinHandle<()>, control: Arc<Control>) {
    let mut ended = pin!(ended(&control));
    let is_over = poll_fn(|cx| match Pin::new(&mut call).poll(cx) {
        Poll::Ready(_) => Poll::Ready(true),
        Poll::Pending => ended.as_mut().poll(cx).map(|_| false),
    });
    if !is_over.await {
        call.abort(); // which changes nothing for a function that has a thread by now
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Caller({} {})", self.id(), self.debug_name())
    }
}

impl<Q, A> fmt::Debug for Function<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Function({})", self.name())
    }
}

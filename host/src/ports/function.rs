//! Host functions: what an embedder lets its guests call.
//!
//! A function is a port of the embedder's, found by its name, with a port of the caller's for what comes back: so a guest
//! that waits for one waits as it does for any message, and is paused, killed and timed out there. It runs on threads of
//! its own ([`Crew`](crate::host::Crew)), never on those of guests. Who calls is what the host knows of the message, and
//! nothing that the message says.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context, Poll};

use insula_wire::MailboxPolicy;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::ReceivePort;
use super::serving::{Call, Serving, dispatch};
use crate::control::{Control, Flags};
use crate::exit::IsolateId;
use crate::host::{Host, Shares};
use crate::limits::Limits;
use crate::log;
use crate::port::SendRight;
use crate::spawn::{HostFunction, Spawn};
use crate::sync::Arc;
use crate::trace_context::TraceContext;
use crate::until;

/// Calls of one function that are under way at one time, unless said otherwise.
const AT_ONCE: usize = 16;

/// As many of them for one plugin, unless said otherwise: a quarter, so that three more find a place beside a greedy one.
const AT_ONCE_EACH: usize = 4;

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
    pub(super) control: Arc<Control>,
    pub(super) context: Option<TraceContext>,
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

    /// Where in a trace the call was sent: that of the message that the calling isolate took last.
    #[must_use]
    pub fn trace_context(&self) -> Option<TraceContext> {
        self.context
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
    shares: Arc<Shares>,
    types: PhantomData<fn(Q) -> A>,
}

impl<Q, A> Function<Q, A> {
    /// Its name, by which guests find it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.given.name
    }

    /// How many calls of it may be under way at one time, 16 unless said otherwise; say it before it is given to anybody.
    /// Further calls wait, in the order in which they came, but for what [`Function::at_once_each`] says.
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

    /// How many of those may be of one plugin, 4 unless said otherwise: of an isolate that the embedder spawned and all
    /// that descend from it. Its further calls wait until one of its own is over, and hold up nobody else's.
    ///
    /// Of one plugin 1,000 calls of a function may wait in this way, with questions of 8 MiB; what is beyond that fails,
    /// and its caller is told.
    #[must_use]
    pub fn at_once_each(self, calls: usize) -> Function<Q, A> {
        self.shares.set_each(calls.max(1));
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
    /// [`Exit::HostFault`], and nobody else. Its answer is sent where there is room for it, and waits for none.
    ///
    /// What the function owns lives as long as the host: one that owned a [`Host`] would keep that open for good.
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
        self.serve(name, true, move |threads, call: Call<A>| {
            let function = Arc::clone(&function);
            threads.spawn_blocking(move || {
                let _logged = log::span(&call.caller.control).entered();
                let done = catch_unwind(AssertUnwindSafe(|| {
                    let question = call.question();
                    let answer = |question| until::working(call.world(), || function(&call.caller, question));
                    question.into_iter().for_each(|question| call.answer(&answer(question)));
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
        self.serve(name, false, move |threads, call: Call<A>| {
            let function = Arc::clone(&function);
            threads.spawn(async move {
                let answered = async {
                    if let Some(question) = call.question() {
                        call.answer(&function(call.caller.clone(), question).await);
                    }
                };
                let (mut answered, span) = (pin!(answered), log::span(&call.caller.control));
                let mut poll = |cx: &mut Context<'_>| span.in_scope(|| answered.as_mut().poll(cx));
                let done = poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| poll(cx))) {
                    Ok(polled) => polled.map(Ok),
                    Err(panic) => Poll::Ready(Err(panic)),
                });
                done.await.unwrap_or_else(|panic| call.panicked(&*panic));
            })
        })
    }

    /// Where calls have a thread while they run, a plugin has a part of those, too.
    fn serve<Q: 'static, A: Serialize + 'static>(
        &self,
        name: &str,
        takes_threads: bool,
        begin: impl Fn(&Handle, Call<A>) -> JoinHandle<()> + Send + 'static,
    ) -> io::Result<Function<Q, A>> {
        let links = self.inner().links();
        let threads = self.inner().crew().handle()?;
        let port = ReceivePort::<()>::untyped(links, &Limits::default(), MailboxPolicy::Wait);
        let given = HostFunction { name: name.into(), right: SendRight::new(port.port()), host: links.number };
        let (places, shares) = (Arc::new(Semaphore::new(AT_ONCE)), Shares::of_each(AT_ONCE_EACH));
        let serving = Serving {
            port,
            places: Arc::clone(&places),
            shares: Arc::clone(&shares),
            threads: takes_threads.then(|| Arc::clone(self.inner().crew().shares())),
            links: Arc::clone(links),
            name: Arc::clone(&given.name),
        };
        threads.spawn(until::counted(&links.world, dispatch(serving, begin)));
        Ok(Function { given, places, at_once: AT_ONCE, shares, types: PhantomData })
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

//! The handle of an isolate, and what one can ask of the isolate with it.

use insula_wire::layout;
use insula_wire::{HandleKind, MailboxPolicy, Priority, RemoteError, codec};
use serde::de::{DeserializeOwned, Deserializer};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::call::{Body, Notice, Text};
use crate::compute::Computation;
use crate::error::{ControlError, Refused, RunError, SendError, SpawnError};
use crate::event_loop::Listener;
use crate::handle::{Capability, Handle};
use crate::message::Outgoing;
use crate::outcome::Outcome;
use crate::receive_port::ReceivePort;
use crate::report;
use crate::send_port::SendPort;
use crate::spawn::Spawn;
use crate::sys;
use crate::value::{self, ErrorNotice};

/// A handle of an isolate: its control port, and what authority over it comes along.
///
/// It is a value: it can be cloned, compared and sent. With the control port alone one can ping, ask to be told of
/// errors and of the end, and read the name. Pausing needs the pause capability, killing the terminate capability; whoever
/// passes the handle on leaves out what the receiver should not have
/// ([`without_pause`](Isolate::without_pause), [`without_terminate`](Isolate::without_terminate)). A request without the
/// authority that it needs is ignored (semantics 3).
///
/// Dropping the handle does nothing to the isolate.
///
/// ```no_run
/// use insula_guest::{Isolate, Priority};
///
/// let looper = Isolate::spawn(|_: ()| loop {}, ())?;
/// looper.kill(Priority::Immediate);
/// # Ok::<(), insula_guest::SpawnError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Isolate {
    control: ControlPort,
    pause: Option<Capability>,
    terminate: Option<Capability>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ControlPort(Handle);

/// Birth, the voluntary end, and oneself.
impl Isolate {
    /// A new isolate of this module, in which `entry` is called with a copy of `message`.
    ///
    /// The entry is a fn item or a closure that captures nothing; the new isolate shares no memory with this one, all
    /// its globals are fresh. It has this isolate's grants, its errors are fatal to it, and it outlives its parent;
    /// [`build`](Isolate::build) is for the rest of the options.
    ///
    /// ```no_run
    /// use insula_guest::{Isolate, ReceivePort, SendPort};
    ///
    /// fn worker((name, greeting): (String, SendPort<String>)) {
    ///     greeting.send(format!("hello, {name}")).ok();
    /// }
    ///
    /// let port = ReceivePort::new();
    /// Isolate::spawn(worker, ("world".to_owned(), port.send_port()))?;
    /// println!("{}", port.first()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the message cannot be sent, or the host refuses. What goes wrong after that is an uncaught error of the new
    /// isolate.
    pub fn spawn<F, T, R>(entry: F, message: T) -> Result<Isolate, SpawnError>
    where
        F: Fn(T) -> R + Copy + 'static,
        T: Serialize + DeserializeOwned,
        R: Outcome,
    {
        Spawn::new().spawn(entry, message)
    }

    /// An isolate to be born with options.
    pub fn build() -> Spawn {
        Spawn::new()
    }

    /// What `f` returns for `argument`, computed in an isolate of its own, which ends with it. Dart's `Isolate.run`.
    ///
    /// An error that `f` returns comes back as it is, inside of the value. [`compute`](Isolate::compute) does not wait.
    ///
    /// ```no_run
    /// use std::num::ParseIntError;
    /// use insula_guest::Isolate;
    ///
    /// let length = Isolate::run(|text: String| text.len(), "four".to_owned())?;
    /// assert_eq!(length, 4);
    /// # Ok::<(), insula_guest::RunError>(())
    /// ```
    ///
    /// # Errors
    /// When no isolate was born, or it failed, was killed, or ended without a result.
    pub fn run<F, A, V>(f: F, argument: A) -> Result<V, RunError>
    where
        F: Fn(A) -> V + Copy + 'static,
        A: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        Isolate::compute(f, argument)?.join()
    }

    /// As [`run`](Isolate::run), but goes on at once; the value is fetched later.
    ///
    /// # Errors
    /// When no isolate was born.
    pub fn compute<F, A, V>(f: F, argument: A) -> Result<Computation<V>, SpawnError>
    where
        F: Fn(A) -> V + Copy + 'static,
        A: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        Spawn::new().compute(f, argument)
    }

    /// Ends this isolate with a last message, which is handed over rather than copied. No destructors run.
    ///
    /// It returns only if it did not work, and then says why; the isolate goes on.
    ///
    /// ```no_run
    /// use insula_guest::{Isolate, SendError, SendPort};
    ///
    /// fn worker(result: SendPort<Vec<u64>>) -> Result<(), SendError> {
    ///     let squares = (0..5).map(|n| n * n).collect();
    ///     Err(Isolate::exit(&result, squares))
    /// }
    /// ```
    pub fn exit<T: Serialize>(port: &SendPort<T>, message: T) -> SendError {
        match Outgoing::encode(&message) {
            Ok(message) => leave(port.handle.number(), message.body()),
            Err(error) => error,
        }
    }

    /// Ends this isolate without a word. No destructors run.
    ///
    /// # Panics
    /// When the host lets it live.
    pub fn exit_silently() -> ! {
        let error = leave(0, Body::default());
        panic!("this isolate lives on after its exit: {error}")
    }

    /// This isolate, with all authority over it.
    ///
    /// # Panics
    /// When this isolate may hold no more handles.
    #[must_use]
    pub fn current() -> Isolate {
        report::install_hook();
        match sys::result(|isolate| sys::isolates_current(isolate)) {
            Ok(isolate) => Isolate::own(isolate),
            Err(status) => panic!("no room for a handle of this isolate: {status}"),
        }
    }

    pub(crate) fn own(isolate: layout::Isolate) -> Isolate {
        let capability = |number| (number != 0).then(|| Capability { handle: Handle::own(number) });
        Isolate {
            control: ControlPort(Handle::own(isolate.control)),
            pause: capability(isolate.pause),
            terminate: capability(isolate.terminate),
        }
    }
}

fn leave(port: u32, message: Body<'_>) -> SendError {
    report::flush();
    match sys::exit(port, message) {
        Ok(()) => unreachable!("the host ended this isolate and returned"),
        Err(status) => status.into(),
    }
}

/// Authority: what of it this handle carries.
///
/// ```no_run
/// # use insula_guest::{Isolate, SendPort};
/// # fn share(watcher: SendPort<Isolate>) -> Result<(), insula_guest::SendError> {
/// watcher.send(Isolate::current().without_pause().without_terminate())
/// # }
/// ```
impl Isolate {
    /// The capability that pausing needs.
    #[must_use]
    pub fn pause_capability(&self) -> Option<&Capability> {
        self.pause.as_ref()
    }

    /// The capability that killing needs.
    #[must_use]
    pub fn terminate_capability(&self) -> Option<&Capability> {
        self.terminate.as_ref()
    }

    /// The same isolate, not to be paused through this handle.
    #[must_use]
    pub fn without_pause(self) -> Isolate {
        Isolate { pause: None, ..self }
    }

    /// The same isolate, not to be killed through this handle.
    #[must_use]
    pub fn without_terminate(self) -> Isolate {
        Isolate { terminate: None, ..self }
    }

    /// The same isolate, with a pause capability that came another way. A foreign one has no effect.
    #[must_use]
    pub fn with_pause(self, capability: Capability) -> Isolate {
        Isolate { pause: Some(capability), ..self }
    }

    /// The same isolate, with a terminate capability that came another way. A foreign one has no effect.
    #[must_use]
    pub fn with_terminate(self, capability: Capability) -> Isolate {
        Isolate { terminate: Some(capability), ..self }
    }
}

/// Control: requests that the host applies, whatever the isolate does. Requests to a dead isolate have no effect.
impl Isolate {
    fn number(&self) -> u32 {
        self.control.0.number()
    }

    fn pause_number(&self) -> u32 {
        Capability::number(self.pause.as_ref())
    }

    fn terminate_number(&self) -> u32 {
        Capability::number(self.terminate.as_ref())
    }

    /// Adds a new pause to the isolate's set and returns it: no turn begins there until [`resume`](Isolate::resume) has
    /// taken out each. Needs the pause capability.
    #[must_use = "the isolate stays paused until it is resumed with what this returns"]
    pub fn pause(&self) -> Capability {
        let token = Capability::new();
        self.pause_with(&token);
        token
    }

    /// As [`pause`](Isolate::pause), with a token of the caller's. The same twice is one pause.
    pub fn pause_with(&self, token: &Capability) {
        let _ = sys::control_pause(self.number(), self.pause_number(), token.handle.number());
    }

    /// Takes a pause out of the isolate's set; what came meanwhile is delivered when the set is empty.
    pub fn resume(&self, token: &Capability) {
        let _ = sys::control_resume(self.number(), token.handle.number());
    }

    /// Lifts the pause that an isolate is born with which was spawned [`paused`](Spawn::paused). Needs the pause
    /// capability, which is that pause.
    pub fn resume_birth(&self) {
        if let Some(token) = &self.pause {
            self.resume(token);
        }
    }

    /// Ends the isolate: `Immediate` in the middle of whatever it does, `BeforeNextEvent` at the end of its turn. No code
    /// of its runs again, and exit listeners are told. Needs the terminate capability.
    pub fn kill(&self, priority: Priority) {
        let _ = sys::control_kill(self.number(), self.terminate_number(), priority.code());
    }

    /// Ends the isolate and all its descendants at once. Needs the terminate capability.
    pub fn kill_tree(&self) {
        let _ = sys::control_kill_tree(self.number(), self.terminate_number());
    }

    /// Asks the isolate to end: it sees it in [`stop_requested`], or through [`on_stop`]. Needs the terminate capability.
    pub fn request_stop(&self) {
        let _ = sys::control_request_stop(self.number(), self.terminate_number());
    }

    /// Has `response` posted to `port` when the isolate gets to it: a sign of life.
    ///
    /// # Errors
    /// When the response cannot be sent, or there is no room for it.
    pub fn ping<R: Serialize>(&self, port: &SendPort<R>, response: R, priority: Priority) -> Result<(), ControlError> {
        notify(Notice::Ping(self.number(), priority.code()), port, &response)
    }

    /// Has `response` posted to `port` as the isolate's last act, whatever it ends of; at once if it has ended. For each
    /// port the last response counts.
    ///
    /// # Errors
    /// When the response cannot be sent, or there is no room for it.
    pub fn add_exit_listener<R: Serialize>(&self, port: &SendPort<R>, response: R) -> Result<(), ControlError> {
        notify(Notice::Exit(self.number()), port, &response)
    }

    /// Takes back [`add_exit_listener`](Isolate::add_exit_listener), or the exit listener of the birth.
    pub fn remove_exit_listener<R>(&self, port: &SendPort<R>) {
        let _ = sys::control_remove_exit_listener(self.number(), port.handle.number());
    }

    /// Has every uncaught error of the isolate posted to `port`, as [`RemoteError`] or as [`Value`](crate::Value). With no
    /// listener the host prints them.
    ///
    /// # Errors
    /// When there is no room for them.
    pub fn add_error_listener<E: ErrorNotice>(&self, port: &SendPort<E>) -> Result<(), ControlError> {
        let schema = codec::schema::<RemoteError>();
        let added = sys::check(sys::control_add_error_listener(self.number(), port.handle.number(), schema));
        added.map_err(|status| ControlError::Refused(Refused::by_host(status)))
    }

    /// Takes back [`add_error_listener`](Isolate::add_error_listener), or the error listener of the birth.
    pub fn remove_error_listener<E: ErrorNotice>(&self, port: &SendPort<E>) {
        let _ = sys::control_remove_error_listener(self.number(), port.handle.number());
    }

    /// The uncaught errors of the isolate from now on. Dart's `Isolate.errors`.
    ///
    /// The port ends when the isolate has. While it is open the host prints none of them.
    ///
    /// ```no_run
    /// # let isolate = insula_guest::Isolate::current();
    /// for error in isolate.errors()? {
    ///     println!("it said: {error}");
    /// }
    /// # Ok::<(), insula_guest::ControlError>(())
    /// ```
    ///
    /// # Errors
    /// When there is no room for another port, or for what it is told.
    pub fn errors(&self) -> Result<ReceivePort<RemoteError>, ControlError> {
        let port = ReceivePort::try_open(MailboxPolicy::Error).map_err(ControlError::Refused)?;
        self.add_error_listener(&port.send_port())?;
        Ok(port)
    }

    /// Whether an uncaught error that the isolate's code returned ends it. A panic or trap always does. Needs the
    /// terminate capability.
    pub fn set_errors_fatal(&self, fatal: bool) {
        let _ = sys::control_set_errors_fatal(self.number(), self.terminate_number(), fatal.into());
    }

    /// The name that the isolate was born with.
    #[must_use]
    pub fn debug_name(&self) -> String {
        sys::text(Text::DebugName(self.number())).unwrap_or_default()
    }
}

fn notify<R: Serialize>(notice: Notice, port: &SendPort<R>, response: &R) -> Result<(), ControlError> {
    let response = Outgoing::encode(response).map_err(ControlError::Response)?;
    let noted = sys::notify(notice, port.handle.number(), value::schema::<R>(), response.body());
    noted.map_err(|status| ControlError::Refused(Refused::by_host(status)))
}

/// Whether somebody asked this isolate to end. For loops that have a good place to do so.
///
/// ```no_run
/// while !insula_guest::stop_requested() {
///     // the next piece of work
/// }
/// ```
#[must_use]
pub fn stop_requested() -> bool {
    sys::control_stop_requested() != 0
}

/// Has `handler` called in the event loop when somebody asks this isolate to end. It does not keep the isolate alive.
///
/// ```no_run
/// insula_guest::on_stop(|| println!("so long"))?;
/// # Ok::<(), insula_guest::ControlError>(())
/// ```
///
/// # Errors
/// When there is no room for the notice.
pub fn on_stop<H, O>(mut handler: H) -> Result<Listener, ControlError>
where
    H: FnMut() -> O + 'static,
    O: Outcome,
{
    let port = ReceivePort::<()>::new();
    notify_stop(&port.send_port(), ())?;
    let listener = port.listen(move |()| handler());
    listener.keep_alive(false);
    Ok(listener)
}

/// Has `response` posted to `port` when somebody asks this isolate to end; replaces what was asked for before.
///
/// ```no_run
/// let stop = insula_guest::ReceivePort::<()>::new();
/// insula_guest::notify_stop(&stop.send_port(), ())?;
/// # Ok::<(), insula_guest::ControlError>(())
/// ```
///
/// # Errors
/// When the response cannot be sent, or there is no room for it.
pub fn notify_stop<R: Serialize>(port: &SendPort<R>, response: R) -> Result<(), ControlError> {
    notify(Notice::Stop, port, &response)
}

impl Serialize for ControlPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ControlPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ControlPort, D::Error> {
        Ok(ControlPort(Handle::deserialize(deserializer, HandleKind::Control)?))
    }
}

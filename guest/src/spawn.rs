//! How an isolate is born: its options, by value.

use insula_wire::layout::SpawnOptions;
use insula_wire::{GrantKind, MailboxPolicy, RemoteError, codec};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::{Body, Newborn, Pointees};
use crate::compute::Computation;
use crate::duplex::{Duplex, DuplexEnd};
use crate::entry;
use crate::error::{Refused, SendError, SpawnError};
use crate::handle::Handle;
use crate::isolate::Isolate;
use crate::limits::{Grant, Limits};
use crate::message::{Kept, Outgoing};
use crate::outcome::Outcome;
use crate::receive_port::{self, ReceivePort};
use crate::report;
use crate::send_port::SendPort;
use crate::sys;
use crate::value::{self, ErrorNotice};

/// An isolate to be born: options first, then one of the `spawn`s. All options are in force before any of its code runs.
///
/// Unless said otherwise: not paused, errors are fatal, it outlives its parent, no listeners, the entry's own name, the
/// parent's limits, and the parent's grants. The value can be cloned and used for several.
///
/// ```no_run
/// use std::time::Duration;
/// use insula_guest::{Isolate, Limits, ReceivePort, RemoteError};
///
/// let ended = ReceivePort::new();
/// let errors = ReceivePort::<RemoteError>::new();
/// let isolate = Isolate::build()
///     .debug_name("careful")
///     .limits(Limits::default().memory(16 << 20).deadline(Duration::from_secs(1)))
///     .on_exit(&ended.send_port(), "done".to_owned())
///     .on_error(&errors.send_port())
///     .spawn(|input: String| println!("{input}"), "hello".to_owned())?;
/// # Ok::<(), insula_guest::SpawnError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is born until one of the `spawn`s is called"]
pub struct Spawn {
    options: SpawnOptions,
    debug_name: String,
    on_exit: Option<OnExit>,
    on_error: Option<Handle>,
    limits: Limits,
    grants: Vec<(GrantKind, String)>,
}

#[derive(Clone, Debug)]
struct OnExit {
    port: Handle,
    response: Result<Kept, SendError>,
}

impl Spawn {
    pub(crate) fn new() -> Spawn {
        let options = SpawnOptions { errors_are_fatal: 1, inherit_grants: 1, ..SpawnOptions::default() };
        Spawn {
            options,
            debug_name: String::new(),
            on_exit: None,
            on_error: None,
            limits: Limits::default(),
            grants: Vec::new(),
        }
    }

    /// Born with a pause: the entry does not run until [`Isolate::resume_birth`].
    pub fn paused(mut self) -> Spawn {
        self.options.paused = 1;
        self
    }

    /// Whether an uncaught error that its code returned ends it; it does unless said otherwise.
    pub fn errors_are_fatal(mut self, fatal: bool) -> Spawn {
        self.options.errors_are_fatal = fatal.into();
        self
    }

    /// Killed when its parent ends.
    pub fn scoped(mut self) -> Spawn {
        self.options.scoped = 1;
        self
    }

    /// Whether it has all grants of its parent, beside those of [`grant`](Spawn::grant); it has unless said otherwise.
    pub fn inherit_grants(mut self, inherit: bool) -> Spawn {
        self.options.inherit_grants = inherit.into();
        self
    }

    /// Its name in reports and traces.
    pub fn debug_name(mut self, name: impl Into<String>) -> Spawn {
        self.debug_name = name.into();
        self
    }

    /// Has `response` posted to `port` as its last act, whatever it ends of.
    pub fn on_exit<R: Serialize>(mut self, port: &SendPort<R>, response: R) -> Spawn {
        let response = Outgoing::encode(&response).map(|response| response.keep());
        self.options.on_exit_schema = value::schema::<R>();
        self.on_exit = Some(OnExit { port: port.handle.clone(), response });
        self
    }

    /// Has its uncaught errors posted to `port`, rather than printed by the host: as
    /// [`RemoteError`](crate::RemoteError), or as [`Value`](crate::Value).
    pub fn on_error<E: ErrorNotice>(mut self, port: &SendPort<E>) -> Spawn {
        self.on_error = Some(port.handle.clone());
        self
    }

    /// What is bounded, within the parent's own limits.
    pub fn limits(mut self, limits: Limits) -> Spawn {
        self.limits = limits;
        self
    }

    /// Adds a grant, which must be within what the parent has.
    pub fn grant(mut self, grant: Grant) -> Spawn {
        self.grants.push(grant.into_parts());
        self
    }
}

/// Birth.
impl Spawn {
    /// A new isolate of this module, in which `entry` is called with a copy of `message`; see [`Isolate::spawn`].
    ///
    /// # Errors
    /// When the message or the exit notice's response cannot be sent, or the host refuses.
    pub fn spawn<F, T, R>(self, entry: F, message: T) -> Result<Isolate, SpawnError>
    where
        F: Fn(T) -> R + Copy + 'static,
        T: Serialize + DeserializeOwned,
        R: Outcome,
    {
        self.bear(Newborn::Entry(entry::number_of(entry)), entry::name_of::<F>(), &message)
    }

    /// A new isolate of this module, in which `entry` is called with one end of a link, and the other end of it; see
    /// [`Duplex::spawn`].
    ///
    /// # Errors
    /// As [`spawn`](Spawn::spawn).
    pub fn spawn_duplex<In, Out, F, R>(self, entry: F) -> Result<(Duplex<In, Out>, Isolate), SpawnError>
    where
        F: Fn(Duplex<Out, In>) -> R + Copy + 'static,
        R: Outcome,
    {
        let (link, end) = Duplex::pair();
        let opens = move |end: DuplexEnd<Out, In>| entry(end.open());
        let isolate = self.bear(Newborn::Entry(entry::number_of(opens)), entry::name_of::<F>(), &end)?;
        Ok((link, isolate))
    }

    /// A new isolate of this module, in which the export of this name is called with a copy of `message`.
    ///
    /// ```no_run
    /// use insula_guest::Isolate;
    ///
    /// fn score(text: String) { println!("{}", text.len()) }
    /// insula_guest::export!(score as "score");
    ///
    /// # fn main() -> Result<(), insula_guest::SpawnError> {
    /// Isolate::build().spawn_export("score", "some text".to_owned())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`spawn`](Spawn::spawn), and when there is no such export.
    pub fn spawn_export<T: Serialize>(self, name: &str, message: T) -> Result<Isolate, SpawnError> {
        self.bear(Newborn::Export(name), name, &message)
    }

    /// An isolate of another module, whose `main` runs. Dart's `Isolate.spawnUri`. Needs the `modules` grant, and waits
    /// while the module is compiled.
    ///
    /// # Errors
    /// As [`spawn`](Spawn::spawn), and when there is no such module.
    pub fn spawn_module<T: Serialize>(
        self,
        module: &str,
        arguments: &[&str],
        message: T,
    ) -> Result<Isolate, SpawnError> {
        self.bear(Newborn::Module(module, arguments), module, &message)
    }

    /// As [`Isolate::compute`], with these options. The listeners are the computation's own: those set before are not
    /// told.
    ///
    /// # Errors
    /// As [`spawn`](Spawn::spawn).
    pub fn compute<F, A, V>(mut self, f: F, argument: A) -> Result<Computation<V>, SpawnError>
    where
        F: Fn(A) -> V + Copy + 'static,
        A: Serialize + DeserializeOwned,
        V: Serialize + DeserializeOwned,
    {
        // One port of any type for the value, the errors and the end, in the order in which they happened.
        let port = receive_port::open(0, MailboxPolicy::Error).map_err(SpawnError::Refused)?;
        let port = ReceivePort::own(port);
        let to_port: SendPort<V> = port.send_port();
        self.options.on_exit_schema = 0;
        self.on_exit = Some(OnExit { port: to_port.handle.clone(), response: Ok(Kept::default()) });
        self.on_error = Some(to_port.handle.clone());
        let entry = Newborn::Entry(entry::number_of_computation(f));
        let isolate = self.bear(entry, entry::name_of::<F>(), &(to_port, argument))?;
        Ok(Computation { port, isolate })
    }

    fn bear<T: Serialize>(&self, newborn: Newborn<'_>, name: &str, message: &T) -> Result<Isolate, SpawnError> {
        let message = Outgoing::encode(message).map_err(SpawnError::Message)?;
        self.admit(newborn, name, message.body())
    }

    fn admit(&self, newborn: Newborn<'_>, name: &str, message: Body<'_>) -> Result<Isolate, SpawnError> {
        report::install_hook();
        let mut options = self.options;
        let mut on_exit_response = Body::default();
        if let Some(OnExit { port, response }) = &self.on_exit {
            options.on_exit = port.number();
            on_exit_response = response.as_ref().map_err(|error| SpawnError::Message(error.clone()))?.body();
        }
        if let Some(port) = &self.on_error {
            options.on_error = port.number();
            options.on_error_schema = codec::schema::<RemoteError>();
        }
        let debug_name = if self.debug_name.is_empty() { name } else { &self.debug_name };
        let (limits, grants) = (self.limits.records(), self.grants.as_slice());
        let pointees = Pointees { message, debug_name, on_exit_response, limits, grants };
        let born = sys::spawn(newborn, options, pointees);
        born.map(Isolate::own).map_err(|status| match status {
            insula_wire::Status::Unsendable | insula_wire::Status::TooLarge => SpawnError::Message(status.into()),
            status => SpawnError::Refused(Refused::by_host(status)),
        })
    }
}

//! [`Value`], the untyped message, and ports of it.

use std::any::type_name;

use insula_wire::{RemoteError, codec};
use serde::de::DeserializeOwned;

use super::SendPort;
use super::traced::on_the_way;
use crate::isolate::Capability;

insula_wire::value_type! {
    /// A message of no type of the program's: what Dart's ports carry (semantics 6.4).
    ///
    /// It is for guests and embedders that do not share types, and for ports that take different things. A
    /// [`ReceivePort<Value>`](crate::ReceivePort) may listen for exits and errors at once: an error comes as a list of two
    /// strings, message and stack, an exit as the response that was asked for. Any value can be a key.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use insula::{Host, Value};
    /// let host = Host::builder().isolates(1).build()?;
    /// let port = host.receive_port::<Value>();
    /// port.send_port().send(Value::map([("name", Value::from("Bob")), ("ages", [7, 9].into())]))?;
    /// let person = port.recv()?;
    /// assert_eq!(person["name"].as_str(), Some("Bob"));
    /// assert_eq!(person.to_string(), r#"{"ages": [7, 9], "name": "Bob"}"#);
    /// # Ok(())
    /// # }
    /// ```
}

/// Whether `T` is [`Value`].
fn is<T: ?Sized>() -> bool {
    on_the_way::<T>() == type_name::<Value>()
}

/// The schema of ports of `T`; those of [`Value`] have none.
pub(super) fn schema<T: ?Sized>() -> u64 {
    if is::<T>() { 0 } else { codec::schema_of(on_the_way::<T>()) }
}

/// Whether a port of this schema takes a `T`. Of other types than [`Value`] that is the word of whoever names them.
pub(super) fn fits<T: ?Sized>(port: u64) -> bool {
    port == 0 || !is::<T>()
}

/// Whether a port of this schema takes error notices.
pub(super) fn takes_errors(port: u64) -> bool {
    port == 0 || port == codec::schema::<RemoteError>()
}

/// An error as the `T` that a port takes, where that is [`Value`] or [`RemoteError`].
pub(super) fn retold<T: DeserializeOwned>(error: &RemoteError) -> Option<T> {
    let mut bytes = Vec::new();
    if is::<T>() {
        codec::encode_into(&Value::from(error.clone()), &mut bytes).ok()?;
    } else if type_name::<T>() == type_name::<RemoteError>() {
        codec::encode_into(error, &mut bytes).ok()?;
    } else {
        return None;
    }
    codec::decode(&bytes).ok()
}

impl<T> SendPort<T> {
    /// The same port as one of [`Value`]s: to be put into a `Value`, or to be compared with others.
    ///
    /// It says nothing about what the port takes. Dart's `SendPort` has no type either, and its receiver finds out what
    /// came; here the receiver decodes a `T`, so a `Value` that is sent to a port of another type does not decode there.
    /// Whoever gets this calls [`typed`](SendPort::typed) first.
    #[must_use]
    pub fn untyped(self) -> SendPort<Value> {
        self.cast()
    }
}

impl SendPort<Value> {
    /// The same port as one of `T`s, which is the caller's word: nothing checks it here, and what is sent does not decode
    /// at the receiver, or decodes as something else, where it is not true. Takes [`untyped`](SendPort::untyped) back.
    #[must_use]
    pub fn typed<T>(self) -> SendPort<T> {
        self.cast()
    }
}

/// What a port of uncaught errors may be a port of: [`RemoteError`] or [`Value`].
///
/// ```
/// use insula::{ErrorNotice, Isolate, SendError, SendPort};
///
/// fn watch<E: ErrorNotice>(isolate: &Isolate, errors: &SendPort<E>) -> Result<(), SendError> {
///     isolate.add_error_listener(errors)
/// }
/// ```
pub trait ErrorNotice: sealed::Sealed {}

impl ErrorNotice for RemoteError {}

impl ErrorNotice for Value {}

mod sealed {
    pub trait Sealed {}

    impl Sealed for insula_wire::RemoteError {}

    impl Sealed for super::Value {}
}

//! [`Value`], the untyped message, and ports of it.

use std::any::type_name;

use insula_wire::{RemoteError, codec};

use crate::handle::Capability;
use crate::send_port::SendPort;

insula_wire::value_type! {
    /// A message of no type of the program's: what Dart's ports carry (semantics 6.4).
    ///
    /// It is for programs that do not share types, and for ports that take different things. A
    /// [`ReceivePort<Value>`](crate::ReceivePort) may listen for exits and errors at once: an error comes as a list of two
    /// strings, message and stack, an exit as the response that was asked for, and
    /// [`recv_message`](crate::ReceivePort::recv_message) tells which is which. Any value can be a key.
    ///
    /// ```no_run
    /// use insula_guest::{ReceivePort, Value};
    ///
    /// let port = ReceivePort::<Value>::new();
    /// port.send_port().send(Value::map([("name", Value::from("Bob")), ("ages", [7, 9].into())]))?;
    /// let person = port.recv()?;
    /// assert_eq!(person["name"].as_str(), Some("Bob"));
    /// assert_eq!(person["ages"][1], Value::Int(9));
    /// println!("{person}"); // {"ages": [7, 9], "name": "Bob"}
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
}

/// Whether `T` is [`Value`].
pub(crate) fn is<T: ?Sized>() -> bool {
    type_name::<T>() == type_name::<Value>()
}

/// The schema of ports of `T`; those of [`Value`] have none.
pub(crate) fn schema<T: ?Sized>() -> u64 {
    if is::<T>() { 0 } else { codec::schema::<T>() }
}

impl<T> SendPort<T> {
    /// The same port as one of [`Value`]s: to be put into a `Value`, or to be compared with others.
    ///
    /// It says nothing about what the port takes. Dart's `SendPort` has no type either, and its receiver finds out what
    /// came; here the receiver decodes a `T`, so a `Value` that is sent to a port of another type does not decode there.
    /// Whoever gets this calls [`typed`](SendPort::typed) first.
    #[must_use]
    pub fn untyped(self) -> SendPort<Value> {
        SendPort::own(self.handle)
    }
}

impl SendPort<Value> {
    /// The same port as one of `T`s, which is the caller's word: nothing checks it here, and what is sent does not decode
    /// at the receiver, or decodes as something else, where it is not true. Takes [`untyped`](SendPort::untyped) back.
    #[must_use]
    pub fn typed<T>(self) -> SendPort<T> {
        SendPort::own(self.handle)
    }
}

/// What a port of uncaught errors may be a port of: [`RemoteError`] or [`Value`].
///
/// ```no_run
/// use insula_guest::{ErrorNotice, Isolate, SendPort};
///
/// fn watch<E: ErrorNotice>(isolate: &Isolate, errors: &SendPort<E>) -> Result<(), insula_guest::ControlError> {
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

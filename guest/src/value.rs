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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn any_value_is_a_key() {
        let values = [
            Value::Null,
            false.into(),
            1.into(),
            2.into(),
            f64::NEG_INFINITY.into(),
            (-0.0).into(),
            0.0.into(),
            f64::NAN.into(),
            "1".into(),
            vec![1_u8].into(),
            [1].into(),
            [1, 1].into(),
            Value::map([(1, 1)]),
            Value::set([1]),
        ];
        assert!(values.is_sorted_by(|one, two| one < two), "by variant, then by content");
        let set: HashSet<Value> = values.iter().chain(&values).cloned().collect();
        assert_eq!(set.len(), values.len());
        assert_eq!(Value::map([(f64::NAN, 1)]).get(f64::NAN), Some(&Value::Int(1)));
    }

    #[test]
    fn what_is_converted_is_found_again() {
        let value =
            Value::map([("list", Value::list([Some(1), None])), ("bytes", vec![b'a', 0].into()), ("", ().into())]);
        assert_eq!((value["list"][0].as_int(), value["list"][1].is_null()), (Some(1), true));
        assert_eq!((value.get("list").and_then(|list| list.get(2)), value.get("none")), (None, None));
        assert_eq!(value["bytes"].as_bytes(), Some(&b"a\0"[..]));
        assert_eq!(value.to_string(), r#"{"": null, "bytes": b"a\x00", "list": [1, null]}"#);
        assert_eq!(Value::from("text").to_string(), "text");
        assert_eq!([1, 2].into_iter().collect::<Value>(), Value::from([1, 2]));
    }

    #[test]
    fn an_error_notice_is_a_list_of_two_strings() {
        let error = RemoteError { message: "it failed".to_owned(), stack: "0: here @ 0x1".to_owned() };
        let mut bytes = Vec::new();
        codec::encode_into(&error, &mut bytes).expect("two strings always encode");
        let retold = insula_wire::value::retold(&bytes).expect("it is an error");
        assert_eq!(codec::decode(&retold), Ok(Value::from(error)));
        assert!(insula_wire::value::retold(&[9]).is_err());
    }

    #[test]
    fn ports_of_values_have_no_schema() {
        assert_eq!((schema::<Value>(), is::<Value>()), (0, true));
        assert_ne!(schema::<Vec<Value>>(), 0);
        assert_ne!(schema::<RemoteError>(), 0);
    }
}

//! [`value_type!`](crate::value_type): one definition of the untyped message, for guests and embedders.
//!
//! Both have a `SendPort` and a `Capability` of their own, and else the same value in the same bytes. So the type is
//! written once, here, as a macro that each crate calls with its two types.

use alloc::vec::Vec;

use crate::RemoteError;
use crate::codec::{self, Error};

/// Where [`Value`'s](crate::value_type) variants are in its wire form.
const STRING: u32 = 4;
const LIST: u32 = 6;

/// The bytes of a `Value` that says what an error says: a list of two strings, as in Dart.
///
/// # Errors
/// When `error` is no [`RemoteError`].
#[doc(hidden)]
pub fn retold(error: &[u8]) -> Result<Vec<u8>, Error> {
    let RemoteError { message, stack } = codec::decode(error)?;
    let mut bytes = Vec::with_capacity(error.len() + 4);
    codec::encode_into(&(LIST, 2_u32, (STRING, message), (STRING, stack)), &mut bytes)?;
    Ok(bytes)
}

/// Bytes as one piece, rather than as a sequence of numbers.
#[doc(hidden)]
pub mod bytes {
    use alloc::vec::Vec;
    use core::fmt;

    use serde::de::{Deserializer, Visitor};
    use serde::ser::Serializer;

    /// As serde's `with` calls it.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    /// As serde's `with` calls it.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

/// Declares `Value`, the untyped message, over the `SendPort<Value>` and the `Capability` that are in scope.
#[doc(hidden)]
#[macro_export]
macro_rules! value_type {
    ($(#[$doc:meta])*) => {
        $(#[$doc])*
        // Its variants are numbered in this order in messages; `insula_wire::value` knows two of them.
        #[derive(Clone, Debug, ::serde::Serialize, ::serde::Deserialize)]
        pub enum Value {
            /// Nothing.
            Null,
            /// True or false.
            Bool(bool),
            /// A whole number.
            Int(i128),
            /// A floating-point number. Here NaN is equal to itself, and 0.0 is not -0.0.
            Double(f64),
            /// Text.
            String(::std::string::String),
            /// Bytes.
            Bytes(#[serde(with = "insula_wire::value::bytes")] ::std::vec::Vec<u8>),
            /// Values in order.
            List(::std::vec::Vec<Value>),
            /// Values by keys, which are values too.
            Map(::std::collections::BTreeMap<Value, Value>),
            /// Values, each once.
            Set(::std::collections::BTreeSet<Value>),
            /// The right to send values to a port.
            SendPort(SendPort<Value>),
            /// A token.
            Capability(Capability),
        }

        impl Value {
            /// A list of these.
            pub fn list<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Value {
                Value::List(values.into_iter().map(Into::into).collect())
            }

            /// A map of these.
            pub fn map<K: Into<Value>, V: Into<Value>>(entries: impl IntoIterator<Item = (K, V)>) -> Value {
                Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
            }

            /// A set of these.
            pub fn set<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Value {
                Value::Set(values.into_iter().map(Into::into).collect())
            }

            /// Whether it is null.
            #[must_use]
            pub fn is_null(&self) -> bool {
                matches!(self, Value::Null)
            }

            /// The bool that it is.
            #[must_use]
            pub fn as_bool(&self) -> Option<bool> {
                if let Value::Bool(value) = self { Some(*value) } else { None }
            }

            /// The whole number that it is.
            #[must_use]
            pub fn as_int(&self) -> Option<i128> {
                if let Value::Int(value) = self { Some(*value) } else { None }
            }

            /// The floating-point number that it is.
            #[must_use]
            pub fn as_double(&self) -> Option<f64> {
                if let Value::Double(value) = self { Some(*value) } else { None }
            }

            /// The text that it is.
            #[must_use]
            pub fn as_str(&self) -> Option<&str> {
                if let Value::String(value) = self { Some(value) } else { None }
            }

            /// The bytes that it is.
            #[must_use]
            pub fn as_bytes(&self) -> Option<&[u8]> {
                if let Value::Bytes(value) = self { Some(value) } else { None }
            }

            /// The list that it is.
            #[must_use]
            pub fn as_list(&self) -> Option<&[Value]> {
                if let Value::List(value) = self { Some(value) } else { None }
            }

            /// The map that it is.
            #[must_use]
            pub fn as_map(&self) -> Option<&::std::collections::BTreeMap<Value, Value>> {
                if let Value::Map(value) = self { Some(value) } else { None }
            }

            /// The set that it is.
            #[must_use]
            pub fn as_set(&self) -> Option<&::std::collections::BTreeSet<Value>> {
                if let Value::Set(value) = self { Some(value) } else { None }
            }

            /// The port that it is.
            #[must_use]
            pub fn as_send_port(&self) -> Option<&SendPort<Value>> {
                if let Value::SendPort(value) = self { Some(value) } else { None }
            }

            /// The capability that it is.
            #[must_use]
            pub fn as_capability(&self) -> Option<&Capability> {
                if let Value::Capability(value) = self { Some(value) } else { None }
            }

            /// What a map has under this key, or a list at this position.
            #[must_use]
            pub fn get(&self, key: impl Into<Value>) -> Option<&Value> {
                match (self, key.into()) {
                    (Value::Map(map), key) => map.get(&key),
                    (Value::List(list), Value::Int(at)) => list.get(usize::try_from(at).ok()?),
                    _ => None,
                }
            }

            /// Its variant's place among all.
            fn rank(&self) -> u8 {
                match self {
                    Value::Null => 0,
                    Value::Bool(_) => 1,
                    Value::Int(_) => 2,
                    Value::Double(_) => 3,
                    Value::String(_) => 4,
                    Value::Bytes(_) => 5,
                    Value::List(_) => 6,
                    Value::Map(_) => 7,
                    Value::Set(_) => 8,
                    Value::SendPort(_) => 9,
                    Value::Capability(_) => 10,
                }
            }
        }

        /// By variant first, doubles in their total order: any value can be a key.
        impl Ord for Value {
            fn cmp(&self, other: &Value) -> ::std::cmp::Ordering {
                match (self, other) {
                    (Value::Bool(one), Value::Bool(two)) => one.cmp(two),
                    (Value::Int(one), Value::Int(two)) => one.cmp(two),
                    (Value::Double(one), Value::Double(two)) => one.total_cmp(two),
                    (Value::String(one), Value::String(two)) => one.cmp(two),
                    (Value::Bytes(one), Value::Bytes(two)) => one.cmp(two),
                    (Value::List(one), Value::List(two)) => one.cmp(two),
                    (Value::Map(one), Value::Map(two)) => one.cmp(two),
                    (Value::Set(one), Value::Set(two)) => one.cmp(two),
                    (Value::SendPort(one), Value::SendPort(two)) => one.cmp(two),
                    (Value::Capability(one), Value::Capability(two)) => one.cmp(two),
                    (one, two) => one.rank().cmp(&two.rank()),
                }
            }
        }

        impl PartialOrd for Value {
            fn partial_cmp(&self, other: &Value) -> Option<::std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl PartialEq for Value {
            fn eq(&self, other: &Value) -> bool {
                self.cmp(other).is_eq()
            }
        }

        impl Eq for Value {}

        impl ::std::hash::Hash for Value {
            fn hash<H: ::std::hash::Hasher>(&self, state: &mut H) {
                self.rank().hash(state);
                match self {
                    Value::Null => {}
                    Value::Bool(value) => value.hash(state),
                    Value::Int(value) => value.hash(state),
                    Value::Double(value) => value.to_bits().hash(state),
                    Value::String(value) => value.hash(state),
                    Value::Bytes(value) => value.hash(state),
                    Value::List(value) => value.hash(state),
                    Value::Map(value) => value.hash(state),
                    Value::Set(value) => value.hash(state),
                    Value::SendPort(value) => value.hash(state),
                    Value::Capability(value) => value.hash(state),
                }
            }
        }

        /// As Dart writes it; a string by itself is its text, one inside of something is quoted.
        impl ::std::fmt::Display for Value {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                struct Inner<'a>(&'a Value);
                impl ::std::fmt::Debug for Inner<'_> {
                    fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        match self.0 {
                            Value::String(text) => ::std::fmt::Debug::fmt(text, f),
                            other => ::std::fmt::Display::fmt(other, f),
                        }
                    }
                }
                match self {
                    Value::Null => f.write_str("null"),
                    Value::Bool(value) => ::std::fmt::Display::fmt(value, f),
                    Value::Int(value) => ::std::fmt::Display::fmt(value, f),
                    Value::Double(value) => ::std::fmt::Debug::fmt(value, f),
                    Value::String(value) => f.write_str(value),
                    Value::Bytes(value) => write!(f, "b\"{}\"", value.escape_ascii()),
                    Value::List(value) => f.debug_list().entries(value.iter().map(Inner)).finish(),
                    Value::Map(value) => {
                        f.debug_map().entries(value.iter().map(|(key, value)| (Inner(key), Inner(value)))).finish()
                    }
                    Value::Set(value) => f.debug_set().entries(value.iter().map(Inner)).finish(),
                    Value::SendPort(value) => ::std::fmt::Debug::fmt(value, f),
                    Value::Capability(value) => ::std::fmt::Debug::fmt(value, f),
                }
            }
        }

        /// Panics where the list is shorter, or it is no list.
        impl ::std::ops::Index<usize> for Value {
            type Output = Value;

            fn index(&self, at: usize) -> &Value {
                self.as_list().map(|list| &list[at]).expect("a list is indexed by position")
            }
        }

        /// Panics where the map has no such key, or it is no map.
        impl ::std::ops::Index<&str> for Value {
            type Output = Value;

            fn index(&self, key: &str) -> &Value {
                self.get(key).expect("a map is indexed by a key that it has")
            }
        }

        $crate::value_from! {
            Bool(bool) Int(i8, i16, i32, i64, i128, u8, u16, u32, u64) Double(f32, f64)
            String(&str, ::std::string::String) Bytes(&[u8], ::std::vec::Vec<u8>)
            List(::std::vec::Vec<Value>) Map(::std::collections::BTreeMap<Value, Value>)
            Set(::std::collections::BTreeSet<Value>) SendPort(SendPort<Value>) Capability(Capability)
        }

        impl From<()> for Value {
            fn from((): ()) -> Value {
                Value::Null
            }
        }

        impl<V: Into<Value>> From<Option<V>> for Value {
            fn from(value: Option<V>) -> Value {
                value.map_or(Value::Null, Into::into)
            }
        }

        impl<V: Into<Value>, const COUNT: usize> From<[V; COUNT]> for Value {
            fn from(values: [V; COUNT]) -> Value {
                Value::list(values)
            }
        }

        impl<V: Into<Value>> FromIterator<V> for Value {
            fn from_iter<I: IntoIterator<Item = V>>(values: I) -> Value {
                Value::list(values)
            }
        }

        /// Dart's two-element list of strings.
        impl From<$crate::RemoteError> for Value {
            fn from(error: $crate::RemoteError) -> Value {
                Value::list([error.message, error.stack])
            }
        }
    };
}

/// `From` for the types that a variant holds, or that become what it holds.
#[doc(hidden)]
#[macro_export]
macro_rules! value_from {
    ($($variant:ident($($of:ty),*))*) => {$($(
        impl From<$of> for Value {
            fn from(value: $of) -> Value {
                Value::$variant(value.into())
            }
        }
    )*)*};
}

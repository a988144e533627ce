//! A map's key as the step of a path: `["name"]`, `[7]`, `[Red]`.

use super::Cause;

#[cfg(not(feature = "paths"))]
#[inline]
pub(super) fn within<K: serde::Serialize + ?Sized>(cause: Cause, _key: &K) -> Cause {
    cause
}

#[cfg(feature = "paths")]
pub(super) use shown::within;

#[cfg(feature = "paths")]
mod shown {
    use alloc::string::{String, ToString as _};

    use serde::Serialize;
    use serde::ser::{Impossible, Serializer};

    use super::super::error::Step;
    use super::Cause;

    /// The same, seen from the map of the value that has this key.
    #[cold]
    pub(in super::super) fn within<K: Serialize + ?Sized>(cause: Cause, key: &K) -> Cause {
        let shown = key.serialize(Shown).unwrap_or_else(|_| "..".to_string());
        cause.within(&Step::Index(&shown))
    }

    /// Shows what is one word; what has parts has no short form.
    struct Shown;

    macro_rules! shown {
        ($($method:ident($of:ty))*) => {$(
            fn $method(self, value: $of) -> Result<String, Cause> {
                Ok(alloc::format!("{value:?}"))
            }
        )*};
    }

    macro_rules! not_shown {
        ($($method:ident($($of:ty),*) -> $parts:ident;)*) => {$(
            fn $method(self, $(_: $of),*) -> Result<Self::$parts, Cause> {
                Err(Cause::TooDeep)
            }
        )*};
    }

    impl Serializer for Shown {
        type Ok = String;
        type Error = Cause;
        type SerializeSeq = Impossible<String, Cause>;
        type SerializeTuple = Impossible<String, Cause>;
        type SerializeTupleStruct = Impossible<String, Cause>;
        type SerializeTupleVariant = Impossible<String, Cause>;
        type SerializeMap = Impossible<String, Cause>;
        type SerializeStruct = Impossible<String, Cause>;
        type SerializeStructVariant = Impossible<String, Cause>;

        shown! {
            serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
            serialize_i128(i128) serialize_u8(u8) serialize_u16(u16) serialize_u32(u32) serialize_u64(u64)
            serialize_u128(u128) serialize_f32(f32) serialize_f64(f64) serialize_char(char) serialize_str(&str)
            serialize_bytes(&[u8])
        }

        not_shown! {
            serialize_seq(Option<usize>) -> SerializeSeq;
            serialize_tuple(usize) -> SerializeTuple;
            serialize_tuple_struct(&'static str, usize) -> SerializeTupleStruct;
            serialize_tuple_variant(&'static str, u32, &'static str, usize) -> SerializeTupleVariant;
            serialize_map(Option<usize>) -> SerializeMap;
            serialize_struct(&'static str, usize) -> SerializeStruct;
            serialize_struct_variant(&'static str, u32, &'static str, usize) -> SerializeStructVariant;
        }

        fn serialize_none(self) -> Result<String, Cause> {
            Ok("None".to_string())
        }

        fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, Cause> {
            value.serialize(self)
        }

        fn serialize_unit(self) -> Result<String, Cause> {
            Ok("()".to_string())
        }

        fn serialize_unit_struct(self, name: &'static str) -> Result<String, Cause> {
            Ok(name.to_string())
        }

        fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<String, Cause> {
            Ok(name.to_string())
        }

        fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<String, Cause> {
            value.serialize(self)
        }

        fn serialize_newtype_variant<T: Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            value: &T,
        ) -> Result<String, Cause> {
            value.serialize(self)
        }
    }
}

//! postcard's serializer with an eye on depth and, where a value refuses, on the way to the part that does.
//!
//! postcard writes what has no parts. What has parts is walked here, so that each step down is counted. The path is put
//! together on the way back from a refusal, so that a value which does not refuse pays nothing for it.

use alloc::vec::Vec;

use serde::ser::{self, Serialize, Serializer};

use super::error::Step;
use super::{Cause, Level};

pub(super) struct Encoder<'a> {
    plain: postcard::Serializer<Append<'a>>,
    level: Level,
}

struct Append<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

type Encoded = Result<(), Cause>;

impl<'a> Encoder<'a> {
    pub(super) fn new(buffer: &'a mut Vec<u8>) -> Encoder<'a> {
        Encoder { plain: postcard::Serializer { output: Append(buffer) }, level: Level::TOP }
    }

    #[inline]
    fn wrapped<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        let inner = self.level.wrapper()?;
        let outer = core::mem::replace(&mut self.level, inner);
        value.serialize(&mut *self)?;
        self.level = outer;
        Ok(())
    }

    #[inline]
    fn parts(&mut self) -> Result<Parts<'_, 'a>, Cause> {
        let inner = self.level.container()?;
        let outer = core::mem::replace(&mut self.level, inner);
        Ok(Parts { encoder: self, outer, position: 0 })
    }

    #[inline]
    fn variant(&mut self, index: u32) -> Encoded {
        self.varint(index.into())
    }

    /// As postcard, which writes it to an array first.
    #[inline]
    fn varint(&mut self, mut number: u64) -> Encoded {
        let bytes = &mut *self.plain.output.0;
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        Ok(())
    }

    #[inline]
    fn bytes(&mut self, bytes: &[u8]) -> Encoded {
        self.varint(bytes.len() as u64)?;
        self.plain.output.0.extend_from_slice(bytes);
        Ok(())
    }
}

macro_rules! plain {
    ($($method:ident($of:ty))*) => {$(
        #[inline]
        fn $method(self, value: $of) -> Encoded {
            Ok(self.plain.$method(value)?)
        }
    )*};
}

impl<'e, 'a> Serializer for &'e mut Encoder<'a> {
    type Ok = ();
    type Error = Cause;
    type SerializeSeq = Parts<'e, 'a>;
    type SerializeTuple = Parts<'e, 'a>;
    type SerializeTupleStruct = Parts<'e, 'a>;
    type SerializeTupleVariant = Parts<'e, 'a>;
    type SerializeMap = Parts<'e, 'a>;
    type SerializeStruct = Parts<'e, 'a>;
    type SerializeStructVariant = Parts<'e, 'a>;

    plain! {
        serialize_bool(bool) serialize_i8(i8) serialize_i16(i16) serialize_i32(i32) serialize_i64(i64)
        serialize_i128(i128) serialize_u8(u8) serialize_u128(u128) serialize_f32(f32) serialize_f64(f64)
        serialize_char(char)
    }

    #[inline]
    fn serialize_u16(self, value: u16) -> Encoded {
        self.varint(value.into())
    }

    #[inline]
    fn serialize_u32(self, value: u32) -> Encoded {
        self.varint(value.into())
    }

    #[inline]
    fn serialize_u64(self, value: u64) -> Encoded {
        self.varint(value)
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Encoded {
        self.bytes(value.as_bytes())
    }

    #[inline]
    fn serialize_bytes(self, value: &[u8]) -> Encoded {
        self.bytes(value)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_none(self) -> Encoded {
        Ok(self.plain.serialize_none()?)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Encoded {
        self.plain.serialize_u8(1)?;
        self.wrapped(value)
    }

    #[inline]
    fn serialize_unit(self) -> Encoded {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Encoded {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, index: u32, _: &'static str) -> Encoded {
        self.variant(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Encoded {
        self.wrapped(value)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        name: &'static str,
        value: &T,
    ) -> Encoded {
        self.variant(index)?;
        self.wrapped(value).map_err(|cause| cause.within(&Step::Name(&name)))
    }

    #[inline]
    fn serialize_seq(self, length: Option<usize>) -> Result<Parts<'e, 'a>, Cause> {
        self.plain.serialize_seq(length)?;
        self.parts()
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Parts<'e, 'a>, Cause> {
        self.parts()
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'e, 'a>, Cause> {
        self.parts()
    }

    #[inline]
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'e, 'a>, Cause> {
        self.variant(index)?;
        self.parts()
    }

    #[inline]
    fn serialize_map(self, length: Option<usize>) -> Result<Parts<'e, 'a>, Cause> {
        self.plain.serialize_map(length)?;
        self.parts()
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'e, 'a>, Cause> {
        self.parts()
    }

    #[inline]
    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Parts<'e, 'a>, Cause> {
        self.variant(index)?;
        self.parts()
    }

    #[inline]
    fn collect_str<T: core::fmt::Display + ?Sized>(self, value: &T) -> Encoded {
        Ok(self.plain.collect_str(value)?)
    }
}

/// What has parts, while they are written.
pub(super) struct Parts<'e, 'a> {
    encoder: &'e mut Encoder<'a>,
    outer: Level,
    position: usize,
}

impl Parts<'_, '_> {
    #[inline]
    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Encoded {
        value.serialize(&mut *self.encoder).map_err(|cause| cause.within(&Step::Name(&name)))
    }

    #[inline]
    fn nameless_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        let position = self.position;
        self.position += 1;
        value.serialize(&mut *self.encoder).map_err(|cause| cause.within(&Step::Name(&position)))
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        let position = self.position;
        self.position += 1;
        value.serialize(&mut *self.encoder).map_err(|cause| cause.within(&Step::Index(&position)))
    }

    #[inline]
    fn done(self) -> Encoded {
        self.encoder.level = self.outer;
        Ok(())
    }
}

macro_rules! parts {
    ($($of:ident: $method:ident($($name:ident)?) as $part:ident;)*) => {$(
        impl ser::$of for Parts<'_, '_> {
            type Ok = ();
            type Error = Cause;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, $($name: &'static str,)? value: &T) -> Encoded {
                self.$part($($name,)? value)
            }

            #[inline]
            fn end(self) -> Encoded {
                self.done()
            }
        }
    )*};
}

parts! {
    SerializeSeq: serialize_element() as element;
    SerializeTuple: serialize_element() as nameless_field;
    SerializeTupleStruct: serialize_field() as nameless_field;
    SerializeTupleVariant: serialize_field() as nameless_field;
    SerializeStruct: serialize_field(name) as field;
    SerializeStructVariant: serialize_field(name) as field;
}

impl ser::SerializeMap for Parts<'_, '_> {
    type Ok = ();
    type Error = Cause;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Encoded {
        self.element(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Encoded {
        value.serialize(&mut *self.encoder)
    }

    #[inline]
    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(&mut self, key: &K, value: &V) -> Encoded {
        self.serialize_key(key)?;
        self.serialize_value(value).map_err(|cause| super::key::within(cause, key))
    }

    #[inline]
    fn end(self) -> Encoded {
        self.done()
    }
}

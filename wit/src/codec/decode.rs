//! postcard's deserializer with an eye on depth and on promises.
//!
//! postcard reads what has no parts. What has parts is walked here, so that each step down is counted, and so that a
//! length that no message of this size can keep reserves no memory.

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess};
use serde::de::{Visitor, value::U32Deserializer};

use super::{Cause, Level};

type Plain<'de> = postcard::Deserializer<'de, postcard::de_flavors::Slice<'de>>;

/// Elements without size, such as `()`, that one message may have: a few bytes could claim billions.
const SIZELESS_MAX: usize = 65_536;

pub(super) struct Decoder<'de> {
    plain: Plain<'de>,
    level: Level,
    /// Elements that lengths may still announce: of all in a message, each is a byte at least.
    announceable: usize,
    /// Elements that there may still be, those without size among them.
    countable: usize,
}

impl<'de> Decoder<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Decoder<'de> {
        let (announceable, countable) = (bytes.len(), bytes.len().saturating_add(SIZELESS_MAX));
        Decoder { plain: Plain::from_bytes(bytes), level: Level::TOP, announceable, countable }
    }

    /// What was not read.
    pub(super) fn rest(self) -> &'de [u8] {
        self.plain.finalize().unwrap_or_default()
    }

    #[inline]
    fn wrapped<V>(&mut self, read: impl FnOnce(&mut Decoder<'de>) -> Result<V, Cause>) -> Result<V, Cause> {
        let inner = self.level.wrapper()?;
        let outer = core::mem::replace(&mut self.level, inner);
        let value = read(self)?;
        self.level = outer;
        Ok(value)
    }

    #[inline]
    fn parts<V>(
        &mut self,
        count: usize,
        announced: usize,
        read: impl FnOnce(Parts<'_, 'de>) -> Result<V, Cause>,
    ) -> Result<V, Cause> {
        let inner = self.level.container()?;
        let outer = core::mem::replace(&mut self.level, inner);
        let value = read(Parts { decoder: self, left: count, announced })?;
        self.level = outer;
        Ok(value)
    }

    /// As many parts as the message says.
    #[inline]
    fn counted<V>(&mut self, read: impl FnOnce(Parts<'_, 'de>) -> Result<V, Cause>) -> Result<V, Cause> {
        let count = u32::deserialize(&mut self.plain)? as usize;
        let too_many = || Cause::Encoding(postcard::Error::DeserializeBadEncoding);
        self.countable = self.countable.checked_sub(count).ok_or_else(too_many)?;
        let announced = count.min(self.announceable);
        self.announceable -= announced;
        self.parts(count, announced, read)
    }
}

macro_rules! plain {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Cause> {
            Ok(self.plain.$method(visitor)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Cause;

    plain! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64
        deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit
        deserialize_identifier deserialize_ignored_any
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Cause> {
        match u8::deserialize(&mut self.plain)? {
            0 => visitor.visit_none(),
            1 => self.wrapped(|decoder| visitor.visit_some(decoder)),
            _ => Err(Cause::Encoding(postcard::Error::DeserializeBadOption)),
        }
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Cause> {
        visitor.visit_unit()
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Cause> {
        self.wrapped(|decoder| visitor.visit_newtype_struct(decoder))
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Cause> {
        self.counted(|parts| visitor.visit_seq(parts))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Cause> {
        self.parts(count, count, |parts| visitor.visit_seq(parts))
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, Cause> {
        self.deserialize_tuple(count, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Cause> {
        self.counted(|parts| visitor.visit_map(parts))
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Cause> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Cause> {
        visitor.visit_enum(self)
    }
}

/// What a sequence, tuple, struct or map has left.
struct Parts<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
    announced: usize,
}

impl<'de> SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Cause;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Cause> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        seed.deserialize(&mut *self.decoder).map(Some)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        Some(self.announced.min(self.left))
    }
}

impl<'de> MapAccess<'de> for Parts<'_, 'de> {
    type Error = Cause;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Cause> {
        self.next_element_seed(seed)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Cause> {
        seed.deserialize(&mut *self.decoder)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        SeqAccess::size_hint(self)
    }
}

impl<'de> EnumAccess<'de> for &mut Decoder<'de> {
    type Error = Cause;
    type Variant = Self;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Cause> {
        let index = u32::deserialize(&mut self.plain)?;
        let index: U32Deserializer<Cause> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Decoder<'de> {
    type Error = Cause;

    #[inline]
    fn unit_variant(self) -> Result<(), Cause> {
        Ok(())
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Cause> {
        self.wrapped(|decoder| seed.deserialize(decoder))
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, count: usize, visitor: V) -> Result<V::Value, Cause> {
        self.deserialize_tuple(count, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Cause> {
        self.deserialize_tuple(fields.len(), visitor)
    }
}

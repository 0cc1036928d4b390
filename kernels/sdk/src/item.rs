//! From an item's bytes to the value a kernel asked for.
//!
//! A number of a range and a line of text have no JSON round them, so each is read by what the
//! kernel's type wants: a line is a number for a kernel of numbers, a string for a kernel of
//! strings, and JSON for a kernel of anything richer.
use kernel_abi::{Encoding, Malformed};
use serde::Deserializer;
use serde::de::value::{BorrowedBytesDeserializer, I64Deserializer};
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer, Visitor};
use serde_json::Error;

/// The item at `index` of a range.
pub(crate) fn from_range<I: DeserializeOwned>(first: i64, step: i64, index: u32) -> Result<I, String> {
    let value = step
        .checked_mul(i64::from(index))
        .and_then(|distance| first.checked_add(distance));
    let value = value.ok_or_else(|| "the range leaves the 64-bit numbers".to_owned())?;
    let number: I64Deserializer<Error> = value.into_deserializer();
    I::deserialize(number).map_err(|error| error.to_string())
}

/// An item written out.
pub(crate) fn from_list<I: DeserializeOwned>(
    encoding: Encoding,
    bytes: Result<&[u8], Malformed>,
) -> Result<I, String> {
    let bytes = bytes.map_err(|error| error.to_string())?;
    let item = match encoding {
        Encoding::Json => serde_json::from_slice(bytes),
        Encoding::Text => I::deserialize(Text(bytes)),
    };
    item.map_err(|error| error.to_string())
}

/// The bytes of a text item.
struct Text<'de>(&'de [u8]);

impl<'de> Text<'de> {
    fn text(&self) -> Result<&'de str, Error> {
        std::str::from_utf8(self.0).map_err(|error| Error::custom(format!("the text is not UTF-8: {error}")))
    }

    fn json(&self) -> serde_json::Deserializer<serde_json::de::SliceRead<'de>> {
        serde_json::Deserializer::from_slice(self.0.trim_ascii())
    }
}

macro_rules! as_json {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let mut json = self.json();
            let value = json.$method(visitor)?;
            json.end()?;
            Ok(value)
        }
    )*};
}

macro_rules! as_string {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.visit_borrowed_str(self.text()?)
        }
    )*};
}

macro_rules! as_bytes {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            BorrowedBytesDeserializer::new(self.0).$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Text<'de> {
    type Error = Error;

    as_json!(
        deserialize_bool,
        deserialize_i8,
        deserialize_i16,
        deserialize_i32,
        deserialize_i64,
        deserialize_i128,
        deserialize_u8,
        deserialize_u16,
        deserialize_u32,
        deserialize_u64,
        deserialize_u128,
        deserialize_f32,
        deserialize_f64,
        deserialize_seq,
        deserialize_map,
        deserialize_unit
    );
    as_string!(
        deserialize_any,
        deserialize_char,
        deserialize_str,
        deserialize_string,
        deserialize_identifier
    );
    as_bytes!(deserialize_bytes, deserialize_byte_buf, deserialize_ignored_any);

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    /// A bare word names a variant; a variant with content comes as JSON.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        let text = self.text()?;
        if text.trim_start().starts_with(['{', '"']) {
            return self.json().deserialize_enum(name, variants, visitor);
        }
        visitor.visit_enum(serde::de::value::StrDeserializer::<Error>::new(text))
    }
}

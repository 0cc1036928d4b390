//! One output as the caller's type: JSON, or the bytes that a program wrote.
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::SeqDeserializer;
use serde::de::{DeserializeOwned, Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Error, Value};

/// An output as it came.
#[derive(Debug)]
pub(crate) enum Output {
    Json(Value),
    /// In base64.
    Bytes(String),
}

impl Output {
    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Json(Value::Null))
    }

    pub(crate) fn read<T: DeserializeOwned>(self) -> Result<T, Error> {
        match self {
            Self::Json(value) => serde_json::from_value(value),
            Self::Bytes(text) => {
                let bytes = STANDARD.decode(text).map_err(Error::custom)?;
                T::deserialize(Bytes(&bytes))
            }
        }
    }
}

/// Bytes are a `Vec<u8>` for who asks for a list, and text for who asks for a `String`.
struct Bytes<'a>(&'a [u8]);

impl<'de> Deserializer<'de> for Bytes<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bytes(self.0)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_seq(SeqDeserializer::new(self.0.iter().copied()))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct tuple tuple_struct map struct enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_a_list_or_text() {
        let output = || Output::Bytes(STANDARD.encode("3 4\n"));
        assert_eq!(output().read::<Vec<u8>>().unwrap(), b"3 4\n");
        assert_eq!(output().read::<String>().unwrap(), "3 4\n");
        assert_eq!(output().read::<bytes::Bytes>().unwrap(), "3 4\n");
        let told = output().read::<u64>().unwrap_err().to_string();
        assert!(told.contains("byte array"), "{told}");
    }
}

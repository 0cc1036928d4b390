//! What a kernel may give back.
use serde::de::{Deserialize, Deserializer, Visitor};
use std::fmt;

/// Raw bytes: as an output they travel as they are, not as JSON; as an item they are the bytes of a
/// text item, UTF-8 or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// A value that becomes an item's output: [`Bytes`], or anything serde can write, as JSON.
pub trait IntoOutput {
    /// How the description calls it: `json` or `bytes`.
    const KIND: &'static str;
    /// Appends the output to `out`. Fails where JSON cannot say the value.
    fn append_to(self, out: &mut Vec<u8>) -> Result<(), String>;
}

impl IntoOutput for Bytes {
    const KIND: &'static str = "bytes";
    fn append_to(self, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(&self.0);
        Ok(())
    }
}

impl<T: serde::Serialize> IntoOutput for T {
    const KIND: &'static str = "json";
    fn append_to(self, out: &mut Vec<u8>) -> Result<(), String> {
        serde_json::to_writer(out, &self)
            .map_err(|error| format!("the output cannot be written as JSON: {error}"))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_byte_buf(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Bytes;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes or a string")
    }
    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }
    fn visit_str<E>(self, text: &str) -> Result<Bytes, E> {
        Ok(Bytes(text.as_bytes().to_vec()))
    }
}

//! Ids: one type each, so that a job can never be taken for a worker.
//!
//! As text (in JSON, on the command line, in logs) an id is a letter, a dash and 13 characters of
//! Crockford's base 32, or 64 hex digits for a hash. In frames it is its number.
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// The text is not an id of the wanted kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {wanted}")]
pub struct InvalidId {
    text: String,
    wanted: &'static str,
}

const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BASE32_DIGITS: usize = 13;

fn write_base32(f: &mut fmt::Formatter<'_>, prefix: char, value: u64) -> fmt::Result {
    write!(f, "{prefix}-")?;
    for place in (0..BASE32_DIGITS).rev() {
        let digit = (value >> (place * 5)) & 31;
        write!(f, "{}", BASE32[digit as usize] as char)?;
    }
    Ok(())
}

fn read_base32(text: &str, prefix: char) -> Option<u64> {
    let digits = text.strip_prefix(prefix)?.strip_prefix('-')?;
    if digits.len() != BASE32_DIGITS {
        return None;
    }
    digits.bytes().try_fold(0u64, |value, byte| {
        let digit = BASE32.iter().position(|&b| b == byte.to_ascii_lowercase())? as u64;
        value.checked_mul(32)?.checked_add(digit)
    })
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_base32(f, $prefix, self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                read_base32(text, $prefix)
                    .map($name)
                    .ok_or_else(|| InvalidId { text: text.into(), wanted: $wanted })
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() { to.collect_str(self) } else { to.serialize_u64(self.0) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() {
                    String::deserialize(from)?.parse().map_err(de::Error::custom)
                } else {
                    u64::deserialize(from).map($name)
                }
            }
        }
        text_schema!($name, $wanted);
    };
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident, $wanted:literal) => {
        bytes_id!($(#[$doc])* $name, $wanted);

        impl $name {
            /// The SHA-256 of `bytes` (FIPS 180-4).
            pub fn of(bytes: &[u8]) -> Self {
                use sha2::Digest as _;
                Self(sha2::Sha256::digest(bytes).into())
            }
        }
    };
}

macro_rules! bytes_id {
    ($(#[$doc:meta])* $name:ident, $wanted:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                read_hex(text).map($name).ok_or_else(|| InvalidId { text: text.into(), wanted: $wanted })
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() { to.collect_str(self) } else { self.0.serialize(to) }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                if from.is_human_readable() {
                    String::deserialize(from)?.parse().map_err(de::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(from).map($name)
                }
            }
        }
        text_schema!($name, $wanted);
    };
}

macro_rules! text_schema {
    ($name:ident, $wanted:literal) => {
        #[cfg(feature = "openapi")]
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                utoipa::openapi::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some($wanted))
                    .into()
            }
        }
        #[cfg(feature = "openapi")]
        impl utoipa::ToSchema for $name {}
    };
}

fn read_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

number_id! {
    /// A program applied to many inputs. Made from the time of submission and chance
    /// ([`JobId::new`]), so ids sort by age and several coordinators never make the same one.
    JobId, 'j', "a job id (j- and 13 letters and digits)"
}
number_id! {
    /// One connected executor, the same across reconnections: a tab or a native process.
    WorkerId, 'w', "a worker id (w- and 13 letters and digits)"
}
number_id! {
    /// Whom a worker's answers are counted for: a contributor's key, or else the worker itself; see
    /// [`crate::account`].
    AccountId, 'a', "an account id (a- and 13 letters and digits)"
}
number_id! {
    /// One connection of a worker. Never used twice, also not after a restart.
    SessionId, 's', "a session id (s- and 13 letters and digits)"
}
number_id! {
    /// A worker's right to a run of shards. The number is the fencing epoch: it grows, and the
    /// high 24 bits are the coordinator's own epoch, so it is never used twice.
    LeaseId, 'l', "a lease id (l- and 13 letters and digits)"
}
number_id! {
    /// A coordinator's right to a run of shards in the shared queue; its number is the fencing epoch.
    ClaimId, 'c', "a claim id (c- and 13 letters and digits)"
}
hash_id! {
    /// The SHA-256 of a program's admitted bytes: its name.
    ProgramHash, "a program hash (64 hex digits)"
}
hash_id! {
    /// The SHA-256 of a blob's bytes: its name.
    BlobHash, "a blob hash (64 hex digits)"
}
bytes_id! {
    /// The public half of a key (Ed25519): what an account or a server is recognised by.
    PublicKey, "a public key (64 hex digits)"
}
hash_id! {
    /// The SHA-256 of an output: what verdicts compare.
    Digest, "a digest (64 hex digits)"
}

impl JobId {
    /// `time_ms` since 1970 in the high 44 bits, `chance` in the 16 below them. The last 4 are left to the
    /// stages of the job, see [`JobId::stage`].
    pub fn new(time_ms: u64, chance: u32) -> Self {
        Self((time_ms << 20) | u64::from(chance & 0xffff) << 4)
    }

    /// The id to try when another job has this one.
    #[must_use]
    pub fn following(self) -> Self {
        Self(self.0.wrapping_add(1 << 4))
    }

    /// The name under which a later stage of this job is stored: always the same, so that whoever takes a
    /// reduction up finds what was done. There are at most 15 of them ([`crate::limits::FAN_IN_MIN`]).
    pub fn stage(self, stage: Stage) -> Self {
        Self(self.0 | u64::from(stage & 0xf))
    }
}

/// Which stage of a job: the map is stage 0.
pub type Stage = u8;
/// The name of a booking of verified work: a job, and which batch of it at which coordinator. As text they stand
/// with dots between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReceiptId {
    /// The job.
    pub job: JobId,
    /// The coordinator's epoch.
    pub epoch: u32,
    /// The batch's number there.
    pub batch: u32,
}

impl fmt::Display for ReceiptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.job, self.epoch, self.batch)
    }
}

impl FromStr for ReceiptId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let read = || {
            let (job, rest) = text.split_once('.')?;
            let (epoch, batch) = rest.split_once('.')?;
            Some(Self {
                job: job.parse().ok()?,
                epoch: epoch.parse().ok()?,
                batch: batch.parse().ok()?,
            })
        };
        read().ok_or_else(|| InvalidId {
            text: text.into(),
            wanted: RECEIPT_ID,
        })
    }
}

impl Serialize for ReceiptId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ReceiptId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

const RECEIPT_ID: &str = "a receipt's id (a job id and two numbers, with dots between them)";
text_schema!(
    ReceiptId,
    "a receipt's id (a job id and two numbers, with dots between them)"
);

/// A shard's place in its stage.
pub type ShardIndex = u32;

/// A shard's name for ever: it never changes, however often it is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShardId {
    /// The job it belongs to.
    pub job: JobId,
    /// The stage.
    pub stage: Stage,
    /// Its place in the stage.
    pub index: ShardIndex,
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.job, self.stage, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_text_for_people_and_numbers_in_frames() {
        let job = JobId(u64::MAX - 5);
        let json = serde_json::to_string(&job).unwrap();
        assert_eq!(json.len(), 17);
        assert_eq!(serde_json::from_str::<JobId>(&json).unwrap(), job);
        let frame = postcard::to_allocvec(&job).unwrap();
        assert_eq!(postcard::from_bytes::<JobId>(&frame).unwrap(), job);
    }

    #[test]
    fn a_wrong_id_names_what_was_wanted() {
        let error = "w-0000000000000".parse::<JobId>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "'w-0000000000000' is not a job id (j- and 13 letters and digits)"
        );
        assert!("j-zzzzzzzzzzzzz".parse::<JobId>().is_err(), "more than 64 bits");
        assert!("ab".parse::<BlobHash>().is_err());
    }

    #[test]
    fn a_hash_is_the_sha_256() {
        // FIPS 180-4 example: the empty message.
        let empty = BlobHash::of(b"").to_string();
        assert_eq!(
            empty,
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(empty.parse::<BlobHash>().unwrap(), BlobHash::of(b""));
    }
}

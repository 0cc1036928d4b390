//! Credit: verified work that is booked to an account, and receipts for it that anyone can check.
//!
//! A batch of outputs that was let go ([`crate::trust`]) becomes one [`Booking`]: which shards, and a [`Root`] over
//! their digests. A [`Receipt`] is a booking under a server's signature. To check one, look at
//! the signature; then compute the root again from the digests of the shards, which are the SHA-256 of the outputs that
//! the job's results hold.
use crate::account::{AccountKey, Signature};
use crate::cut::ShardRun;
use crate::ids::{AccountId, Digest, PublicKey, ReceiptId};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The SHA-256 over shard numbers (4 bytes, the lowest first) and digests, in the order of the shards.
#[derive(Clone, Debug, Default)]
pub struct Root(Sha256);

impl Root {
    /// The next shard.
    pub fn add(&mut self, shard: u32, digest: &Digest) {
        self.0.update(shard.to_le_bytes());
        self.0.update(digest.0);
    }

    /// The root.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

/// Neighbouring shards of a booking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BookedRun {
    /// The first.
    pub first: u32,
    /// How many.
    pub count: u32,
}

impl From<ShardRun> for BookedRun {
    fn from(run: ShardRun) -> Self {
        Self {
            first: run.first,
            count: run.count,
        }
    }
}

/// Verified work of an account. It is written once and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Booking {
    /// Its name: the job, and which batch of it.
    pub id: ReceiptId,
    /// Whose work it was.
    pub account: AccountId,
    /// The shards, in order.
    pub runs: Vec<BookedRun>,
    /// How many shards.
    pub shards: u64,
    /// How many items they have.
    pub items: u64,
    /// The [`Root`] over their digests.
    pub root: Digest,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
}

impl Booking {
    /// What is signed: one field a line, in the order of the type.
    pub fn text(&self) -> String {
        let runs: Vec<String> = self
            .runs
            .iter()
            .map(|run| format!("{}+{}", run.first, run.count))
            .collect();
        let Self {
            id,
            account,
            shards,
            items,
            root,
            time_ms,
            ..
        } = self;
        format!(
            "{id}\n{account}\n{}\n{shards}\n{items}\n{root}\n{time_ms}\n",
            runs.join(",")
        )
    }

    /// Under a server's signature.
    pub fn sealed(self, key: &AccountKey) -> Receipt {
        let Signature(low, high) = key.seal(self.text().as_bytes());
        Receipt {
            booking: self,
            server: key.public(),
            signature: format!("{}{}", PublicKey(low), PublicKey(high)),
        }
    }
}

/// A booking that a server stands by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Receipt {
    /// What it says.
    pub booking: Booking,
    /// The server's public key (Ed25519).
    pub server: PublicKey,
    /// Its signature, in 128 hex digits.
    pub signature: String,
}

impl Receipt {
    /// Whether the server with this key signed just that.
    pub fn is_sealed(&self) -> bool {
        let halves = self.signature.split_at_checked(64);
        let read = |digits: &str| digits.parse::<PublicKey>().ok().map(|bytes| bytes.0);
        let signature = halves.and_then(|(low, high)| Some(Signature(read(low)?, read(high)?)));
        signature.is_some_and(|signature| self.server.has_sealed(self.booking.text().as_bytes(), &signature))
    }

    /// Whether these digests, one for each shard in order, are those of the booking.
    pub fn fits(&self, digests: &[Digest]) -> bool {
        let runs = self.booking.runs.iter();
        let shards = runs.flat_map(|run| run.first..run.first.saturating_add(run.count));
        let (mut root, mut count) = (Root::default(), 0u64);
        for (shard, digest) in shards.zip(digests) {
            root.add(shard, digest);
            count += 1;
        }
        count == self.booking.shards && count == digests.len() as u64 && root.finish() == self.booking.root
    }
}

/// Work that was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Given {
    /// Shards.
    pub shards: u64,
    /// Their items.
    pub items: u64,
    /// Bookings.
    pub bookings: u64,
}

/// What an account has given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Account {
    /// The account. Who knows its name can read this.
    pub account: AccountId,
    /// The name under which it is listed, where its owner chose one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Verified, and booked to it.
    pub credited: Given,
    /// Shards that it computed and that are still being checked.
    pub checking_shards: u64,
    /// Whether it gave a wrong answer, so that it gets no more work that is checked.
    pub caught: bool,
}

/// Receipts of an account, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiptPage {
    /// The receipts.
    pub receipts: Vec<Receipt>,
    /// Where the next page begins, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// The digests of a receipt's shards, in order, as the stored outputs give them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReceiptDigests {
    /// The digests.
    pub digests: Vec<Digest>,
}

/// A contributor who chose to be listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Leader {
    /// The name the contributor chose; nobody vouches for it.
    pub name: String,
    /// Verified work.
    pub credited: Given,
}

/// Contributors who chose to be listed, those who gave most first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaderList {
    /// At most 100.
    pub leaders: Vec<Leader>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::JobId;

    fn receipt() -> (Receipt, Vec<Digest>) {
        let digests: Vec<Digest> = (0..5u8).map(|k| Digest::of(&[k])).collect();
        let mut root = Root::default();
        for (shard, digest) in [3, 4, 9, 10, 11].into_iter().zip(&digests) {
            root.add(shard, digest);
        }
        let run = |first, count| BookedRun { first, count };
        let booking = Booking {
            id: ReceiptId {
                job: JobId(77),
                epoch: 3,
                batch: 2,
            },
            account: AccountId(5),
            runs: vec![run(3, 2), run(9, 3)],
            shards: 5,
            items: 50,
            root: root.finish(),
            time_ms: 1,
        };
        (booking.sealed(&AccountKey::new([9; 32])), digests)
    }

    #[test]
    fn a_receipt_is_checked_by_its_signature_and_its_digests() {
        let (receipt, digests) = receipt();
        assert!(receipt.is_sealed() && receipt.fits(&digests));
        let json = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), receipt);
    }

    #[test]
    fn a_changed_receipt_is_told() {
        let (good, digests) = receipt();
        let changes: [fn(&mut Receipt); 6] = [
            |r| r.booking.account = AccountId(6),
            |r| r.booking.items += 1,
            |r| r.booking.runs[0].first += 1,
            |r| r.server = AccountKey::new([8; 32]).public(),
            |r| r.signature.truncate(127),
            |r| r.signature = "é".repeat(64),
        ];
        for change in changes {
            let mut receipt = good.clone();
            change(&mut receipt);
            assert!(!receipt.is_sealed(), "{receipt:?}");
        }
        let mut others = digests.clone();
        others.swap(0, 1);
        assert!(!good.fits(&others) && !good.fits(&digests[1..]) && !good.fits(&[]));
    }
}

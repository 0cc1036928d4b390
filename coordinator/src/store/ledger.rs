//! What is remembered of accounts: how they stand, who lied, and the verified work that is booked to them.
use super::StoredOutputs;
use protocol::credit::{BookedRun, Booking, Given, Root};
use protocol::ids::{AccountId, Digest, JobId, ProgramHash, ReceiptId, ShardIndex};
use protocol::trust::TrustReport;

/// Most bookings in one page.
pub const BOOKINGS_PAGE_MAX: usize = 1_000;
/// Most accounts in the list of those who gave most.
pub const LEADERS_MAX: usize = 100;

/// One thing to remember. Each may be stored twice without harm.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A trusted worker found that an answer of the account was wrong. The first time stands.
    Caught {
        /// The account.
        account: AccountId,
        /// The job.
        job: JobId,
        /// The shard.
        shard: ShardIndex,
        /// When, in milliseconds since 1970.
        time_ms: u64,
    },
    /// How an account stands with a program; it never falls behind what is stored.
    Stands {
        /// The account.
        account: AccountId,
        /// With which program.
        standing: Standing,
    },
    /// The name under which an account is listed. Of an account that has given nothing, nothing is kept.
    Named {
        /// The account.
        account: AccountId,
        /// Its name; `None`: it is not listed.
        name: Option<String>,
    },
    /// Verified work. A booking of the same id is stored once and never changed.
    Credit(Credit),
    /// What was done so far for the trust in a job's answers; the last one counts.
    Report {
        /// The job.
        job: JobId,
        /// The report.
        report: TrustReport,
    },
}

/// How an account stands with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing {
    /// The program.
    pub program: ProgramHash,
    /// Checks that it passed.
    pub passed: u32,
    /// Batches that were let go.
    pub batches: u32,
}

/// Verified work on its way into the ledger. The digests are computed where it is stored, off the scheduler's task.
#[derive(Clone, Debug)]
pub struct Credit {
    /// Its name.
    pub id: ReceiptId,
    /// Whose work it was.
    pub account: AccountId,
    /// The name under which the account is listed, where it is known and one was chosen.
    pub name: Option<String>,
    /// The outputs, in the order of their shards.
    pub outputs: Vec<StoredOutputs>,
    /// How many items they have.
    pub items: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
}

impl Credit {
    /// What is kept of it.
    pub fn booking(&self) -> Booking {
        let (mut runs, mut root) = (Vec::<BookedRun>::new(), Root::default());
        for outputs in &self.outputs {
            let run = BookedRun::from(outputs.run());
            match runs
                .last_mut()
                .filter(|last| last.first + last.count == run.first)
            {
                Some(last) => last.count += run.count,
                None => runs.push(run),
            }
            outputs.digests(|shard, digest| root.add(shard, &digest));
        }
        Booking {
            id: self.id,
            account: self.account,
            shards: runs.iter().map(|run| u64::from(run.count)).sum(),
            runs,
            items: self.items,
            root: root.finish(),
            time_ms: self.time_ms,
        }
    }
}

impl StoredOutputs {
    /// Tells the digest of every shard, in order.
    pub fn digests(&self, mut tell: impl FnMut(ShardIndex, Digest)) {
        match self {
            Self::Inline(outputs) => outputs
                .iter()
                .for_each(|(shard, output)| tell(shard, Digest::of(&output))),
            // A blob's name is the SHA-256 of its bytes.
            Self::Blob { shard, blob } => tell(*shard, Digest(blob.0)),
        }
    }
}

/// What is stored of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRecord {
    /// The name under which it is listed.
    pub name: Option<String>,
    /// Whether it was caught with a wrong answer.
    pub caught: bool,
    /// How it stands, program by program.
    pub standings: Vec<Standing>,
    /// Booked to it.
    pub credited: Given,
}

//! What the cases are told with: short ways to say an operation and to look at what became of it.
use bytes::Bytes;
use coordinator::store::{
    Chunk, Done, JobFilter, JobRecord, Op, Reader, Source, Store, StoreError, StoredJob, StoredOutputs,
};
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{BlobHash, ClaimId, JobId, ProgramHash};
use protocol::job::{InputSpec, JobSpec, JobState, RangeSpec};
use protocol::run::{Lengths, Outputs};
use protocol::totals::Totals;
use protocol::wire::{Cause, Failure};
use std::sync::Arc;

/// Opens the store of a case: again and again, as if the coordinator was started again each time.
pub(crate) type Open<'a> = &'a mut dyn FnMut() -> Box<dyn Store>;

/// A time for operations that want one.
pub(crate) const NOW_MS: u64 = 1_780_000_000_000;

/// A job id that sorts by `age`.
pub(crate) fn job_id(age: u64) -> JobId {
    JobId::new(NOW_MS + age, 7)
}

pub(crate) fn run(first: u32, count: u32) -> ShardRun {
    ShardRun { first, count }
}

pub(crate) fn record(id: JobId) -> JobRecord {
    let range = InputSpec::Range(RangeSpec {
        start: 3,
        end: 1_000_003,
        step: 1,
    });
    let mut spec = JobSpec::new("rust-core", "null", range);
    spec.params = serde_json::json!({"depth": 1e-9, "name": "µ"});
    spec.labels.insert("team".into(), format!("t{}", id.0 % 2));
    let source = Source::Range { start: 3, step: 1 };
    let (program, owner) = (ProgramHash::of(b"rust-core"), "ada".to_owned());
    JobRecord {
        id,
        spec,
        program,
        owner,
        taken_by: 1,
        submitted_ms: NOW_MS,
        source,
        picture: false,
        stage_of: None,
    }
}

pub(crate) fn add(id: JobId, items: u64) -> Op {
    let record = Box::new(record(id));
    Op::AddJob {
        record,
        items,
        closed: true,
        chunk: None,
        key: None,
    }
}

pub(crate) fn add_open(id: JobId, chunk: Option<Chunk>) -> Op {
    let record = Box::new(record(id));
    let items = chunk.map_or(0, |chunk| chunk.items);
    Op::AddJob {
        record,
        items,
        closed: false,
        chunk,
        key: None,
    }
}

/// Outputs whose bytes say which shard they are of, each `length` bytes long.
pub(crate) fn outputs(run: ShardRun, length: usize) -> Outputs {
    let byte = |shard: u32| shard.to_le_bytes()[0];
    let data: Vec<u8> = (run.first..run.end())
        .flat_map(|s| vec![byte(s); length])
        .collect();
    let lengths = Lengths::Equal(u32::try_from(length).unwrap());
    Outputs {
        run,
        lengths,
        data: data.into(),
    }
}

/// Outputs of different lengths.
pub(crate) fn uneven(run: ShardRun) -> Outputs {
    let each: Vec<u32> = (run.first..run.end()).map(|shard| shard % 5).collect();
    let data = vec![9; each.iter().sum::<u32>() as usize];
    Outputs {
        run,
        lengths: Lengths::Each(each),
        data: Bytes::from(data),
    }
}

pub(crate) fn failure(detail: &str) -> Failure {
    Failure {
        cause: Cause::Trapped,
        detail: detail.to_owned(),
    }
}

/// What a claim gave.
#[derive(Clone, Debug)]
pub(crate) struct Claimed {
    pub(crate) claim: ClaimId,
    pub(crate) runs: Vec<ShardRun>,
    pub(crate) cut: Cut,
    pub(crate) totals: Totals,
}

/// What an operation counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Counted {
    pub(crate) shards: u32,
    pub(crate) totals: Totals,
    pub(crate) state: JobState,
}

/// An open store and a job in it.
pub(crate) struct World {
    pub(crate) store: Box<dyn Store>,
    pub(crate) job: JobId,
}

impl World {
    /// A store without jobs; operations speak of a job that is not there yet.
    pub(crate) fn empty(open: Open<'_>) -> Self {
        Self {
            store: open(),
            job: job_id(0),
        }
    }

    /// A store with one running job of so many items.
    pub(crate) fn with_job(open: Open<'_>, items: u64) -> Self {
        let mut world = Self::empty(open);
        let job = world.job;
        world.one(add(job, items));
        world.set(JobState::Running);
        world
    }

    /// The same after the coordinator was started again.
    pub(crate) fn again(self, open: Open<'_>) -> Self {
        let Self { store, job } = self;
        drop(store);
        Self { store: open(), job }
    }

    pub(crate) fn reader(&self) -> Arc<dyn Reader> {
        self.store.reader()
    }

    pub(crate) fn one(&mut self, op: Op) -> Done {
        self.try_one(op).unwrap()
    }

    pub(crate) fn try_one(&mut self, op: Op) -> Result<Done, StoreError> {
        let mut dones = self.store.commit(&[op])?;
        assert_eq!(dones.len(), 1);
        Ok(dones.remove(0))
    }

    pub(crate) fn counted(&mut self, op: Op) -> Counted {
        match self.one(op) {
            Done::Counted {
                shards,
                totals,
                state,
            } => Counted {
                shards,
                totals,
                state,
            },
            other => panic!("not counted: {other:?}"),
        }
    }

    pub(crate) fn claim(&mut self, shards_max: u32, grain: u32) -> Claimed {
        let job = self.job;
        match self.one(Op::Claim {
            job,
            stage: 0,
            shards_max,
            grain,
        }) {
            Done::Claimed {
                claim,
                runs,
                cut,
                totals,
            } => Claimed {
                claim,
                runs,
                cut,
                totals,
            },
            other => panic!("not claimed: {other:?}"),
        }
    }

    pub(crate) fn accept_op(&self, claim: ClaimId, outputs: Outputs, grain: u64) -> Op {
        let items = u64::from(outputs.run.count) * grain;
        Op::Accept {
            job: self.job,
            stage: 0,
            claim,
            outputs,
            items,
            busy_us: 10,
        }
    }

    pub(crate) fn accept(&mut self, claim: ClaimId, outputs: Outputs, grain: u64) -> Counted {
        let op = self.accept_op(claim, outputs, grain);
        self.counted(op)
    }

    pub(crate) fn accept_blob(&mut self, claim: ClaimId, shard: u32, blob: BlobHash) -> Counted {
        let job = self.job;
        self.counted(Op::AcceptBlob {
            job,
            stage: 0,
            claim,
            shard,
            blob,
            items: 1,
            busy_us: 10,
        })
    }

    pub(crate) fn fail(&mut self, claim: ClaimId, shard: u32, skipped: bool) -> Counted {
        let items = (u64::from(shard), u64::from(shard) + 1);
        let (job, failure) = (self.job, failure("unreachable\n at f"));
        self.counted(Op::Fail {
            job,
            stage: 0,
            claim,
            shard,
            items,
            failure,
            skipped,
        })
    }

    pub(crate) fn retry(&mut self) -> Counted {
        let job = self.job;
        self.counted(Op::RetryFailed { job, time_ms: NOW_MS })
    }

    pub(crate) fn set(&mut self, state: JobState) -> Counted {
        let (job, reason) = (self.job, Some(format!("because {state}")));
        self.counted(Op::SetState {
            job,
            state,
            reason,
            time_ms: NOW_MS + 5,
        })
    }

    pub(crate) fn append(&mut self, blob: &[u8], items: u64) -> Option<Chunk> {
        let (job, blob) = (self.job, BlobHash::of(blob));
        match self.one(Op::AppendItems { job, blob, items }) {
            Done::ItemsAppended { chunk, .. } => chunk,
            other => panic!("not appended: {other:?}"),
        }
    }

    pub(crate) fn stored(&self) -> StoredJob {
        self.reader().job(self.job).unwrap().expect("the job is stored")
    }

    pub(crate) fn jobs(&self, filter: &JobFilter) -> Vec<JobId> {
        let jobs = self.reader().jobs(filter).unwrap();
        jobs.into_iter().map(|job| job.record.id).collect()
    }

    /// Every stored output in shard order, read in pages of one run.
    pub(crate) fn results(&self) -> Vec<(u32, Bytes)> {
        let (reader, mut from, mut all) = (self.reader(), 0, Vec::new());
        loop {
            let page = reader.outputs(self.job, 0, from, 1).unwrap();
            let Some(last) = page.last() else {
                return all;
            };
            from = last.run().end();
            all.extend(page.iter().flat_map(pairs));
        }
    }

    /// What this coordinator may work on after it was started again: from the start in the embedded
    /// store; in a shared one when the coordinator that was before it has been silent for too long.
    pub(crate) fn take_over(&mut self) -> Vec<(ClaimId, Vec<ShardRun>)> {
        let restored = self.store.restore().unwrap();
        let mine = restored.into_iter().filter(|(job, _)| job.record.id == self.job);
        let claims: Vec<_> = mine.filter_map(|(_, claimed)| claimed).collect();
        if !self.store.is_shared() {
            return claims;
        }
        assert!(claims.is_empty(), "a shared store claims nothing by itself");
        for beat in 0..30 {
            self.one(Op::Heartbeat {
                time_ms: NOW_MS + beat * 250,
            });
        }
        self.claim_left()
    }

    /// Claims all that is left over, and nothing fresh.
    pub(crate) fn claim_left(&mut self) -> Vec<(ClaimId, Vec<ShardRun>)> {
        let fresh_from = self.stored().cut.next_shard;
        let mut claims = Vec::new();
        loop {
            let claimed = self.claim(1_000_000, 1_000_000_000);
            let left: Vec<_> = claimed
                .runs
                .into_iter()
                .filter(|r| r.first < fresh_from)
                .collect();
            if left.is_empty() {
                return claims;
            }
            claims.push((claimed.claim, left));
        }
    }
}

/// Shards and bytes of stored outputs; a blob's bytes are its hash.
pub(crate) fn pairs(stored: &StoredOutputs) -> Vec<(u32, Bytes)> {
    match stored {
        StoredOutputs::Inline(outputs) => outputs.iter().collect(),
        StoredOutputs::Blob { shard, blob } => vec![(*shard, Bytes::copy_from_slice(&blob.0))],
    }
}

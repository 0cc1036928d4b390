//! A job's stage in the writer's memory: which shards may be accepted now, and the counts.
//!
//! Changes are made while a batch is being written and taken back when it could not be committed,
//! so memory never says more than the disk.
use crate::store::shards::{ShardSet, take_front};
use protocol::cut::{Cut, ShardRun};
use protocol::ids::ClaimId;
use protocol::job::JobState;
use protocol::totals::Totals;

/// Most runs in one claim; what is left of a scattered job is claimed in several.
const CLAIM_RUNS_MAX: usize = 1_024;

/// A stage as it stands.
#[derive(Debug)]
pub(super) struct StageState {
    /// What stands for (job, stage) in the tables.
    pub(super) number: u32,
    /// The job's state.
    pub(super) state: JobState,
    /// Counts.
    pub(super) totals: Totals,
    /// How shards were cut.
    pub(super) cut: Cut,
    /// Runs stored so far.
    pub(super) runs: u32,
    /// Chunks stored so far; counted when somebody asks.
    pub(super) chunks: Option<u32>,
    /// Cut shards that nobody holds a claim on: settled, or left over. Only these are closed to outputs.
    closed: ShardSet,
    /// Cut shards that wait for a claim, in order.
    left: Vec<ShardRun>,
    /// Claims with a smaller number are void.
    claims_from: u64,
    /// How it stood before the batch that is being written.
    before: Option<Box<Before>>,
}

#[derive(Debug)]
struct Before {
    state: JobState,
    totals: Totals,
    cut: Cut,
    runs: u32,
    left: Vec<ShardRun>,
    claims_from: u64,
    closed: Vec<Undo>,
    is_new: bool,
}

#[derive(Debug)]
enum Undo {
    Close(ShardRun),
    Open(ShardRun),
    Replace(ShardSet),
}

/// Which part of a run may be accepted.
#[derive(Debug, PartialEq)]
pub(super) enum Acceptable {
    /// All of it.
    Whole,
    /// These runs of it.
    Parts(Vec<ShardRun>),
}

impl StageState {
    /// A stage as it was read from the disk: everything unsettled is left over, every claim is void.
    pub(super) fn new(number: u32, state: JobState, totals: Totals, cut: Cut, runs: u32) -> Self {
        Self {
            number,
            state,
            totals,
            cut,
            runs,
            chunks: None,
            closed: ShardSet::default(),
            left: Vec::new(),
            claims_from: u64::MAX,
            before: None,
        }
    }

    /// Notes how it stands, once a batch. Says whether this was the first time.
    pub(super) fn touch(&mut self) -> bool {
        self.touch_as(false)
    }

    /// The stage is made by the batch that is being written.
    pub(super) fn touch_new(&mut self) {
        self.touch_as(true);
    }

    fn touch_as(&mut self, is_new: bool) -> bool {
        let first = self.before.is_none();
        if first {
            self.before = Some(Box::new(Before {
                state: self.state,
                totals: self.totals,
                cut: self.cut.clone(),
                runs: self.runs,
                left: self.left.clone(),
                claims_from: self.claims_from,
                closed: Vec::new(),
                is_new,
            }));
        }
        first
    }

    /// The batch is durable.
    pub(super) fn keep(&mut self) {
        self.before = None;
    }

    /// Whether the batch changed what is stored of the stage.
    pub(super) fn is_changed(&self) -> bool {
        self.before
            .as_ref()
            .is_some_and(|b| b.totals != self.totals || b.runs != self.runs || b.cut != self.cut)
    }

    /// The batch was not stored. Says whether the stage was there before it.
    pub(super) fn take_back(&mut self) -> bool {
        let Some(before) = self.before.take() else {
            return true;
        };
        for undo in before.closed.into_iter().rev() {
            match undo {
                Undo::Close(run) => self.closed.insert(run),
                Undo::Open(run) => self.closed.remove(run),
                Undo::Replace(set) => self.closed = set,
            }
        }
        self.state = before.state;
        self.totals = before.totals;
        self.cut = before.cut;
        self.runs = before.runs;
        self.chunks = None;
        self.left = before.left;
        self.claims_from = before.claims_from;
        !before.is_new
    }

    fn note(&mut self, undo: Undo) {
        if let Some(before) = &mut self.before {
            before.closed.push(undo);
        }
    }

    /// Voids every claim before `claims_from`; everything that is not in `settled` is left over.
    pub(super) fn release(&mut self, settled: &ShardSet, claims_from: u64) {
        let all = ShardRun {
            first: 0,
            count: self.cut.next_shard,
        };
        let mut closed = ShardSet::default();
        closed.insert(all);
        let replaced = std::mem::replace(&mut self.closed, closed);
        self.note(Undo::Replace(replaced));
        self.left = settled.gaps(all);
        self.claims_from = claims_from;
    }

    /// Takes a right to shards: first what is left over, then fresh ones.
    pub(super) fn claim(&mut self, shards_max: u32, grain: u32) -> Vec<ShardRun> {
        if self.state.is_over() || self.state == JobState::Canceling {
            return Vec::new();
        }
        let mut runs = self.claim_left(shards_max, CLAIM_RUNS_MAX);
        let wanted = shards_max - runs.iter().map(|run| run.count).sum::<u32>();
        if let Some(piece) = self.cut.take(wanted, grain, self.totals.items) {
            self.totals.shards_cut = self.cut.next_shard;
            self.totals.items_cut = self.cut.next_item;
            runs.push(piece.run);
        }
        runs
    }

    /// Takes a right to shards that are left over.
    pub(super) fn claim_left(&mut self, shards_max: u32, runs_max: usize) -> Vec<ShardRun> {
        let runs = take_front(&mut self.left, shards_max, runs_max);
        for run in &runs {
            self.closed.remove(*run);
            self.note(Undo::Close(*run));
        }
        runs
    }

    /// Which part of a run may be accepted under a claim; `given` is the last claim that was given.
    pub(super) fn acceptable(&self, claim: ClaimId, given: ClaimId, run: ShardRun) -> Acceptable {
        let end = run.first.checked_add(run.count);
        let is_cut = end.is_some_and(|end| end <= self.cut.next_shard);
        let is_void = claim.0 < self.claims_from || claim > given;
        if self.state.is_over() || is_void || !is_cut || run.count == 0 {
            Acceptable::Parts(Vec::new())
        } else if self.closed.intersects(run) {
            Acceptable::Parts(self.closed.gaps(run))
        } else {
            Acceptable::Whole
        }
    }

    /// Nothing more is accepted for these shards. They were acceptable.
    pub(super) fn settle(&mut self, run: ShardRun) {
        self.closed.insert(run);
        self.note(Undo::Open(run));
    }

    /// How many items a run of cut shards has.
    pub(super) fn items_of(&self, run: ShardRun) -> u64 {
        let (mut items, mut rest) = (0, run);
        while let Some(piece) = self.cut.piece(rest) {
            items += piece.end_item - piece.first_item;
            rest = ShardRun {
                first: piece.run.end(),
                count: rest.count - piece.run.count,
            };
        }
        items
    }
}

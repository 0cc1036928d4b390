//! Cases about shards: claimed by arithmetic, accepted once, failed, retried, taken over.
use crate::world::{NOW_MS, Open, World, add, job_id, outputs, pairs, run, uneven};
use coordinator::store::{Done, Op, StoredOutputs};
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{BlobHash, ClaimId};
use protocol::job::JobState;
use std::collections::BTreeMap;

/// A small multiplicative generator (Lehmer): the same numbers every time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        u32::try_from(self.0 % u64::from(bound)).unwrap()
    }
}

pub(crate) fn claims_cut_as_the_model_cuts(open: Open<'_>) {
    let mut world = World::empty(open);
    for seed in 1..=12 {
        let mut chance = Chance(seed);
        let items = u64::from(1 + chance.below(3_000));
        world.job = job_id(seed);
        world.one(add(job_id(seed), items));
        let mut model = Cut::default();
        loop {
            let (shards_max, grain) = (1 + chance.below(40), 1 + chance.below(7));
            let expected = model.take(shards_max, grain, items);
            let claimed = world.claim(shards_max, grain);
            assert_eq!(
                claimed.runs,
                Vec::from_iter(expected.map(|piece| piece.run)),
                "seed {seed}"
            );
            assert_eq!(claimed.cut, model, "seed {seed}");
            assert_eq!(claimed.totals.items_cut, model.next_item);
            if expected.is_none() {
                break;
            }
        }
        assert_eq!(world.stored().cut, model);
    }
}

pub(crate) fn claims_are_never_the_same(open: Open<'_>) {
    let mut world = World::with_job(open, 100);
    let mut seen: Vec<ClaimId> = (0..3).map(|_| world.claim(1, 1).claim).collect();
    let epoch = world.store.epoch();
    let mut world = world.again(open);
    assert!(world.store.epoch() > epoch);
    seen.extend(world.take_over().into_iter().map(|(claim, _)| claim));
    seen.extend((0..3).map(|_| world.claim(1, 1).claim));
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count);
}

pub(crate) fn an_accepted_shard_is_counted_once(open: Open<'_>) {
    let mut world = World::with_job(open, 1_000);
    let claim = world.claim(100, 3).claim;
    let first = world.accept(claim, outputs(run(10, 20), 4), 3);
    assert_eq!(first.shards, 20);
    assert_eq!(
        (first.totals.shards_accepted, first.totals.items_accepted),
        (20, 60)
    );
    assert_eq!(first.totals.busy_us, 10);
    let same = world.accept(claim, outputs(run(10, 20), 4), 3);
    assert_eq!((same.shards, same.totals), (0, first.totals));
    // Half of it is new; the half that was there keeps its bytes.
    let mut other = outputs(run(20, 20), 4);
    other.data = vec![0xee; 80].into();
    let half = world.accept(claim, other, 3);
    assert_eq!(
        (
            half.shards,
            half.totals.shards_accepted,
            half.totals.items_accepted
        ),
        (10, 30, 90)
    );
    let results = world.results();
    assert_eq!(results.len(), 30);
    for (shard, bytes) in &results {
        let byte = if *shard < 30 { shard.to_le_bytes()[0] } else { 0xee };
        assert_eq!(bytes, &vec![byte; 4]);
    }
    assert_eq!(world.stored().totals, half.totals);
}

pub(crate) fn a_hole_between_accepted_shards_is_filled(open: Open<'_>) {
    let mut world = World::with_job(open, 10);
    let claim = world.claim(10, 1).claim;
    world.accept(claim, outputs(run(2, 1), 1), 1);
    world.accept_blob(claim, 5, BlobHash::of(b"five"));
    world.fail(claim, 7, true);
    let counted = world.accept(claim, uneven(run(0, 10)), 1);
    assert_eq!(counted.shards, 7);
    assert_eq!(
        (counted.totals.shards_accepted, counted.totals.items_accepted),
        (9, 9)
    );
    let shards: Vec<u32> = world.results().iter().map(|(shard, _)| *shard).collect();
    assert_eq!(shards, [0, 1, 2, 3, 4, 5, 6, 8, 9]);
    let lengths: Vec<usize> = world.results().iter().map(|(_, bytes)| bytes.len()).collect();
    assert_eq!(lengths, [0, 1, 1, 3, 4, 32, 1, 3, 4]);
    assert!(world.stored().totals.is_complete());
}

pub(crate) fn only_a_claim_can_accept(open: Open<'_>) {
    let mut world = World::with_job(open, 100);
    let claim = world.claim(10, 1).claim;
    let refused = |world: &mut World, claim: ClaimId, run: ShardRun| {
        assert_eq!(world.accept(claim, outputs(run, 1), 1).shards, 0);
    };
    refused(&mut world, ClaimId(0), run(0, 1));
    refused(&mut world, ClaimId(claim.0 + 1), run(0, 1));
    refused(&mut world, claim, run(10, 1));
    refused(&mut world, claim, run(u32::MAX - 1, 1));
    assert_eq!(world.fail(ClaimId(3), 0, true).shards, 0);
    assert_eq!(world.accept_blob(ClaimId(3), 0, BlobHash::of(b"")).shards, 0);
    let job = world.job;
    let stage_1 = Op::Accept {
        job,
        stage: 1,
        claim,
        outputs: outputs(run(0, 1), 1),
        items: 1,
        busy_us: 1,
    };
    assert_eq!(world.counted(stage_1).shards, 0);
    assert_eq!(world.stored().totals.shards_accepted, 0);
    assert!(world.results().is_empty());
    assert_eq!(world.accept(claim, outputs(run(0, 10), 1), 1).shards, 10);
}

pub(crate) fn a_whole_job_in_one_batch(open: Open<'_>) {
    let mut world = World::with_job(open, 256);
    let claim = world.claim(256, 1).claim;
    let job = world.job;
    let mut ops: Vec<Op> = (0..64)
        .map(|k| world.accept_op(claim, outputs(run(k * 4, 4), 16), 1))
        .collect();
    ops.push(Op::SetState {
        job,
        state: JobState::Succeeded,
        reason: None,
        time_ms: NOW_MS,
    });
    let dones = world.store.commit(&ops).unwrap();
    let Some(Done::Counted { totals, state, .. }) = dones.last() else {
        panic!("{dones:?}");
    };
    assert!(totals.is_complete());
    assert_eq!(*state, JobState::Succeeded);
    assert_eq!(world.results().len(), 256);
    assert_eq!(world.accept(claim, outputs(run(0, 1), 1), 1).shards, 0);
}

pub(crate) fn a_job_succeeds_only_when_it_is_complete(open: Open<'_>) {
    let mut world = World::with_job(open, 3);
    let claim = world.claim(3, 1).claim;
    world.accept(claim, outputs(run(0, 2), 1), 1);
    assert_eq!(world.set(JobState::Succeeded).state, JobState::Running);
    world.accept(claim, outputs(run(2, 1), 1), 1);
    assert_eq!(world.set(JobState::Succeeded).state, JobState::Succeeded);
}

pub(crate) fn outputs_come_in_either_order_page_by_page(open: Open<'_>) {
    let mut world = World::with_job(open, 1_000);
    let claim = world.claim(1_000, 1).claim;
    let other = world.job;
    world.job = job_id(99);
    world.one(add(job_id(99), 5));
    let noise = world.claim(5, 1).claim;
    world.accept(noise, outputs(run(0, 5), 8), 1);
    world.job = other;
    let order = [run(30, 10), run(0, 5), run(300, 3), run(5, 20), run(40, 1)];
    for run in order {
        world.accept(claim, outputs(run, 8), 1);
    }
    world.accept_blob(claim, 200, BlobHash::of(b"large"));
    let (reader, job) = (world.reader(), world.job);
    let runs = |from: u32, bytes_max: usize| -> Vec<ShardRun> {
        let page = reader.outputs(job, 0, from, bytes_max).unwrap();
        page.iter().map(StoredOutputs::run).collect()
    };
    let sorted = [
        run(0, 5),
        run(5, 20),
        run(30, 10),
        run(40, 1),
        run(200, 1),
        run(300, 3),
    ];
    assert_eq!(runs(0, usize::MAX), sorted);
    assert_eq!(runs(0, 1), sorted[..1]);
    assert_eq!(
        runs(7, 1),
        sorted[1..2],
        "the run that holds the shard comes first"
    );
    assert_eq!(runs(24, usize::MAX), sorted[1..]);
    assert_eq!(runs(25, usize::MAX), sorted[2..]);
    assert_eq!(runs(303, usize::MAX), []);
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = reader.outputs_as_accepted(job, 0, after, 1).unwrap();
        let Some((sequence, last)) = page.last() else {
            break;
        };
        assert!(*sequence > after);
        after = *sequence;
        seen.push(last.run());
    }
    let mut expected = order.to_vec();
    expected.push(run(200, 1));
    assert_eq!(seen, expected);
    assert_eq!(
        reader.outputs_as_accepted(job, 0, 0, usize::MAX).unwrap().len(),
        expected.len()
    );
    let blob = reader.outputs(job, 0, 200, 1).unwrap();
    assert_eq!(pairs(&blob[0])[0].1, BlobHash::of(b"large").0.as_slice());
}

pub(crate) fn skipped_shards_wait_again_when_retried(open: Open<'_>) {
    let mut world = World::with_job(open, 10);
    let claim = world.claim(10, 1).claim;
    world.accept(claim, outputs(run(0, 8), 1), 1);
    assert_eq!(world.fail(claim, 8, true).totals.shards_skipped, 1);
    assert_eq!(world.fail(claim, 9, true).shards, 1);
    assert_eq!(world.fail(claim, 9, true).shards, 0, "it failed already");
    assert_eq!(
        world.accept(claim, outputs(run(9, 1), 1), 1).shards,
        0,
        "it is settled"
    );
    let failed = world.reader().failed_shards(world.job, 0).unwrap();
    assert_eq!(
        failed.iter().map(|f| (f.shard, f.items)).collect::<Vec<_>>(),
        [(8, (8, 9)), (9, (9, 10))]
    );
    assert_eq!(failed[0].failure.detail, "unreachable\n at f");
    assert_eq!(world.set(JobState::Succeeded).state, JobState::Succeeded);
    let retried = world.retry();
    assert_eq!((retried.shards, retried.state), (2, JobState::Running));
    assert_eq!(retried.totals.shards_skipped, 0);
    assert_eq!(world.reader().failed_shards(world.job, 0).unwrap(), []);
    assert_eq!(world.stored().ended_ms, None);
    let again = world.claim(10, 1);
    assert_eq!(again.runs, [run(8, 2)]);
    let counted = world.accept(again.claim, outputs(run(8, 2), 1), 1);
    assert!(counted.totals.is_complete());
}

pub(crate) fn a_failed_job_runs_again_and_its_old_claims_are_void(open: Open<'_>) {
    let mut world = World::with_job(open, 100);
    let old = world.claim(10, 1).claim;
    world.accept(old, outputs(run(0, 3), 1), 1);
    assert_eq!(world.fail(old, 5, false).totals.shards_failed, 1);
    assert_eq!(world.set(JobState::Failed).state, JobState::Failed);
    assert_eq!(
        world.accept(old, outputs(run(3, 1), 1), 1).shards,
        0,
        "the job is over"
    );
    assert!(world.claim(5, 1).runs.is_empty());
    assert_eq!(world.retry().state, JobState::Running);
    assert_eq!(
        world.accept(old, outputs(run(3, 1), 1), 1).shards,
        0,
        "the claim is void"
    );
    let left = world.claim(5, 1);
    assert_eq!(left.runs, [run(3, 5)]);
    let mixed = world.claim(5, 4);
    assert_eq!(
        mixed.runs,
        [run(8, 2), run(10, 3)],
        "first what is left, then fresh ones"
    );
    assert_eq!(world.accept(left.claim, outputs(run(3, 5), 1), 1).shards, 5);
    assert_eq!(world.accept(mixed.claim, outputs(run(8, 5), 1), 1).shards, 5);
}

pub(crate) fn a_restart_keeps_everything_and_gives_the_rest(open: Open<'_>) {
    let mut world = World::with_job(open, 1_000);
    let claim = world.claim(200, 3).claim;
    for first in [0, 64, 130] {
        world.accept(claim, outputs(run(first, 30), 2), 3);
    }
    world.accept_blob(claim, 60, BlobHash::of(b"sixty"));
    world.fail(claim, 199, true);
    let (before, results) = (world.stored(), world.results());
    let mut world = world.again(open);
    assert_eq!(world.stored(), before);
    assert_eq!(world.results(), results);
    let claims = world.take_over();
    let left: Vec<ShardRun> = claims.iter().flat_map(|(_, runs)| runs.clone()).collect();
    assert_eq!(left, [run(30, 30), run(61, 3), run(94, 36), run(160, 39)]);
    assert_eq!(
        world.accept(claim, outputs(run(30, 1), 2), 3).shards,
        0,
        "the old claim is void"
    );
    for (claim, runs) in &claims {
        for run in runs {
            assert_eq!(world.accept(*claim, outputs(*run, 2), 3).shards, run.count);
        }
    }
    assert_eq!(world.stored().totals.shards_accepted, 199);
}

pub(crate) fn a_finished_job_is_not_restored(open: Open<'_>) {
    let mut world = World::with_job(open, 4);
    let claim = world.claim(4, 1).claim;
    world.accept(claim, outputs(run(0, 4), 1), 1);
    world.set(JobState::Succeeded);
    world.job = job_id(2);
    world.one(add(job_id(2), 4));
    let mut world = world.again(open);
    let restored = world.store.restore().unwrap();
    assert_eq!(
        restored.iter().map(|(job, _)| job.record.id).collect::<Vec<_>>(),
        [job_id(2)]
    );
    assert_eq!(restored[0].1, None, "nothing of it is cut yet");
}

/// What was tried against the fence.
#[derive(Debug, Default)]
pub(crate) struct Tried {
    pub(crate) operations: u64,
    /// Outputs under claims of coordinators that were there before.
    pub(crate) stale: u64,
    pub(crate) restarts: u64,
}

/// Operations in one batch.
const BATCH: u64 = 48;
/// Batches between two restarts, at most.
const LIFE: u32 = 40;
/// Claims that are remembered after their coordinator is gone.
const DEAD_MAX: usize = 200;
/// Milliseconds between the beats of a coordinator that outlives another.
const BEAT_MS: u64 = 250;

/// A job under chance: outputs that come in parts, twice, and under claims from before a restart.
struct Fence {
    world: World,
    chance: Chance,
    /// What each accepted shard is filled with.
    model: BTreeMap<u32, u8>,
    live: Vec<(ClaimId, ShardRun)>,
    dead: Vec<(ClaimId, ShardRun)>,
    tried: Tried,
}

impl Fence {
    fn claim(&mut self) {
        let claimed = self.world.claim(1 + self.chance.below(60), 1);
        self.live
            .extend(claimed.runs.into_iter().map(|run| (claimed.claim, run)));
    }

    /// The output of a part of a claim, and how many of its shards must be counted.
    fn accept(&mut self, is_stale: bool) -> Option<(Op, u32)> {
        let claims = if is_stale { &self.dead } else { &self.live };
        let count = u32::try_from(claims.len()).unwrap().max(1);
        let (claim, whole) = *claims.get(self.chance.below(count) as usize)?;
        let skip = self.chance.below(whole.count);
        let part = run(whole.first + skip, 1 + self.chance.below(whole.count - skip));
        let fill = u8::try_from(self.chance.below(251)).unwrap();
        let mut some = outputs(part, 3);
        some.data = vec![fill; part.count as usize * 3].into();
        let before = self.model.len();
        if !is_stale {
            for shard in part.first..part.end() {
                self.model.entry(shard).or_insert(fill);
            }
        }
        let counted = u32::try_from(self.model.len() - before).unwrap();
        Some((self.world.accept_op(claim, some, 1), counted))
    }

    fn batch(&mut self) {
        self.claim();
        let (mut ops, mut wanted) = (Vec::new(), Vec::new());
        for _ in 0..BATCH {
            let is_stale = self.chance.below(4) == 0;
            if let Some((op, counted)) = self.accept(is_stale) {
                self.tried.stale += u64::from(is_stale && !self.dead.is_empty());
                ops.push(op);
                wanted.push(counted);
            }
        }
        self.tried.operations += ops.len() as u64;
        let dones = self.world.store.commit(&ops).unwrap();
        let counted: Vec<u32> = dones.iter().map(shards_of).collect();
        assert_eq!(counted, wanted);
        let model = &self.model;
        let is_open =
            |(_, run): &(ClaimId, ShardRun)| (run.first..run.end()).any(|s| !model.contains_key(&s));
        self.live.retain(is_open);
    }

    /// Another coordinator takes its place.
    fn restart(self, open: Open<'_>) -> Self {
        let Self {
            world,
            chance,
            model,
            live,
            mut dead,
            mut tried,
        } = self;
        tried.restarts += 1;
        dead.extend(live);
        dead.drain(..dead.len().saturating_sub(DEAD_MAX));
        let mut world = world.again(open);
        let restored = world.store.restore().unwrap();
        let claims = restored.into_iter().filter_map(|(_, claimed)| claimed);
        let live = claims
            .flat_map(|(claim, runs)| runs.into_iter().map(move |run| (claim, run)))
            .collect();
        for beat in 0..if world.store.is_shared() { 30 } else { 0 } {
            let time_ms = NOW_MS + tried.restarts * 60_000 + beat * BEAT_MS;
            world.one(Op::Heartbeat { time_ms });
        }
        Self {
            world,
            chance,
            model,
            live,
            dead,
            tried,
        }
    }
}

fn shards_of(done: &Done) -> u32 {
    match done {
        Done::Counted { shards, .. } => *shards,
        other => panic!("{other:?}"),
    }
}

/// So many operations, and then the rest of the job.
pub(crate) fn stale_claims(open: Open<'_>, operations: u64) -> Tried {
    let items = (operations / 2).clamp(2_000, 4_000_000);
    let mut fence = Fence {
        world: World::with_job(open, items),
        chance: Chance(77),
        model: BTreeMap::new(),
        live: Vec::new(),
        dead: Vec::new(),
        tried: Tried::default(),
    };
    while fence.tried.operations < operations {
        for _ in 0..=fence.chance.below(LIFE) {
            fence.batch();
        }
        fence = fence.restart(open);
    }
    loop {
        fence.claim();
        let Some((claim, rest)) = fence.live.pop() else {
            break;
        };
        let left = (rest.first..rest.end())
            .filter(|shard| !fence.model.contains_key(shard))
            .count();
        let counted = fence.world.accept(claim, outputs(rest, 3), 1);
        assert_eq!(counted.shards as usize, left);
        for shard in rest.first..rest.end() {
            fence.model.entry(shard).or_insert(shard.to_le_bytes()[0]);
        }
    }
    let totals = fence.world.stored().totals;
    assert_eq!(u64::from(totals.shards_accepted), items, "lost or counted twice");
    let wanted = fence
        .model
        .iter()
        .map(|(shard, fill)| (*shard, vec![*fill; 3].into()));
    assert!(
        fence.world.results().into_iter().eq(wanted),
        "an accepted output changed"
    );
    fence.tried
}

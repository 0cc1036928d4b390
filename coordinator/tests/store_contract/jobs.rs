//! Cases about jobs: their life, their items, what is asked of them.
use crate::world::{NOW_MS, Open, World, add, add_open, failure, job_id, record};
use coordinator::engine::{self, NewJob};
use coordinator::store::{Chunk, Done, JobFilter, Op};
use protocol::api::{Scope, TokenInfo};
use protocol::description::Description;
use protocol::ids::{BlobHash, ProgramHash};
use protocol::job::JobState;
use protocol::wire::{Cause, Failure};

pub(crate) fn a_job_is_kept_as_it_was_submitted(open: Open<'_>) {
    let mut world = World::empty(open);
    assert_eq!(world.reader().job(world.job).unwrap(), None);
    let op = add(world.job, 500);
    assert_eq!(world.one(op), Done::JobAdded { older: None });
    let stored = world.stored();
    assert_eq!(stored.record, record(world.job));
    assert_eq!(stored.state, JobState::Queued);
    assert_eq!((stored.totals.items, stored.totals.items_closed), (500, true));
    assert_eq!(
        (stored.started_ms, stored.ended_ms, stored.reason),
        (None, None, None)
    );
}

pub(crate) fn an_idempotency_key_belongs_to_the_first_job(open: Open<'_>) {
    let mut world = World::empty(open);
    let keyed = |age: u64, owner: &str| {
        let mut record = Box::new(record(job_id(age)));
        record.owner = owner.to_owned();
        Op::AddJob {
            record,
            items: 1,
            closed: true,
            chunk: None,
            key: Some("k".into()),
        }
    };
    let new = Done::JobAdded { older: None };
    assert_eq!(world.one(keyed(1, "ada")), new);
    assert_eq!(
        world.one(keyed(2, "ada")),
        Done::JobAdded {
            older: Some(job_id(1))
        }
    );
    assert_eq!(
        world.one(keyed(3, "bob")),
        new,
        "another owner has keys of its own"
    );
    assert_eq!(
        world.one(keyed(1, "ada")),
        new,
        "the same job again is the same job"
    );
    assert_eq!(world.jobs(&all()), [job_id(3), job_id(1)]);
    let mut world = world.again(open);
    assert_eq!(
        world.one(keyed(4, "ada")),
        Done::JobAdded {
            older: Some(job_id(1))
        }
    );
}

pub(crate) fn an_id_belongs_to_the_first_job(open: Open<'_>) {
    let mut world = World::empty(open);
    let submission = |owner: &str, key: &str| {
        let mut record = Box::new(record(job_id(1)));
        record.owner = owner.to_owned();
        let key = Some(key.to_owned());
        Op::AddJob {
            record,
            items: 1,
            closed: true,
            chunk: None,
            key,
        }
    };
    let new = Done::JobAdded { older: None };
    assert_eq!(world.one(submission("ada", "a")), new);
    assert_eq!(world.one(submission("bob", "b")), Done::JobIdTaken);
    // In one batch too, as submissions of one moment are.
    let mut world = world.again(open);
    let both = world
        .store
        .commit(&[submission("bob", "b"), submission("ada", "a")])
        .unwrap();
    assert_eq!(both, [Done::JobIdTaken, new]);
    assert_eq!(world.jobs(&all()), [job_id(1)]);
    let stored = world.reader().job(job_id(1)).unwrap().unwrap();
    assert_eq!(stored.record.owner, "ada", "the first is as it was");
    // Bob's key was not used up.
    let mut elsewhere = submission("bob", "b");
    if let Op::AddJob { record, .. } = &mut elsewhere {
        record.id = record.id.following();
    }
    assert_eq!(world.one(elsewhere), Done::JobAdded { older: None });
}

/// Thousands of submissions a second meet in a millisecond, and it has 65,536 ids.
pub(crate) fn submissions_that_drew_one_id_become_two_jobs(open: Open<'_>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let engine = engine::start(open()).unwrap().engine;
        let submit = async |owner: &str| {
            let mut record = record(job_id(1));
            record.owner = owner.to_owned();
            let new = NewJob {
                record,
                items: 1,
                closed: true,
                chunk: None,
                key: None,
            };
            engine.submit(new).await.unwrap()
        };
        // Clients that ask for the same work differ in nothing.
        let told = tokio::join!(submit("ada"), submit("ada"), submit("bob"));
        for (submitted, owner) in [(told.0, "ada"), (told.1, "ada"), (told.2, "bob")] {
            assert!(!submitted.already, "{owner}: {submitted:?}");
            let stored = engine.reader().job(submitted.id).unwrap().unwrap();
            assert_eq!(stored.record.owner, owner);
        }
        assert_ne!(told.0.id, told.1.id);
        engine.stop().await;
    });
}

fn all() -> JobFilter {
    JobFilter {
        limit: 100,
        ..JobFilter::default()
    }
}

pub(crate) fn jobs_are_listed_newest_first(open: Open<'_>) {
    let mut world = World::empty(open);
    for age in [2, 1, 3, 4] {
        world.one(add(job_id(age), 1));
    }
    world.job = job_id(3);
    world.set(JobState::Paused);
    assert_eq!(world.jobs(&all()), [job_id(4), job_id(3), job_id(2), job_id(1)]);
    assert_eq!(
        world.jobs(&JobFilter { limit: 2, ..all() }),
        [job_id(4), job_id(3)]
    );
    let before = JobFilter {
        before: Some(job_id(3)),
        ..all()
    };
    assert_eq!(world.jobs(&before), [job_id(2), job_id(1)]);
    let queued = JobFilter {
        state: Some(JobState::Queued),
        limit: 2,
        ..all()
    };
    assert_eq!(world.jobs(&queued), [job_id(4), job_id(2)]);
    let label = record(job_id(2)).spec.labels["team"].clone();
    let labelled = JobFilter {
        label: Some(("team".into(), label)),
        ..all()
    };
    assert!(world.jobs(&labelled).contains(&job_id(2)));
    let strange = JobFilter {
        label: Some(("team".into(), "nobody".into())),
        ..all()
    };
    assert!(world.jobs(&strange).is_empty());
}

/// From each state (reached by the second column) the states that may follow.
const LIFE: [(&[JobState], &[JobState]); 7] = {
    use JobState::{Canceled, Canceling, Failed, Paused, Queued, Running, Succeeded};
    let going: &[JobState] = &[Running, Paused, Canceling, Failed, Canceled, Succeeded];
    [
        (&[], going),
        (&[Running], &[Paused, Canceling, Failed, Canceled, Succeeded]),
        (
            &[Paused],
            &[Queued, Running, Canceling, Failed, Canceled, Succeeded],
        ),
        (&[Running, Canceling], &[Canceled]),
        (&[Succeeded], &[]),
        (&[Failed], &[]),
        (&[Canceled], &[]),
    ]
};

pub(crate) fn a_state_follows_only_where_life_allows(open: Open<'_>) {
    use JobState::{Canceled, Canceling, Failed, Paused, Queued, Running, Succeeded};
    let mut world = World::empty(open);
    let mut age = 0;
    for (path, allowed) in LIFE {
        for to in [Queued, Running, Paused, Canceling, Succeeded, Failed, Canceled] {
            age += 1;
            world.job = job_id(age);
            // Without items the job is complete from the start.
            world.one(add(job_id(age), 0));
            for state in path {
                assert_eq!(world.set(*state).state, *state);
            }
            let from = path.last().copied().unwrap_or(Queued);
            let now = world.set(to).state;
            let expected = if allowed.contains(&to) { to } else { from };
            assert_eq!(now, expected, "{from} to {to}");
            assert_eq!(world.stored().state, expected);
        }
    }
}

pub(crate) fn a_job_remembers_when_and_why(open: Open<'_>) {
    let mut world = World::with_job(open, 1);
    let started_ms = world.stored().started_ms;
    assert_eq!(started_ms, Some(NOW_MS + 5));
    let job = world.job;
    let again = Op::SetState {
        job,
        state: JobState::Paused,
        reason: None,
        time_ms: NOW_MS + 9,
    };
    world.one(again);
    let failed = Op::SetState {
        job,
        state: JobState::Failed,
        reason: Some("poison".into()),
        time_ms: NOW_MS + 20,
    };
    world.one(failed);
    let stored = world.again(open).stored();
    assert_eq!(
        (stored.started_ms, stored.ended_ms),
        (started_ms, Some(NOW_MS + 20))
    );
    assert_eq!(stored.reason.as_deref(), Some("poison"));
}

pub(crate) fn an_open_job_grows_until_it_is_closed(open: Open<'_>) {
    let mut world = World::empty(open);
    let first = Chunk {
        first_item: 0,
        items: 4,
        blob: BlobHash::of(b"first"),
    };
    let op = add_open(world.job, Some(first));
    world.one(op);
    assert_eq!(world.claim(10, 3).totals.items_cut, 4);
    let second = world.append(b"second", 6).unwrap();
    assert_eq!(
        second,
        Chunk {
            first_item: 4,
            items: 6,
            blob: BlobHash::of(b"second")
        }
    );
    let third = world.append(b"third", 1).unwrap();
    assert_eq!(world.claim(10, 3).totals.items_cut, 11);
    let reader = world.reader();
    assert_eq!(reader.chunks(world.job, 0).unwrap(), [first, second, third]);
    assert_eq!(reader.chunks(world.job, 9).unwrap(), [second, third]);
    assert_eq!(reader.chunks(world.job, 10).unwrap(), [third]);
    assert_eq!(reader.chunks(world.job, 11).unwrap(), []);
    let job = world.job;
    assert!(!world.stored().totals.items_closed);
    assert!(world.counted(Op::CloseItems { job }).totals.items_closed);
    assert_eq!(world.append(b"late", 1), None);
    assert_eq!(world.stored().totals.items, 11);
    let mut world = world.again(open);
    assert_eq!(world.append(b"later", 1), None);
}

pub(crate) fn a_cancelled_job_takes_and_gives_nothing(open: Open<'_>) {
    let mut world = World::empty(open);
    let op = add_open(
        world.job,
        Some(Chunk {
            first_item: 0,
            items: 9,
            blob: BlobHash::of(b"x"),
        }),
    );
    world.one(op);
    world.set(JobState::Canceling);
    assert_eq!(world.append(b"late", 1), None);
    assert!(world.claim(9, 1).runs.is_empty());
    world.set(JobState::Canceled);
    assert!(world.claim(9, 1).runs.is_empty());
    assert_eq!(world.retry().state, JobState::Canceled);
}

pub(crate) fn nothing_becomes_of_a_job_that_is_not_there(open: Open<'_>) {
    let mut world = World::empty(open);
    let claimed = world.claim(9, 1);
    assert!(claimed.runs.is_empty());
    assert_eq!(world.append(b"x", 1), None);
    assert_eq!(world.set(JobState::Running).shards, 0);
    assert_eq!(world.retry().shards, 0);
    assert_eq!(world.reader().outputs(world.job, 0, 0, 99).unwrap(), []);
    assert_eq!(world.reader().failed_shards(world.job, 0).unwrap(), []);
    assert_eq!(world.store.commit(&[]).unwrap(), []);
}

pub(crate) fn failed_attempts_are_grouped(open: Open<'_>) {
    let mut world = World::with_job(open, 9);
    let job = world.job;
    let mut note = |shard: u32, failure: Failure, ms: u64| {
        assert_eq!(
            world.one(Op::NoteFailure {
                job,
                shard,
                failure,
                time_ms: NOW_MS + ms
            }),
            Done::Stored
        );
    };
    note(1, failure("unreachable\nat f"), 1);
    note(2, failure("division by zero"), 2);
    note(3, failure("unreachable\nat g"), 3);
    note(
        4,
        Failure {
            cause: Cause::Lost,
            detail: String::new(),
        },
        4,
    );
    note(5, failure(&"é".repeat(9_000)), 5);
    let groups = world.reader().errors(job).unwrap();
    assert_eq!(groups.len(), 4);
    let first = &groups[0];
    assert_eq!((first.count, first.shard, first.last_ms), (2, 3, NOW_MS + 3));
    assert_eq!(
        (first.cause, first.detail.as_str()),
        (Cause::Trapped, "unreachable\nat g")
    );
    assert!(
        groups
            .iter()
            .all(|g| g.detail.len() <= protocol::limits::DETAIL_BYTES_MAX)
    );
}

pub(crate) fn groups_of_failed_attempts_are_bounded(open: Open<'_>) {
    let mut world = World::with_job(open, 9);
    let job = world.job;
    let note = |k: u32| {
        let failure = failure(&format!("item {k}"));
        Op::NoteFailure {
            job,
            shard: k,
            failure,
            time_ms: NOW_MS,
        }
    };
    let notes: Vec<Op> = (0..1_000).map(note).collect();
    world.store.commit(&notes).unwrap();
    let groups = world.reader().errors(job).unwrap();
    assert_eq!(groups.iter().map(|g| g.count).sum::<u64>(), 1_000);
    let most = coordinator::store::ERROR_GROUPS_PER_JOB_MAX as usize;
    assert!(groups.len() <= most + Cause::ALL.len(), "{}", groups.len());
}

pub(crate) fn tokens_and_programs_are_kept(open: Open<'_>) {
    let mut world = World::empty(open);
    let token = |id: &str, created_ms: u64| TokenInfo {
        id: id.into(),
        name: "lab".into(),
        scopes: vec![Scope::Work, Scope::Trusted],
        created_ms,
        expires_ms: Some(created_ms + 1),
    };
    for (id, created_ms) in [("b", 1), ("a", 2)] {
        world.one(Op::AddToken {
            info: token(id, created_ms),
            secret: [created_ms.to_le_bytes()[0]; 32],
        });
    }
    let description = Description {
        name: "mine".into(),
        version: "1".into(),
        ..Description::default()
    };
    let hash = ProgramHash::of(b"mine");
    let program = || Op::AddProgram {
        hash,
        length: 77,
        description: Box::new(description.clone()),
    };
    world.store.commit(&[program(), program()]).unwrap();
    let mut world = world.again(open);
    let reader = world.reader();
    assert_eq!(reader.programs().unwrap(), [(hash, 77, description)]);
    assert_eq!(reader.tokens().unwrap(), [token("b", 1), token("a", 2)]);
    assert_eq!(reader.token("a").unwrap(), Some((token("a", 2), [2; 32])));
    world.one(Op::RevokeToken { id: "a".into() });
    assert_eq!(world.reader().token("a").unwrap(), None);
    assert_eq!(world.reader().tokens().unwrap(), [token("b", 1)]);
}

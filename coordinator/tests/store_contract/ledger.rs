//! What both stores remember of accounts.
use crate::world::{NOW_MS, Open, World, outputs, run};
use coordinator::store::{Credit, Entry, Op, Standing, StoredOutputs};
use protocol::ids::{AccountId, BlobHash, Digest, JobId, ProgramHash, ReceiptId};
use protocol::trust::{Trust, TrustReport};

const ANA: AccountId = AccountId(0xfeed_0000_0000_0001);
const BOB: AccountId = AccountId(2);

fn op(entry: Entry) -> Op {
    Op::Remember(Box::new(entry))
}

fn standing(program: u8, passed: u32, batches: u32) -> Standing {
    Standing {
        program: ProgramHash([program; 32]),
        passed,
        batches,
    }
}

fn credit(account: AccountId, batch: u32, name: Option<&str>) -> Op {
    op(Entry::Credit(Credit {
        id: ReceiptId {
            job: JobId(16),
            epoch: 3,
            batch,
        },
        account,
        name: name.map(str::to_owned),
        outputs: vec![
            StoredOutputs::Inline(outputs(run(10 * batch, 4), 2)),
            StoredOutputs::Inline(outputs(run(10 * batch + 4, 1), 2)),
            StoredOutputs::Blob {
                shard: 10 * batch + 7,
                blob: BlobHash([batch.to_le_bytes()[0]; 32]),
            },
        ],
        items: 12,
        time_ms: NOW_MS,
    }))
}

pub(crate) fn an_account_is_remembered(open: Open<'_>) {
    let mut world = World::empty(open);
    assert_eq!(world.reader().account(ANA).unwrap(), None);
    let stands = |standing| {
        op(Entry::Stands {
            account: ANA,
            standing,
        })
    };
    let caught = |shard| {
        op(Entry::Caught {
            account: BOB,
            job: JobId(16),
            shard,
            time_ms: NOW_MS,
        })
    };
    let ops = [
        stands(standing(1, 5, 2)),
        stands(standing(1, 3, 1)),
        stands(standing(2, 1, 0)),
        caught(1),
        caught(2),
    ];
    world.store.commit(&ops).unwrap();
    let world = world.again(open);
    let ana = world.reader().account(ANA).unwrap().unwrap();
    assert_eq!(
        ana.standings,
        [standing(1, 5, 2), standing(2, 1, 0)],
        "it never falls behind"
    );
    assert!(!ana.caught && world.reader().account(BOB).unwrap().unwrap().caught);
}

pub(crate) fn verified_work_is_booked_once_and_for_good(open: Open<'_>) {
    let mut world = World::empty(open);
    let named = |account, name: Option<&str>| {
        op(Entry::Named {
            account,
            name: name.map(str::to_owned),
        })
    };
    // Of an account that has given nothing, nothing is kept.
    let first = [
        named(BOB, Some("Bob")),
        credit(ANA, 1, Some("Ana")),
        credit(BOB, 2, None),
        credit(BOB, 3, None),
    ];
    world.store.commit(&first).unwrap();
    // Sent again, under whatever name: it is there already.
    world
        .store
        .commit(&[credit(ANA, 1, Some("Eve")), credit(BOB, 1, None)])
        .unwrap();
    let mut world = world.again(open);
    let reader = world.reader();
    let given = |account| reader.account(account).unwrap().unwrap();
    assert_eq!(given(ANA).name.as_deref(), Some("Ana"));
    assert_eq!(
        (
            given(ANA).credited.shards,
            given(ANA).credited.items,
            given(ANA).credited.bookings
        ),
        (6, 12, 1)
    );
    assert_eq!((given(BOB).name, given(BOB).credited.bookings), (None, 2));

    let pages: Vec<u32> = {
        let newest = reader.bookings(BOB, None, 1).unwrap();
        let older = reader.bookings(BOB, Some(newest[0].0), 9).unwrap();
        assert_eq!(reader.bookings(BOB, Some(older[0].0), 9).unwrap(), []);
        newest
            .iter()
            .chain(&older)
            .map(|(_, booking)| booking.id.batch)
            .collect()
    };
    assert_eq!(pages, [3, 2]);
    let booking = reader.bookings(ANA, None, 9).unwrap().remove(0).1;
    assert_eq!(reader.booking(booking.id).unwrap(), Some(booking.clone()));
    assert_eq!(
        reader
            .booking(ReceiptId {
                batch: 9,
                ..booking.id
            })
            .unwrap(),
        None
    );
    let runs: Vec<(u32, u32)> = booking.runs.iter().map(|run| (run.first, run.count)).collect();
    assert_eq!(runs, [(10, 5), (17, 1)], "neighbours are one run");
    let mut digests = Vec::new();
    for part in [outputs(run(10, 4), 2), outputs(run(14, 1), 2)] {
        digests.extend(part.iter().map(|(_, output)| Digest::of(&output)));
    }
    digests.push(Digest([1; 32]));
    let key = protocol::account::AccountKey::new([4; 32]);
    assert!(booking.sealed(&key).fits(&digests));

    let listed = |world: &World| -> Vec<String> {
        let leaders = world.reader().leaders().unwrap();
        leaders.into_iter().map(|leader| leader.name).collect()
    };
    assert_eq!(listed(&world), ["Ana"]);
    world.one(named(BOB, Some("Bob")));
    assert_eq!(listed(&world), ["Bob", "Ana"]);
    world.one(named(ANA, None));
    assert_eq!(listed(&world), ["Bob"]);
    let (account, job, shard, time_ms) = (BOB, JobId(16), 1, NOW_MS);
    world.one(op(Entry::Caught {
        account,
        job,
        shard,
        time_ms,
    }));
    assert_eq!(listed(&world), Vec::<String>::new(), "liars are not listed");
}

pub(crate) fn trust_reports_are_kept(open: Open<'_>) {
    let mut world = World::empty(open);
    let report = |executions| TrustReport {
        level: Trust::Standard,
        executions,
        ..TrustReport::default()
    };
    for executions in [1, 7] {
        world.one(op(Entry::Report {
            job: JobId(16),
            report: report(executions),
        }));
    }
    let world = world.again(open);
    let read = world.reader().reports(&[JobId(32), JobId(16)]).unwrap();
    assert_eq!(read, [None, Some(report(7))]);
    assert_eq!(world.reader().reports(&[]).unwrap(), []);
}

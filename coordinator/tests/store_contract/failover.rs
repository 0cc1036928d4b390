//! Promise 18: a Redis that lost what it answered for is told again, by the journals of its coordinators.
use crate::redis_only::Proxy;
use crate::server::RedisServer;
use crate::world::{Claimed, NOW_MS, World, add, job_id, outputs, run};
use coordinator::store::{Done, JobRecord, Op, RedisOptions, RedisStore, StoreError};
use protocol::cut::Piece;
use protocol::ids::JobId;
use protocol::job::JobState;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long Redis may take to come back.
const BACK_MAX: Duration = Duration::from_secs(20);
/// Items of the job that goes on all the time.
const ITEMS: u64 = 1_000_000;

/// How Redis loses something.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    /// It is killed, and the end of its file is gone.
    Tail,
    /// It is killed, and a replica that lagged behind takes its place.
    Replica,
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0 * 48_271 % 2_147_483_647;
        self.0 % bound
    }
}

/// Two coordinators on one Redis, and all that they were told is stored.
struct Pair {
    server: RedisServer,
    proxy: Proxy,
    worlds: [World; 2],
    _folders: [tempfile::TempDir; 2],
    /// What each accepted shard is filled with.
    accepted: BTreeMap<u32, u8>,
    submitted: Vec<(JobId, String)>,
    time_ms: u64,
    chance: Chance,
}

/// What was claimed, each part with one grain, as the scheduler hands it out.
fn pieces(claimed: &Claimed) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for part in &claimed.runs {
        let mut rest = *part;
        while let Some(piece) = claimed.cut.piece(rest) {
            rest = run(piece.run.end(), rest.count - piece.run.count);
            pieces.push(piece);
        }
    }
    pieces
}

fn submission(id: JobId, key: &str) -> Op {
    let Op::AddJob {
        record,
        items,
        closed,
        chunk,
        ..
    } = add(id, 5)
    else {
        unreachable!("`add` submits");
    };
    let record: Box<JobRecord> = record;
    Op::AddJob {
        record,
        items,
        closed,
        chunk,
        key: Some(key.into()),
    }
}

impl Pair {
    fn new(has_journal: bool) -> Self {
        let server = RedisServer::durable();
        let proxy = Proxy::to(&server);
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let worlds = [0, 1].map(|number: usize| {
            let options = RedisOptions {
                journal: has_journal.then(|| folders[number].path().to_owned()),
                ..RedisOptions::new(format!("redis://127.0.0.1:{}/0", proxy.port))
            };
            let mut store = RedisStore::open(&options).unwrap();
            coordinator::store::Store::restore(&mut store).unwrap();
            World {
                store: Box::new(store),
                job: job_id(0),
            }
        });
        let mut pair = Self {
            server,
            proxy,
            worlds,
            _folders: folders,
            accepted: BTreeMap::new(),
            submitted: Vec::new(),
            time_ms: NOW_MS,
            chance: Chance(7),
        };
        let job = pair.worlds[0].job;
        pair.worlds[0].one(add(job, ITEMS));
        pair.worlds[0].set(JobState::Running);
        pair
    }

    /// Both accept something, and one takes a new job.
    fn work(&mut self) {
        for turn in 0..4 {
            let shards = 1 + u32::try_from(self.chance.below(40)).unwrap();
            let grain = 1 + u32::try_from(self.chance.below(3)).unwrap();
            let claimed = self.worlds[turn % 2].claim(shards, grain);
            for piece in pieces(&claimed) {
                // Not all of it: the rest is still with a worker when Redis loses it.
                let part = piece.run;
                let count = 1 + u32::try_from(self.chance.below(u64::from(part.count))).unwrap();
                let kept = run(part.first, count);
                let whole = claimed.cut.piece(kept).unwrap();
                let items = whole.end_item - whole.first_item;
                let is_new = |shard| !self.accepted.contains_key(&shard);
                assert!(
                    (kept.first..kept.end()).all(is_new),
                    "{kept:?} was accepted before"
                );
                let fill = u8::try_from(self.chance.below(251)).unwrap();
                let mut some = outputs(kept, 3);
                some.data = vec![fill; kept.count as usize * 3].into();
                let job = self.worlds[0].job;
                let op = Op::Accept {
                    job,
                    stage: 0,
                    claim: claimed.claim,
                    outputs: some,
                    items,
                    busy_us: 10,
                };
                assert_eq!(self.worlds[turn % 2].counted(op).shards, kept.count);
                self.accepted
                    .extend((kept.first..kept.end()).map(|shard| (shard, fill)));
            }
        }
        let number = self.submitted.len() as u64 + 1;
        let (id, key) = (job_id(number), format!("key {number}"));
        let told = self.worlds[0].one(submission(id, &key));
        assert_eq!(told, Done::JobAdded { older: None });
        self.submitted.push((id, key));
    }

    /// Redis loses something of what was said since; then both coordinators go on.
    fn lose(&mut self, loss: Loss) {
        match loss {
            Loss::Tail => {
                let from = self.server.log_bytes();
                self.work();
                let end = self.server.log_bytes();
                self.server.kill();
                self.server.cut_log(from + self.chance.below(end - from));
                self.server.start_again();
            }
            Loss::Replica => {
                let replica = self.server.replica();
                let follows = || info(&replica, "master_link_status") == "up";
                until("the replica follows", follows);
                until("the replica has it all", || {
                    info(&replica, "master_repl_offset") == info(&self.server, "master_repl_offset")
                });
                command(&replica, &["REPLICAOF", "NO", "ONE"]);
                self.work();
                self.server.kill();
                self.proxy.aim(&replica);
                self.server = replica;
            }
        }
        self.time_ms += 1_000;
        for world in &mut self.worlds {
            let until = Instant::now() + BACK_MAX;
            // Twice: what the other one said again is heard, too.
            for beat in 0..2 {
                let op = Op::Heartbeat {
                    time_ms: self.time_ms + beat,
                };
                while let Err(error) = world.try_one(op.clone()) {
                    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
                    assert!(Instant::now() < until, "{error}");
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
    }

    /// Redis has written its file anew, as it was asked to: the next loss is another one.
    fn until_rewritten(&self) {
        until("the file is written anew", || {
            info(&self.server, "aof_rewrite_in_progress") == "0"
                && info(&self.server, "aof_rewrite_scheduled") == "0"
        });
    }

    /// What anybody was told and is lost or changed.
    fn lost(&self) -> Option<String> {
        let results = self.worlds[1].results().into_iter();
        let found: BTreeMap<u32, u8> = results.map(|(shard, bytes)| (shard, bytes[0])).collect();
        let wrong = |(shard, fill): &(&u32, &u8)| found.get(*shard) != Some(*fill);
        let wrong: Vec<u32> = self
            .accepted
            .iter()
            .filter(wrong)
            .map(|(shard, _)| *shard)
            .collect();
        let totals = self.worlds[1].stored().totals;
        let reader = self.worlds[1].reader();
        let gone = |(id, _): &&(JobId, String)| reader.job(*id).unwrap().is_none();
        let gone: Vec<_> = self.submitted.iter().filter(gone).collect();
        let is_whole = found.len() == self.accepted.len()
            && totals.shards_accepted as usize == found.len()
            && wrong.is_empty()
            && gone.is_empty();
        (!is_whole).then(|| {
            format!(
                "shards {wrong:?} of {} are wrong, {} are there, {totals:?}; jobs {gone:?} are gone",
                self.accepted.len(),
                found.len()
            )
        })
    }

    /// A key that was used is known.
    fn assert_keys(&mut self) {
        let (id, key) = self.submitted.last().unwrap().clone();
        let again = self.worlds[1].one(submission(job_id(900_000), &key));
        assert_eq!(again, Done::JobAdded { older: Some(id) });
    }

    /// Whatever is not accepted can be claimed, by one of them alone, and nothing twice.
    fn finish(mut self) {
        loop {
            let claimed = self.worlds[0].claim(100_000, 1_000);
            if claimed.runs.is_empty() {
                break;
            }
            for piece in pieces(&claimed) {
                let items = piece.end_item - piece.first_item;
                let job = self.worlds[0].job;
                let op = Op::Accept {
                    job,
                    stage: 0,
                    claim: claimed.claim,
                    outputs: outputs(piece.run, 3),
                    items,
                    busy_us: 1,
                };
                assert_eq!(self.worlds[0].counted(op).shards, piece.run.count);
            }
        }
        let totals = self.worlds[0].stored().totals;
        assert!(totals.is_complete(), "{totals:?}");
        assert_eq!(totals.items_accepted, ITEMS);
    }
}

fn connection(server: &RedisServer) -> redis::Connection {
    redis::Client::open(server.url())
        .unwrap()
        .get_connection()
        .unwrap()
}

fn command(server: &RedisServer, words: &[&str]) {
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query::<redis::Value>(&mut connection(server)).unwrap();
}

fn info(server: &RedisServer, name: &str) -> String {
    let text: String = redis::cmd("INFO").query(&mut connection(server)).unwrap();
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")).map(str::to_owned));
    found.unwrap_or_default().trim().to_owned()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + BACK_MAX;
    while !holds() {
        assert!(Instant::now() < end, "{what}: not within {BACK_MAX:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn redis_failover_reassert() {
    let mut told = Vec::new();
    for (loss, rounds) in [
        (Loss::Tail, promise::amount(4, 200)),
        (Loss::Replica, promise::amount(2, 60)),
    ] {
        let mut pair = Pair::new(true);
        pair.work();
        for round in 0..rounds {
            pair.lose(loss);
            pair.until_rewritten();
            assert_eq!(pair.lost(), None, "{loss:?}, round {round}");
        }
        pair.assert_keys();
        told.push(format!(
            "{rounds} times {}: 0 of {} accepted shards and {} jobs lost",
            if loss == Loss::Tail {
                "the end of the file gone"
            } else {
                "a lagging replica promoted"
            },
            pair.accepted.len(),
            pair.submitted.len()
        ));
        pair.finish();
    }
    promise::kept(
        "redis_failover_reassert",
        &format!("two coordinators; {}", told.join("; ")),
    );
}

/// Without a journal the same losses are losses.
#[test]
fn a_failover_without_journal_loses() {
    for loss in [Loss::Tail, Loss::Replica] {
        let mut pair = Pair::new(false);
        pair.work();
        let lost = (0..4).any(|_| {
            pair.lose(loss);
            pair.lost().is_some()
        });
        assert!(lost, "{loss:?}");
    }
}

//! One submission sent again and again is one job.
use crate::chance::Chance;
use crate::site::Site;
use crate::submit::Door;
use protocol::ids::JobId;
use std::collections::BTreeSet;
use std::time::Duration;

/// Clients that send the same submission, at the same time.
const CLIENTS: usize = 50;
/// Submissions under way when the coordinator is killed.
const AT_ONCE: usize = 20;
/// The kill comes within this time.
const KILL_US: u64 = 150_000;

/// Everybody sends the submission with this key; the answers they got.
async fn trial(door: Door, key: Option<String>, mut chance: Chance) -> BTreeSet<JobId> {
    let send = |seed| {
        let (door, key) = (door.clone(), key.clone());
        tokio::spawn(async move { door.submit(key.as_deref(), &mut Chance::from(seed)).await })
    };
    let clients: Vec<_> = (0..CLIENTS).map(|_| send(chance.below(u64::MAX))).collect();
    let mut answers = BTreeSet::new();
    for client in clients {
        answers.insert(client.await.unwrap());
    }
    answers
}

/// Rounds of submissions, each with a kill in its middle; how many submissions there were.
async fn rounds(rounds: usize, mut chance: Chance) -> usize {
    let mut site = Site::start(&[]).await;
    let door = site.door(5).await;
    for round in 0..rounds {
        let start = |number| {
            let key = Some(format!("round {round}, submission {number}"));
            tokio::spawn(trial(door.clone(), key, Chance::from(chance.below(u64::MAX))))
        };
        let trials: Vec<_> = (0..AT_ONCE).map(start).collect();
        tokio::time::sleep(Duration::from_micros(chance.below(KILL_US))).await;
        site.kill();
        site.restart().await;
        for trial in trials {
            let answers = trial.await.unwrap();
            assert_eq!(answers.len(), 1, "one key, and these jobs: {answers:?}");
        }
    }
    let there = site.count_jobs().await;
    assert_eq!(there, rounds * AT_ONCE, "jobs that nobody was told of");
    // The same clients without a key make more than one job: this test can fail.
    let answers = trial(door, None, chance).await;
    assert!(answers.len() > 1, "{answers:?}");
    site.assert_no_panic();
    there
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn submit_idempotent() {
    let (sites, each) = promise::amount((1, 2), (2, 250));
    let mut chance = Chance::new();
    let tasks: Vec<_> = (0..sites)
        .map(|_| tokio::spawn(rounds(each, Chance::from(chance.below(u64::MAX)))))
        .collect();
    let mut trials = 0;
    for task in tasks {
        trials += task.await.unwrap();
    }
    promise::kept(
        "submit_idempotent",
        &format!(
            "{trials} submissions, each sent by {CLIENTS} clients at once of which three tries in ten hung up early, \
             {} kills in their middle: exactly one job each",
            sites * each
        ),
    );
}

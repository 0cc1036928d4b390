//! One suite for both stores: every case runs against SQLite and against a real Redis.
mod failover;
mod jobs;
mod ledger;
mod redis_only;
mod schema;
mod server;
mod shards;
mod sqlite_only;
mod world;

use coordinator::store::{RedisOptions, RedisStore, SqliteOptions, SqliteStore, Store};

fn on_sqlite(case: fn(world::Open<'_>)) {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path());
    case(&mut || Box::new(SqliteStore::open(&options).unwrap()) as Box<dyn Store>);
}

fn on_redis(case: fn(world::Open<'_>)) {
    let server = server::RedisServer::durable();
    let options = RedisOptions::new(server.url());
    case(&mut || Box::new(RedisStore::open(&options).unwrap()) as Box<dyn Store>);
}

/// Promise 2, in both stores: a claim of a coordinator that was there before acknowledges nothing. That this
/// can fail is shown by `redis_only::a_stale_claim_would_be_obeyed_without_the_fence`.
#[test]
fn stale_epoch_never_acks() {
    let (on_sqlite, on_redis) = promise::amount((4_000, 4_000), (400_000, 200_000));
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path());
    let mut open = || Box::new(SqliteStore::open(&options).unwrap()) as Box<dyn Store>;
    let sqlite = shards::stale_claims(&mut open, on_sqlite);
    let server = server::RedisServer::durable();
    let options = RedisOptions::new(server.url());
    let mut open = || Box::new(RedisStore::open(&options).unwrap()) as Box<dyn Store>;
    let redis = shards::stale_claims(&mut open, on_redis);
    assert!(
        sqlite.stale > on_sqlite / 10 && redis.stale > on_redis / 10,
        "{sqlite:?} {redis:?}"
    );
    promise::kept(
        "stale_epoch_never_acks",
        &format!(
            "SQLite: {} operations, {} restarts, 0 of {} stale outputs counted; Redis: {}, {}, 0 of {}",
            sqlite.operations, sqlite.restarts, sqlite.stale, redis.operations, redis.restarts, redis.stale
        ),
    );
}

macro_rules! contract {
    ($($room:ident :: $case:ident,)*) => {
        mod sqlite {
            $(
                #[test]
                fn $case() {
                    crate::on_sqlite(crate::$room::$case);
                }
            )*
        }
        mod redis {
            $(
                #[test]
                fn $case() {
                    crate::on_redis(crate::$room::$case);
                }
            )*
        }
    };
}

contract! {
    jobs::a_job_is_kept_as_it_was_submitted,
    jobs::an_idempotency_key_belongs_to_the_first_job,
    jobs::an_id_belongs_to_the_first_job,
    jobs::submissions_that_drew_one_id_become_two_jobs,
    jobs::jobs_are_listed_newest_first,
    jobs::a_state_follows_only_where_life_allows,
    jobs::a_job_remembers_when_and_why,
    jobs::an_open_job_grows_until_it_is_closed,
    jobs::a_cancelled_job_takes_and_gives_nothing,
    jobs::nothing_becomes_of_a_job_that_is_not_there,
    jobs::failed_attempts_are_grouped,
    jobs::groups_of_failed_attempts_are_bounded,
    jobs::tokens_and_programs_are_kept,
    ledger::an_account_is_remembered,
    ledger::verified_work_is_booked_once_and_for_good,
    ledger::trust_reports_are_kept,
    shards::claims_cut_as_the_model_cuts,
    shards::claims_are_never_the_same,
    shards::an_accepted_shard_is_counted_once,
    shards::a_hole_between_accepted_shards_is_filled,
    shards::only_a_claim_can_accept,
    shards::a_whole_job_in_one_batch,
    shards::a_job_succeeds_only_when_it_is_complete,
    shards::outputs_come_in_either_order_page_by_page,
    shards::skipped_shards_wait_again_when_retried,
    shards::a_failed_job_runs_again_and_its_old_claims_are_void,
    shards::a_restart_keeps_everything_and_gives_the_rest,
    shards::a_finished_job_is_not_restored,
}

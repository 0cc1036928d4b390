//! One suite for both stores: every case runs against SQLite and against a real Redis.
mod jobs;
mod redis_only;
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
    jobs::jobs_are_listed_newest_first,
    jobs::a_state_follows_only_where_life_allows,
    jobs::a_job_remembers_when_and_why,
    jobs::an_open_job_grows_until_it_is_closed,
    jobs::a_cancelled_job_takes_and_gives_nothing,
    jobs::nothing_becomes_of_a_job_that_is_not_there,
    jobs::failed_attempts_are_grouped,
    jobs::groups_of_failed_attempts_are_bounded,
    jobs::tokens_and_programs_are_kept,
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
    shards::chance_never_counts_a_shard_twice,
}

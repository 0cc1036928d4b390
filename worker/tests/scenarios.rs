//! What a worker does, told as scenarios: text in (`tests/scenarios`), transcript out
//! (`tests/snapshots`).
mod play;

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            let scenario = include_str!(concat!("scenarios/", stringify!($name), ".txt"));
            insta::assert_snapshot!(stringify!($name), play::play(scenario));
        }
    )*};
}

scenarios!(
    account,
    first_shard,
    batches_and_merging,
    pause_and_start,
    finish_and_leave,
    reconnect_keeps_outputs,
    a_lease_runs_out,
    cancel,
    intensity,
    inputs_of_every_source,
    long_outputs,
    programs_that_fail,
    failures_and_resets,
    refusals,
    wrong_messages,
    drain_and_shutdown,
);

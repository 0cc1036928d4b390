//! Every scenario in `tests/scenarios/*.txt` against its transcript.
mod harness;

macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            let scenario = include_str!(concat!("scenarios/", stringify!($name), ".txt"));
            insta::assert_snapshot!(stringify!($name), harness::play(scenario));
        })*
    };
}

scenarios!(
    alone_for_a_moment,
    auto_grain,
    backup_attempts,
    cancel_and_pause,
    capabilities_and_explain,
    claims_taken_back,
    fairness,
    late_outputs,
    loss_and_return,
    networks_gone_for_good,
    networks_lately_there,
    open_job,
    poison,
    reconnect,
    reduction,
    same_failure,
    silence_and_expiry,
    skip_failures,
    trust_conflict,
    trust_copies_apart,
    trust_costs_nothing,
    trust_newcomers,
    trust_pool_on_one_network,
    trust_private,
    trust_three_tabs,
    trust_trap,
    trust_verified,
    trust_vote,
    trust_withdrawal,
    vanishing_over_a_shard,
);

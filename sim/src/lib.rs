//! Both hearts under a virtual clock and a bad network, from a seed.
//!
//! One real scheduler, several real worker hearts, a model of a store, and every message through the
//! real codec. A seed says who takes part, what is to be done and what goes wrong ([`plan`]); the same
//! seed gives the same trace. The checkers ([`checker`]) look at everything that happens; for each of
//! them there is a deliberate mistake that it must see ([`twin`]).
//!
//! | file | what it is |
//! |---|---|
//! | [`plan`] | what a seed stands for |
//! | `world` | the queue of events and the clock |
//! | `coordinator` | the scheduler's shell: sessions, commits, being killed |
//! | `node` | a worker's shell: slots, sleep, death |
//! | `person` | who pauses, resumes and cancels jobs |
//! | `network` | delay, order, cuts |
//! | [`churn`] | half of the fleet vanishes, again and again |
//! | `store` | what is durable |
//! | `task` | what is computed, and what must come out |
//! | [`sabotage`] | liars against the trust levels, without a network, a million shards at a time |
#![forbid(unsafe_code)]

pub mod chance;
pub mod checker;
pub mod churn;
mod coordinator;
mod network;
mod node;
mod person;
pub mod plan;
pub mod sabotage;
mod store;
mod task;
mod trace;
pub mod twin;
mod world;

use checker::Violation;
use plan::Plan;
use trace::Trace;
use twin::Sabotage;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// The same for every run of the seed.
    pub trace_hash: u64,
    /// Things that happened.
    pub lines: u64,
    /// Virtual time it took, in microseconds.
    pub took_us: u64,
    /// Shards handed out, counted each time.
    pub attempts: u64,
    /// Shards accepted.
    pub accepted: usize,
    /// Promises that were broken.
    pub violations: Vec<Violation>,
}

/// Runs a seed; `shown` prints everything that happens.
pub fn run(seed: u64, shown: bool, sabotage: Sabotage) -> Report {
    play(seed, Plan::new(seed), shown, sabotage)
}

/// Runs another plan with a seed's chance.
pub fn play(seed: u64, plan: Plan, shown: bool, sabotage: Sabotage) -> Report {
    let mut world = world::World::new(seed, plan, Trace::new(shown), sabotage);
    world.run();
    Report {
        seed,
        trace_hash: world.trace.hash(),
        lines: world.trace.lines(),
        took_us: world.now_us,
        attempts: world.ledger.attempts,
        accepted: world.ledger.accepted.len(),
        violations: world.ledger.violations,
    }
}

//! What the scheduler says of accounts becomes entries of the ledger, and what is remembered of one comes back
//! when it joins.
use super::core::{Core, Waiter};
use crate::session::Member;
use crate::store::{Credit, Entry, Op, Standing, StoredOutputs};
use protocol::ids::{AccountId, JobId, ProgramHash, ReceiptId, ShardIndex};
use scheduler::Finished;
use std::collections::{BTreeMap, VecDeque};

/// Accounts whose names are kept while their work is being checked; a name that was pushed out is listed with the
/// account's next session.
const NAMES_MAX: usize = 10_000;

/// The names that accounts chose, of those that joined lately.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeMap<AccountId, String>,
    order: VecDeque<AccountId>,
}

impl Names {
    fn keep(&mut self, account: AccountId, name: Option<String>) {
        let Some(name) = name else {
            self.known.remove(&account);
            return self.order.retain(|kept| *kept != account);
        };
        if self.known.insert(account, name).is_none() {
            self.order.push_back(account);
        }
        if self.order.len() > NAMES_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// A batch that was verified.
pub(super) struct Verified {
    pub(super) account: AccountId,
    pub(super) job: JobId,
    pub(super) batch: u32,
    pub(super) outputs: Vec<Finished>,
    pub(super) items: u64,
}

impl Core {
    fn remember(&mut self, entry: Entry) {
        self.push(Op::Remember(Box::new(entry)), Waiter::Nobody);
    }

    /// An account joins: its name is what it says now.
    pub(super) fn greet(&mut self, member: &Member) {
        let Some(name) = &member.name else { return };
        if *name != member.record.name {
            self.remember(Entry::Named {
                account: member.account,
                name: name.clone(),
            });
        }
        self.names.keep(member.account, name.clone());
    }

    /// A liar is remembered at once, so that no restart and no other coordinator forgives him.
    pub(super) fn on_caught(&mut self, account: AccountId, job: JobId, shard: ShardIndex) {
        tracing::warn!(%account, %job, shard, "a wrong answer: what the account returned is thrown away");
        let time_ms = self.now_ms();
        self.remember(Entry::Caught {
            account,
            job,
            shard,
            time_ms,
        });
    }

    pub(super) fn on_stands(&mut self, account: AccountId, program: ProgramHash, now: scheduler::Standing) {
        let standing = Standing {
            program,
            passed: now.passed,
            batches: now.batches,
        };
        self.remember(Entry::Stands { account, standing });
    }

    /// The outputs were handed to the store just before: both become durable together, or the outputs first.
    pub(super) fn on_verified(&mut self, verified: Verified) {
        let Verified {
            account,
            job,
            batch,
            outputs,
            items,
        } = verified;
        self.remember(Entry::Credit(Credit {
            id: ReceiptId {
                job,
                epoch: self.facts.epoch,
                batch,
            },
            account,
            name: self.names.known.get(&account).cloned(),
            outputs: outputs.into_iter().map(stored).collect(),
            items,
            time_ms: self.now_ms(),
        }));
        if let Some(report) = self.live(job).and_then(|live| live.trust) {
            self.remember(Entry::Report { job, report });
        }
    }

    /// What was done for a job that is over.
    pub(super) fn keep_report(&mut self, job: JobId, report: protocol::trust::TrustReport) {
        self.reports.keep(job, report);
        self.remember(Entry::Report { job, report });
    }
}

fn stored(finished: Finished) -> StoredOutputs {
    match finished {
        Finished::Inline(outputs) => StoredOutputs::Inline(outputs),
        Finished::Blob { shard, blob } => StoredOutputs::Blob { shard, blob },
    }
}

/// What the store knows of an account, as the scheduler takes it.
pub(super) fn standings(member: &Member) -> Vec<(ProgramHash, scheduler::Standing)> {
    let known = member.record.standings.iter().map(|standing| {
        let known = scheduler::Standing {
            passed: standing.passed,
            batches: standing.batches,
        };
        (standing.program, known)
    });
    known.collect()
}

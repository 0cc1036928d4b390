//! What is remembered of accounts, for each program: reputation.
use protocol::ids::{AccountId, ProgramHash};
use protocol::limits::STANDINGS_MAX;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One account with one program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Checks that it passed.
    pub passed: u32,
    /// Batches of it that were let go.
    pub batches: u32,
}

/// The standings of all accounts. The oldest are forgotten: whoever is forgotten is new.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standings {
    known: BTreeMap<(AccountId, ProgramHash), Standing>,
    order: VecDeque<(AccountId, ProgramHash)>,
    caught: BTreeSet<AccountId>,
    caught_order: VecDeque<AccountId>,
}

impl Standings {
    pub(crate) fn get(&self, account: AccountId, program: ProgramHash) -> Standing {
        self.known.get(&(account, program)).copied().unwrap_or_default()
    }

    /// What was remembered elsewhere of an account that comes.
    pub(crate) fn recall(&mut self, account: AccountId, program: ProgramHash, known: Standing) {
        let standing = self.of(account, program);
        standing.passed = standing.passed.max(known.passed);
        standing.batches = standing.batches.max(known.batches);
    }

    /// Counts a passed check; returns how many there are.
    pub(crate) fn passed(&mut self, account: AccountId, program: ProgramHash) -> u32 {
        let standing = self.of(account, program);
        standing.passed = standing.passed.saturating_add(1);
        standing.passed
    }

    pub(crate) fn let_go(&mut self, account: AccountId, program: ProgramHash) {
        let standing = self.of(account, program);
        standing.batches = standing.batches.saturating_add(1);
    }

    fn of(&mut self, account: AccountId, program: ProgramHash) -> &mut Standing {
        let key = (account, program);
        if !self.known.contains_key(&key) {
            self.order.push_back(key);
            if self.order.len() > STANDINGS_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.known.remove(&oldest);
            }
        }
        self.known.entry(key).or_default()
    }

    /// Whether it was caught with a wrong answer, whatever the program.
    pub(crate) fn is_caught(&self, account: AccountId) -> bool {
        self.caught.contains(&account)
    }

    /// Says whether it was not caught before.
    pub(crate) fn catch(&mut self, account: AccountId) -> bool {
        if !self.caught.insert(account) {
            return false;
        }
        self.caught_order.push_back(account);
        if self.caught_order.len() > STANDINGS_MAX
            && let Some(oldest) = self.caught_order.pop_front()
        {
            self.caught.remove(&oldest);
        }
        true
    }
}

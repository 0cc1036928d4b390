//! Guest processes: one for each tenant, so that a program which breaks out of the sandbox finds nothing of
//! another's, and nothing of the worker's.
//!
//! A tenant is the owner that a lease names. His *house* is a task of this process with at most one guest
//! process, which serves all slots that work for him. A spare process is always started and locked down already,
//! so a new tenant waits for nothing; houses where nobody is at home for a while are given up.
//!
//! | file | what it does |
//! |---|---|
//! | [`house`] | a tenant's batches: sent, answered, sent again after a crash |
//! | [`process`] | one guest process: its start, its frames, its end |
mod house;
mod process;

use crate::RunError;
use crate::shell::Event;
use crate::slots::refuse;
use house::{Command, House};
use process::Process;
use protocol::ids::LeaseId;
use runtime::Code;
use runtime::guest::GuestOptions;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::timeout;
use worker::{Batch, Input};

/// Commands that wait for a house. It is given a batch only for a slot that has nothing to do; the rest are
/// stops, and a stop that finds no room lets a shard run to its end.
const COMMANDS_WAITING_MAX: usize = 2_048;
/// Tenants whose processes are kept on a worker of few slots.
const HOUSES_MIN: usize = 4;
/// How long a guest process may take to lock itself down.
const START_MAX: Duration = Duration::from_secs(30);

/// All houses.
pub(crate) struct Guests {
    options: Arc<GuestOptions>,
    tell: Sender<Event>,
    houses: HashMap<String, Handle>,
    /// For whom a slot works, or worked last.
    slots: HashMap<u16, (String, LeaseId)>,
    spare: Option<Process>,
    /// Counts batches, to know which house was used longest ago.
    used: u64,
}

/// A house, from outside.
struct Handle {
    commands: Sender<Command>,
    /// Batches that are not answered whole.
    batches: Arc<AtomicUsize>,
    used: u64,
}

impl Guests {
    /// Starts the first guest process, to see which walls there are.
    pub(crate) async fn start(options: GuestOptions, tell: Sender<Event>) -> Result<Self, RunError> {
        let is_required = options.program.required;
        let mut spare = Process::start(&options).map_err(|error| RunError::Guest(error.to_string()))?;
        let missing = match timeout(START_MAX, spare.ready()).await {
            Ok(ready) => ready.map_err(RunError::Guest)?,
            Err(_) => return Err(RunError::Guest("it does not answer".into())),
        };
        let missing = missing.join(", ");
        if missing.is_empty() {
            tracing::info!("programs run behind all walls, a process for each tenant");
        } else if is_required {
            return Err(RunError::Walls(missing));
        } else {
            tracing::warn!(
                missing,
                "programs run in processes of their own, and some walls are missing"
            );
        }
        Ok(Self {
            options: Arc::new(options),
            tell,
            houses: HashMap::new(),
            slots: HashMap::new(),
            spare: Some(spare),
            used: 0,
        })
    }

    /// Executes a batch in a slot that has nothing to do. Where that cannot be, every shard is answered with
    /// what is returned.
    pub(crate) fn execute(&mut self, slot: u16, code: Code, batch: Batch) -> Vec<Input> {
        self.used += 1;
        let (owner, lease) = (batch.job.owner.clone(), batch.lease);
        self.slots.insert(slot, (owner.clone(), lease));
        let mut command = Command::Run { slot, code, batch };
        // A house that has just been given up no longer takes anything; the second try is a new one's.
        for _ in 0..2 {
            let Some(handle) = self.house(&owner) else { break };
            handle.batches.fetch_add(1, Ordering::Relaxed);
            match handle.commands.try_send(command) {
                Ok(()) => return Vec::new(),
                Err(TrySendError::Full(returned) | TrySendError::Closed(returned)) => command = returned,
            }
            self.houses.remove(&owner);
        }
        match command {
            Command::Run { slot, batch, .. } => refuse(slot, &batch, "its process does not answer"),
            Command::Stop { .. } => Vec::new(),
        }
    }

    /// Stops shards where they run; those not begun are skipped.
    pub(crate) fn stop(&self, slot: u16, lease: LeaseId, shards: &[u32]) {
        let Some((owner, _)) = self.slots.get(&slot).filter(|(_, running)| *running == lease) else {
            return;
        };
        if let Some(handle) = self.houses.get(owner) {
            let shards = shards.to_vec();
            // See `COMMANDS_WAITING_MAX` for what happens without room.
            let _ = handle.commands.try_send(Command::Stop { slot, shards });
        }
    }

    /// The house of a tenant, which is built where there is none.
    fn house(&mut self, owner: &str) -> Option<&mut Handle> {
        self.houses.retain(|_, handle| !handle.commands.is_closed());
        if !self.houses.contains_key(owner) {
            self.make_room();
            let handle = self.build();
            self.houses.insert(owner.to_owned(), handle);
        }
        let handle = self.houses.get_mut(owner)?;
        handle.used = self.used;
        Some(handle)
    }

    fn build(&mut self) -> Handle {
        let (commands, obeyed) = channel(COMMANDS_WAITING_MAX);
        let batches = Arc::new(AtomicUsize::new(0));
        let house = House::new(
            Arc::clone(&self.options),
            self.tell.clone(),
            obeyed,
            Arc::clone(&batches),
            self.spare.take(),
        );
        tokio::spawn(house.keep());
        // The next tenant's; one that cannot be started is tried again by whoever needs it.
        self.spare = Process::start(&self.options).ok();
        Handle {
            commands,
            batches,
            used: self.used,
        }
    }

    /// Gives up the house that was used longest ago, among those where nobody is at home. There is one: each of
    /// the others has a slot.
    fn make_room(&mut self) {
        let houses_max = usize::try_from(self.options.slots)
            .unwrap_or(HOUSES_MIN)
            .max(HOUSES_MIN);
        while self.houses.len() >= houses_max {
            let empty = self.houses.iter();
            let empty = empty.filter(|(_, handle)| handle.batches.load(Ordering::Relaxed) == 0);
            let Some(oldest) = empty
                .min_by_key(|(_, handle)| handle.used)
                .map(|(owner, _)| owner.clone())
            else {
                return;
            };
            self.houses.remove(&oldest);
        }
    }
}

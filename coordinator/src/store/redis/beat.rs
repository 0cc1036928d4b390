//! Who lives: coordinators count their beats in Redis, and each watches the others by its own clock.
//!
//! A coordinator whose count has not moved for [`COORDINATOR_SILENCE_MS_MAX`] of the watcher's time is
//! silent: its claims go back to their jobs. Clocks of two machines are never compared.
use super::RedisStore;
use super::batch::CHANGES_KEPT_MAX;
use super::decode::{array, bytes, corrupt, number};
use super::scripts::{call, job_of, key};
use crate::store::{COORDINATOR_SILENCE_MS_MAX, StoreError};
use protocol::ids::JobId;
use redis::{Cmd, Value};
use std::collections::{BTreeSet, HashMap};

/// What this coordinator knows of the others.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Epoch -> its count, and when it was first seen to be that.
    seen: HashMap<u32, (u64, u64)>,
    /// Beats of this coordinator.
    beats: u64,
    /// The last change that was read.
    change: u64,
}

type Result<T> = std::result::Result<T, StoreError>;
/// Beats of everyone, the number of the last change, and changes with who made them.
type Heard = (Vec<(u32, u64)>, u64, Vec<(JobId, u32)>);

impl RedisStore {
    /// Says that this coordinator lives; returns the jobs that others changed.
    pub(super) fn beat(&mut self, time_ms: u64) -> Result<Vec<JobId>> {
        let (beats, last_change, changes) = self.send_beat()?;
        self.tend_journal(last_change < self.watch.change, time_ms)?;
        let mut jobs = BTreeSet::new();
        let missed = last_change.saturating_sub(self.watch.change) > changes.len() as u64;
        for (job, by) in &changes {
            if *by != self.epoch {
                jobs.insert(*job);
            }
        }
        self.watch.beats += 1;
        let own = beats
            .iter()
            .find(|(epoch, _)| *epoch == self.epoch)
            .map_or(0, |(_, count)| *count);
        // Others took this one for dead and its claims with it, or Redis lost its count.
        if missed || own < self.watch.beats || last_change < self.watch.change {
            self.watch.beats = own;
            jobs.extend(self.open_jobs()?);
        }
        let silent = self.watch.silent(self.epoch, &beats, time_ms);
        jobs.extend(self.take_back(&silent)?);
        // Not the greater one: a Redis that lost something counts on from less.
        self.watch.change = last_change;
        Ok(jobs.into_iter().collect())
    }

    /// From now on only newer changes are told.
    pub(super) fn skip_changes(&mut self) -> Result<()> {
        let answers = self
            .link
            .send(redis::pipe().add_command(Cmd::get(key::CHANGE_COUNT)))?;
        self.watch.change = answers.first().and_then(number).unwrap_or(0);
        Ok(())
    }

    fn send_beat(&mut self) -> Result<Heard> {
        let keys = [key::COORDINATORS, key::CHANGES, key::CHANGE_COUNT].map(String::from);
        let mut command = call(&self.link.address.scripts.beat, &keys);
        command
            .arg(self.epoch)
            .arg(self.watch.change)
            .arg(CHANGES_KEPT_MAX);
        let answers = self.link.send(redis::pipe().add_command(command))?;
        let mut answer = array(answers.into_iter().next().unwrap_or(Value::Nil))?.into_iter();
        let mut next = || answer.next().ok_or_else(|| corrupt("a heartbeat"));
        let (beats, last, changes) = (array(next()?)?, next()?, array(next()?)?);
        let pair = |pair: &[Value]| Some((u32::try_from(number(&pair[0])?).ok()?, number(&pair[1])?));
        let beats = beats.chunks_exact(2).filter_map(pair).collect();
        let change = |change: &[Value]| {
            let job = job_of(&bytes(change[1].clone())?)?;
            Some((job, u32::try_from(number(&change[2])?).ok()?))
        };
        let changes = changes.chunks_exact(3).filter_map(change).collect();
        Ok((beats, number(&last).unwrap_or(0), changes))
    }

    /// Puts back what silent coordinators, or one that leaves, claimed; returns the jobs in which something waits again.
    pub(super) fn take_back(&mut self, silent: &[u32]) -> Result<Vec<JobId>> {
        let mut given = Vec::new();
        if silent.is_empty() {
            return Ok(given);
        }
        let jobs = self.open_jobs()?;
        let mut pipeline = redis::pipe();
        for job in &jobs {
            let mut call = self.plan.call(*job);
            silent.iter().for_each(|epoch| call.take_back(*epoch));
            pipeline.add_command(call.command);
        }
        for (job, answer) in jobs.iter().zip(self.link.send(&pipeline)?) {
            let claims = array(answer)?
                .iter()
                .take(silent.len())
                .filter_map(number)
                .sum::<u64>();
            given.extend((claims > 0).then_some(*job));
        }
        self.tell_changed(&given)?;
        // Only now: if this fails on the way, the next beat does it again.
        let gone = Cmd::hdel(key::COORDINATORS, silent);
        self.link.send(redis::pipe().add_command(gone))?;
        self.watch.seen.retain(|epoch, _| !silent.contains(epoch));
        Ok(given)
    }

    /// Jobs that are not over.
    pub(super) fn open_jobs(&mut self) -> Result<Vec<JobId>> {
        let answers = self
            .link
            .send(redis::pipe().add_command(Cmd::smembers(key::OPEN)))?;
        let names = array(answers.into_iter().next().unwrap_or(Value::Nil))?;
        let mut jobs: Vec<JobId> = names
            .into_iter()
            .filter_map(|name| job_of(&bytes(name)?))
            .collect();
        jobs.sort();
        Ok(jobs)
    }
}

impl Watch {
    /// Coordinators whose count stood still for too long.
    fn silent(&mut self, own: u32, beats: &[(u32, u64)], time_ms: u64) -> Vec<u32> {
        let mut silent = Vec::new();
        for (epoch, count) in beats.iter().filter(|(epoch, _)| *epoch != own) {
            let seen = self.seen.entry(*epoch).or_insert((*count, time_ms));
            if seen.0 != *count {
                *seen = (*count, time_ms);
            } else if time_ms.saturating_sub(seen.1) >= COORDINATOR_SILENCE_MS_MAX {
                silent.push(*epoch);
            }
        }
        self.seen
            .retain(|epoch, _| beats.iter().any(|(other, _)| other == epoch));
        silent
    }
}

//! After Redis lost something: what this coordinator answered for is said again, once, to whoever is Redis
//! now. What is there already stays as it is; what cannot be fitted any more, because others went on from
//! what was left, is computed again.
use super::RedisStore;
use super::decode::{Standing, array, bytes, corrupt, number, standing};
use super::journal::{Journal, Known};
use super::said::{NO_JOB, Said};
use super::scripts::{job_key, job_name};
use crate::store::{Done, Op, StoreError};
use protocol::ids::JobId;
use redis::{Cmd, Value};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Bytes of the journal read at a time.
const PAGE_BYTES: usize = 4 << 20;
/// Beats between two looks for jobs that are over.
const PRUNE_BEATS: u64 = 40;

type Result<T> = std::result::Result<T, StoreError>;

/// The journal, once the coordinator works, and what is known of it.
#[derive(Default)]
pub(super) struct Keeping {
    /// The folder for it; nothing is kept without one.
    folder: Option<PathBuf>,
    journal: Option<Journal>,
    /// Jobs whose submission is in it, and how far they were cut there.
    known: BTreeMap<JobId, u32>,
    beats: u64,
}

fn known_in(journal: &Journal) -> Result<BTreeMap<JobId, u32>> {
    let jobs = journal.jobs()?.into_iter();
    Ok(jobs.map(|known| (known.job, known.next_shard)).collect())
}

impl Keeping {
    pub(super) fn in_folder(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            ..Self::default()
        }
    }
}

impl RedisStore {
    /// Opens the journal, and says again what an earlier life of this coordinator left in it.
    pub(super) fn begin_journal(&mut self) -> Result<()> {
        let Some(folder) = self
            .keeping
            .folder
            .clone()
            .filter(|_| self.keeping.journal.is_none())
        else {
            return Ok(());
        };
        let journal = Journal::open(&folder)?;
        self.keeping.known = known_in(&journal)?;
        self.keeping.journal = Some(journal);
        self.look_at_run(false)
    }

    /// Called with every beat: whether this is still the Redis that holds what is in the journal.
    pub(super) fn tend_journal(&mut self, is_behind: bool, time_ms: u64) -> Result<()> {
        if self.keeping.journal.is_none() {
            return Ok(());
        }
        self.look_at_run(is_behind)?;
        self.keeping.beats += 1;
        if self.keeping.beats.is_multiple_of(PRUNE_BEATS) {
            let open = self.open_jobs()?;
            if let Some(journal) = &mut self.keeping.journal {
                journal.prune(&open, time_ms)?;
                self.keeping.known = known_in(journal)?;
            }
        }
        Ok(())
    }

    /// A Redis that was started anew, or another one in its place, has another run id.
    fn look_at_run(&mut self, is_behind: bool) -> Result<()> {
        let run = self.link.run_id()?.ok_or_else(|| corrupt("its run id"))?;
        let Some(journal) = self.keeping.journal.take() else {
            return Ok(());
        };
        let before = journal.run();
        let result = before.and_then(|before| match before {
            Some(before) if before == run && !is_behind => Ok(()),
            Some(_) => self.reassert(&journal).and_then(|()| {
                self.rewrite_log();
                journal.set_run(&run)
            }),
            None => journal.set_run(&run),
        });
        self.keeping.journal = Some(journal);
        if result.is_ok() {
            (self.link.run, self.link.is_other) = (Some(run), false);
        }
        result
    }

    /// A file whose end was torn may hold the first half of a transaction, which Redis passes over when it starts
    /// and would join to what follows when it starts again: it is written anew.
    fn rewrite_log(&mut self) {
        let asked = self.link.send(redis::pipe().cmd("BGREWRITEAOF"));
        if let Err(error) = asked {
            // It is being written already, or may not be.
            tracing::debug!(%error, "the file of Redis is not written anew");
        }
    }

    /// Before anything is said to a Redis that took the place of another.
    pub(super) fn greet_other(&mut self) -> Result<()> {
        if self.link.is_other {
            self.look_at_run(false)
        } else {
            Ok(())
        }
    }

    fn reassert(&mut self, journal: &Journal) -> Result<()> {
        let jobs = journal.jobs()?;
        tracing::warn!(
            jobs = jobs.len(),
            "Redis was started anew or another one took its place: what was answered for is said again"
        );
        for known in jobs {
            if known.job == NO_JOB {
                self.say_commands(journal)?;
            } else if let Some(stands) = self.say_job(journal, &known)? {
                self.tell_again(&known, &stands)?;
            }
        }
        Ok(())
    }

    fn say_commands(&mut self, journal: &Journal) -> Result<()> {
        let mut after = 0;
        loop {
            let page = journal.said(NO_JOB, after, PAGE_BYTES)?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = *last;
            let mut pipeline = redis::pipe();
            for command in page.iter().filter_map(|(_, said)| said.as_command()) {
                pipeline.add_command(command).ignore();
            }
            self.link.send(&pipeline)?;
        }
    }

    /// Says everything of a job; how it stands then, where there is such a job.
    fn say_job(&mut self, journal: &Journal, known: &Known) -> Result<Option<Standing>> {
        let (mut after, mut is_cut) = (0, false);
        loop {
            let page = journal.said(known.job, after, PAGE_BYTES)?;
            let Some((last, _)) = page.last() else { break };
            after = *last;
            let mut call = self.plan.call(known.job);
            for (_, said) in &page {
                // The cut goes before the outputs that lie in it, and behind the submission.
                if !is_cut && !said.is_submission() {
                    call.extend(known);
                    is_cut = true;
                }
                said.say(&mut call);
                if call.is_full() {
                    let full = std::mem::replace(&mut call, self.plan.call(known.job));
                    self.link.send(redis::pipe().add_command(full.command))?;
                }
            }
            self.link.send(redis::pipe().add_command(call.command))?;
        }
        // Claims from before are void: who has them is told so by the next answer.
        let mut call = self.plan.call(known.job);
        call.take_back(self.epoch);
        call.repair();
        let answers = self.link.send(redis::pipe().add_command(call.command))?;
        let mut answer = array(answers.into_iter().next().unwrap_or(Value::Nil))?;
        standing(&array(answer.pop().unwrap_or(Value::Nil))?)
    }

    /// The list of jobs and its keys may be behind too.
    fn tell_again(&mut self, known: &Known, stands: &Standing) -> Result<()> {
        let name = job_name(known.job);
        let mut command = self.registry_call();
        command.arg("new").arg(&name).arg(&known.key);
        command
            .arg(if stands.state.is_over() { "over" } else { "open" })
            .arg(&name);
        // Also to this coordinator, which has claims that are void.
        self.link.send(redis::pipe().add_command(command)).map(drop)
    }

    /// Writes down what was answered, before anybody hears of it.
    pub(super) fn note_said(
        &mut self,
        ops: &[Op],
        dones: &[Done],
        standings: &HashMap<JobId, Option<Standing>>,
        commands: &[Cmd],
    ) -> Result<()> {
        if self.keeping.journal.is_none() {
            return Ok(());
        }
        let (mut said, mut cuts) = (Vec::new(), Vec::new());
        said.extend(commands.iter().map(Said::command));
        let mut time_ms = 0;
        for (op, done) in ops.iter().zip(dones) {
            let job = super::batch::job_of_op(op);
            let stands = job.and_then(|job| standings.get(&job)?.as_ref());
            if let Some(one) = Said::of(op, done, stands)? {
                said.extend(self.submission_of(&one)?);
                said.push(one);
            }
            if let Op::SetState { time_ms: at_ms, .. } = op {
                time_ms = *at_ms;
            }
        }
        for (job, stands) in standings {
            let Some(cut) = stands.as_ref().map(|stands| &stands.cut) else {
                continue;
            };
            let Some(cut_to) = self.keeping.known.get_mut(job).filter(|to| **to < cut.next_shard) else {
                continue;
            };
            *cut_to = cut.next_shard;
            cuts.push((*job, cut.clone()));
        }
        let Some(journal) = &mut self.keeping.journal else {
            return Ok(());
        };
        let noted = journal.note(&said, &cuts, time_ms);
        if noted.is_err() {
            // The batch comes again, and with it whatever is not there now.
            self.keeping.known = known_in(journal).unwrap_or_default();
        }
        noted
    }

    /// The submission of a job that was sent to another coordinator, and of which nothing was noted yet.
    fn submission_of(&mut self, one: &Said) -> Result<Vec<Said>> {
        if one.job == NO_JOB || self.keeping.known.contains_key(&one.job) {
            return Ok(Vec::new());
        }
        self.keeping.known.insert(one.job, 0);
        if one.is_submission() {
            return Ok(Vec::new());
        }
        let read = self.read_submission(one.job);
        if read.is_err() {
            self.keeping.known.remove(&one.job);
        }
        read
    }

    fn read_submission(&mut self, job: JobId) -> Result<Vec<Said>> {
        let mut fields = redis::cmd("HMGET");
        fields
            .arg(job_key(job, "meta"))
            .arg(&["record", "items", "closed"]);
        let mut pipeline = redis::pipe();
        pipeline.add_command(fields);
        pipeline.add_command(Cmd::zrange(job_key(job, "chunks"), 0, -1));
        let mut answers = self.link.send(&pipeline)?.into_iter();
        let mut fields = array(answers.next().unwrap_or(Value::Nil))?.into_iter();
        let record = fields
            .next()
            .and_then(bytes)
            .ok_or_else(|| corrupt("a job's record"))?;
        let mut count = || fields.next().as_ref().and_then(number).unwrap_or(0);
        let (items, is_closed) = (count(), count() == 1);
        let chunks = array(answers.next().unwrap_or(Value::Nil))?;
        if chunks.is_empty() {
            return Ok(vec![Said::submitted(job, record, (items, is_closed))]);
        }
        let mut said = vec![Said::submitted(job, record, (0, false))];
        said.extend(
            chunks
                .into_iter()
                .filter_map(bytes)
                .map(|chunk| Said::chunk(job, chunk)),
        );
        said.extend(is_closed.then(|| Said::closed(job)));
        Ok(said)
    }
}

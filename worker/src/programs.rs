//! Which programs are ready, which are asked for, and which can be forgotten.
use crate::bounds;
use crate::output::Output;
use crate::worker::Worker;
use protocol::ids::{LeaseId, ProgramHash};
use protocol::limits;
use protocol::wire::{Cause, Failure, FromWorker, JobHandle, OpenJob};
use std::sync::Arc;

/// A program that some job named.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) state: ProgramState,
    /// Grows with every use; the smallest is forgotten first.
    used: u64,
}

#[derive(Debug)]
pub(crate) enum ProgramState {
    Fetching,
    Ready,
    Failed,
}

impl Worker {
    /// A job is made known: its program is made ready before the first lease comes.
    pub(crate) fn on_open(&mut self, job: OpenJob) -> Result<(), String> {
        let params_bytes = self.params_bytes_held + job.params.len();
        if self.jobs.len() >= limits::JOBS_OPEN_MAX || params_bytes > bounds::PARAMS_BYTES_HELD_MAX {
            return Err("more jobs are open than this worker can hold".into());
        }
        if self.jobs.contains_key(&job.job) {
            return Err(format!("job {} was opened twice", job.job.0));
        }
        self.params_bytes_held = params_bytes;
        let (handle, program, memory_mib) = (job.job, job.program, job.limits.memory_mib);
        self.jobs.insert(handle, Arc::new(job));
        if memory_mib > self.config.memory_mib {
            let ours = self.config.memory_mib;
            let detail = format!("the job needs {memory_mib} MiB an instance; this worker gives {ours} MiB");
            self.refuse_job(
                handle,
                Failure {
                    cause: Cause::Refused,
                    detail,
                },
            );
        } else {
            self.want_program(program);
        }
        Ok(())
    }

    fn want_program(&mut self, program: ProgramHash) {
        self.program_use += 1;
        let used = self.program_use;
        if let Some(known) = self.programs.get_mut(&program) {
            known.used = used;
            if !matches!(known.state, ProgramState::Failed) {
                return;
            }
        }
        self.programs.insert(
            program,
            Program {
                state: ProgramState::Fetching,
                used,
            },
        );
        self.outputs.push_back(Output::FetchProgram { program });
    }

    /// A job needs nothing more: what is held of it is not wanted either.
    pub(crate) fn on_close(&mut self, job: JobHandle) {
        let Some(known) = self.jobs.remove(&job) else {
            return;
        };
        self.params_bytes_held -= known.params.len();
        self.refused.remove(&job);
        self.speeds.remove(&known.id);
        for lease in self.leases_where(|open| open.id == known.id) {
            self.drop_lease(lease);
        }
        self.forget_programs();
    }

    /// A program is ready until it is forgotten.
    pub(crate) fn on_program_ready(&mut self, program: ProgramHash) {
        if let Some(known) = self.programs.get_mut(&program) {
            known.state = ProgramState::Ready;
        }
        self.forget_programs();
    }

    /// A program cannot be had here: its jobs are refused and their leases given back.
    pub(crate) fn on_program_failed(&mut self, program: ProgramHash, mut failure: Failure) {
        let Some(known) = self.programs.get_mut(&program) else {
            return;
        };
        crate::results::shorten(&mut failure.detail);
        known.state = ProgramState::Failed;
        let jobs: Vec<JobHandle> = self
            .jobs
            .iter()
            .filter(|(_, job)| job.program == program)
            .map(|(&handle, _)| handle)
            .collect();
        for job in jobs {
            self.refuse_job(job, failure.clone());
        }
        for lease in self.leases_where(|open| open.program == program) {
            self.return_lease(lease);
        }
    }

    fn refuse_job(&mut self, job: JobHandle, failure: Failure) {
        self.refused.insert(job);
        self.outputs
            .push_back(Output::Send(FromWorker::ProgramRefused { job, failure }));
    }

    pub(crate) fn program_ready(&self, program: ProgramHash) -> bool {
        self.programs
            .get(&program)
            .is_some_and(|known| matches!(known.state, ProgramState::Ready))
    }

    fn leases_where(&self, of: impl Fn(&OpenJob) -> bool) -> Vec<LeaseId> {
        self.leases
            .iter()
            .filter(|(_, held)| of(&held.job))
            .map(|(&id, _)| id)
            .collect()
    }

    /// Programs for a hello: ready ones, most recently used first, then what the shell had at start.
    pub(crate) fn programs_cached(&self) -> Vec<ProgramHash> {
        let mut ready: Vec<(u64, ProgramHash)> = self
            .programs
            .iter()
            .filter(|(_, known)| matches!(known.state, ProgramState::Ready))
            .map(|(&program, known)| (u64::MAX - known.used, program))
            .collect();
        ready.sort_unstable();
        let mut all: Vec<ProgramHash> = ready.into_iter().map(|(_, program)| program).collect();
        let more = self
            .config
            .cached
            .iter()
            .filter(|program| !self.programs.contains_key(program));
        all.extend(more);
        all.truncate(limits::CACHED_PROGRAMS_MAX);
        all
    }

    /// Forgets the programs used longest ago that no job needs, down to the bound.
    fn forget_programs(&mut self) {
        let mut over = self.programs.len().saturating_sub(bounds::PROGRAMS_READY_MAX);
        while over > 0 {
            let idle = self.programs.iter().filter(|(program, known)| {
                !matches!(known.state, ProgramState::Fetching) && !self.program_needed(**program)
            });
            let Some((&program, _)) = idle.min_by_key(|(_, known)| known.used) else {
                return;
            };
            self.programs.remove(&program);
            self.outputs.push_back(Output::ForgetProgram { program });
            over -= 1;
        }
    }

    fn program_needed(&self, program: ProgramHash) -> bool {
        self.jobs.values().any(|job| job.program == program)
            || self.leases.values().any(|held| held.job.program == program)
    }
}

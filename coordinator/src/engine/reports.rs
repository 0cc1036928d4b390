//! What was done so that the answers of jobs can be trusted, kept for a while after they are over.
use protocol::ids::JobId;
use protocol::trust::TrustReport;
use std::collections::{BTreeMap, VecDeque};

/// Jobs whose report is kept.
const REPORTS_MAX: usize = 10_000;

/// Reports of jobs lately over, until the store has them; it keeps them for ever.
#[derive(Debug, Default)]
pub(super) struct Reports {
    known: BTreeMap<JobId, TrustReport>,
    order: VecDeque<JobId>,
}

impl Reports {
    pub(super) fn keep(&mut self, job: JobId, report: TrustReport) {
        if self.known.insert(job, report).is_none() {
            self.order.push_back(job);
        }
        if self.order.len() > REPORTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    pub(super) fn get(&self, job: JobId) -> Option<TrustReport> {
        self.known.get(&job).copied()
    }
}

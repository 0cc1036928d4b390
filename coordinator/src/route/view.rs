//! A job as it stands: what is stored, and on top of it what the engine has in memory.
use super::App;
use super::problem::{ApiError, ApiResult, kind};
use crate::engine::LiveJob;
use crate::store::{Reader, StoreError, StoredJob};
use protocol::api::{Job, JobCounts, Reduction};
use protocol::ids::{JobId, Stage};
use protocol::job::JobState;
use protocol::trust::{Trust, TrustReport};

/// Most stages behind a map; see [`JobId::stage`].
const STAGES_MAX: Stage = 15;

/// One job.
pub(crate) async fn job(app: &App, id: JobId) -> ApiResult<Job> {
    let read = app.read(move |reader| match reader.job(id)? {
        Some(job) => Ok(Some((last_stage(reader, &job)?, job))),
        None => Ok(None),
    });
    let (last, stored) = read.await?.ok_or_else(|| unknown(id))?;
    let mut all = jobs(app, vec![stored]).await?;
    let mut job = all.pop().ok_or_else(|| unknown(id))?;
    job.reduction = last.map(|(stage, last)| Reduction {
        stage,
        items: last.totals.items,
        items_accepted: last.totals.items_accepted,
    });
    Ok(job)
}

/// The last stage behind a job's map that there is. Its output is the result, when the job succeeded.
pub(crate) fn last_stage(
    reader: &dyn Reader,
    root: &StoredJob,
) -> Result<Option<(Stage, StoredJob)>, StoreError> {
    let mut last = None;
    if root.record.spec.reduce.is_none() {
        return Ok(last);
    }
    for stage in 1..=STAGES_MAX {
        match reader.job(root.record.id.stage(stage))? {
            Some(job) => last = Some((stage, job)),
            None => break,
        }
    }
    Ok(last)
}

/// Several jobs, in the order given.
pub(crate) async fn jobs(app: &App, stored: Vec<StoredJob>) -> ApiResult<Vec<Job>> {
    let ids: Vec<JobId> = stored.iter().map(|job| job.record.id).collect();
    let (live, trust): (Vec<_>, Vec<_>) = app.engine.live(ids.clone()).await?.into_iter().unzip();
    let trust = with_what_is_kept(app, &stored, ids, trust).await?;
    Ok(stored
        .into_iter()
        .zip(live.into_iter().zip(trust))
        .map(|(stored, (live, trust))| Job {
            trust,
            ..merge(stored, live)
        })
        .collect())
}

/// What was done for the trust in the answers of jobs: as it stands here, or as it was stored.
async fn with_what_is_kept(
    app: &App,
    stored: &[StoredJob],
    ids: Vec<JobId>,
    mut trust: Vec<Option<TrustReport>>,
) -> ApiResult<Vec<Option<TrustReport>>> {
    let is_missing = |(job, trust): (&StoredJob, &Option<TrustReport>)| {
        trust.is_none() && job.record.spec.trust != Trust::Private
    };
    if stored.iter().zip(&trust).any(is_missing) {
        let kept = app.read(move |reader| reader.reports(&ids)).await?;
        for (trust, kept) in trust.iter_mut().zip(kept) {
            *trust = trust.or(kept);
        }
    }
    Ok(trust)
}

pub(crate) fn unknown(id: JobId) -> ApiError {
    ApiError::new(
        kind::NO_JOB,
        format!("There is no job {id}; GET /api/v1/jobs lists those there are."),
    )
}

/// What is stored, and on top of it what is in memory.
pub(crate) fn merge(stored: StoredJob, live: Option<LiveJob>) -> Job {
    let counts = stored_counts(&stored);
    let StoredJob {
        record,
        state,
        reason,
        started_ms,
        ended_ms,
        totals,
        ..
    } = stored;
    let mut job = Job {
        id: record.id,
        state,
        reason,
        spec: record.spec,
        program: record.program,
        owner: record.owner,
        counts,
        submitted_ms: record.submitted_ms,
        started_ms,
        ended_ms,
        items_per_second: 0.0,
        remaining_ms: None,
        busy_ms: totals.busy_us / 1_000,
        reduction: None,
        trust: live.as_ref().and_then(|live| live.trust),
    };
    // A job that is over in the store is over, whatever the memory of it says.
    if let Some(live) = live.filter(|_| !state.is_over()) {
        job.state = live.state;
        job.reason = live.reason.or(job.reason);
        job.counts = newer(job.counts, live.counts);
        job.items_per_second = live.items_per_second;
        job.remaining_ms = live.remaining_ms;
    }
    job
}

/// The counts in memory, unless the store is ahead of them: on a shared store others settle shards too.
fn newer(stored: JobCounts, live: JobCounts) -> JobCounts {
    let settled = |counts: &JobCounts| counts.accepted + counts.failed + counts.skipped;
    if settled(&stored) <= settled(&live) {
        return live;
    }
    JobCounts {
        pending: stored.pending.saturating_sub(live.leased + live.verifying),
        leased: live.leased,
        verifying: live.verifying,
        attempts: live.attempts.max(stored.attempts),
        ..stored
    }
}

fn stored_counts(job: &StoredJob) -> JobCounts {
    let totals = &job.totals;
    let settled = totals.shards_accepted + totals.shards_failed + totals.shards_skipped;
    let open = u64::from(totals.shards_cut.saturating_sub(settled));
    let dropped = matches!(job.state, JobState::Canceled | JobState::Failed);
    JobCounts {
        items: totals.items,
        items_open: !totals.items_closed && !job.state.is_over(),
        items_accepted: totals.items_accepted,
        shards: u64::from(totals.shards_cut),
        items_uncut: totals.items.saturating_sub(totals.items_cut),
        pending: if dropped { 0 } else { open },
        accepted: u64::from(totals.shards_accepted),
        failed: u64::from(totals.shards_failed),
        skipped: u64::from(totals.shards_skipped),
        canceled: if dropped { open } else { 0 },
        attempts: u64::from(settled),
        ..JobCounts::default()
    }
}

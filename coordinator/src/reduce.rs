//! Reductions: the stages behind a job's map, each a job of its own over the outputs of the stage before.
//!
//! The scheduler says when a map is complete and waits for the answer; until then the job runs. A stage
//! lies in the store under a name that follows from the job's, and its items in a blob that is named by
//! its bytes. So a reduction can be taken up at any point, after a restart or by another coordinator,
//! and what was done is found, not done again.
mod items;

use crate::engine::{EngineError, NewJob, Steer};
use crate::route::App;
use crate::store::{Chunk, JobRecord, Source, StoredJob};
use items::Gathered;
use protocol::ids::{BlobHash, JobId, Stage};
use protocol::job::{BlobSpec, Encoding, Grain, InputSpec, JobSpec, JobState, OnFailure, ReduceSpec, Split};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

/// How long a stage may be silent before it is looked at without news.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The pause before what the store could not do is tried again.
const STORE_PAUSE: Duration = Duration::from_secs(1);
/// Reductions that gather items at the same time.
const GATHERING_MAX: usize = 2;

/// Why a reduction does not go on.
#[derive(Debug, thiserror::Error)]
enum Halt {
    /// The job fails.
    #[error("{0}")]
    Failed(String),
    /// The job is over already, or the coordinator stops.
    #[error("nobody waits for it")]
    Unwanted,
    /// It may be possible later.
    #[error("{0}")]
    Away(String),
}

/// Carries out the reductions that the engine wants, until it ends. It asks once for each open job, so
/// there are never more than [`protocol::limits::JOBS_OPEN_MAX`].
pub(crate) async fn serve(app: Arc<App>, mut wanted: mpsc::Receiver<JobId>) {
    let gathering = Arc::new(Semaphore::new(GATHERING_MAX));
    while let Some(job) = wanted.recv().await {
        let (app, gathering) = (Arc::clone(&app), Arc::clone(&gathering));
        tokio::spawn(async move { reduce(&app, job, &gathering).await });
    }
}

async fn reduce(app: &App, job: JobId, gathering: &Semaphore) {
    loop {
        let failed = match stages(app, job, gathering).await {
            Ok(()) => None,
            Err(Halt::Failed(why)) => Some(why),
            Err(Halt::Unwanted) => return,
            Err(Halt::Away(why)) => {
                tracing::warn!(%job, %why, "a reduction waits");
                tokio::time::sleep(STORE_PAUSE).await;
                if *app.shutdown.borrow() {
                    return;
                }
                continue;
            }
        };
        return app.engine.reduced(job, failed).await;
    }
}

/// Every stage in turn, until one has a single item.
async fn stages(app: &App, root: JobId, gathering: &Semaphore) -> Result<(), Halt> {
    let root = stored(app, root).await?.ok_or(Halt::Unwanted)?;
    let Some(reduce) = root.record.spec.reduce.clone() else {
        return Ok(());
    };
    let mut before = root.clone();
    for stage in 1.. {
        let id = root.record.id.stage(stage);
        if stored(app, id).await?.is_none() && !begin(app, &root, &reduce, &before, stage, gathering).await? {
            return Ok(());
        }
        before = finished(app, root.record.id, id, stage).await?;
        if before.totals.items <= 1 {
            return Ok(());
        }
    }
    Ok(())
}

/// Stores a stage over the outputs of the one before; says whether there were any.
async fn begin(
    app: &App,
    root: &StoredJob,
    reduce: &ReduceSpec,
    before: &StoredJob,
    stage: Stage,
    gathering: &Semaphore,
) -> Result<bool, Halt> {
    let turn = gathering.acquire().await.map_err(|_| Halt::Unwanted)?;
    let Gathered { blob, items } = items::gather(app, before, reduce.fan_in).await?;
    drop(turn);
    if items == 0 {
        return Ok(false);
    }
    let record = JobRecord {
        id: root.record.id.stage(stage),
        spec: spec_of(&root.record.spec, reduce, blob, stage),
        source: Source::Lines(Encoding::Json),
        picture: false,
        stage_of: Some((root.record.id, stage)),
        submitted_ms: crate::auth::now_ms(),
        ..root.record.clone()
    };
    let first_item = 0;
    let chunk = Some(Chunk {
        first_item,
        items,
        blob,
    });
    let job = NewJob {
        record,
        items,
        closed: true,
        chunk,
        key: None,
    };
    match app.engine.submit(job).await {
        Ok(_) => Ok(true),
        Err(EngineError::Gone) => Err(Halt::Unwanted),
        Err(error) => Err(Halt::Away(error.to_string())),
    }
}

fn spec_of(root: &JobSpec, reduce: &ReduceSpec, blob: BlobHash, stage: Stage) -> JobSpec {
    let split = Split::Lines;
    let encoding = Encoding::Json;
    JobSpec {
        entry: reduce.entry.clone(),
        name: format!("{} · stage {stage}", root.name),
        input: InputSpec::Blob(BlobSpec {
            blob,
            split,
            encoding,
        }),
        grain: Grain::Auto,
        // A result that lacks a part of the outputs would be no result.
        on_failure: OnFailure::Fail,
        reduce: None,
        ..root.clone()
    }
}

/// Waits until a stage succeeded. It is steered as its job is.
async fn finished(app: &App, root: JobId, id: JobId, stage: Stage) -> Result<StoredJob, Halt> {
    let mut overs = app.engine.overs();
    loop {
        let job = stored(app, id).await?.ok_or(Halt::Unwanted)?;
        match job.state {
            JobState::Succeeded => return Ok(job),
            JobState::Failed | JobState::Canceled => {
                let why = job.reason.unwrap_or_else(|| job.state.to_string());
                return Err(Halt::Failed(format!("stage {stage} of its reduction: {why}")));
            }
            state => follow_root(app, root, id, state).await?,
        }
        wait(&mut overs, app).await?;
    }
}

async fn wait(overs: &mut watch::Receiver<u64>, app: &App) -> Result<(), Halt> {
    let mut shutdown = app.shutdown.clone();
    tokio::select! {
        () = crate::accept::stopped(&mut shutdown) => Err(Halt::Unwanted),
        // Without news it looks for itself: on a shared store others finish stages too.
        _ = tokio::time::timeout(LOOK_AGAIN, overs.changed()) => Ok(()),
    }
}

/// What a person did to the job is done to its stage.
async fn follow_root(app: &App, root: JobId, id: JobId, state: JobState) -> Result<(), Halt> {
    let root = stored(app, root).await?.ok_or(Halt::Unwanted)?;
    let steer = match (root.state, state) {
        (over, _) if over.is_over() || over == JobState::Canceling => Steer::Cancel { reason: root.reason },
        (JobState::Paused, JobState::Queued | JobState::Running) => Steer::Pause,
        (JobState::Running | JobState::Queued, JobState::Paused) => Steer::Resume,
        _ => return Ok(()),
    };
    let unwanted = matches!(steer, Steer::Cancel { .. });
    // Over already, or not here: the next look tells.
    let _ = app.engine.steer(id, steer).await;
    if unwanted { Err(Halt::Unwanted) } else { Ok(()) }
}

async fn stored(app: &App, id: JobId) -> Result<Option<StoredJob>, Halt> {
    let job = app.read(move |reader| reader.job(id)).await;
    job.map_err(|error| Halt::Away(format!("{error:?}")))
}

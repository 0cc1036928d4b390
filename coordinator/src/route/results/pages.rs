//! The task behind a stream of results: reads on from its cursor, waits where it may, and says at the
//! end where to go on.
use super::cursor::Cursor;
use super::lines::{Lines, Stop};
use crate::accept::stopped;
use crate::route::App;
use crate::route::problem::{ApiError, ApiResult, kind};
use crate::route::view::last_stage;
use crate::store::{FailedShard, Reader, StoreError, StoredJob, StoredOutputs};
use axum::body::Bytes;
use futures_util::StreamExt;
use protocol::api::{Event, ResultLine};
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{JobId, ShardIndex, Stage};
use protocol::job::JobState;
use protocol::limits;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

/// About how many bytes of outputs are read at a time.
const READ_BYTES: usize = 256 << 10;
/// How long a stream that follows waits for news before it looks for itself.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// Looks without news after which a cursor line shows that the stream lives.
const QUIET_LOOKS: u32 = 20;
/// The map, and every stage of a reduction, lies in the store as stage 0 of its own job.
const STAGE: Stage = 0;

/// Why the task ends.
enum Over {
    /// The job's last result was told.
    End,
    /// Nothing more for now.
    Page,
    Stopped(Stop),
    Broken(ApiError),
}

impl From<Stop> for Over {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<ApiError> for Over {
    fn from(error: ApiError) -> Self {
        Self::Broken(error)
    }
}

/// What one look at the store found.
enum Found {
    /// Outputs or failed shards to tell.
    Parts(Vec<Part>, Cut),
    /// The next one is not there yet.
    Gap,
    /// There is nothing more, and nothing more will come.
    End,
}

enum Part {
    /// Outputs; with their sequence number, where the order is that of acceptance.
    Outputs(StoredOutputs, u64),
    Failed(FailedShard),
}

/// The task.
pub(super) struct Pages {
    app: Arc<App>,
    job: JobId,
    cursor: Cursor,
    follow: bool,
    lines: Lines,
    state: JobState,
}

impl Pages {
    pub(super) fn new(app: Arc<App>, job: JobId, cursor: Cursor, follow: bool, lines: Lines) -> Self {
        Self {
            app,
            job,
            cursor,
            follow,
            lines,
            state: JobState::Queued,
        }
    }

    /// Tells everything up to the end, the limit or a gap, and then the cursor.
    pub(super) async fn run(mut self) {
        let end = match self.read_on().await {
            Over::End => true,
            Over::Page | Over::Stopped(Stop::Enough) => false,
            Over::Stopped(Stop::Gone) => return,
            Over::Broken(error) => {
                tracing::warn!(job = %self.job, ?error, "a stream of results was cut off");
                return self.lines.cut_off("the results could not be read").await;
            }
        };
        let _ = self.tell_cursor(end).await;
    }

    async fn tell_cursor(&mut self, end: bool) -> Result<(), Stop> {
        let line = ResultLine::Cursor {
            cursor: self.cursor.text(),
            end,
            state: self.state,
        };
        self.lines.last(&line).await
    }

    async fn read_on(&mut self) -> Over {
        loop {
            let step = async {
                match self.look().await? {
                    Found::End => Err(Over::End),
                    Found::Gap if !self.follow => Err(Over::Page),
                    Found::Gap => self.wait().await,
                    Found::Parts(parts, cut) => self.tell(parts, &cut).await,
                }
            };
            if let Err(over) = step.await {
                return over;
            }
        }
    }

    async fn look(&mut self) -> ApiResult<Found> {
        let (id, cursor) = (self.job, self.cursor);
        let looked = self.app.read(move |reader| look(reader, id, cursor)).await?;
        let (state, found) = looked.ok_or_else(|| super::super::view::unknown(id))?;
        self.state = state;
        Ok(found)
    }

    /// Waits for news of the job, bounded, and not beyond the shutdown.
    async fn wait(&mut self) -> Result<(), Over> {
        self.lines.flush().await?;
        for _ in 0..QUIET_LOOKS {
            let mut shutdown = self.app.shutdown.clone();
            let news = news_of(&self.app, self.job);
            tokio::select! {
                () = self.lines.closed() => return Err(Stop::Gone.into()),
                () = stopped(&mut shutdown) => return Err(Over::Page),
                news = tokio::time::timeout(LOOK_AGAIN, news) => if news.is_ok() { return Ok(()) },
            }
            if !matches!(self.look().await?, Found::Gap) {
                return Ok(());
            }
        }
        Ok(self.tell_cursor(false).await?)
    }

    async fn tell(&mut self, parts: Vec<Part>, cut: &Cut) -> Result<(), Over> {
        for part in parts {
            match part {
                Part::Outputs(outputs, seq) => self.tell_outputs(outputs, seq, cut).await?,
                Part::Failed(failed) => self.tell_failed(failed).await?,
            }
        }
        Ok(())
    }

    async fn tell_outputs(&mut self, outputs: StoredOutputs, seq: u64, cut: &Cut) -> Result<(), Over> {
        let first_item = first_item(cut, outputs.run().first);
        let mut from = match self.cursor {
            Cursor::Index { item } => item,
            Cursor::Completed { skip, .. } => first_item + skip,
        };
        let told = self.tell_shards(outputs, cut, &mut from).await;
        match &mut self.cursor {
            Cursor::Index { item } => *item = from,
            Cursor::Completed { skip, .. } => *skip = from - first_item,
        }
        told?;
        if let Cursor::Completed { after, skip, .. } = &mut self.cursor {
            (*after, *skip) = (seq, 0);
        }
        Ok(())
    }

    async fn tell_shards(&mut self, outputs: StoredOutputs, cut: &Cut, from: &mut u64) -> Result<(), Over> {
        match outputs {
            StoredOutputs::Inline(outputs) => {
                for (shard, output) in outputs.iter() {
                    self.tell_shard(shard, &output, cut, from).await?;
                }
                Ok(())
            }
            StoredOutputs::Blob { shard, blob } => {
                let output = self
                    .app
                    .blobs
                    .read_all(blob, limits::OUTPUT_BYTES_MAX)
                    .await
                    .map_err(ApiError::from)?;
                let output = output.ok_or_else(|| lost_blob(shard))?;
                self.tell_shard(shard, &output, cut, from).await
            }
        }
    }

    async fn tell_shard(
        &mut self,
        shard: ShardIndex,
        output: &Bytes,
        cut: &Cut,
        from: &mut u64,
    ) -> Result<(), Over> {
        let Some(piece) = cut.piece(ShardRun {
            first: shard,
            count: 1,
        }) else {
            return Ok(());
        };
        let items = piece.items_of(shard);
        if items.1 <= *from {
            return Ok(());
        }
        Ok(self.lines.shard(output, items, from).await?)
    }

    async fn tell_failed(&mut self, shard: FailedShard) -> Result<(), Over> {
        let (first_item, end_item) = shard.items;
        let (cause, detail) = (shard.failure.cause, shard.failure.detail);
        self.lines
            .line(&ResultLine::Failed {
                first_item,
                end_item,
                cause,
                detail,
            })
            .await?;
        match &mut self.cursor {
            Cursor::Index { item } => *item = end_item,
            Cursor::Completed { failed, .. } => *failed += 1,
        }
        Ok(())
    }
}

fn lost_blob(shard: ShardIndex) -> ApiError {
    ApiError::new(
        kind::CORRUPT,
        format!("The output of shard {shard} is not among the blobs any more."),
    )
}

fn first_item(cut: &Cut, shard: ShardIndex) -> u64 {
    cut.piece(ShardRun {
        first: shard,
        count: 1,
    })
    .map_or(0, |piece| piece.first_item)
}

/// Resolves when something happened to the job.
async fn news_of(app: &App, wanted: JobId) {
    let mut events = pin!(app.engine.events().subscribe(None));
    while let Some((_, event)) = events.next().await {
        match &*event {
            Event::JobProgress { id, .. } if *id == wanted => return,
            Event::JobChanged { job } if job.id == wanted => return,
            Event::Missed => return,
            _ => {}
        }
    }
    // The feed ends with the coordinator; the caller's bound takes over.
    std::future::pending::<()>().await;
}

type Looked = Option<(JobState, Found)>;

/// What comes next from the cursor on. The job's state is read first: what was accepted before a job
/// was over is then among the outputs.
fn look(reader: &dyn Reader, id: JobId, cursor: Cursor) -> Result<Looked, StoreError> {
    let Some(mut job) = reader.job(id)? else {
        return Ok(None);
    };
    let state = job.state;
    if job.record.spec.reduce.is_some() {
        job = match state {
            JobState::Succeeded => match last_stage(reader, &job)? {
                Some((_, last)) => last,
                None => return Ok(Some((state, Found::End))),
            },
            _ if state.is_over() => return Ok(Some((state, Found::End))),
            _ => return Ok(Some((state, Found::Gap))),
        };
    }
    let found = match cursor {
        Cursor::Index { item } => look_in_order(reader, &job, item)?,
        Cursor::Completed { after, failed, .. } => look_as_accepted(reader, &job, after, failed)?,
    };
    Ok(Some((state, found)))
}

fn look_as_accepted(
    reader: &dyn Reader,
    job: &StoredJob,
    after: u64,
    failed: u64,
) -> Result<Found, StoreError> {
    let id = job.record.id;
    let outputs = reader.outputs_as_accepted(id, STAGE, after, READ_BYTES)?;
    if outputs.is_empty() && !job.state.is_over() {
        return Ok(Found::Gap);
    }
    let mut parts: Vec<_> = outputs
        .into_iter()
        .map(|(seq, outputs)| Part::Outputs(outputs, seq))
        .collect();
    if parts.is_empty() {
        let skip = usize::try_from(failed).unwrap_or(usize::MAX);
        parts.extend(
            reader
                .failed_shards(id, STAGE)?
                .into_iter()
                .skip(skip)
                .map(Part::Failed),
        );
    }
    if parts.is_empty() {
        return Ok(Found::End);
    }
    // Shards may have been cut since the job was read.
    let cut = reader.job(id)?.map_or_else(Cut::default, |job| job.cut);
    Ok(Found::Parts(parts, cut))
}

fn look_in_order(reader: &dyn Reader, job: &StoredJob, item: u64) -> Result<Found, StoreError> {
    let over = job.state.is_over();
    let Some(mut next) = job.cut.shard_of(item) else {
        return Ok(if over { Found::End } else { Found::Gap });
    };
    let outputs = reader.outputs(job.record.id, STAGE, next, READ_BYTES)?;
    let mut failed = None;
    let mut parts = Vec::new();
    let runs = outputs.into_iter().map(Some).chain([None]);
    for stored in runs {
        // Behind the last run that was read, only an empty read tells what is not there.
        let (first, is_last) = match &stored {
            Some(stored) => (stored.run().first.min(job.cut.next_shard), false),
            None => (job.cut.next_shard, true),
        };
        if is_last && !parts.is_empty() {
            break;
        }
        if first > next {
            let failed = match &mut failed {
                Some(failed) => failed,
                none => none.insert(reader.failed_shards(job.record.id, STAGE)?),
            };
            if !bridge(failed, &mut next, first, over, &mut parts) {
                break;
            }
        }
        if let Some(stored) = stored {
            next = next.max(stored.run().end());
            parts.push(Part::Outputs(stored, 0));
        }
    }
    Ok(match parts.is_empty() {
        false => Found::Parts(parts, job.cut.clone()),
        true if over => Found::End,
        true => Found::Gap,
    })
}

/// Tells the failed shards in `[next, to)`. A shard that is neither failed nor accepted ends the page,
/// unless the job is over and it will never come. Says whether the gap is crossed.
fn bridge(
    failed: &[FailedShard],
    next: &mut ShardIndex,
    to: ShardIndex,
    over: bool,
    parts: &mut Vec<Part>,
) -> bool {
    let from = failed.partition_point(|shard| shard.shard < *next);
    for shard in failed[from..].iter().take_while(|shard| shard.shard < to) {
        if shard.shard != *next && !over {
            return false;
        }
        parts.push(Part::Failed(shard.clone()));
        *next = shard.shard + 1;
    }
    if over {
        *next = to;
    }
    *next == to
}

//! `elytra run` and `elytra submit`: a job from what was typed, and its results as they come.
mod feed;
mod interrupt;
mod joblog;
mod plan;
mod program;
mod sink;

pub(crate) use sink::cause_word;

use crate::args::{ForArgs, Format, InputArgs, ResultArgs, RunArgs, SubmitArgs};
use crate::failure::{Code, Failure};
use crate::output;
use crate::picture::{Canvas, Size};
use crate::progress::Progress;
use crate::say::{count, duration_ms, note, rate};
use elytra_client::{Client, Line, Results, idempotency_key};
use joblog::{Done, JobLog};
use plan::{Plan, plan};
pub(crate) use plan::{send, upload};
pub(crate) use program::push;
use protocol::api::{Job, ResultLine};
use protocol::description::{Picture, ProgramKind};
use protocol::job::{InputSpec, JobState};
use protocol::trust::Trust;
use sink::Sink;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// `elytra submit`.
pub(crate) async fn submit(client: &Client, args: &SubmitArgs, format: Format) -> Result<Code, Failure> {
    let mut plan = plan(client, &args.input, &args.job).await?;
    if let Some(encoding) = plan.stdin {
        // Nobody stays to read on, so all of it goes at once.
        plan.spec.input = plan::upload_stdin(client, encoding).await?;
    }
    let job = client
        .submit(&plan.spec, &key(args.job.idempotency_key.as_deref())?)
        .await?;
    tell_price(&job);
    output::one(format, &job, |job| job.id.to_string())?;
    Ok(Code::Done)
}

/// What strangers' answers cost; the server may have raised the level.
fn tell_price(job: &Job) {
    let level = job.spec.trust;
    if level != Trust::Private {
        let times = level.executions_expected();
        note(&format!("trust {level}: about {times:.2} executions a shard"));
    }
}

/// `elytra for`.
pub(crate) async fn run_for(client: &Client, args: &ForArgs, format: Format) -> Result<Code, Failure> {
    let range = match args.range.contains(':') {
        true => args.range.clone(),
        false => format!("0:{}", args.range),
    };
    let input = InputArgs {
        what: args.what.clone(),
        range: Some(range),
        entry: args.entry.clone(),
        ..InputArgs::default()
    };
    let (job, results) = (args.job.clone(), args.results.clone());
    run(client, &RunArgs { input, job, results }, format).await
}

/// `elytra reduce`: a run whose outputs are reduced, with the entry `reduce` where none is named.
pub(crate) async fn reduce(client: &Client, args: &RunArgs, format: Format) -> Result<Code, Failure> {
    let mut args = args.clone();
    args.job.reduce.get_or_insert_with(|| "reduce".into());
    run(client, &args, format).await
}

/// `elytra run`.
pub(crate) async fn run(client: &Client, args: &RunArgs, format: Format) -> Result<Code, Failure> {
    let mut plan = plan(client, &args.input, &args.job).await?;
    if let (Some(encoding), Some(_)) = (plan.stdin, &plan.spec.reduce) {
        // A reduction has no result before its end, so nothing would say how much may be on its way.
        plan.spec.input = plan::upload_stdin(client, encoding).await?;
        plan.stdin = None;
    }
    let done = done(&args.results)?;
    match done.left_of(std::mem::replace(
        &mut plan.spec.input,
        InputSpec::Items(Vec::new()),
    ))? {
        Some(input) => plan.spec.input = input,
        None => {
            note("every item is in the joblog: nothing is left to do");
            return Ok(Code::Done);
        }
    }
    if args.results.picture.is_some() && plan.picture.is_none() {
        let entry = &plan.spec.entry;
        return Err(Failure::Usage(format!(
            "--picture: the outputs of '{entry}' do not make a picture"
        )));
    }
    let job = client
        .submit(&plan.spec, &key(args.job.idempotency_key.as_deref())?)
        .await?;
    let items = if plan.stdin.is_some() {
        "items from standard input".into()
    } else {
        count(job.counts.items, "item")
    };
    note(&format!("job {}: {} · {items}", job.id, job.spec.name));
    tell_price(&job);
    interrupt::cancel_on_signal(client.clone(), job.id)?;
    let log = joblog(client, &plan, &args.results, &done)?;
    let result = follow(client, &job, &plan, (done, log), &args.results, format).await;
    let Err(failure) = result else { return result };
    give_up(client, &job, &failure).await;
    Err(failure)
}

/// After a failure nobody waits for the results; but a job outlives a server that cannot be reached.
async fn give_up(client: &Client, job: &Job, failure: &Failure) {
    let id = job.id;
    if matches!(failure, Failure::Unreachable { .. } | Failure::Untrusted { .. }) {
        note(&format!(
            "the job goes on when the server is back: elytra results {id} --follow"
        ));
    } else if let Err(why) = client.steer(id, "cancel").await {
        note(&format!(
            "job {id} could not be cancelled ({:?}): elytra cancel {id}",
            Failure::from(why).code()
        ));
    }
}

/// Hands results on until the job is over.
async fn follow(
    client: &Client,
    job: &Job,
    plan: &Plan,
    (done, mut log): (Done, Option<JobLog>),
    args: &ResultArgs,
    format: Format,
) -> Result<Code, Failure> {
    let progress = Progress::start(client, job);
    let bar = progress.bar();
    let mut sink = sink(job, args, format, plan.is_command, Some(bar.clone()))?;
    let (got, results_got) = watch::channel(0);
    let feeding = plan.stdin.map(|encoding| {
        tokio::spawn(feed::feed(
            client.clone(),
            job.id,
            encoding,
            done.clone(),
            results_got,
        ))
    });
    let mut feeder = Feeder(feeding);
    let mut results = Results::new(client, job.id, args.unordered, true);
    let told = |text: &str| bar.suspend(|| note(text));
    let state = loop {
        let line = tokio::select! {
            line = results.next(told) => line?,
            failure = feeder.failure() => return Err(failure),
        };
        match line {
            Line::End { state, .. } => break state,
            Line::Result(line) => {
                let items = sink.take(&line)?;
                // A row stands in the log once its result was written, never before.
                log.as_mut().map_or(Ok(()), |log| noted(log, &line))?;
                got.send_modify(|got| *got += items);
                if !results.has_line() {
                    sink.flush()?;
                    log.as_mut().map_or(Ok(()), JobLog::flush)?;
                }
            }
        }
    };
    sink.finish()?;
    log.as_mut().map_or(Ok(()), JobLog::flush)?;
    drop(progress);
    tell_end(client, job, state).await
}

/// Items of an earlier run that are to be left out.
fn done(args: &ResultArgs) -> Result<Done, Failure> {
    match &args.joblog {
        Some(path) if args.resume => Done::read(path),
        _ => Ok(Done::default()),
    }
}

fn joblog(client: &Client, plan: &Plan, args: &ResultArgs, done: &Done) -> Result<Option<JobLog>, Failure> {
    let Some(path) = &args.joblog else {
        return Ok(None);
    };
    let command = format!("{} of {}", plan.spec.entry, plan.spec.program);
    JobLog::open(path, args.resume, done.clone(), client.server(), &command).map(Some)
}

fn noted(log: &mut JobLog, line: &ResultLine) -> Result<(), Failure> {
    match line {
        ResultLine::Item { item, output, bytes } => {
            let in_base64 = bytes.as_ref().map(|text| text.len() / 4 * 3);
            let received = in_base64.or_else(|| output.as_ref().map(|output| output.to_string().len()));
            log.note(*item, Some(received.unwrap_or(0)))
        }
        ResultLine::Failed {
            first_item, end_item, ..
        } => (*first_item..*end_item).try_for_each(|item| log.note(item, None)),
        ResultLine::Cursor { .. } => Ok(()),
    }
}

async fn tell_end(client: &Client, job: &Job, state: JobState) -> Result<Code, Failure> {
    let job = client.patiently(|| client.job(job.id), |_| {}).await?;
    note(&summary(&job));
    Ok(code_of(&job, state))
}

fn sink(
    job: &Job,
    args: &ResultArgs,
    format: Format,
    is_command: bool,
    bar: Option<indicatif::ProgressBar>,
) -> Result<Sink, Failure> {
    match &args.picture {
        Some(path) => Ok(Sink::picture(canvas(job)?, path.clone())),
        None => Ok(Sink::lines(format, args, is_command, bar)),
    }
}

/// An empty picture of the size that the job's parameters say.
fn canvas(job: &Job) -> Result<Canvas, Failure> {
    let size = Size::of(&job.spec.params);
    let no_size = || {
        Failure::Usage(format!(
            "--picture: the parameters of job {} tell no size of a picture",
            job.id
        ))
    };
    Ok(Canvas::new(size.ok_or_else(no_size)?))
}

/// `elytra results`.
pub(crate) async fn results(
    client: &Client,
    args: &crate::args::ResultsArgs,
    format: Format,
) -> Result<Code, Failure> {
    let job = client.job(args.job).await?;
    let program = client.program(&job.program.to_string()).await?;
    let kind = program.as_ref().map(|program| program.description.kind);
    if args.results.picture.is_some() {
        let entries = program
            .into_iter()
            .flat_map(|program| program.description.entries);
        let picture = entries
            .into_iter()
            .find(|entry| entry.name == job.spec.entry)
            .and_then(|entry| entry.picture);
        if !matches!(picture, Some(Picture::Tiles)) {
            return Err(Failure::Usage(format!(
                "--picture: the outputs of job {} do not make a picture",
                job.id
            )));
        }
    }
    let is_command = kind == Some(ProgramKind::Command);
    let mut sink = sink(&job, &args.results, format, is_command, None)?;
    let mut results = Results::new(client, job.id, args.results.unordered, args.follow);
    let (over, state) = loop {
        match results.next(note).await? {
            Line::End { over, state } => break (over, state),
            Line::Result(line) => {
                sink.take(&line)?;
                if !results.has_line() {
                    sink.flush()?;
                }
            }
        }
    };
    sink.finish()?;
    if !over {
        note(&format!(
            "job {} is {state}: there is more to come (--follow waits for it)",
            job.id
        ));
        return Ok(Code::Done);
    }
    Ok(code_of(&client.job(job.id).await?, state))
}

/// How a job that is over lets a command end.
pub(crate) fn code_of(job: &Job, state: JobState) -> Code {
    match state {
        JobState::Canceled | JobState::Canceling => Code::Cancelled,
        JobState::Failed => Code::JobFailed,
        _ if job.counts.skipped > 0 => Code::JobFailed,
        _ => Code::Done,
    }
}

/// `succeeded: 2,499 items in 3.2 s (781/s), 12 shards, 1.00 executions per shard`
pub(crate) fn summary(job: &Job) -> String {
    let counts = &job.counts;
    let ended = job.ended_ms.unwrap_or_else(crate::say::now_ms);
    let time_ms = ended
        .saturating_sub(job.started_ms.unwrap_or(job.submitted_ms))
        .max(1);
    let per_second = counts.items_accepted as f64 * 1e3 / time_ms as f64;
    let mut text = format!(
        "{}: {} in {} ({}/s), {}",
        job.state,
        count(counts.items_accepted, "item"),
        duration_ms(time_ms),
        rate(per_second),
        count(counts.accepted, "shard"),
    );
    let lost = counts.failed + counts.skipped;
    if lost > 0 {
        text += &format!(", {} failed (elytra job info {})", count(lost, "shard"), job.id);
    }
    match &job.reason {
        Some(reason) => format!("{text}: {reason}"),
        None => text,
    }
}

/// The key under which a submission may be repeated without making a second job.
fn key(given: Option<&str>) -> Result<String, Failure> {
    if let Some(key) = given {
        return Ok(key.into());
    }
    Ok(idempotency_key()?)
}

/// The task that sends standard input, where there is one; it ends with its owner.
struct Feeder(Option<JoinHandle<Result<(), Failure>>>);

impl Feeder {
    /// Resolves with the failure of the task, and never when all is well. Safe to drop while it waits.
    async fn failure(&mut self) -> Failure {
        if let Some(task) = &mut self.0 {
            let ended = task.await;
            self.0 = None;
            match ended {
                Ok(Ok(())) => {}
                // The job takes no more because it is over: its results say why.
                Ok(Err(Failure::Problem(problem))) if problem.status == 409 => {}
                Ok(Err(failure)) => return failure,
                Err(error) => return Failure::Other(error.into()),
            }
        }
        std::future::pending().await
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

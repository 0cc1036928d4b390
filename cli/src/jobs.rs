//! Jobs: list, show, steer, wait for, watch.
use crate::args::{Format, JobCommand, JobListArgs};
use crate::failure::{Code, Failure};
use crate::output::{self, Table, facts, numbers, words};
use crate::progress::Progress;
use crate::run::{cause_word, code_of, summary};
use crate::say::{Paint, ago, bytes, count, duration_ms, note, number, rate};
use elytra_client::Client;
use protocol::api::{ErrorGroups, Explanation, Job};
use protocol::ids::JobId;
use protocol::job::Grain;
use std::time::Duration;

/// How often a job that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Most jobs in one answer of the server.
const PAGE_JOBS_MAX: usize = 500;

/// `elytra job …`.
pub(crate) async fn job(client: &Client, command: &JobCommand, format: Format) -> Result<Code, Failure> {
    match command {
        JobCommand::List(args) => output::list(format, &list(client, args).await?, table)?,
        JobCommand::Info(args) => {
            let job = client.job(args.job).await?;
            let errors = client.errors(args.job).await?;
            output::one(format, &job, |job| info(job, &errors))?;
        }
    }
    Ok(Code::Done)
}

async fn list(client: &Client, args: &JobListArgs) -> Result<Vec<Job>, Failure> {
    let mut jobs = Vec::new();
    let mut cursor: Option<String> = None;
    while jobs.len() < args.limit {
        let limit = (args.limit - jobs.len()).min(PAGE_JOBS_MAX).to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(args.state.as_deref().map(|state| ("state", state)));
        query.extend(args.label.as_deref().map(|label| ("label", label)));
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = client.jobs(&query).await?;
        jobs.extend(page.jobs);
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(jobs)
}

fn table(jobs: &[Job]) -> Table {
    let columns = [
        words("JOB"),
        words("NAME"),
        words("STATE"),
        numbers("ITEMS"),
        numbers("DONE"),
        numbers("RATE"),
    ];
    let more = [words("TIME"), words("SUBMITTED"), words("OWNER")];
    let mut table = Table::new(
        columns.into_iter().chain(more),
        "no jobs yet: elytra run mersenne 3 5 7",
    );
    for job in jobs {
        let counts = &job.counts;
        let open = if counts.items_open { "+" } else { "" };
        let rate = if job.state.is_over() {
            String::new()
        } else {
            format!("{}/s", rate(job.items_per_second))
        };
        table.row([
            job.id.to_string(),
            job.spec.name.clone(),
            job.state.to_string(),
            format!("{}{open}", number(counts.items)),
            done(job),
            rate,
            time(job),
            ago(job.submitted_ms),
            job.owner.clone(),
        ]);
    }
    table
}

fn done(job: &Job) -> String {
    match job.counts.items {
        0 => "-".into(),
        items => format!(
            "{} %",
            (u128::from(job.counts.items_accepted) * 100) / u128::from(items)
        ),
    }
}

fn time(job: &Job) -> String {
    let Some(started) = job.started_ms else {
        return "-".into();
    };
    let ended = job.ended_ms.unwrap_or_else(crate::say::now_ms);
    duration_ms(ended.saturating_sub(started))
}

/// What was done so that strangers' answers can be trusted; nothing where everybody is.
fn trust(job: &Job) -> String {
    let Some(report) = &job.trust else {
        return String::new();
    };
    let bound = report.wrong_share_max.filter(|share| *share > 0.0);
    let bound = bound.map_or_else(String::new, |share| format!(" (at most {share:e} wrong)"));
    let executions = report.executions as f64 / job.counts.accepted.max(1) as f64;
    format!(
        "{}{bound}: {executions:.2} executions a shard, {}, {}, {} withdrawn",
        report.level,
        count(report.spot_checks, "spot check"),
        count(report.conflicts, "conflict"),
        count(report.workers_withdrawn.into(), "worker"),
    )
}

fn info(job: &Job, errors: &ErrorGroups) -> String {
    let counts = &job.counts;
    let spec = &job.spec;
    let labels: Vec<_> = spec
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let grain = match spec.grain {
        Grain::Auto => "auto".into(),
        Grain::Items(items) => format!("{items} items"),
    };
    let shards = [
        ("pending", counts.pending),
        ("leased", counts.leased),
        ("verifying", counts.verifying),
        ("accepted", counts.accepted),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
        ("canceled", counts.canceled),
    ];
    let shards: Vec<_> = shards
        .iter()
        .filter(|(_, n)| *n > 0)
        .map(|(word, n)| format!("{} {word}", number(*n)))
        .collect();
    let attempts = counts.attempts as f64 / counts.accepted.max(1) as f64;
    let paint = Paint::stdout();
    let mut text = facts(
        &[
            ("job", job.id.to_string()),
            ("name", spec.name.clone()),
            ("state", job.state.to_string()),
            ("reason", job.reason.clone().unwrap_or_default()),
            ("entry", format!("{} of {}", spec.entry, spec.program)),
            ("program", job.program.to_string()),
            ("owner", job.owner.clone()),
            ("labels", labels.join(" ")),
            (
                "items",
                format!("{} of {}", number(counts.items_accepted), number(counts.items)),
            ),
            ("shards", shards.join(", ")),
            (
                "executions",
                format!("{} ({attempts:.2} per shard)", number(counts.attempts)),
            ),
            ("trust", trust(job)),
            ("grain", grain),
            (
                "limits",
                format!(
                    "{}, {} a shard",
                    bytes(u64::from(spec.limits.memory_mib) << 20),
                    duration_ms(u64::from(spec.limits.shard_time_ms))
                ),
            ),
            ("submitted", ago(job.submitted_ms)),
            ("time", time(job)),
            ("computing", duration_ms(job.busy_ms)),
            ("left", job.remaining_ms.map(duration_ms).unwrap_or_default()),
        ],
        paint,
    );
    for group in &errors.groups {
        let which = format!(
            "{} x {} (shard {})",
            number(group.count),
            cause_word(group.cause),
            group.shard
        );
        text += &format!(
            "{}  {which}\n           {}\n",
            paint.red("failed"),
            group.detail.replace('\n', "\n           ")
        );
    }
    text
}

/// Cancel, pause, resume, retry: each job in turn; the first that does not want to ends it.
pub(crate) async fn steer(
    client: &Client,
    jobs: &[JobId],
    verb: &str,
    format: Format,
) -> Result<Code, Failure> {
    let mut steered = Vec::new();
    for &id in jobs {
        let job = client.steer(id, verb).await?;
        note(&format!("job {id} is {}", job.state));
        steered.push(job);
    }
    if format != Format::Table {
        output::list(format, &steered, table)?;
    }
    Ok(Code::Done)
}

/// Waits until all jobs are over. The worst end counts.
pub(crate) async fn wait(client: &Client, jobs: &[JobId], format: Format) -> Result<Code, Failure> {
    let mut over = Vec::new();
    for &id in jobs {
        over.push(until_over(client, id).await?);
    }
    over.iter()
        .for_each(|job| note(&format!("job {}: {}", job.id, summary(job))));
    if format != Format::Table {
        output::list(format, &over, table)?;
    }
    let codes = over.iter().map(|job| code_of(job, job.state));
    Ok(codes.max_by_key(|code| severity(*code)).unwrap_or(Code::Done))
}

fn severity(code: Code) -> u8 {
    match code {
        Code::Done => 0,
        Code::Cancelled => 1,
        _ => 2,
    }
}

async fn until_over(client: &Client, id: JobId) -> Result<Job, Failure> {
    // A job that is not there is told at once; a server that goes away later is waited for.
    let mut job = client.job(id).await?;
    while !job.state.is_over() {
        tokio::time::sleep(LOOK).await;
        job = client.patiently(|| client.job(id), note).await?;
    }
    Ok(job)
}

/// Shows the progress until the job is over.
pub(crate) async fn watch(client: &Client, id: JobId, format: Format) -> Result<Code, Failure> {
    let job = client.job(id).await?;
    note(&format!(
        "job {id}: {} (stopping this does not stop the job)",
        job.spec.name
    ));
    let progress = Progress::start(client, &job);
    let job = until_over(client, id).await?;
    drop(progress);
    note(&summary(&job));
    if format != Format::Table {
        output::one(format, &job, |job| job.id.to_string())?;
    }
    Ok(code_of(&job, job.state))
}

/// Why something does not move.
pub(crate) fn explanation(explanation: &Explanation, format: Format) -> Result<(), Failure> {
    output::one(format, explanation, |explanation| {
        let paint = Paint::stdout();
        let told = explanation
            .reasons
            .iter()
            .map(|reason| match reason.remedy.as_str() {
                "" => format!("{}\n", reason.text),
                remedy => format!("{}\n  {} {remedy}\n", reason.text, paint.dim("→")),
            });
        told.collect()
    })
}

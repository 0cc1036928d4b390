//! What the demonstration leaves in its folder: the picture, the answers, and a report of the numbers
//! for people and for programs.
use super::check::{Estimate, Finding, black_scholes};
use super::work::Answers;
use crate::say::{count, duration_ms, number, rate};
use anyhow::Context as _;
use protocol::api::{Job, Worker};
use serde::Serialize;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// The numbers.
#[derive(Serialize)]
pub(super) struct Report {
    version: &'static str,
    cores: usize,
    right: bool,
    checks: Vec<Check>,
    jobs: Vec<JobNumbers>,
    workers: Vec<WorkerNumbers>,
}

#[derive(Serialize)]
struct Check {
    what: &'static str,
    right: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrong: Option<String>,
}

#[derive(Serialize)]
struct JobNumbers {
    id: String,
    name: String,
    entry: String,
    items: u64,
    shards: u64,
    executions: u64,
    executions_per_shard: f64,
    time_ms: u64,
    items_per_second: f64,
    /// Execution time of all outputs, over all slots.
    busy_ms: u64,
}

#[derive(Serialize)]
struct WorkerNumbers {
    name: String,
    kind: String,
    slots: u16,
    shards: u64,
}

impl Report {
    pub(super) fn new(answers: &Answers, findings: &[Finding], workers: Vec<Worker>) -> Self {
        let check = |finding: &Finding| Check {
            what: finding.what,
            right: finding.wrong.is_none(),
            wrong: finding.wrong.clone(),
        };
        Self {
            version: env!("CARGO_PKG_VERSION"),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            right: findings.iter().all(|finding| finding.wrong.is_none()),
            checks: findings.iter().map(check).collect(),
            jobs: [&answers.picture.0, &answers.mersenne.0, &answers.option.0]
                .map(numbers_of)
                .into(),
            workers: workers.into_iter().map(worker_numbers).collect(),
        }
    }

    /// Writes everything into `folder`.
    pub(super) fn write(&self, folder: &Path, answers: &Answers) -> anyhow::Result<()> {
        answers.picture.2.write_png(&folder.join("mandelbrot.png"))?;
        write_json(folder, "mersenne.json", &mersenne(answers))?;
        write_json(folder, "option.json", &option(answers))?;
        write_json(folder, "report.json", self)?;
        write(folder, "report.md", self.markdown().as_bytes())
    }

    /// One line a check.
    pub(super) fn for_people(&self) -> String {
        let told = self.checks.iter().map(|check| match &check.wrong {
            None => format!("right: {}", check.what),
            Some(wrong) => format!("WRONG: {wrong}"),
        });
        told.collect::<Vec<_>>().join("\n")
    }

    fn markdown(&self) -> String {
        let mut text = format!(
            "# Elytra {}: the demonstration\n\n![Seahorse Valley](mandelbrot.png)\n\n",
            self.version
        );
        for check in &self.checks {
            let _ = writeln!(
                text,
                "- {}: {}",
                if check.right { "right" } else { "**wrong**" },
                check.what
            );
        }
        text += "\n| job | items | shards | executions per shard | time | items/s | computing |\n";
        text += "|---|--:|--:|--:|--:|--:|--:|\n";
        for job in &self.jobs {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {:.2} | {} | {} | {} |",
                job.name,
                number(job.items),
                number(job.shards),
                job.executions_per_shard,
                duration_ms(job.time_ms),
                rate(job.items_per_second),
                duration_ms(job.busy_ms),
            );
        }
        let _ = writeln!(
            text,
            "\nThe three jobs ran at the same time on {}.\n",
            count(self.cores as u64, "core")
        );
        text += "| worker | kind | slots | shards |\n|---|---|--:|--:|\n";
        for worker in &self.workers {
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} |",
                worker.name,
                worker.kind,
                worker.slots,
                number(worker.shards)
            );
        }
        text
    }
}

fn numbers_of(job: &Job) -> JobNumbers {
    let counts = &job.counts;
    let time_ms = match (job.started_ms, job.ended_ms) {
        (Some(started), Some(ended)) => ended.saturating_sub(started).max(1),
        _ => 1,
    };
    JobNumbers {
        id: job.id.to_string(),
        name: job.spec.name.clone(),
        entry: job.spec.entry.clone(),
        items: counts.items,
        shards: counts.accepted,
        executions: counts.attempts,
        executions_per_shard: counts.attempts as f64 / counts.accepted.max(1) as f64,
        time_ms,
        items_per_second: counts.items_accepted as f64 * 1e3 / time_ms as f64,
        busy_ms: job.busy_ms,
    }
}

fn worker_numbers(worker: Worker) -> WorkerNumbers {
    let kind = format!("{:?}", worker.kind).to_lowercase();
    WorkerNumbers {
        name: worker.name,
        kind,
        slots: worker.slots,
        shards: worker.accepted,
    }
}

fn mersenne(answers: &Answers) -> Value {
    let tested = &answers.mersenne.1;
    let primes: Vec<u32> = tested
        .iter()
        .filter(|answer| answer.prime)
        .map(|answer| answer.exponent)
        .collect();
    json!({"prime_exponents": primes, "tested": tested})
}

fn option(answers: &Answers) -> Value {
    let told =
        |it: &Estimate| json!({"price": it.price, "delta": it.delta, "gamma": it.gamma, "vega": it.vega});
    let estimate = Estimate::of(&answers.option.1);
    json!({
        "params": answers.option.0.spec.params,
        "paths": estimate.paths,
        "standard_error": estimate.error,
        "estimate": told(&estimate),
        "closed_formula": told(&black_scholes()),
    })
}

fn write_json(folder: &Path, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    write(folder, name, &text)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let path = folder.join(name);
    std::fs::write(&path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

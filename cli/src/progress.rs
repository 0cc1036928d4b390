//! How a job gets on, on standard error: a line that moves on a terminal, a line now and then elsewhere.
//! When nothing moves for a while, it says why.
use crate::say::{duration_ms, note, number, rate};
use elytra_client::Client;
use indicatif::{ProgressBar, ProgressStyle};
use protocol::api::Job;
use protocol::ids::JobId;
use protocol::job::JobState;
use std::io::IsTerminal;
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// How often the job is looked at.
const LOOK: Duration = Duration::from_millis(400);
/// How long nothing may move before the reason is asked for.
const STUCK: Duration = Duration::from_secs(3);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Shows a job until it is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    task: JoinHandle<()>,
}

impl Progress {
    /// Begins at once.
    pub(crate) fn start(client: &Client, job: &Job) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(style(false));
        bar.set_message(line(job, None));
        bar.enable_steady_tick(Duration::from_millis(120));
        let watch = Watch::new(client.clone(), job.id, bar.clone());
        Self {
            bar,
            task: tokio::spawn(watch.run()),
        }
    }

    /// The bar, for whoever writes to the same terminal.
    pub(crate) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.task.abort();
        self.bar.finish_and_clear();
    }
}

struct Watch {
    client: Client,
    job: JobId,
    bar: ProgressBar,
    /// Items accepted, and since when it is so many.
    moved: (u64, Instant),
    told_at: Instant,
    told_reason: String,
}

impl Watch {
    fn new(client: Client, job: JobId, bar: ProgressBar) -> Self {
        let now = Instant::now();
        Self {
            client,
            job,
            bar,
            moved: (0, now),
            told_at: now,
            told_reason: String::new(),
        }
    }

    async fn run(mut self) {
        loop {
            self.look().await;
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&mut self) {
        let Ok(job) = self.client.job(self.job).await else {
            return self.bar.set_message("the server is away; waiting for it");
        };
        if job.counts.items_accepted != self.moved.0 {
            self.moved = (job.counts.items_accepted, Instant::now());
        }
        let is_stuck = self.moved.1.elapsed() >= STUCK && !job.state.is_over();
        let text = match if is_stuck { self.reason().await } else { None } {
            Some(reason) => self.tell_reason(reason),
            None => {
                let workers = self.client.overview().await.map(|overview| overview.workers).ok();
                line(&job, workers)
            }
        };
        self.bar
            .set_style(style(!job.counts.items_open && job.counts.items > 0));
        self.bar.set_length(job.counts.items);
        self.bar.set_position(job.counts.items_accepted);
        self.bar.set_message(text.clone());
        if self.bar.is_hidden() && self.told_at.elapsed() >= LINE_EVERY {
            self.told_at = Instant::now();
            note(&text);
        }
    }

    async fn reason(&self) -> Option<String> {
        let explanation = self.client.explain_job(self.job).await.ok()?;
        let first = explanation.reasons.into_iter().next()?;
        let remedy = if first.remedy.is_empty() {
            String::new()
        } else {
            format!(" ({})", first.remedy)
        };
        Some(format!("{}{remedy}", first.text))
    }

    /// A new reason is told at once also where there is no terminal.
    fn tell_reason(&mut self, reason: String) -> String {
        if reason != self.told_reason {
            self.told_reason.clone_from(&reason);
            self.told_at = Instant::now();
            if self.bar.is_hidden() {
                note(&reason);
            }
        }
        reason
    }
}

fn style(has_end: bool) -> ProgressStyle {
    let template = if has_end {
        "{spinner} {bar:24} {wide_msg}"
    } else {
        "{spinner} {wide_msg}"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.progress_chars("━╸─").tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ ")
}

/// `1,234/2,499 items · 812/s · 3.2 s left · 2 workers`
pub(crate) fn line(job: &Job, workers: Option<u32>) -> String {
    let counts = &job.counts;
    let done = number(counts.items_accepted);
    let of = if counts.items_open {
        String::new()
    } else {
        format!("/{}", number(counts.items))
    };
    let mut parts = vec![format!("{done}{of} items")];
    match job.state {
        JobState::Running => parts.push(format!("{}/s", rate(job.items_per_second))),
        state => parts.push(state.to_string()),
    }
    parts.extend(
        job.remaining_ms
            .map(|ms| format!("{} left", duration_ms(ms / 100 * 100))),
    );
    let lost = counts.failed + counts.skipped;
    parts.extend((lost > 0).then(|| format!("{} shards failed", number(lost))));
    parts.extend(workers.map(|workers| format!("{workers} worker{}", if workers == 1 { "" } else { "s" })));
    parts.join(" · ")
}

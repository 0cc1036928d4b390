//! The jobs of the demonstration, all at once, and what they answered.
use super::primes::odd_primes_below;
use crate::failure::Failure;
use crate::picture::{Canvas, Size};
use crate::progress;
use crate::say::note;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elytra_client::{Client, Line, Results};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use protocol::api::{Job, ResultLine};
use protocol::job::{InputSpec, JobSpec, JobState, RangeSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// How often a job's line is drawn afresh.
const LOOK: Duration = Duration::from_millis(300);
const PROGRAM: &str = "rust-core";
/// The exponents stay below this.
const EXPONENTS_END: u32 = 5_000;
/// Blocks of paths, and paths in a block.
const BLOCKS: i64 = 200;
const PATHS_PER_BLOCK: u32 = 100_000;

/// The view: Seahorse Valley, between the head and the body of the set.
pub(super) struct View {
    pub(super) center_x: f64,
    pub(super) center_y: f64,
    /// Width of the view in the complex plane.
    pub(super) span: f64,
}

pub(super) const VIEW: View = View {
    center_x: -0.745_4,
    center_y: 0.113,
    span: 0.0065,
};
const ITERATIONS_MAX: u32 = 3_000;
const TILE: u32 = 64;

/// What the jobs answered.
pub(super) struct Answers {
    pub(super) picture: (Job, Size, Canvas),
    pub(super) mersenne: (Job, Vec<Mersenne>),
    pub(super) option: (Job, Vec<Sums>),
}

/// What the kernel `mersenne` says of an exponent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Mersenne {
    pub(super) exponent: u32,
    pub(super) prime: bool,
    pub(super) residue: String,
}

/// What the kernel `montecarlo` says of a block.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Sums {
    pub(super) paths: u32,
    pub(super) price_sum: f64,
    pub(super) price_square_sum: f64,
    pub(super) delta_sum: f64,
    pub(super) gamma_sum: f64,
    pub(super) vega_sum: f64,
}

/// Submits the three jobs and waits for all of their results.
pub(super) async fn run(client: &Client, width: u32) -> Result<Answers, Failure> {
    let bars = MultiProgress::new();
    let size = Size {
        width,
        height: width / 4 * 3,
        tile: TILE,
        inside: ITERATIONS_MAX as u16,
    };
    let picture = collect(client, &bars, picture_spec(size));
    let mersenne = collect(client, &bars, mersenne_spec());
    let option = collect(client, &bars, option_spec());
    let (picture, mersenne, option) = tokio::try_join!(picture, mersenne, option)?;
    Ok(Answers {
        picture: canvas(picture, size)?,
        mersenne: (mersenne.0, parsed(mersenne.1)?),
        option: (option.0, parsed(option.1)?),
    })
}

fn picture_spec(size: Size) -> JobSpec {
    let Size {
        width,
        height,
        tile,
        inside,
    } = size;
    let end = size.tiles().cast_signed();
    let input = InputSpec::Range(RangeSpec {
        start: 0,
        end,
        step: 1,
    });
    let params = json!({
        "width": width, "height": height, "tile": tile, "iterations_max": inside,
        "center_x": VIEW.center_x, "center_y": VIEW.center_y, "span": VIEW.span,
    });
    JobSpec {
        name: "demo: Seahorse Valley".into(),
        params,
        ..JobSpec::new(PROGRAM, "mandelbrot", input)
    }
}

fn mersenne_spec() -> JobSpec {
    let exponents = odd_primes_below(EXPONENTS_END)
        .into_iter()
        .map(Value::from)
        .collect();
    let spec = JobSpec::new(PROGRAM, "mersenne", InputSpec::Items(exponents));
    JobSpec {
        name: "demo: Mersenne primes below 5,000".into(),
        ..spec
    }
}

fn option_spec() -> JobSpec {
    let input = InputSpec::Range(RangeSpec {
        start: 0,
        end: BLOCKS,
        step: 1,
    });
    let params = json!({"paths_per_item": PATHS_PER_BLOCK});
    JobSpec {
        name: "demo: option price".into(),
        params,
        ..JobSpec::new(PROGRAM, "montecarlo", input)
    }
}

/// A job and its result lines, in order.
type Collected = (Job, Vec<(Option<Value>, Option<String>)>);

async fn collect(client: &Client, bars: &MultiProgress, spec: JobSpec) -> Result<Collected, Failure> {
    // The same key at a second start finds the job of the first.
    let key = key(&spec);
    let job = client.submit(&spec, &key).await?;
    let bar = bars.add(ProgressBar::new(job.counts.items));
    bar.set_style(style());
    bar.set_prefix(spec.name.clone());
    let mut results = Results::new(client, job.id, false, true);
    let mut lines = Vec::new();
    let mut tick = tokio::time::interval(LOOK);
    let state = loop {
        tokio::select! {
            line = results.next(note) => match line? {
                Line::End { state, .. } => break state,
                Line::Result(ResultLine::Item { output, bytes, .. }) => lines.push((output, bytes)),
                Line::Result(ResultLine::Failed { first_item, detail, .. }) => {
                    return Err(Failure::Other(anyhow::anyhow!("{}: item {first_item} failed: {detail}", spec.name)));
                }
                Line::Result(ResultLine::Cursor { .. }) => {}
            },
            _ = tick.tick() => show(client, &job, &bar).await,
        }
    };
    bar.finish_and_clear();
    let job = client.job(job.id).await?;
    if state != JobState::Succeeded {
        let why = job.reason.clone().unwrap_or_default();
        return Err(Failure::Other(anyhow::anyhow!(
            "{}: the job {state}: {why}",
            spec.name
        )));
    }
    note(&format!("{}: {}", spec.name, crate::run::summary(&job)));
    Ok((job, lines))
}

/// The job's text in short, so that another demonstration is another job.
fn key(spec: &JobSpec) -> String {
    let text = serde_json::to_vec(spec).unwrap_or_default();
    format!("demo-{}", protocol::ids::BlobHash::of(&text))
}

async fn show(client: &Client, job: &Job, bar: &ProgressBar) {
    // A look that fails is followed by the next one; the results say what is wrong.
    if let Ok(job) = client.job(job.id).await {
        bar.set_position(job.counts.items_accepted);
        bar.set_message(progress::line(&job, None));
    }
}

fn style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{bar:24} {prefix:34} {msg}");
    style
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
}

fn canvas((job, lines): Collected, size: Size) -> Result<(Job, Size, Canvas), Failure> {
    let mut canvas = Canvas::new(size);
    for (tile, (_, bytes)) in (0..).zip(lines) {
        let bytes = STANDARD
            .decode(bytes.unwrap_or_default())
            .map_err(anyhow::Error::from)?;
        canvas.put(tile, &bytes)?;
    }
    Ok((job, size, canvas))
}

fn parsed<T: serde::de::DeserializeOwned>(
    lines: Vec<(Option<Value>, Option<String>)>,
) -> Result<Vec<T>, Failure> {
    let values = lines
        .into_iter()
        .map(|(output, _)| serde_json::from_value(output.unwrap_or_default()));
    values
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Other(error.into()))
}

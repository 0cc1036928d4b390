//! From flags to a job: the program's own description says how items are read.
use crate::args::{InputArgs, JobArgs, OnFailureArg};
use crate::failure::Failure;
use crate::run::program::{Chosen, choose, command_params};
use elytra_client::Client;
use futures_util::stream;
use protocol::description::{Entry, FieldKind, Picture};
use protocol::ids::BlobHash;
use protocol::job::{
    BlobSpec, Encoding, InputSpec, JobSpec, Limits, Needs, OnFailure, OpenSpec, RangeSpec, ReduceSpec, Split,
};
use protocol::limits::{BODY_BYTES_MAX, FAN_IN_DEFAULT};
use serde_json::{Map, Value};
use std::io::IsTerminal;
use std::path::Path;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How much of a file is read at a time.
const PIECE_BYTES: usize = 256 << 10;
const STDIN: &str = "-";

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The job.
    pub(crate) spec: JobSpec,
    /// How lines of standard input are read, when the items come from there.
    pub(crate) stdin: Option<Encoding>,
    /// How the outputs make a picture, when they do.
    pub(crate) picture: Option<Picture>,
    /// Whether the outputs are what a command wrote.
    pub(crate) is_command: bool,
}

/// Makes a job of what was typed; uploads a file where one was named.
pub(crate) async fn plan(client: &Client, input: &InputArgs, job: &JobArgs) -> Result<Plan, Failure> {
    let chosen = choose(client, input, job).await?;
    let params = params(job, command_params(&chosen, &job.command)?)?;
    let entry = chosen.described();
    let encoding = encoding(input, entry);
    let picture = entry.and_then(|entry| entry.picture);
    let input = &InputArgs {
        items: chosen.items.clone(),
        ..input.clone()
    };
    let items = match typed(input, encoding)? {
        Some(items) => items,
        None => match every_tile(input, entry, &params) {
            Some(range) => InputSpec::Range(range),
            None => from_outside(client, input, encoding).await?,
        },
    };
    let stdin = matches!(items, InputSpec::Open(_)).then_some(encoding);
    Ok(Plan {
        spec: spec(&chosen, job, items, params)?,
        stdin,
        picture,
        is_command: chosen.is_command(),
    })
}

fn spec(chosen: &Chosen, job: &JobArgs, items: InputSpec, params: Value) -> Result<JobSpec, Failure> {
    let default = Limits::default();
    let defaults = JobSpec::new(&chosen.program, &chosen.entry, items);
    Ok(JobSpec {
        name: job.name.clone().unwrap_or_default(),
        params,
        grain: job.grain.0,
        priority: job.priority,
        weight: job.weight,
        on_failure: match job.on_failure {
            OnFailureArg::Fail => OnFailure::Fail,
            OnFailureArg::Skip => OnFailure::Skip,
        },
        attempts_max: job.attempts.unwrap_or(defaults.attempts_max),
        limits: Limits {
            memory_mib: job.memory_mib.unwrap_or(default.memory_mib),
            shard_time_ms: job.time_ms.unwrap_or(default.shard_time_ms),
        },
        needs: Needs {
            native: job.native,
            ..Needs::default()
        },
        trust: job.trust.into(),
        reduce: job.reduce.clone().map(|entry| ReduceSpec {
            entry,
            fan_in: job.fan_in.unwrap_or(FAN_IN_DEFAULT),
        }),
        labels: job
            .labels
            .iter()
            .map(|label| pair(label, "--label"))
            .collect::<Result<_, _>>()?,
        ..defaults
    })
}

pub(super) fn pair(text: &str, flag: &str) -> Result<(String, String), Failure> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let parts = parts.map(|(name, value)| (name.to_owned(), value.to_owned()));
    parts.ok_or_else(|| Failure::Usage(format!("{flag} {text}: must be written NAME=VALUE")))
}

fn params(job: &JobArgs, command: Map<String, Value>) -> Result<Value, Failure> {
    let mut params = match &job.params_file {
        Some(path) => params_of(path)?,
        None => Map::new(),
    };
    params.extend(command);
    for param in &job.params {
        let (name, value) = pair(param, "--param")?;
        let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
        params.insert(name, value);
    }
    Ok(if params.is_empty() {
        Value::Null
    } else {
        Value::Object(params)
    })
}

fn params_of(path: &Path) -> Result<Map<String, Value>, Failure> {
    let wrong = |why: String| Failure::Usage(format!("--params {}: {why}", path.display()));
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    match serde_json::from_slice(&text).map_err(|error| wrong(format!("is not JSON ({error})")))? {
        Value::Object(params) => Ok(params),
        _ => Err(wrong("must hold a JSON object, such as {\"width\": 800}".into())),
    }
}

/// As the flags say; otherwise as the entry says; otherwise JSON.
fn encoding(input: &InputArgs, entry: Option<&Entry>) -> Encoding {
    let item = entry.and_then(|entry| entry.item.as_ref()).map(|item| item.kind);
    let takes_text = matches!(item, Some(FieldKind::Text | FieldKind::Choice));
    if input.encoding.text || (takes_text && !input.encoding.json) {
        Encoding::Text
    } else {
        Encoding::Json
    }
}

/// Items that stand in the command line.
fn typed(input: &InputArgs, encoding: Encoding) -> Result<Option<InputSpec>, Failure> {
    let has_source =
        input.range.is_some() || input.items_file.is_some() || input.lines.is_some() || input.file.is_some();
    if has_source && !input.items.is_empty() {
        return Err(Failure::Usage(
            "items stand in the command line and in a flag; give them in one place".into(),
        ));
    }
    if let Some(range) = &input.range {
        return read_range(range).map(InputSpec::Range).map(Some);
    }
    if let Some(path) = &input.items_file {
        return items_of(path).map(InputSpec::Items).map(Some);
    }
    if input.items.is_empty() || input.items == [STDIN] {
        return Ok(None);
    }
    let items = input
        .items
        .iter()
        .map(|item| read_item(item, encoding))
        .collect::<Result<_, _>>()?;
    Ok(Some(InputSpec::Items(items)))
}

fn read_item(item: &str, encoding: Encoding) -> Result<Value, Failure> {
    match encoding {
        Encoding::Text => Ok(Value::String(item.into())),
        Encoding::Json => serde_json::from_str(item).map_err(|error| {
            Failure::Usage(format!(
                "the item '{item}' is not JSON ({error}); add --text if it is text"
            ))
        }),
    }
}

pub(super) fn read_range(text: &str) -> Result<RangeSpec, Failure> {
    let wrong = || {
        Failure::Usage(format!(
            "--range {text}: must be written START:END or START:END:STEP, in whole numbers"
        ))
    };
    let parts: Vec<i64> = text
        .split(':')
        .map(|part| part.parse().map_err(|_| wrong()))
        .collect::<Result<_, _>>()?;
    match parts[..] {
        [start, end] => Ok(RangeSpec { start, end, step: 1 }),
        [start, end, step] => Ok(RangeSpec { start, end, step }),
        _ => Err(wrong()),
    }
}

fn items_of(path: &Path) -> Result<Vec<Value>, Failure> {
    let wrong = |why: String| Failure::Usage(format!("--items-file {}: {why}", path.display()));
    let length = std::fs::metadata(path)
        .map_err(|error| wrong(error.to_string()))?
        .len();
    if length > BODY_BYTES_MAX as u64 {
        return Err(wrong(format!(
            "is longer than {BODY_BYTES_MAX} bytes; put an item on every line and use --lines"
        )));
    }
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    match serde_json::from_slice(&text).map_err(|error| wrong(format!("is not JSON ({error})")))? {
        Value::Array(items) => Ok(items),
        _ => Err(wrong(
            "must hold a JSON list; for an item on every line there is --lines".into(),
        )),
    }
}

/// A picture wants all of its tiles unless something else is said.
fn every_tile(input: &InputArgs, entry: Option<&Entry>, params: &Value) -> Option<RangeSpec> {
    let entry = entry?;
    if !input.items.is_empty() || input.lines.is_some() || input.file.is_some() || entry.picture.is_none() {
        return None;
    }
    // Parameters that do not fit are told by the server, whatever the range.
    let complete = entry.check_params(params).unwrap_or_default();
    let size = crate::picture::Size::of(&complete).unwrap_or_default();
    Some(RangeSpec {
        start: 0,
        end: size.tiles().max(1).cast_signed(),
        step: 1,
    })
}

/// Items in a file, which is uploaded, or on standard input, which is read later.
async fn from_outside(client: &Client, input: &InputArgs, encoding: Encoding) -> Result<InputSpec, Failure> {
    if let Some(path) = &input.lines {
        let blob = upload(client, path).await?;
        return Ok(InputSpec::Blob(BlobSpec {
            blob,
            split: Split::Lines,
            encoding,
        }));
    }
    if let (Some(path), Some(bytes)) = (&input.file, input.records) {
        let blob = upload(client, path).await?;
        return Ok(InputSpec::Blob(BlobSpec {
            blob,
            split: Split::Records(bytes),
            encoding: Encoding::Text,
        }));
    }
    if input.items.is_empty() && std::io::stdin().is_terminal() {
        let advice = "no items: write them behind the entry, pipe them in, or use --range or --lines";
        return Err(Failure::Usage(advice.into()));
    }
    Ok(InputSpec::Open(OpenSpec { encoding }))
}

pub(crate) async fn upload(client: &Client, path: &Path) -> Result<BlobHash, Failure> {
    let wrong = |error: std::io::Error| Failure::Usage(format!("{}: {error}", path.display()));
    let file = tokio::fs::File::open(path).await.map_err(wrong)?;
    if file.metadata().await.map_err(wrong)?.is_dir() {
        return Err(Failure::Usage(format!("{}: is a folder", path.display())));
    }
    send(client, file).await
}

/// Standard input as a blob of lines.
pub(super) async fn upload_stdin(client: &Client, encoding: Encoding) -> Result<InputSpec, Failure> {
    let blob = send(client, tokio::io::stdin()).await?;
    Ok(InputSpec::Blob(BlobSpec {
        blob,
        split: Split::Lines,
        encoding,
    }))
}

pub(crate) async fn send(
    client: &Client,
    from: impl AsyncRead + Send + Unpin + 'static,
) -> Result<BlobHash, Failure> {
    let pieces = stream::try_unfold(from, |mut from| async move {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = (&mut from)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)
            .await?;
        Ok::<_, std::io::Error>((read > 0).then_some((piece, from)))
    });
    Ok(client.upload(reqwest::Body::wrap_stream(pieces)).await?.hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_two_or_three_numbers() {
        assert_eq!(
            read_range("3:-9:-2").unwrap(),
            RangeSpec {
                start: 3,
                end: -9,
                step: -2
            }
        );
        assert_eq!(
            read_range("0:5").unwrap(),
            RangeSpec {
                start: 0,
                end: 5,
                step: 1
            }
        );
        for wrong in ["", "5", "1:2:3:4", "a:b"] {
            assert!(read_range(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_item_that_is_not_json_says_what_to_do() {
        let told = format!("{:?}", read_item("ACGT", Encoding::Json).unwrap_err());
        assert!(told.contains("--text"), "{told}");
        assert_eq!(read_item("ACGT", Encoding::Text).unwrap(), "ACGT");
    }
}

//! `elytra task replay`: one shard, fetched and run here with all it has to say.
use crate::args::{Format, ReplayArgs};
use crate::failure::{Code, Failure};
use crate::output;
use crate::program::in_authors_words;
use crate::say::{bytes, duration_ms, note};
use crate::shell::{self, Replayed};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elytra_client::Client;
use kernel_abi::FAILURE_PREFIX;
use protocol::ids::ProgramHash;
use serde_json::{Value, json};

/// Fetches the shard and its program, runs it, and tells how it ended. The exit code is that of its job.
pub(crate) async fn replay(client: &Client, args: &ReplayArgs, format: Format) -> Result<Code, Failure> {
    let shard = client.shard(args.task.job, args.task.shard).await?;
    let (first, end) = (shard.first_item, shard.end_item);
    let which = match end - first {
        1 => format!("item {first}"),
        _ => format!("items {first} to {}", end - 1),
    };
    note(&format!("shard {} of {}: {which}", shard.shard, shard.job));
    let module = client.module(shard.program).await?;
    if ProgramHash::of(&module) != shard.program {
        let what = anyhow::anyhow!("what came is not program {}: its SHA-256 differs", shard.program);
        return Err(Failure::Other(what));
    }
    let input = STANDARD
        .decode(&shard.input)
        .map_err(|error| Failure::Other(error.into()))?;
    let (entry, limits) = (shard.entry.clone(), shard.limits);
    let program = shard.program;
    let run = move || shell::replay(program, &module, &entry, input, limits);
    let replayed = tokio::task::spawn_blocking(run)
        .await
        .map_err(anyhow::Error::from)??;
    let replayed = translated(client, args, program, replayed).await?;
    told(&replayed, first, format)
}

/// A script runs in an engine, and its failure names places in what was built of it.
async fn translated(
    client: &Client,
    args: &ReplayArgs,
    ran: ProgramHash,
    mut replayed: Replayed,
) -> Result<Replayed, Failure> {
    let Err(failure) = &mut replayed.result else {
        return Ok(replayed);
    };
    let program = client.job(args.task.job).await?.program;
    if program != ran {
        let script = client.module(program).await?;
        failure.detail = in_authors_words(&script, &failure.detail);
    }
    Ok(replayed)
}

fn told(replayed: &Replayed, first_item: u64, format: Format) -> Result<Code, Failure> {
    // How an item failed is the end of the log, and is told below.
    let log = String::from_utf8_lossy(&replayed.log);
    let log = log.split(FAILURE_PREFIX).next().unwrap_or_default().trim_end();
    if !log.is_empty() {
        note(&format!("log:\n{log}"));
    }
    note(&format!(
        "{} of CPU time, at most {} of memory",
        duration_ms(replayed.cpu_us.div_ceil(1_000)),
        bytes(replayed.memory_bytes_peak as u64)
    ));
    match &replayed.result {
        Ok(outputs) => {
            let lines: Vec<_> = (first_item..)
                .zip(outputs)
                .map(|(item, output)| line(item, output))
                .collect();
            match format {
                Format::Json => output::line(&Value::from(lines).to_string())?,
                _ => lines
                    .iter()
                    .try_for_each(|line| output::line(&line.to_string()))?,
            }
            Ok(Code::Done)
        }
        Err(failure) => {
            note(&format!(
                "{}: {}",
                crate::run::cause_word(failure.cause),
                failure.detail
            ));
            Ok(Code::JobFailed)
        }
    }
}

fn line(item: u64, output: &[u8]) -> Value {
    match (
        serde_json::from_slice::<Value>(output),
        std::str::from_utf8(output),
    ) {
        (Ok(output), _) => json!({"item": item, "output": output}),
        (_, Ok(text)) => json!({"item": item, "text": text}),
        _ => json!({"item": item, "bytes": STANDARD.encode(output)}),
    }
}

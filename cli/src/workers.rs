//! Workers: the list.
use crate::args::Format;
use crate::failure::{Code, Failure};
use crate::output::{self, Table, numbers, words};
use crate::say::{ago, number, rate};
use elytra_client::Client;
use protocol::api::Worker;
use protocol::wire::WorkerKind;
use serde_json::Value;

/// `elytra worker list`.
pub(crate) async fn list(client: &Client, format: Format) -> Result<Code, Failure> {
    let workers = client.workers().await?.workers;
    output::list(format, &workers, table)?;
    Ok(Code::Done)
}

fn table(workers: &[Worker]) -> Table {
    let columns = [
        words("WORKER"),
        words("NAME"),
        words("KIND"),
        words("STATE"),
        numbers("SLOTS"),
        numbers("HOLDS"),
    ];
    let more = [
        numbers("DONE"),
        numbers("FAILED"),
        numbers("RELIABLE"),
        words("SPEED"),
        words("SEEN"),
    ];
    let empty = "no workers: open the Contribute page and press Start, or run `elytra worker`";
    let mut table = Table::new(columns.into_iter().chain(more), empty);
    for worker in workers {
        table.row([
            worker.id.to_string(),
            worker.name.clone(),
            kind(worker).into(),
            state(worker),
            worker.slots.to_string(),
            number(u64::from(worker.leased)),
            number(worker.accepted),
            number(worker.failed + worker.lost),
            format!("{:.0} %", worker.reliability * 100.0),
            speed(worker),
            ago(worker.seen_ms),
        ]);
    }
    table
}

fn kind(worker: &Worker) -> &'static str {
    match (worker.kind, worker.trusted) {
        (WorkerKind::Tab, _) => "tab",
        (WorkerKind::Native, true) => "native, trusted",
        (WorkerKind::Native, false) => "native",
    }
}

fn state(worker: &Worker) -> String {
    if !worker.connected {
        return "gone".into();
    }
    let pause = worker.pause.and_then(|pause| serde_json::to_value(pause).ok());
    match pause.as_ref().and_then(Value::as_str) {
        Some(why) => format!("paused ({})", why.replace('_', " ")),
        None if worker.leased > 0 => "busy".into(),
        None => "idle".into(),
    }
}

/// The entry it was measured for last.
fn speed(worker: &Worker) -> String {
    let told = worker
        .speeds
        .first()
        .map(|speed| format!("{} {}/s", speed.entry, rate(speed.items_per_second)));
    told.unwrap_or_else(|| "-".into())
}

//! Items on their way to a job, with a bounded number in flight.
//!
//! The caller's iterator has a thread of its own, since it may block. Whatever waits goes out together,
//! so a single item leaves as soon as it is there and many share a request; no timer is involved.
use crate::{Client, Error};
use bytes::Bytes;
use futures_util::stream;
use protocol::ids::{BlobHash, JobId};
use protocol::limits::ITEM_BYTES_MAX;
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};

/// Items that were sent and have no result yet, where the caller does not say.
pub(crate) const IN_FLIGHT_DEFAULT: u64 = 10_000;
/// Most items of a request.
const BATCH_ITEMS_MAX: u64 = 8_192;
/// Bytes after which a request is sent; the last item may go beyond by its own length.
const BATCH_BYTES: usize = 1 << 20;
/// Items between the iterator's thread and the sender.
const ITEMS_WAITING_MAX: usize = 256;

/// Items as lines of JSON, each without its line feed.
pub(crate) type Lines = Box<dyn Iterator<Item = Result<Vec<u8>, Error>> + Send>;

type Waiting = mpsc::Receiver<Result<Vec<u8>, Error>>;

/// One item as a line.
pub(crate) fn line(index: u64, item: &impl Serialize) -> Result<Vec<u8>, Error> {
    let line = serde_json::to_vec(item).map_err(|source| Error::Item { index, source })?;
    if line.len() > ITEM_BYTES_MAX {
        let length = line.len();
        return Err(Error::Usage(format!(
            "item {index} has {length} bytes as JSON; at most {ITEM_BYTES_MAX} are allowed"
        )));
    }
    Ok(line)
}

/// Adds all of `lines` to `job` and closes it. `taken` counts the items whose results were taken; at
/// most `in_flight_max` others are on their way.
pub(crate) async fn feed(
    client: Client,
    job: JobId,
    lines: Lines,
    in_flight_max: u64,
    mut taken: watch::Receiver<u64>,
) -> Result<(), Error> {
    let mut waiting = read_in_background(lines)?;
    let mut sent = 0;
    while let Some(first) = waiting.recv().await {
        // The counter is gone when the results are: then nothing needs to be sent either.
        let Ok(room) = taken
            .wait_for(|&taken| sent < taken + in_flight_max)
            .await
            .map(|taken| *taken + in_flight_max - sent)
        else {
            return Ok(());
        };
        let (batch, items) = gather(first?, &mut waiting, room)?;
        let added = client.add_items_once(job, batch, sent).await;
        added.map_err(|error| in_whole_input(error, sent))?;
        sent += items;
    }
    let close = || client.steer(job, "close");
    client.patiently(close, |_| {}).await.map(drop)
}

/// What waits already, up to a request, and how many items that is.
fn gather(first: Vec<u8>, waiting: &mut Waiting, room: u64) -> Result<(Bytes, u64), Error> {
    let mut batch = first;
    batch.push(b'\n');
    let mut items = 1;
    while items < room.min(BATCH_ITEMS_MAX)
        && batch.len() < BATCH_BYTES
        && let Ok(line) = waiting.try_recv()
    {
        batch.extend_from_slice(&line?);
        batch.push(b'\n');
        items += 1;
    }
    Ok((batch.into(), items))
}

/// The server counts the lines of a request from 1; the caller counts items from 0.
fn in_whole_input(mut error: Error, sent: u64) -> Error {
    if let Error::Problem(problem) = &mut error {
        for field in &mut problem.fields {
            let line = field.field.strip_prefix("line ");
            if let Some(line) = line.and_then(|line| line.parse::<u64>().ok()) {
                field.field = format!("item {}", (sent + line).saturating_sub(1));
            }
        }
    }
    error
}

/// Uploads all of `lines` as one blob, a piece at a time.
pub(crate) async fn upload(client: &Client, lines: Lines) -> Result<BlobHash, Error> {
    let waiting = read_in_background(lines)?;
    let broken = Arc::new(Mutex::new(None));
    let pieces = stream::unfold(
        (waiting, Arc::clone(&broken)),
        |(mut waiting, broken)| async move {
            let first = waiting.recv().await?;
            let piece = first.and_then(|first| gather(first, &mut waiting, u64::MAX));
            let piece = piece.map(|(piece, _)| piece).map_err(|error| {
                *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                std::io::Error::other("the items broke off")
            });
            Some((piece, (waiting, broken)))
        },
    );
    let uploaded = client.upload(reqwest::Body::wrap_stream(pieces)).await;
    // An item that cannot be sent is the cause; the broken upload only follows from it.
    let cause = broken.lock().unwrap_or_else(PoisonError::into_inner).take();
    match cause {
        Some(error) => Err(error),
        None => uploaded.map(|blob| blob.hash),
    }
}

/// A read of an iterator cannot be called off, so it has a thread that the caller may leave behind.
fn read_in_background(lines: Lines) -> Result<Waiting, Error> {
    let (sink, waiting) = mpsc::channel(ITEMS_WAITING_MAX);
    let thread = std::thread::Builder::new().name("elytra-items".into());
    let reading = thread.spawn(move || {
        for line in lines {
            let is_last = line.is_err();
            if sink.blocking_send(line).is_err() || is_last {
                return;
            }
        }
    });
    match reading {
        Ok(_) => Ok(waiting),
        Err(error) => Err(Error::Machine(format!("there is no thread to be had: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_holds_what_waits_and_no_more_than_there_is_room_for() {
        let (sink, mut waiting) = mpsc::channel(8);
        for item in [b"2", b"3", b"4"] {
            sink.try_send(Ok(item.to_vec())).unwrap();
        }
        let gathered = gather(b"1".to_vec(), &mut waiting, 3).unwrap();
        assert_eq!(gathered, (Bytes::from("1\n2\n3\n"), 3));
        let gathered = gather(b"0".to_vec(), &mut waiting, 3).unwrap();
        assert_eq!(gathered, (Bytes::from("0\n4\n"), 2));
    }

    #[test]
    fn an_item_that_is_too_long_is_named() {
        let told = line(7, &"x".repeat(ITEM_BYTES_MAX)).unwrap_err().to_string();
        assert!(told.starts_with("item 7 has"), "{told}");
    }
}

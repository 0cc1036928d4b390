//! Lines of standard input become items of an open job, with a bounded number on their way.
//!
//! One thread reads whatever is waiting, up to a batch; the next batch gathers while the one before is
//! on its way. No timer is involved: a single line goes out as soon as it is there. At most
//! [`WAITING_MAX`] items are without a result, so memory stays flat however long the input is.
use crate::failure::Failure;
use crate::run::joblog::Done;
use bytes::Bytes;
use elytra_client::Client;
use protocol::ids::JobId;
use protocol::job::Encoding;
use protocol::limits::ITEM_BYTES_MAX;
use std::cell::Cell;
use std::io::{ErrorKind, Read};
use tokio::sync::{mpsc, watch};

/// Items that were sent and have no result yet.
pub(crate) const WAITING_MAX: u64 = 10_000;
/// Items of a batch.
const BATCH_ITEMS_MAX: u64 = 1_000;
/// Bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;
/// Batches between the reader and the sender.
const BATCHES_WAITING_MAX: usize = 1;

/// Whole lines.
#[derive(Debug, PartialEq, Eq)]
struct Batch {
    lines: Bytes,
    items: u64,
}

/// Sends standard input to `job` and closes it at the end. `results` counts the items that have theirs.
pub(crate) async fn feed(
    client: Client,
    job: JobId,
    encoding: Encoding,
    done: Done,
    mut results: watch::Receiver<u64>,
) -> Result<(), Failure> {
    let mut batches = read_in_background(std::io::stdin(), encoding, done)?;
    let mut sent = 0;
    while let Some(batch) = batches.recv().await {
        let batch = batch?;
        let room = WAITING_MAX - batch.items;
        // The counter is gone when the results are: then nothing needs to be sent either.
        let Ok(_) = results.wait_for(|&results| sent <= results + room).await else {
            return Ok(());
        };
        let added = client.add_items_once(job, batch.lines.clone(), sent).await;
        added.map_err(|error| in_whole_input(error.into(), sent))?;
        sent += batch.items;
    }
    client.patiently(|| client.steer(job, "close"), |_| {}).await?;
    Ok(())
}

/// The server counts the lines of a batch; people count those of the whole input.
fn in_whole_input(mut failure: Failure, sent: u64) -> Failure {
    if let Failure::Problem(problem) = &mut failure {
        for field in &mut problem.fields {
            let line = field
                .field
                .strip_prefix("line ")
                .and_then(|line| line.parse::<u64>().ok());
            if let Some(line) = line {
                field.field = format!("item {} of standard input", sent + line);
            }
        }
    }
    failure
}

type Batches = mpsc::Receiver<Result<Batch, Failure>>;

/// A read of standard input cannot be called off, so it has a thread that the process may leave behind.
fn read_in_background(
    input: impl Read + Send + 'static,
    encoding: Encoding,
    done: Done,
) -> Result<Batches, Failure> {
    let (sink, batches) = mpsc::channel(BATCHES_WAITING_MAX);
    let thread = std::thread::Builder::new().name("stdin".into());
    let reading = thread.spawn(move || {
        let mut item = 0;
        let wanted = move || {
            item += 1;
            !done.has(item - 1)
        };
        if let Err(failure) = read(input, encoding, wanted, |batch| {
            sink.blocking_send(Ok(batch)).is_ok()
        }) {
            // Nobody listens any more when this fails.
            let _ = sink.blocking_send(Err(failure));
        }
    });
    reading.map_err(|error| Failure::Other(error.into()))?;
    Ok(batches)
}

/// Hands whole lines on as they come, those that are wanted, until the end or until `take` wants no more.
fn read(
    mut input: impl Read,
    encoding: Encoding,
    mut wanted: impl FnMut() -> bool,
    mut take: impl FnMut(Batch) -> bool,
) -> Result<(), Failure> {
    let item = Cell::new(0u64);
    let mut wanted = || {
        item.set(item.get() + 1);
        wanted()
    };
    let mut kept = Vec::new();
    let mut piece = vec![0; READ_BYTES];
    loop {
        let length = match input.read(&mut piece) {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(Failure::Other(anyhow::anyhow!(
                    "standard input cannot be read: {error}"
                )));
            }
        };
        kept.extend_from_slice(&piece[..length]);
        if length == 0 && !kept.is_empty() {
            kept.push(b'\n');
        }
        let whole = kept
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let rest = kept.split_off(whole);
        if !batches(&kept, encoding, &mut wanted).all(&mut take) || length == 0 {
            return Ok(());
        }
        kept = rest;
        if kept.len() > ITEM_BYTES_MAX {
            let told = format!(
                "item {} of standard input is longer than {ITEM_BYTES_MAX} bytes: split it into lines, or give the \
                 input with --file and --records",
                item.get() + 1
            );
            return Err(Failure::Usage(told));
        }
    }
}

/// Cuts whole lines into batches; `wanted` is asked once for each item. Empty lines are no JSON and no item; as text they are empty items.
fn batches(
    lines: &[u8],
    encoding: Encoding,
    wanted: &mut impl FnMut() -> bool,
) -> impl Iterator<Item = Batch> {
    let is_item = move |line: &&[u8]| encoding == Encoding::Text || !line.trim_ascii().is_empty();
    let mut items = lines
        .split_inclusive(|&byte| byte == b'\n')
        .filter(is_item)
        .filter(move |_| wanted())
        .peekable();
    std::iter::from_fn(move || {
        items.peek()?;
        let mut batch = Vec::new();
        let mut count = 0;
        for line in items
            .by_ref()
            .take(usize::try_from(BATCH_ITEMS_MAX).unwrap_or(usize::MAX))
        {
            batch.extend_from_slice(line);
            count += 1;
        }
        Some(Batch {
            lines: batch.into(),
            items: count,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives the bytes in pieces, as a pipe does.
    struct Pipe(Vec<&'static [u8]>);

    impl Read for Pipe {
        fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            let piece = self.0.remove(0);
            to[..piece.len()].copy_from_slice(piece);
            Ok(piece.len())
        }
    }

    fn told(pieces: &[&'static [u8]], encoding: Encoding) -> Vec<(String, u64)> {
        let mut all = Vec::new();
        read(
            Pipe(pieces.to_vec()),
            encoding,
            || true,
            |batch| {
                all.push((String::from_utf8(batch.lines.to_vec()).unwrap(), batch.items));
                true
            },
        )
        .unwrap();
        all
    }

    #[test]
    fn whole_lines_go_out_as_they_come() {
        let wanted = [("1\n2\n", 2), ("34\n", 1), ("5\n", 1)].map(|(lines, items)| (lines.to_owned(), items));
        assert_eq!(told(&[b"1\n2\n3", b"4\n5"], Encoding::Json), wanted);
    }

    #[test]
    fn an_empty_line_is_an_item_only_as_text() {
        assert_eq!(
            told(&[b"1\n\n \n2\n"], Encoding::Json),
            [("1\n2\n".to_owned(), 2)]
        );
        assert_eq!(
            told(&[b"a\n\nb"], Encoding::Text),
            [("a\n\n".to_owned(), 2), ("b\n".to_owned(), 1)]
        );
        assert_eq!(told(&[b"\n\n"], Encoding::Json), []);
    }

    #[test]
    fn a_batch_is_bounded_and_reading_stops_when_nobody_wants_more() {
        let mut batches = 0;
        let endless = std::io::repeat(b'\n');
        read(
            endless,
            Encoding::Text,
            || true,
            |batch| {
                assert_eq!(batch.items, BATCH_ITEMS_MAX);
                batches += 1;
                batches < 3
            },
        )
        .unwrap();
        assert_eq!(batches, 3);
    }

    #[test]
    fn a_line_without_an_end_is_refused() {
        let failure = read(std::io::repeat(b'7'), Encoding::Json, || true, |_| true).unwrap_err();
        assert!(format!("{failure:?}").contains("longer than"));
    }
}

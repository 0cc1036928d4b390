//! The items of a stage: a blob with a JSON list of neighbouring outputs on every line.
use super::Halt;
use crate::blobs::BlobError;
use crate::route::App;
use crate::store::{StoredJob, StoredOutputs};
use bytes::Bytes;
use protocol::cut::{Cut, ShardRun};
use protocol::ids::{BlobHash, ShardIndex};
use protocol::limits::{ITEM_BYTES_MAX, OUTPUT_BYTES_MAX};

/// About how many bytes of outputs are read at a time.
const READ_BYTES: usize = 1 << 20;
/// The map, and every stage, lies in the store as stage 0 of its own job.
const STAGE: u8 = 0;

/// What was gathered.
pub(super) struct Gathered {
    pub(super) blob: BlobHash,
    pub(super) items: u64,
}

/// Writes the outputs of a finished stage as the items of the next. Which outputs stand together follows
/// from their items' numbers alone; those of skipped shards are left out.
pub(super) async fn gather(app: &App, job: &StoredJob, fan_in: u32) -> Result<Gathered, Halt> {
    let mut writer = app.blobs.writer().await?;
    let mut lines = Lines::new(fan_in);
    let mut next: ShardIndex = 0;
    loop {
        let id = job.record.id;
        let runs = app
            .read(move |reader| reader.outputs(id, STAGE, next, READ_BYTES))
            .await;
        let runs = runs.map_err(|error| Halt::Away(format!("{error:?}")))?;
        let Some(last) = runs.last() else { break };
        next = last.run().end();
        for stored in runs {
            for (shard, output) in outputs(app, stored).await? {
                lines.shard(&job.cut, shard, &output)?;
            }
        }
        writer.write(&lines.take()).await?;
    }
    lines.end();
    writer.write(&lines.take()).await?;
    Ok(Gathered {
        blob: writer.finish().await?,
        items: lines.count,
    })
}

async fn outputs(app: &App, stored: StoredOutputs) -> Result<Vec<(ShardIndex, Bytes)>, Halt> {
    match stored {
        StoredOutputs::Inline(outputs) => Ok(outputs.iter().collect()),
        StoredOutputs::Blob { shard, blob } => {
            let output = app.blobs.read_all(blob, OUTPUT_BYTES_MAX).await?;
            let lost = || {
                Halt::Failed(format!(
                    "the output of shard {shard} is not among the blobs any more"
                ))
            };
            Ok(vec![(shard, output.ok_or_else(lost)?)])
        }
    }
}

/// Lists being written.
struct Lines {
    fan_in: u64,
    text: Vec<u8>,
    /// Where the list that is open begins in `text`, and which it is.
    open: Option<(usize, u64)>,
    count: u64,
}

impl Lines {
    fn new(fan_in: u32) -> Self {
        Self {
            fan_in: u64::from(fan_in),
            text: Vec::new(),
            open: None,
            count: 0,
        }
    }

    fn shard(&mut self, cut: &Cut, shard: ShardIndex, output: &[u8]) -> Result<(), Halt> {
        let run = ShardRun {
            first: shard,
            count: 1,
        };
        let first = cut.piece(run).map_or(0, |piece| piece.first_item);
        for (item, output) in (first..).zip(kernel_abi::split_framed(output)) {
            let output = output.map_err(|_| Halt::Failed(format!("the output of item {item} is cut off")))?;
            self.output(item, output)?;
        }
        Ok(())
    }

    fn output(&mut self, item: u64, output: &[u8]) -> Result<(), Halt> {
        let list = item / self.fan_in;
        if self.open.is_some_and(|(_, open)| open != list) {
            self.end();
        }
        match self.open {
            Some(_) => self.text.push(b','),
            None => {
                self.open = Some((self.text.len(), list));
                self.text.push(b'[');
                self.count += 1;
            }
        }
        // A line feed between the words of JSON is a space; inside of a string it cannot stand.
        self.text.extend(output.iter().map(|byte| {
            if *byte == b'\n' || *byte == b'\r' {
                b' '
            } else {
                *byte
            }
        }));
        self.check_length(item)
    }

    fn check_length(&self, item: u64) -> Result<(), Halt> {
        let bytes = self.open.map_or(0, |(start, _)| self.text.len() - start);
        if bytes < ITEM_BYTES_MAX {
            return Ok(());
        }
        Err(Halt::Failed(format!(
            "up to item {item}, {} outputs together have more than {ITEM_BYTES_MAX} bytes, which is too long for one \
             item of the reduction: choose a smaller `fan_in`, or shorter outputs",
            self.fan_in
        )))
    }

    fn end(&mut self) {
        if self.open.take().is_some() {
            self.text.extend_from_slice(b"]\n");
        }
    }

    /// What is written so far, except for the list that is open.
    fn take(&mut self) -> Vec<u8> {
        let open = match &mut self.open {
            Some((start, _)) => {
                let open = self.text.split_off(*start);
                *start = 0;
                open
            }
            None => Vec::new(),
        };
        std::mem::replace(&mut self.text, open)
    }
}

impl From<BlobError> for Halt {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Io { .. } => Self::Away(error.to_string()),
            BlobError::Missing(_) => Self::Failed(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_meet_by_the_numbers_of_their_items() {
        let mut lines = Lines::new(3);
        let mut text = Vec::new();
        for item in [0, 1, 2, 3, 5, 9] {
            lines.output(item, item.to_string().as_bytes()).unwrap();
            // However often it is written out, the lists are the same.
            text.extend(lines.take());
        }
        lines.end();
        text.extend(lines.take());
        assert_eq!(String::from_utf8(text).unwrap(), "[0,1,2]\n[3,5]\n[9]\n");
        assert_eq!(lines.count, 3);
    }

    #[test]
    fn an_item_that_would_be_too_long_says_what_to_do() {
        let mut lines = Lines::new(64);
        let long = vec![b'1'; ITEM_BYTES_MAX / 2];
        lines.output(0, &long).unwrap();
        let told = lines.output(1, &long).unwrap_err().to_string();
        assert!(told.contains("smaller `fan_in`"), "{told}");
    }
}

//! Outputs as lines of JSON, gathered into pieces of a body.
use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::api::ResultLine;
use protocol::description::OutputKind;
use protocol::wire::Cause;
use serde_json::value::RawValue;
use std::io::{self, Write as _};
use tokio::sync::mpsc;

/// A piece is sent when it is this long.
const PIECE_BYTES: usize = 32 << 10;
const MISCOUNTED: &str = "the program's output does not hold one result for each item";

/// Why a stream stops before its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// As many items were told as were asked for.
    Enough,
    /// Nobody reads any more.
    Gone,
}

/// Writes lines into a body.
pub(super) struct Lines {
    sink: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
    kind: OutputKind,
    /// How many more items are wanted.
    left: Option<u64>,
}

impl Lines {
    pub(super) fn new(sink: mpsc::Sender<io::Result<Bytes>>, kind: OutputKind, limit: Option<u64>) -> Self {
        Self {
            sink,
            buffer: Vec::new(),
            kind,
            left: limit,
        }
    }

    /// One shard's output: its items `[first, end)`, told from `from` on. Says in `from` how far it got.
    pub(super) async fn shard(
        &mut self,
        output: &[u8],
        items: (u64, u64),
        from: &mut u64,
    ) -> Result<(), Stop> {
        if !holds(output, items.1 - items.0) {
            let (first_item, end_item) = items;
            let detail = MISCOUNTED.to_owned();
            self.line(&ResultLine::Failed {
                first_item,
                end_item,
                cause: Cause::ItemFailed,
                detail,
            })
            .await?;
            *from = end_item;
            return Ok(());
        }
        let outputs = kernel_abi::split_framed(output).map_while(Result::ok);
        for (item, output) in (items.0..items.1).zip(outputs) {
            if item < *from {
                continue;
            }
            self.count()?;
            self.item(item, output);
            *from = item + 1;
            self.send_when_long().await?;
        }
        Ok(())
    }

    /// A line that counts as one of those asked for.
    pub(super) async fn line(&mut self, line: &ResultLine) -> Result<(), Stop> {
        self.count()?;
        self.write(line);
        self.send_when_long().await
    }

    /// A line that does not count, sent at once with all that waits.
    pub(super) async fn last(&mut self, line: &ResultLine) -> Result<(), Stop> {
        self.write(line);
        self.flush().await
    }

    /// Sends what waits.
    pub(super) async fn flush(&mut self) -> Result<(), Stop> {
        if self.buffer.is_empty() {
            return if self.sink.is_closed() {
                Err(Stop::Gone)
            } else {
                Ok(())
            };
        }
        let piece = std::mem::take(&mut self.buffer);
        self.sink.send(Ok(piece.into())).await.map_err(|_| Stop::Gone)
    }

    /// Cuts the body off, so that the reader knows that something is missing.
    pub(super) async fn cut_off(self, why: &str) {
        let _ = self.sink.send(Err(io::Error::other(why.to_owned()))).await;
    }

    /// Resolves when nobody reads any more.
    pub(super) fn closed(&self) -> impl Future<Output = ()> + use<> {
        let sink = self.sink.clone();
        async move { sink.closed().await }
    }

    fn count(&mut self) -> Result<(), Stop> {
        match &mut self.left {
            Some(0) => Err(Stop::Enough),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    async fn send_when_long(&mut self) -> Result<(), Stop> {
        if self.buffer.len() >= PIECE_BYTES {
            self.flush().await
        } else {
            Ok(())
        }
    }

    fn write(&mut self, line: &ResultLine) {
        // Writing into memory cannot fail.
        let _ = serde_json::to_writer(&mut self.buffer, line);
        self.buffer.push(b'\n');
    }

    /// The hot path: the output's JSON is checked, not rebuilt.
    fn item(&mut self, item: u64, output: &[u8]) {
        let json = (self.kind == OutputKind::Json)
            .then(|| one_line_json(output))
            .flatten();
        let _ = match json {
            Some(json) => write!(self.buffer, r#"{{"item":{{"item":{item},"output":{json}}}}}"#),
            None => write!(
                self.buffer,
                r#"{{"item":{{"item":{item},"bytes":"{}"}}}}"#,
                STANDARD.encode(output)
            ),
        };
        self.buffer.push(b'\n');
    }
}

fn holds(output: &[u8], items: u64) -> bool {
    let mut count = 0;
    kernel_abi::split_framed(output).all(|item| {
        count += 1;
        item.is_ok()
    }) && count == items
}

/// The output as JSON without line feeds between its words; nothing when it is not JSON.
fn one_line_json(output: &[u8]) -> Option<std::borrow::Cow<'_, str>> {
    let raw: &RawValue = serde_json::from_slice(output).ok()?;
    let text = raw.get();
    if text.bytes().any(|byte| byte == b'\n' || byte == b'\r') {
        let value: serde_json::Value = serde_json::from_str(text).ok()?;
        return Some(value.to_string().into());
    }
    Some(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn told(
        output: &[u8],
        items: (u64, u64),
        from: u64,
        kind: OutputKind,
        limit: Option<u64>,
    ) -> (String, u64) {
        let (sink, mut pieces) = mpsc::channel(1);
        let mut lines = Lines::new(sink, kind, limit);
        let mut from = from;
        let _ = lines.shard(output, items, &mut from).await;
        lines.flush().await.unwrap();
        let text = String::from_utf8(pieces.recv().await.unwrap().unwrap().to_vec()).unwrap();
        (text, from)
    }

    fn framed(outputs: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for output in outputs {
            kernel_abi::write_framed(&mut bytes, output);
        }
        bytes
    }

    #[tokio::test]
    async fn lines_are_what_the_protocol_says() {
        let output = framed(&[b"1", b"{\n\"a\":2}", b"not json"]);
        let (text, from) = told(&output, (4, 7), 5, OutputKind::Json, None).await;
        let lines: Vec<ResultLine> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let item = |item, output, bytes| ResultLine::Item { item, output, bytes };
        let wanted = [
            item(5, Some(serde_json::json!({"a": 2})), None),
            item(6, None, Some("bm90IGpzb24=".into())),
        ];
        assert_eq!((&lines[..], from), (&wanted[..], 7));
    }

    #[tokio::test]
    async fn no_more_is_told_than_asked_for() {
        let output = framed(&[b"1", b"2", b"3"]);
        let (text, from) = told(&output, (0, 3), 0, OutputKind::Json, Some(2)).await;
        assert_eq!((text.lines().count(), from), (2, 2));
    }

    #[tokio::test]
    async fn an_output_that_holds_too_little_is_told_as_failed() {
        let (text, from) = told(&framed(&[b"1"]), (0, 3), 0, OutputKind::Json, None).await;
        assert!(
            text.contains(r#""end_item":3"#) && text.contains(MISCOUNTED),
            "{text}"
        );
        assert_eq!(from, 3);
    }
}

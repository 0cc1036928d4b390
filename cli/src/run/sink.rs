//! Where results go: lines on standard output, or a picture.
use crate::args::{Format, ResultArgs};
use crate::failure::Failure;
use crate::output::closed;
use crate::picture::Canvas;
use crate::say::note;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indicatif::ProgressBar;
use protocol::api::ResultLine;
use protocol::wire::Cause;
use serde_json::{Value, json};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

/// Failed pieces of which each is told; the rest is in the count at the end.
const FAILURES_TOLD_MAX: u32 = 5;
/// Buffered bytes after which they are written without waiting for the stream to pause.
const BUFFER_BYTES: usize = 64 << 10;

/// Takes results.
pub(crate) struct Sink {
    to: To,
    failures: u32,
}

enum To {
    Lines(Lines),
    Picture(Box<Canvas>, PathBuf),
}

impl Sink {
    /// Lines on standard output; `bar` steps aside while they are written to the same terminal.
    /// What a command wrote goes out as it is, where nothing else was asked for.
    pub(crate) fn lines(
        format: Format,
        args: &ResultArgs,
        is_command: bool,
        bar: Option<ProgressBar>,
    ) -> Self {
        let bar = bar.filter(|_| io::stdout().is_terminal());
        let lines = Lines {
            index: args.index || args.unordered,
            is_raw: is_command && format == Format::Table,
            is_list: format == Format::Json,
            is_first: true,
            buffer: Vec::new(),
            bar,
        };
        Self {
            to: To::Lines(lines),
            failures: 0,
        }
    }

    /// A PNG file, written at the end.
    pub(crate) fn picture(canvas: Canvas, path: PathBuf) -> Self {
        Self {
            to: To::Picture(Box::new(canvas), path),
            failures: 0,
        }
    }

    /// Takes a result; returns how many items it tells of.
    pub(crate) fn take(&mut self, line: &ResultLine) -> Result<u64, Failure> {
        match line {
            ResultLine::Cursor { .. } => Ok(0),
            ResultLine::Failed {
                first_item,
                end_item,
                cause,
                detail,
            } => {
                let items = end_item.saturating_sub(*first_item);
                self.tell_failed(*first_item, items, *cause, detail);
                if let To::Lines(lines) = &mut self.to {
                    lines.failed((*first_item, *end_item), *cause, detail)?;
                }
                Ok(items)
            }
            ResultLine::Item { item, output, bytes } => {
                match &mut self.to {
                    To::Lines(lines) => lines.item(*item, output.as_ref(), bytes.as_deref())?,
                    To::Picture(canvas, _) => {
                        let tile = STANDARD
                            .decode(bytes.as_deref().unwrap_or_default())
                            .unwrap_or_default();
                        canvas.put(*item, &tile)?;
                    }
                }
                Ok(1)
            }
        }
    }

    /// Writes what waits; called whenever the stream pauses.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        match &mut self.to {
            To::Lines(lines) => lines.flush(),
            To::Picture(..) => Ok(()),
        }
    }

    /// Nothing more comes.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        match &mut self.to {
            To::Lines(lines) => lines.finish(),
            To::Picture(canvas, path) => {
                canvas.write_png(path)?;
                note(&format!("picture written to {}", path.display()));
                Ok(())
            }
        }
    }

    /// What a program says of an item begins with the item; nothing is said twice.
    fn tell_failed(&mut self, first: u64, items: u64, cause: Cause, detail: &str) {
        self.failures += 1;
        if self.failures > FAILURES_TOLD_MAX {
            return;
        }
        let which = if items == 1 {
            format!("item {first}")
        } else {
            format!("items {first} to {}", first + items - 1)
        };
        let told = match detail.strip_prefix(&format!("{which}: ")) {
            Some(why) => format!("{which} failed: {why}"),
            None if cause == Cause::ItemFailed => format!("{which} failed: {detail}"),
            None => format!("{which} failed: {}: {detail}", cause_word(cause)),
        };
        match &self.to {
            To::Lines(Lines { bar: Some(bar), .. }) => bar.suspend(|| note(&told)),
            _ => note(&told),
        }
    }
}

/// The word of a cause, as in JSON.
pub(crate) fn cause_word(cause: Cause) -> String {
    let word = serde_json::to_value(cause).ok();
    word.as_ref()
        .and_then(Value::as_str)
        .unwrap_or("unknown")
        .replace('_', " ")
}

struct Lines {
    index: bool,
    /// Bytes go out as they are.
    is_raw: bool,
    /// One JSON list instead of a value a line.
    is_list: bool,
    is_first: bool,
    buffer: Vec<u8>,
    bar: Option<ProgressBar>,
}

impl Lines {
    fn item(&mut self, item: u64, output: Option<&Value>, bytes: Option<&str>) -> Result<(), Failure> {
        if self.is_raw && !self.index {
            return self.write_raw(bytes.unwrap_or_default());
        }
        let value = match (self.index, output, bytes) {
            (false, Some(output), _) => return self.write(output),
            (false, None, bytes) => return self.write(&bytes),
            (true, Some(output), _) => json!({"item": item, "output": output}),
            (true, None, bytes) => json!({"item": item, "bytes": bytes}),
        };
        self.write(&value)
    }

    /// Without an index, the n-th line belongs to the n-th item: `null` keeps the place.
    fn failed(&mut self, items: (u64, u64), cause: Cause, detail: &str) -> Result<(), Failure> {
        if self.index {
            let value = json!({"first_item": items.0, "end_item": items.1, "cause": cause, "detail": detail});
            return self.write(&value);
        }
        if self.is_raw {
            return Ok(());
        }
        (items.0..items.1).try_for_each(|_| self.write(&Value::Null))
    }

    fn write_raw(&mut self, base64: &str) -> Result<(), Failure> {
        STANDARD
            .decode_vec(base64, &mut self.buffer)
            .map_err(|error| Failure::Other(error.into()))?;
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn write(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        if self.is_list {
            self.buffer
                .extend_from_slice(if self.is_first { b"[\n" } else { b",\n" });
        }
        self.is_first = false;
        serde_json::to_writer(&mut self.buffer, value).map_err(|error| Failure::Other(error.into()))?;
        if !self.is_list {
            self.buffer.push(b'\n');
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        if self.is_list {
            self.buffer
                .extend_from_slice(if self.is_first { b"[]\n" } else { b"\n]\n" });
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        let write = || {
            let mut out = io::stdout().lock();
            out.write_all(&buffer).and_then(|()| out.flush())
        };
        let written = match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        written.map_err(closed)
    }
}

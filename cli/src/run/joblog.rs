//! A log of finished items, in the format of GNU parallel, and what is left of a job that it tells of.
//!
//! A row is written when an item's result came; what is known of shards only (when an item began, how long it
//! took) stands as zero. With `--resume` the items that the log tells of are left out, so a run that was broken
//! off, or that grew new items at its end, goes on where it was.
use crate::failure::Failure;
use protocol::job::{InputSpec, RangeSpec};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

const HEADER: &str = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";
/// Numbers that are written out when a range has holes.
const SCATTERED_ITEMS_MAX: usize = 1_000_000;

/// The log of one run.
pub(crate) struct JobLog {
    path: PathBuf,
    file: BufWriter<File>,
    host: String,
    command: String,
    done: Done,
}

/// Items that an earlier run finished: their numbers from 0 on, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done(Vec<u64>);

impl Done {
    /// Reads a log; one that is not there yet tells of nothing.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |why: String| Failure::Usage(format!("--joblog {}: {why}", path.display()));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(wrong(error.to_string())),
        };
        let mut done = Vec::new();
        for (number, line) in BufReader::new(file).lines().enumerate().skip(1) {
            let line = line.map_err(|error| wrong(error.to_string()))?;
            let seq = line.split('\t').next().and_then(|seq| seq.parse::<u64>().ok());
            let seq = seq.filter(|&seq| seq > 0);
            let told = || {
                wrong(format!(
                    "line {} is no row of a joblog; give another file",
                    number + 1
                ))
            };
            done.push(seq.ok_or_else(told)? - 1);
        }
        done.sort_unstable();
        done.dedup();
        Ok(Self(done))
    }

    /// Whether an item is finished.
    pub(crate) fn has(&self, item: u64) -> bool {
        self.0.binary_search(&item).is_ok()
    }

    /// The number, among all items, of the `k`-th item that is not finished.
    fn nth_left(&self, k: u64) -> u64 {
        // How many of the finished ones come before it: those whose number minus their place is at most `k`.
        let (mut low, mut high) = (0, self.0.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.0[middle] - middle as u64 <= k {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        k + low as u64
    }

    /// What is left of items that are known beforehand; nothing where all are finished.
    pub(crate) fn left_of(&self, input: InputSpec) -> Result<Option<InputSpec>, Failure> {
        if self.0.is_empty() {
            return Ok(Some(input));
        }
        match input {
            InputSpec::Items(items) => {
                let numbered = (0..).zip(items);
                let left: Vec<_> = numbered
                    .filter(|(n, _)| !self.has(*n))
                    .map(|(_, item)| item)
                    .collect();
                Ok((!left.is_empty()).then_some(InputSpec::Items(left)))
            }
            InputSpec::Range(range) => self.left_of_range(range),
            InputSpec::Blob(_) => Err(Failure::Usage(
                "--resume: give the file on standard input (`< FILE`), where lines can be left out".into(),
            )),
            InputSpec::Open(open) => Ok(Some(InputSpec::Open(open))),
        }
    }

    fn left_of_range(&self, range: RangeSpec) -> Result<Option<InputSpec>, Failure> {
        let count = range.count().unwrap_or(0);
        let finished = self.0.partition_point(|&item| item < count) as u64;
        if finished == count {
            return Ok(None);
        }
        let value = |item: u64| i128::from(range.start) + i128::from(item) * i128::from(range.step);
        // As a rule the finished ones are the first ones, and what is left is a range again.
        if self.nth_left(0) == finished {
            let start = i64::try_from(value(finished)).unwrap_or(i64::MAX);
            return Ok(Some(InputSpec::Range(RangeSpec { start, ..range })));
        }
        if count - finished > SCATTERED_ITEMS_MAX as u64 {
            return Err(Failure::Usage(format!(
                "--resume: more than {SCATTERED_ITEMS_MAX} numbers of a range with holes are left; pipe them in"
            )));
        }
        let left = (0..count).filter(|item| !self.has(*item)).map(value);
        let items = left
            .filter_map(|n| i64::try_from(n).ok())
            .map(Value::from)
            .collect();
        Ok(Some(InputSpec::Items(items)))
    }
}

impl JobLog {
    /// Opens the log: a new one, or, where items are left out, the old one's end.
    pub(crate) fn open(
        path: &Path,
        resume: bool,
        done: Done,
        host: &str,
        command: &str,
    ) -> Result<Self, Failure> {
        let wrong = |error: std::io::Error| Failure::Usage(format!("--joblog {}: {error}", path.display()));
        let mut options = OpenOptions::new();
        options.create(true).write(true).append(resume).truncate(!resume);
        let file = options.open(path).map_err(wrong)?;
        let is_new = file.metadata().map_err(wrong)?.len() == 0;
        let mut log = Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            host: host.to_owned(),
            command: command.replace(['\t', '\n'], " "),
            done,
        };
        if is_new {
            log.write(HEADER)?;
        }
        Ok(log)
    }

    /// An item's result came: so many bytes, or none because it failed.
    pub(crate) fn note(&mut self, item: u64, received: Option<usize>) -> Result<(), Failure> {
        let seq = self.done.nth_left(item) + 1;
        let time_s = crate::say::now_ms() as f64 / 1e3;
        let (exit, bytes) = (i32::from(received.is_none()), received.unwrap_or(0));
        let (host, command) = (&self.host, &self.command);
        let row = format!("{seq}\t{host}\t{time_s:.3}\t0.000\t0\t{bytes}\t{exit}\t0\t{command}\n");
        self.write(&row)
    }

    /// Whole rows only reach the file: a run that is broken off leaves a log that can be read.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        let path = &self.path;
        self.file
            .flush()
            .map_err(|error| Failure::Other(anyhow::anyhow!("{}: {error}", path.display())))
    }

    fn write(&mut self, row: &str) -> Result<(), Failure> {
        if self.file.buffer().len() + row.len() > self.file.capacity() {
            self.flush()?;
        }
        let path = &self.path;
        self.file
            .write_all(row.as_bytes())
            .map_err(|error| Failure::Other(anyhow::anyhow!("{}: {error}", path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(items: &[u64]) -> Done {
        Done(items.to_vec())
    }

    #[test]
    fn what_is_left_keeps_its_numbers() {
        let done = done(&[0, 1, 4, 9]);
        let left: Vec<u64> = (0..6).map(|k| done.nth_left(k)).collect();
        assert_eq!(left, [2, 3, 5, 6, 7, 8]);
        assert_eq!(done.nth_left(6), 10);
        assert_eq!(Done::default().nth_left(7), 7);
    }

    #[test]
    fn a_range_goes_on_where_it_was() {
        let range = |start, end| InputSpec::Range(RangeSpec { start, end, step: 2 });
        let left = |items: &[u64]| done(items).left_of(range(10, 20)).unwrap();
        assert_eq!(left(&[0, 1]), Some(range(14, 20)));
        assert_eq!(left(&[0, 1, 2, 3, 4]), None);
        assert_eq!(
            left(&[1, 3]),
            Some(InputSpec::Items([10, 14, 18].map(Value::from).to_vec()))
        );
    }

    #[test]
    fn a_log_that_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert_eq!(Done::read(&path).unwrap(), Done::default());
        std::fs::write(&path, format!("{HEADER}2\tx\n1\ty\n")).unwrap();
        assert_eq!(Done::read(&path).unwrap(), done(&[0, 1]));
        std::fs::write(&path, format!("{HEADER}two\n")).unwrap();
        let told = format!("{:?}", Done::read(&path).unwrap_err());
        assert!(told.contains("line 2 is no row"), "{told}");
    }
}

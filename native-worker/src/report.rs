//! How a run ended, in the words of the wire.
use bytes::Bytes;
use protocol::wire::{Cause, Failure};
use runtime::{RunOutcome, RunReport};

/// Bytes of the log's end that travel with a failure.
const LOG_TAIL_BYTES: usize = 1 << 10;

/// What a run came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Finished(Bytes),
    Failed(Failure),
    Stopped,
}

/// Reads a report.
pub(crate) fn ended(report: RunReport) -> Ended {
    let (cause, mut detail) = match report.outcome {
        RunOutcome::Finished(output) => return Ended::Finished(output.into()),
        RunOutcome::Stopped => return Ended::Stopped,
        RunOutcome::Failed {
            item: Some(item),
            message,
        } => (Cause::ItemFailed, format!("item {item}: {message}")),
        RunOutcome::Failed { item: None, message } => (Cause::ItemFailed, message),
        RunOutcome::Trapped { message, backtrace } => (Cause::Trapped, format!("{message}\n{backtrace}")),
        RunOutcome::OutOfMemory => (Cause::OutOfMemory, String::from("more memory than its limit")),
        RunOutcome::OutOfTime => (
            Cause::OutOfTime,
            format!("stopped after {} ms", report.wall_us / 1_000),
        ),
        RunOutcome::OutputTooLarge => (Cause::OutputTooLong, String::from("more output than its limit")),
    };
    let log = &report.log[report.log.len().saturating_sub(LOG_TAIL_BYTES)..];
    if !log.is_empty() && cause != Cause::ItemFailed {
        detail = format!("{}\nlog: {}", detail.trim_end(), String::from_utf8_lossy(log));
    }
    Ended::Failed(Failure { cause, detail })
}

/// The outputs of a run, item by item, or why there are none.
pub fn outputs(report: RunReport) -> Result<Vec<Vec<u8>>, Failure> {
    let lost = |detail: &str| Failure {
        cause: Cause::Lost,
        detail: detail.into(),
    };
    match ended(report) {
        Ended::Finished(output) => kernel_abi::split_framed(&output)
            .map(|item| item.map(<[u8]>::to_vec))
            .collect::<Result<_, _>>()
            .map_err(|error| lost(&error.to_string())),
        Ended::Failed(failure) => Err(failure),
        Ended::Stopped => Err(lost("it was stopped")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(outcome: RunOutcome, log: &[u8]) -> RunReport {
        RunReport {
            outcome,
            log: log.into(),
            cpu_us: 5_000,
            wall_us: 7_000,
            memory_bytes_peak: 0,
        }
    }

    #[test]
    fn every_outcome_has_its_cause_and_says_what_is_known() {
        let trapped = RunOutcome::Trapped {
            message: "unreachable".into(),
            backtrace: "f (at byte 0x1)\n".into(),
        };
        let cases = [
            (trapped, Cause::Trapped, "unreachable\nf (at byte 0x1)\nlog: near"),
            (
                RunOutcome::OutOfTime,
                Cause::OutOfTime,
                "stopped after 7 ms\nlog: near",
            ),
            (
                RunOutcome::OutOfMemory,
                Cause::OutOfMemory,
                "more memory than its limit\nlog: near",
            ),
            (
                RunOutcome::OutputTooLarge,
                Cause::OutputTooLong,
                "more output than its limit\nlog: near",
            ),
            (
                RunOutcome::Failed {
                    item: Some(3),
                    message: "odd".into(),
                },
                Cause::ItemFailed,
                "item 3: odd",
            ),
        ];
        for (outcome, cause, detail) in cases {
            let failure = Failure {
                cause,
                detail: detail.into(),
            };
            assert_eq!(ended(report(outcome, b"near")), Ended::Failed(failure));
        }
        assert_eq!(ended(report(RunOutcome::Stopped, b"")), Ended::Stopped);
        let output = RunOutcome::Finished(vec![1, 2]);
        assert_eq!(
            ended(report(output, b"")),
            Ended::Finished(Bytes::from_static(&[1, 2]))
        );
    }
}

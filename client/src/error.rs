//! Everything that goes wrong between a caller and the answers.
use protocol::ids::JobId;
use protocol::job::JobState;
use protocol::problem::Problem;
use protocol::wire::Cause;
use std::ops::Range;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the caller gave does not make sense.
    #[error("{0}")]
    Usage(String),
    /// The server said no: title, detail and the fields that are wrong.
    #[error("{}", told(.0))]
    Problem(Box<Problem>),
    /// There is no server at that address, or it went away for too long.
    #[error("{server} cannot be reached ({why})")]
    Unreachable {
        /// Its address.
        server: String,
        /// The last cause, such as "connection refused".
        why: String,
    },
    /// There is a server, and its certificate does not say that it is the one that was meant.
    #[error("{server} is not believed: {why}")]
    Untrusted {
        /// Its address.
        server: String,
        /// What is wrong, and what to do.
        why: String,
    },
    /// What answered did not answer as a server of this version does.
    #[error("{server} answered something else than expected ({why})")]
    Strange {
        /// Its address.
        server: String,
        /// What cannot be understood.
        why: String,
    },
    /// This machine lacks what a client needs: random bytes, a thread, a TLS library.
    #[error("{0}")]
    Machine(String),
    /// Items that have no output.
    #[error("{} of job {job} failed: {detail}", which(.items))]
    ItemFailed {
        /// The job.
        job: JobId,
        /// The items: more than one where they shared a shard and nobody can say which it was.
        items: Range<u64>,
        /// Why, out of a closed set.
        cause: Cause,
        /// What the sandbox said, or the error that was thrown, with the author's line.
        detail: String,
    },
    /// The job ended without all of its outputs.
    #[error("job {job} {state}: {reason}")]
    Ended {
        /// The job.
        job: JobId,
        /// How it ended.
        state: JobState,
        /// Why, for people.
        reason: String,
    },
    /// An item cannot be written as JSON.
    #[error("item {index} cannot be sent: {source}")]
    Item {
        /// Its number, from 0.
        index: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// An output is not of the type that was asked for.
    #[error("the output of item {index} is not what was asked for: {source}")]
    Output {
        /// Its item's number, from 0.
        index: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A reduction of no items has no answer.
    #[error("there are no items, so there is nothing to reduce")]
    Empty,
}

impl Error {
    /// Whether trying again may help: the server is away, or busy.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem(problem) => matches!(problem.status, 429 | 502..=504 | 507),
            _ => false,
        }
    }
}

/// `The parameters do not fit: width must be a whole number; y is not a parameter`
fn told(problem: &Problem) -> String {
    if problem.fields.is_empty() {
        return problem.to_string();
    }
    let fields = problem.fields.iter();
    let fields: Vec<_> = fields
        .map(|field| format!("{} {}", field.field, field.problem))
        .collect();
    format!("{}: {}", problem.title, fields.join("; "))
}

fn which(items: &Range<u64>) -> String {
    match items.end.saturating_sub(items.start) {
        0 | 1 => format!("item {}", items.start),
        _ => format!("items {} to {}", items.start, items.end - 1),
    }
}

/// A failed item as its error tells it: a program names the very item, a shard only its own.
pub(crate) fn item_failed(job: JobId, items: Range<u64>, cause: Cause, detail: &str) -> Error {
    let (items, detail) = match named_item(detail) {
        Some((item, detail)) => (item..item + 1, detail),
        None => (items, detail),
    };
    Error::ItemFailed {
        job,
        items,
        cause,
        detail: detail.to_owned(),
    }
}

/// `item 13: no luck` → 13 and the rest.
pub(crate) fn named_item(detail: &str) -> Option<(u64, &str)> {
    let (number, detail) = detail.strip_prefix("item ")?.split_once(": ")?;
    Some((number.parse().ok()?, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::description::ParamProblem;

    #[test]
    fn a_problem_tells_every_field() {
        let mut problem = Problem::new(422, "params_invalid", "The parameters do not fit", "…");
        let field = |field: &str, problem: &str| ParamProblem {
            field: field.into(),
            problem: problem.into(),
        };
        problem.fields = vec![field("width", "must be a number"), field("y", "is unknown")];
        let told = Error::Problem(Box::new(problem)).to_string();
        assert_eq!(
            told,
            "The parameters do not fit: width must be a number; y is unknown"
        );
    }

    #[test]
    fn the_very_item_is_named_where_it_is_known() {
        assert_eq!(named_item("item 13: Error: no"), Some((13, "Error: no")));
        assert_eq!(named_item("item of mine: no"), None);
        assert_eq!(
            (which(&(3..4)), which(&(3..6))),
            ("item 3".into(), "items 3 to 5".into())
        );
    }
}

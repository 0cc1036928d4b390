//! How a command fails: what is said, what to do about it, and the exit code.
use crate::say::Paint;
use protocol::problem::Problem;
use std::fmt::Write as _;

/// How a process of ours ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Done = 0,
    Error = 1,
    Usage = 2,
    NotAllowed = 3,
    NotFound = 4,
    Unreachable = 6,
    JobFailed = 10,
    Cancelled = 11,
}

/// Why a command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What was typed does not make sense.
    Usage(String),
    /// The server said no.
    Problem(Box<Problem>),
    /// There is no server at that address, or it went away for too long.
    Unreachable { server: String, why: String },
    /// There is a server, and its certificate does not say that it is the one that was meant.
    Untrusted { server: String, why: String },
    /// Whoever read our output wants no more: no error, only an end.
    OutputClosed,
    /// Anything else.
    Other(anyhow::Error),
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

impl From<elytra_client::Error> for Failure {
    fn from(error: elytra_client::Error) -> Self {
        use elytra_client::Error;
        match error {
            Error::Usage(what) => Self::Usage(what),
            Error::Problem(problem) => Self::Problem(problem),
            Error::Unreachable { server, why } => Self::Unreachable { server, why },
            Error::Untrusted { server, why } => Self::Untrusted { server, why },
            other => Self::Other(other.into()),
        }
    }
}

impl Failure {
    /// The exit code.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Usage(_) => Code::Usage,
            Self::Problem(problem) => of_problem(problem),
            Self::Unreachable { .. } | Self::Untrusted { .. } => Code::Unreachable,
            Self::OutputClosed => Code::Done,
            Self::Other(_) => Code::Error,
        }
    }

    /// What is written to standard error; nothing for an end that is no error.
    pub(crate) fn text(&self, paint: Paint) -> String {
        let error = paint.red("error:");
        match self {
            Self::OutputClosed => String::new(),
            Self::Usage(what) => format!("{error} {what}\n"),
            Self::Other(cause) => format!("{error} {cause:#}\n"),
            Self::Problem(problem) => problem_text(problem, paint),
            Self::Untrusted { server, why } => format!("{error} {server} is not believed\n  {why}\n"),
            Self::Unreachable { server, why } => format!(
                "{error} {server} cannot be reached ({why})\n  \
                 Start a server here with `elytra dev`, or name another with --server or ELYTRA_SERVER.\n"
            ),
        }
    }
}

fn of_problem(problem: &Problem) -> Code {
    match (problem.status, problem.kind.as_str()) {
        (401 | 403, _) => Code::NotAllowed,
        (404, _) | (_, "entry_unknown" | "program_unknown" | "blob_missing") => Code::NotFound,
        (400 | 413 | 422, _) => Code::Usage,
        _ => Code::Error,
    }
}

fn problem_text(problem: &Problem, paint: Paint) -> String {
    let mut text = format!("{} {}\n", paint.red("error:"), problem.title);
    if problem.fields.is_empty() {
        let _ = writeln!(text, "  {}", problem.detail);
    }
    for field in &problem.fields {
        let _ = writeln!(text, "  {}: {}", paint.bold(&field.field), field.problem);
    }
    if let Some(advice) = advice(problem) {
        let _ = writeln!(text, "  {advice}");
    }
    if problem.status >= 500 && !problem.request.is_empty() {
        let _ = writeln!(text, "  {}", paint.dim(&format!("request {}", problem.request)));
    }
    text
}

/// What to do in terms of this command line, where the server cannot know them.
fn advice(problem: &Problem) -> Option<&'static str> {
    match problem.kind.as_str() {
        "token_missing" => {
            Some("Give one with --token-file FILE or ELYTRA_TOKEN; `elytra token create` makes them.")
        }
        "token_wrong" => {
            Some("Check --token-file and ELYTRA_TOKEN; `elytra dev` keeps its own in .elytra/token.")
        }
        "scope_missing" => Some("`elytra token create --scope …` makes one that may."),
        "body_too_long" => Some("`--lines FILE` uploads long inputs."),
        "job_unknown" => Some("`elytra job list` shows the jobs there are."),
        "worker_unknown" => Some("`elytra worker list` shows the workers there are."),
        "token_unknown" => Some("`elytra token list` shows the tokens there are."),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::description::ParamProblem;

    #[test]
    fn a_problem_tells_every_field_and_what_to_do() {
        let mut problem = Problem::new(
            422,
            "params_invalid",
            "The parameters do not fit",
            "width: x; y: z",
        );
        let field = |field: &str, problem: &str| ParamProblem {
            field: field.into(),
            problem: problem.into(),
        };
        problem.fields = vec![
            field("width", "must be a whole number"),
            field("y", "is not a parameter"),
        ];
        let failure = Failure::Problem(Box::new(problem));
        let text = failure.text(Paint::plain());
        assert_eq!(
            text,
            "error: The parameters do not fit\n  width: must be a whole number\n  y: is not a parameter\n"
        );
        assert_eq!(failure.code(), Code::Usage);
    }

    #[test]
    fn every_kind_has_its_exit_code() {
        let code = |status, kind| of_problem(&Problem::new(status, kind, "", ""));
        assert_eq!(code(401, "token_missing"), Code::NotAllowed);
        assert_eq!(code(403, "scope_missing"), Code::NotAllowed);
        assert_eq!(code(404, "job_unknown"), Code::NotFound);
        assert_eq!(code(422, "entry_unknown"), Code::NotFound);
        assert_eq!(code(503, "store_unavailable"), Code::Error);
    }
}

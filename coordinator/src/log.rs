//! The log: lines on standard error, as JSON for machines or as text for people.
use crate::config::LogFormat;
use tracing_subscriber::EnvFilter;

/// At their lowest level these print the bytes of frames and heads, tokens included.
const SAYS_WHAT_TRAVELS: [&str; 3] = ["tungstenite=info", "tokio_tungstenite=info", "hyper=info"];

/// Begins to log. `filter` is a level, or a list such as `info,coordinator=debug`. Only the first
/// call of a process has an effect.
pub fn start(format: LogFormat, filter: &str) {
    let mut filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    for quiet in SAYS_WHAT_TRAVELS {
        filter = quiet.parse().into_iter().fold(filter, EnvFilter::add_directive);
    }
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // An embedding process that logs already goes on doing so its own way.
    let _ = match format {
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .try_init(),
        LogFormat::Pretty => lines.compact().with_target(false).try_init(),
    };
}

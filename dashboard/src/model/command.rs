//! A new job as the command line that submits the same.
use protocol::job::{Grain, InputSpec, JobSpec, OnFailure};
use protocol::limits::FAN_IN_DEFAULT;
use protocol::trust::Trust;
use serde_json::Value;

/// Most characters of a listed item; longer lists are shown as a file.
const LISTED_CHARS_MAX: usize = 400;

/// `elytra run …`, ready to be pasted into a POSIX shell. `file` is the name of the uploaded file, if any.
pub fn line(spec: &JobSpec, file: Option<&str>) -> String {
    let mut words = vec!["elytra".into(), "run".into()];
    if spec.program != BUILT_IN {
        words.extend(["--program".into(), spec.program.clone()]);
    }
    words.push(spec.entry.clone());
    for (name, value) in spec.params.as_object().into_iter().flatten() {
        words.extend(["--param".into(), quote(&format!("{name}={}", param(value)))]);
    }
    words.extend(options(spec));
    words.extend(input(&spec.input, file));
    words.join(" ")
}

/// The program that `elytra run` takes when none is named.
const BUILT_IN: &str = "rust-core";

fn options(spec: &JobSpec) -> Vec<String> {
    let mut words = Vec::new();
    let mut option = |name: &str, value: String| words.extend([name.to_owned(), quote(&value)]);
    if !spec.name.is_empty() {
        option("--name", spec.name.clone());
    }
    if let Grain::Items(items) = spec.grain {
        option("--grain", items.to_string());
    }
    if spec.priority != 0 {
        // Joined with `=`: a negative number must not look like an option.
        words.push(format!("--priority={}", spec.priority));
    }
    if let Some(reduce) = &spec.reduce {
        words.extend(["--reduce".into(), quote(&reduce.entry)]);
        if reduce.fan_in != FAN_IN_DEFAULT {
            words.extend(["--fan-in".into(), reduce.fan_in.to_string()]);
        }
    }
    if spec.trust != Trust::Private {
        words.extend(["--trust".into(), spec.trust.to_string()]);
    }
    if spec.on_failure == OnFailure::Skip {
        words.extend(["--on-failure".into(), "skip".into()]);
    }
    words
}

fn input(input: &InputSpec, file: Option<&str>) -> Vec<String> {
    match input {
        InputSpec::Range(range) => {
            let step = if range.step == 1 {
                String::new()
            } else {
                format!(":{}", range.step)
            };
            // Joined with `=`: a range may begin with a minus sign.
            vec![format!("--range={}:{}{step}", range.start, range.end)]
        }
        InputSpec::Items(items) => listed(items),
        InputSpec::Blob(_) | InputSpec::Open(_) => vec!["--lines".into(), quote(file.unwrap_or("items.txt"))],
    }
}

fn listed(items: &[Value]) -> Vec<String> {
    let words: Vec<String> = items.iter().map(|item| quote(&plain(item))).collect();
    if words.iter().map(String::len).sum::<usize>() > LISTED_CHARS_MAX {
        return vec!["--lines".into(), "items.txt".into()];
    }
    // Behind `--` nothing looks like an option, not even a negative number.
    if words.iter().any(|word| word.starts_with('-')) {
        [vec!["--".into()], words].concat()
    } else {
        words
    }
}

/// A value of `--param`: text that looks like JSON is written as JSON, or it would be read as that.
fn param(value: &Value) -> String {
    match value {
        Value::String(text) if serde_json::from_str::<Value>(text).is_ok() => value.to_string(),
        other => plain(other),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A word for a POSIX shell.
fn quote(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(safe) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::job::{RangeSpec, ReduceSpec};
    use serde_json::json;

    fn range(start: i64, end: i64, step: i64) -> InputSpec {
        InputSpec::Range(RangeSpec { start, end, step })
    }

    #[test]
    fn the_shortest_line_says_only_what_is_no_default() {
        let mut spec = JobSpec::new("rust-core", "mandelbrot", range(0, 1024, 1));
        spec.params = json!({"width": 2048});
        assert_eq!(
            line(&spec, None),
            "elytra run mandelbrot --param width=2048 --range=0:1024"
        );
    }

    #[test]
    fn what_a_shell_would_eat_is_quoted() {
        let mut spec = JobSpec::new(
            "a1",
            "align",
            InputSpec::Items(vec![json!("AC GT"), json!("it's")]),
        );
        spec.params = json!({"reference": ">r\nACGT"});
        (spec.name, spec.priority, spec.on_failure) = ("my job".into(), -5, OnFailure::Skip);
        spec.trust = Trust::Standard;
        spec.grain = Grain::Items(3);
        let expected = "elytra run --program a1 align --param 'reference=>r\nACGT' --name 'my job' --grain 3 \
                        --priority=-5 --trust standard --on-failure skip 'AC GT' 'it'\\''s'";
        assert_eq!(line(&spec, None), expected);
    }

    #[test]
    fn a_reduction_is_named_and_its_fan_in_where_it_is_no_default() {
        let mut spec = JobSpec::new("a1", "square", range(0, 9, 1));
        let reduce = |fan_in| {
            Some(ReduceSpec {
                entry: "add".into(),
                fan_in,
            })
        };
        spec.reduce = reduce(FAN_IN_DEFAULT);
        let short = "elytra run --program a1 square --reduce add --range=0:9";
        assert_eq!(line(&spec, None), short);
        spec.reduce = reduce(16);
        let long = "elytra run --program a1 square --reduce add --fan-in 16 --range=0:9";
        assert_eq!(line(&spec, None), long);
    }

    #[test]
    fn text_that_looks_like_a_number_stays_text() {
        let mut spec = JobSpec::new("rust-core", "align", range(0, 1, 1));
        spec.params = json!({"name": "12"});
        assert_eq!(
            line(&spec, None),
            "elytra run align --param 'name=\"12\"' --range=0:1"
        );
    }

    #[test]
    fn negative_items_and_long_lists() {
        let few = JobSpec::new("rust-core", "null", InputSpec::Items(vec![json!(-3), json!(4)]));
        assert_eq!(line(&few, None), "elytra run null -- -3 4");
        let many = JobSpec::new("rust-core", "null", InputSpec::Items(vec![json!(1_000_000); 100]));
        assert_eq!(line(&many, None), "elytra run null --lines items.txt");
        assert_eq!(
            line(&JobSpec::new("rust-core", "null", range(-5, 5, 2)), None),
            "elytra run null --range=-5:5:2"
        );
    }
}

//! The job's parameters, as a command understands them.
use crate::files::Files;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Parameters that do not describe a command's arguments, environment and files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadParams {
    /// Not the JSON that is expected.
    #[error(
        "the parameters of a command are {{\"args\":[text…],\"env\":{{name:text}},\"files\":{{name:text or \
         {{\"base64\":text}}}},\"each\":true or false,\"seed\":integer}}, all of them optional; {0}"
    )]
    Json(String),
    /// An argument or a variable that no program can be given.
    #[error("{place} {text:?} cannot be passed to a program: {problem}")]
    Text {
        /// What it is.
        place: &'static str,
        /// Its beginning.
        text: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A file that cannot be laid out.
    #[error("file {name:?}: {problem}")]
    File {
        /// Its name in the parameters.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// What all processes of a shard share.
#[derive(Debug, Default)]
pub(crate) struct Params {
    /// As C strings, each with its final zero.
    pub(crate) args: Vec<Vec<u8>>,
    /// `name=value` as C strings, in the order of the names.
    pub(crate) env: Vec<Vec<u8>>,
    pub(crate) files: Files,
    pub(crate) each: bool,
    pub(crate) seed: i64,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    args: Option<Vec<String>>,
    env: Option<BTreeMap<String, String>>,
    files: Option<BTreeMap<String, Content>>,
    each: Option<bool>,
    seed: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a file is its text, or {\"base64\": text}")]
enum Content {
    Text(String),
    Bytes { base64: String },
}

/// Characters of what was given that an error repeats.
const SHOWN_CHARS_MAX: usize = 80;

impl Params {
    /// Reads the parameters; nothing at all, and `null`, are no parameters.
    pub(crate) fn parse(json: &[u8], program: &str) -> Result<Self, BadParams> {
        let json = if json.trim_ascii().is_empty() {
            b"null"
        } else {
            json
        };
        let written: Option<Written> =
            serde_json::from_slice(json).map_err(|error| BadParams::Json(error.to_string()))?;
        let written = written.unwrap_or_default();
        let args = std::iter::once(program).chain(written.args.iter().flatten().map(String::as_str));
        Ok(Self {
            args: args
                .map(|text| c_string("argument", text))
                .collect::<Result<_, _>>()?,
            env: environment(&written.env.unwrap_or_default())?,
            files: files(written.files.unwrap_or_default())?,
            each: written.each.unwrap_or(false),
            seed: written.seed.unwrap_or(0),
        })
    }
}

fn c_string(place: &'static str, text: &str) -> Result<Vec<u8>, BadParams> {
    if text.contains('\0') {
        return Err(bad_text(place, text, "it contains a zero byte"));
    }
    Ok([text.as_bytes(), b"\0"].concat())
}

fn environment(variables: &BTreeMap<String, String>) -> Result<Vec<Vec<u8>>, BadParams> {
    let pairs = variables.iter().map(|(name, value)| {
        if name.is_empty() || name.contains('=') {
            return Err(bad_text(
                "the variable",
                name,
                "a name is not empty and has no '='",
            ));
        }
        c_string("the variable", &format!("{name}={value}"))
    });
    pairs.collect()
}

fn bad_text(place: &'static str, text: &str, problem: &'static str) -> BadParams {
    let text = shown(text);
    BadParams::Text { place, text, problem }
}

fn files(written: BTreeMap<String, Content>) -> Result<Files, BadParams> {
    let mut files = Files::default();
    for (name, content) in written {
        let bytes = bytes(content).map_err(|problem| bad_file(&name, problem))?;
        files
            .add(&name, bytes)
            .map_err(|problem| bad_file(&name, problem.to_owned()))?;
    }
    Ok(files)
}

fn bytes(content: Content) -> Result<Vec<u8>, String> {
    match content {
        Content::Text(text) => Ok(text.into_bytes()),
        Content::Bytes { base64 } => STANDARD
            .decode(base64)
            .map_err(|error| format!("its base64 cannot be read: {error}")),
    }
}

fn bad_file(name: &str, problem: String) -> BadParams {
    let name = shown(name);
    BadParams::File { name, problem }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Params, String> {
        Params::parse(json.as_bytes(), "p").map_err(|error| error.to_string())
    }

    #[test]
    fn all_of_it_is_optional() {
        for json in ["", " ", "null", "{}", "{\"args\":null,\"each\":null}"] {
            let params = parse(json).unwrap();
            assert_eq!(params.args, [b"p\0"], "{json}");
            assert!(params.env.is_empty() && !params.each && params.seed == 0);
        }
    }

    #[test]
    fn arguments_and_variables_are_c_strings_in_order() {
        let params = parse(r#"{"args":["-k","2"],"env":{"Z":"1","A":"x=y"},"each":true,"seed":-3}"#).unwrap();
        assert_eq!(params.args, [b"p\0".to_vec(), b"-k\0".to_vec(), b"2\0".to_vec()]);
        assert_eq!(params.env, [b"A=x=y\0".to_vec(), b"Z=1\0".to_vec()]);
        assert!(params.each && params.seed == -3);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (json, words) in [
            ("[1]", "the parameters of a command are"),
            (r#"{"arguments":[]}"#, "unknown field `arguments`"),
            (r#"{"args":[1]}"#, "expected a string"),
            (r#"{"args":["a\u0000b"]}"#, "zero byte"),
            (r#"{"env":{"A=B":"1"}}"#, "no '='"),
            (r#"{"files":{"a":7}}"#, "a file is its text, or"),
            (r#"{"files":{"a":{"base64":"*"}}}"#, "base64 cannot be read"),
            (r#"{"files":{"../a":""}}"#, "file \"../a\""),
        ] {
            let error = parse(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
    }
}

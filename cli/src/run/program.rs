//! What runs: an entry of a program that the server has, or a file, which is uploaded.
use crate::args::{CommandArgs, InputArgs, JobArgs};
use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use elytra_client::{Client, read_program};
use protocol::api::Program;
use protocol::description::{Entry, ProgramKind, nearest};
use protocol::limits::PARAMS_BYTES_MAX;
use serde_json::{Map, Value, json};
use std::path::Path;

/// What a file that can run ends with.
const ENDINGS: [&str; 6] = ["wasm", "js", "mjs", "ts", "mts", "cjs"];
/// Between a command's arguments and its items.
const SEPARATOR: &str = ":::";
/// The program whose entries need no `--program`.
const PROGRAM_DEFAULT: &str = "rust-core";
/// The export that a script need not name.
const DEFAULT: &str = "default";

/// What runs.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// The program: its name or hash.
    pub(crate) program: String,
    /// The entry's name.
    pub(crate) entry: String,
    /// In which form the program was brought, and what it says of the entry, where the server tells.
    pub(crate) known: Option<(ProgramKind, Entry)>,
    /// What stands before `:::`.
    pub(crate) arguments: Vec<String>,
    /// What stands behind it.
    pub(crate) items: Vec<String>,
}

impl Chosen {
    /// Whether it is a WASI command.
    pub(crate) fn is_command(&self) -> bool {
        matches!(self.known, Some((ProgramKind::Command, _)))
    }

    /// What is known of the entry.
    pub(crate) fn described(&self) -> Option<&Entry> {
        self.known.as_ref().map(|(_, entry)| entry)
    }
}

/// Finds out what is meant; a file is uploaded.
pub(crate) async fn choose(client: &Client, input: &InputArgs, job: &JobArgs) -> Result<Chosen, Failure> {
    let (name, entry, program) = if is_file(&input.what) && job.program.is_none() {
        let program = push(client, Path::new(&input.what)).await?;
        let entry = entry_of(&program, input)?;
        (program.hash.to_string(), entry, Some(program))
    } else {
        let name = job.program.clone().unwrap_or_else(|| PROGRAM_DEFAULT.into());
        let program = client.program(&name).await?;
        (
            name,
            input.entry.clone().unwrap_or_else(|| input.what.clone()),
            program,
        )
    };
    let known = program.and_then(|program| {
        let kind = program.description.kind;
        let found = program.description.entries.into_iter().find(|e| e.name == entry);
        found.map(|entry| (kind, entry))
    });
    let is_command = matches!(known, Some((ProgramKind::Command, _)));
    let (arguments, items) = separate(&input.items, is_command)?;
    Ok(Chosen {
        program: name,
        entry,
        known,
        arguments,
        items,
    })
}

fn is_file(what: &str) -> bool {
    let ending = Path::new(what).extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending)) || what.contains('/')
}

/// Uploads a program; the server checks it.
pub(crate) async fn push(client: &Client, path: &Path) -> Result<Program, Failure> {
    let (name, bytes) = read_program(path)?;
    Ok(client.push(&name, bytes).await?)
}

/// The entry that was named; otherwise the default one, or the only one.
fn entry_of(program: &Program, input: &InputArgs) -> Result<String, Failure> {
    let entries = || {
        program
            .description
            .entries
            .iter()
            .map(|entry| entry.name.as_str())
    };
    let listed = || entries().collect::<Vec<_>>().join(", ");
    let file = &input.what;
    if let Some(name) = &input.entry {
        if entries().any(|entry| entry == name) {
            return Ok(name.clone());
        }
        let hint = match nearest(name, entries()) {
            Some(near) => format!("did you mean '{near}'?"),
            None => format!("there are {}", listed()),
        };
        return Err(Failure::Usage(format!("{file} has no function '{name}'; {hint}")));
    }
    let mut all = entries();
    match (all.next(), all.next()) {
        (Some(only), None) => Ok(only.into()),
        _ if entries().any(|entry| entry == DEFAULT) => Ok(DEFAULT.into()),
        _ => Err(Failure::Usage(format!(
            "{file} has several functions; say which with --entry: {}",
            listed()
        ))),
    }
}

/// Arguments and items, apart.
fn separate(typed: &[String], is_command: bool) -> Result<(Vec<String>, Vec<String>), Failure> {
    let at = typed.iter().position(|word| word == SEPARATOR);
    let (arguments, items) = match at {
        Some(at) => (&typed[..at], &typed[at + 1..]),
        None if is_command => (typed, &[][..]),
        None => (&[][..], typed),
    };
    if !is_command && !arguments.is_empty() {
        let advice = "only a WASI command has arguments; write the items behind `:::`, or without it";
        return Err(Failure::Usage(format!(
            "'{}' stands before `:::`: {advice}",
            arguments[0]
        )));
    }
    Ok((arguments.to_vec(), items.to_vec()))
}

/// The flags of a command as the parameters of its job.
pub(crate) fn command_params(chosen: &Chosen, args: &CommandArgs) -> Result<Map<String, Value>, Failure> {
    let mut params = Map::new();
    let given = args.each || !args.env.is_empty() || !args.files.is_empty() || args.seed.is_some();
    if !chosen.is_command() {
        return match given {
            true => Err(Failure::Usage(
                "--each, --env, --with and --seed are for WASI commands; this program is none".into(),
            )),
            false => Ok(params),
        };
    }
    params.insert("args".into(), json!(chosen.arguments));
    if args.each {
        params.insert("each".into(), true.into());
    }
    if !args.env.is_empty() {
        let pairs = args.env.iter().map(|text| super::plan::pair(text, "--env"));
        let env: Map<_, _> = pairs
            .map(|pair| pair.map(|(name, value)| (name, value.into())))
            .collect::<Result<_, _>>()?;
        params.insert("env".into(), env.into());
    }
    if !args.files.is_empty() {
        params.insert("files".into(), files(&args.files)?.into());
    }
    if let Some(seed) = args.seed {
        params.insert("seed".into(), seed.into());
    }
    Ok(params)
}

fn files(typed: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut files = Map::new();
    let mut bytes_left = PARAMS_BYTES_MAX;
    for text in typed {
        let (name, path) = super::plan::pair(text, "--with")?;
        let wrong = |why: String| Failure::Usage(format!("--with {text}: {why}"));
        let bytes = std::fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        bytes_left = bytes_left.checked_sub(bytes.len()).ok_or_else(|| {
            wrong(format!(
                "the files together have more than {PARAMS_BYTES_MAX} bytes; what is longer is an item"
            ))
        })?;
        let value = match String::from_utf8(bytes) {
            Ok(text) => Value::String(text),
            Err(error) => json!({"base64": STANDARD.encode(error.as_bytes())}),
        };
        files.insert(name, value);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn arguments_stand_before_the_separator() {
        let separated = |text: &str, is_command| separate(&words(text), is_command).unwrap();
        assert_eq!(separated("-l ::: a b", true), (words("-l"), words("a b")));
        assert_eq!(separated("-l", true), (words("-l"), vec![]));
        assert_eq!(separated("1 2", false), (vec![], words("1 2")));
        assert_eq!(separated("::: 1 2", false), (vec![], words("1 2")));
        let told = format!("{:?}", separate(&words("-l ::: 1"), false).unwrap_err());
        assert!(told.contains("only a WASI command"), "{told}");
    }

    #[test]
    fn a_file_is_told_by_its_ending() {
        assert!(is_file("square.ts") && is_file("a/b.wasm") && is_file("./x"));
        assert!(!is_file("mersenne"));
    }
}

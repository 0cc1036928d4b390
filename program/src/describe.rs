//! Reads what the module says of itself: one JSON object a line in its description section.
use crate::check::Shape;
use crate::refusal::{Cause, shown};
use protocol::description::{Description, Entry, Field, FieldKind, OutputKind, ProgramKind};
use serde::Deserialize;
use serde_json::json;

/// The one entry of a command.
const COMMAND_ENTRY: &str = "main";

/// One line: an entry, and the program it belongs to.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    program: ProgramName,
    #[serde(flatten)]
    entry: Entry,
}

#[derive(Default, Deserialize)]
struct ProgramName {
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
}

/// The description of a module that passed.
pub(crate) fn describe(shape: &Shape) -> Result<Description, Cause> {
    match shape.kind {
        ProgramKind::Command => Ok(command()),
        _ => kernel(&shape.description, &shape.entries),
    }
}

/// A kernel's description, with these exported entries. An entry of which nothing is said takes any
/// item and any parameters.
fn kernel(section: &[u8], exported: &[String]) -> Result<Description, Cause> {
    let mut description = Description::default();
    for (number, text) in section.split(|&byte| byte == b'\n').enumerate() {
        if !text.trim_ascii().is_empty() {
            add(&mut description, number + 1, text, exported)?;
        }
    }
    for name in exported {
        if !description.entries.iter().any(|entry| entry.name == *name) {
            description.entries.push(Entry {
                name: name.clone(),
                ..Entry::default()
            });
        }
    }
    Ok(description)
}

/// Every command is run in the same way, so all are described alike.
fn command() -> Description {
    let main = Entry {
        name: COMMAND_ENTRY.into(),
        title: "Run the command".into(),
        about: "Items are given to standard input, one a line; standard output is the answer".into(),
        item: Some(Field {
            kind: FieldKind::Text,
            about: "A line of standard input".into(),
            ..Field::default()
        }),
        params: Some(vec![
            param(
                "args",
                FieldKind::Json,
                "Arguments after the program's name: a list of texts",
                json!([]),
            ),
            param(
                "env",
                FieldKind::Json,
                "Environment variables: an object of texts",
                json!({}),
            ),
            param(
                "files",
                FieldKind::Json,
                "Files that it may read, by name: a text, or {\"base64\": text} for bytes",
                json!({}),
            ),
            param(
                "each",
                FieldKind::Boolean,
                "A process of its own for every item",
                json!(false),
            ),
            param(
                "seed",
                FieldKind::Integer,
                "Begins its random numbers, which repeat",
                json!(0),
            ),
        ]),
        output: OutputKind::Bytes,
        picture: None,
    };
    Description {
        kind: ProgramKind::Command,
        entries: vec![main],
        ..Description::default()
    }
}

fn param(name: &str, kind: FieldKind, about: &str, default: serde_json::Value) -> Field {
    Field {
        name: name.into(),
        kind,
        about: about.into(),
        default: Some(default),
        ..Field::default()
    }
}

fn add(description: &mut Description, line: usize, text: &[u8], exported: &[String]) -> Result<(), Cause> {
    let unreadable = |message: String| Cause::Description { line, message };
    let Line { program, entry } =
        serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
    if !exported.contains(&entry.name) {
        return Err(Cause::DescribedButNotExported {
            name: shown(&entry.name),
            exported: exported.to_vec(),
        });
    }
    if description.entries.iter().any(|known| known.name == entry.name) {
        return Err(unreadable(format!(
            "entry '{}' is described twice",
            shown(&entry.name)
        )));
    }
    if description.name.is_empty() {
        description.name = program.name;
        description.version = program.version;
    }
    description.entries.push(entry);
    Ok(())
}

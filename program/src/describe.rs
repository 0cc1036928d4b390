//! Reads what the module says of itself: one JSON object a line in its description section.
use crate::refusal::{Cause, shown};
use protocol::description::{Description, Entry};
use serde::Deserialize;

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

/// The description of a module with these exported entries. An entry of which nothing is said takes
/// any item and any parameters.
pub(crate) fn describe(section: &[u8], exported: &[String]) -> Result<Description, Cause> {
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

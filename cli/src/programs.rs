//! Programs: upload them, list them, say what they take.
use crate::args::Format;
use crate::failure::{Code, Failure};
use crate::output::{self, Table, facts, numbers, words};
use crate::run;
use crate::say::{Paint, bytes, note};
use elytra_client::Client;
use protocol::api::Program;
use protocol::description::{Entry, Field, ProgramKind};
use protocol::problem::Problem;
use std::path::Path;

/// Hash digits that tell programs apart in a table.
const SHORT_DIGITS: usize = 12;

/// `elytra program push`.
pub(crate) async fn push(client: &Client, file: &Path, format: Format) -> Result<Code, Failure> {
    let program = run::push(client, file).await?;
    let entries: Vec<_> = program
        .description
        .entries
        .iter()
        .map(|e| e.name.as_str())
        .collect();
    note(&format!(
        "{} with {}",
        kind_word(program.description.kind),
        entries.join(", ")
    ));
    output::one(format, &program, |program| program.hash.to_string())?;
    Ok(Code::Done)
}

/// `elytra program list`.
pub(crate) async fn list(client: &Client, format: Format) -> Result<Code, Failure> {
    let programs = client.programs().await?.programs;
    output::list(format, &programs, table)?;
    Ok(Code::Done)
}

/// `elytra program info`: by name, hash, or the beginning of a hash.
pub(crate) async fn info(client: &Client, name: &str, format: Format) -> Result<Code, Failure> {
    let programs = client.programs().await?.programs;
    let mut meant = programs
        .iter()
        .filter(|p| p.description.name == name || (name.len() >= 4 && p.hash.to_string().starts_with(name)));
    let (Some(program), None) = (meant.next(), meant.next()) else {
        let detail = format!(
            "No program, or more than one, is called '{name}'; `elytra program list` shows them all."
        );
        let problem = Problem::new(404, "program_unknown", "There is no such program", detail);
        return Err(Failure::Problem(Box::new(problem)));
    };
    output::one(format, program, told)?;
    Ok(Code::Done)
}

/// The form in which a program was brought, for people.
pub(crate) fn kind_word(kind: ProgramKind) -> &'static str {
    match kind {
        ProgramKind::Kernel => "kernel",
        ProgramKind::Command => "command",
        ProgramKind::Script => "script",
    }
}

fn table(programs: &[Program]) -> Table {
    let columns = [
        words("PROGRAM"),
        words("NAME"),
        words("KIND"),
        numbers("SIZE"),
        words("ENTRIES"),
    ];
    let mut table = Table::new(columns, "no programs: upload one with `elytra program push FILE`");
    for program in programs {
        let description = &program.description;
        let entries: Vec<_> = description.entries.iter().map(|e| e.name.as_str()).collect();
        table.row([
            program.hash.to_string().chars().take(SHORT_DIGITS).collect(),
            description.name.clone(),
            kind_word(description.kind).into(),
            bytes(program.length),
            entries.join(" "),
        ]);
    }
    table
}

fn told(program: &Program) -> String {
    let paint = Paint::stdout();
    let description = &program.description;
    let mut text = facts(
        &[
            ("program", program.hash.to_string()),
            ("name", description.name.clone()),
            ("version", description.version.clone()),
            ("kind", kind_word(description.kind).into()),
            ("size", bytes(program.length)),
        ],
        paint,
    );
    for entry in &description.entries {
        text += &entry_text(entry, paint);
    }
    text
}

/// An entry with its item and its parameters.
pub(crate) fn entry_text(entry: &Entry, paint: Paint) -> String {
    let mut text = format!("\n{}  {}\n", paint.bold(&entry.name), entry.about);
    if let Some(item) = &entry.item {
        text += &format!("  item     {} {}\n", item.wanted(), item.about);
    }
    for field in entry.params.iter().flatten() {
        text += &format!("  --param {}=…  {}{}\n", field.name, field.wanted(), about(field));
    }
    text
}

fn about(field: &Field) -> String {
    let mut text = match field.about.as_str() {
        "" => String::new(),
        about => format!(": {about}"),
    };
    match &field.default {
        Some(default) => text += &format!(" [default: {default}]"),
        None if field.required => text += " (must be given)",
        None => {}
    }
    text
}

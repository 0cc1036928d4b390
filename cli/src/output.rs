//! Standard output: tables for people, JSON for programs. Nothing but data is written here.
use crate::args::Format;
use crate::failure::Failure;
use crate::say::Paint;
use serde::Serialize;
use std::io::{self, ErrorKind, Write};

/// What went wrong with standard output. A reader that went away is no error.
pub(crate) fn closed(error: io::Error) -> Failure {
    match error.kind() {
        ErrorKind::BrokenPipe => Failure::OutputClosed,
        _ => Failure::Other(anyhow::anyhow!("standard output cannot be written: {error}")),
    }
}

/// Writes text and a line feed.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(closed)
}

/// Writes a list: a table, a JSON list, or a JSON value a line.
pub(crate) fn list<T: Serialize>(
    format: Format,
    all: &[T],
    table: impl FnOnce(&[T]) -> Table,
) -> Result<(), Failure> {
    match format {
        Format::Table => text(&table(all).text(Paint::stdout())),
        Format::Json => line(&pretty(&all)?),
        Format::Jsonl => all.iter().try_for_each(|one| line(&json(one)?)),
    }
}

/// Writes one thing.
pub(crate) fn one<T: Serialize>(
    format: Format,
    it: &T,
    people: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    match format {
        Format::Table => text(&people(it)),
        Format::Json => line(&pretty(it)?),
        Format::Jsonl => line(&json(it)?),
    }
}

fn text(text: &str) -> Result<(), Failure> {
    line(text.trim_end_matches('\n'))
}

fn json<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::Other(error.into()))
}

fn pretty<T: Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Other(error.into()))
}

/// Rows under a header, columns aligned.
pub(crate) struct Table {
    header: Vec<Column>,
    rows: Vec<Vec<String>>,
    /// Said instead, when there are no rows.
    empty: &'static str,
}

/// A column: its title, and whether it holds numbers, which stand at the right.
pub(crate) struct Column(pub(crate) &'static str, pub(crate) bool);

/// A column of words.
pub(crate) const fn words(title: &'static str) -> Column {
    Column(title, false)
}

/// A column of numbers.
pub(crate) const fn numbers(title: &'static str) -> Column {
    Column(title, true)
}

impl Table {
    pub(crate) fn new(header: impl IntoIterator<Item = Column>, empty: &'static str) -> Self {
        Self {
            header: header.into_iter().collect(),
            rows: Vec::new(),
            empty,
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A name may hold anything; a line feed or an escape would break the table or the terminal.
        let clean = |cell: String| {
            cell.chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect()
        };
        self.rows.push(cells.into_iter().map(clean).collect());
    }

    pub(crate) fn text(&self, paint: Paint) -> String {
        if self.rows.is_empty() {
            return self.empty.into();
        }
        let titles: Vec<String> = self.header.iter().map(|column| column.0.to_owned()).collect();
        let widths = self.widths(&titles);
        let header = paint.bold(&self.line(&titles, &widths));
        let rows = self.rows.iter().map(|row| self.line(row, &widths));
        std::iter::once(header).chain(rows).collect::<Vec<_>>().join("\n")
    }

    fn widths(&self, titles: &[String]) -> Vec<usize> {
        let width = |at: usize| {
            let cells = self
                .rows
                .iter()
                .filter_map(|row| row.get(at))
                .chain(titles.get(at));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        (0..titles.len()).map(width).collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let aligned =
            cells
                .iter()
                .zip(widths)
                .zip(&self.header)
                .map(|((cell, &width), column)| match column.1 {
                    true => format!("{cell:>width$}"),
                    false => format!("{cell:<width$}"),
                });
        aligned.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    }
}

/// `name: value` lines, aligned; empty values are left out.
pub(crate) fn facts(facts: &[(&str, String)], paint: Paint) -> String {
    let width = facts
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let told = facts.iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| format!("{}  {value}\n", paint.dim(&format!("{name:<width$}"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_control_characters_stay_out() {
        let mut table = Table::new([words("NAME"), numbers("ITEMS")], "none");
        assert_eq!(table.text(Paint::plain()), "none");
        table.row(["a\x1b[31m".into(), "7".into()]);
        table.row(["longer name".into(), "1,234".into()]);
        assert_eq!(
            table.text(Paint::plain()),
            "NAME         ITEMS\na [31m           7\nlonger name  1,234"
        );
    }
}

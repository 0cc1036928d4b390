//! What can be called: the functions a module exports. And what it may not do: import.
use super::front::parse;
use super::trace::author_place;
use super::{Script, ScriptError};
use oxc::allocator::Allocator;
use oxc::ast::ast::{
    BindingPattern, Declaration, ExportDefaultDeclarationKind, Expression, Program, Statement,
};
use oxc::parser::ParserReturn;
use oxc::span::{SourceType, Span};
use oxc::syntax::module_record::{ExportEntry, ExportExportName, ExportLocalName, ModuleRecord};
use protocol::description::{Entry, Field, FieldKind, OutputKind};
use std::collections::BTreeSet;

/// Characters of a comment that become the entry's sentence.
const ABOUT_CHARS_MAX: usize = 200;

/// The entries of a script without imports.
pub(super) fn entries(script: &Script) -> Result<Vec<Entry>, ScriptError> {
    let allocator = Allocator::default();
    let parsed = parse(&allocator, &script.file, &script.source, SourceType::mjs())?;
    refuse_imports(script, &parsed.module_record)?;
    let values = values(&parsed.program);
    let exported = parsed.module_record.local_export_entries.iter();
    let callable = exported.filter(|entry| !entry.is_type && !names_a_value(entry, &values));
    let entries: Vec<Entry> = callable.filter_map(|entry| described(entry, &parsed)).collect();
    if entries.is_empty() {
        return Err(ScriptError::NoEntry {
            file: script.file.clone(),
        });
    }
    Ok(entries)
}

fn refuse_imports(script: &Script, record: &ModuleRecord<'_>) -> Result<(), ScriptError> {
    let requested = record.requested_modules.iter();
    let named = requested.flat_map(|(name, requests)| requests.iter().map(|r| (name.to_string(), r.span)));
    let dynamic = record.dynamic_imports.iter().map(|import| {
        let text = import.module_request.source_text(&script.source);
        (text.trim_matches(['"', '\'', '`']).to_owned(), import.span)
    });
    // The first in the file, whichever kind it is of.
    let first = named.chain(dynamic).min_by_key(|(_, span)| span.start);
    let Some((name, span)) = first else { return Ok(()) };
    let at = author_place(script, span.start as usize);
    Err(ScriptError::Import {
        name: crate::refusal::shown(&name),
        file: script.file.clone(),
        place: at.text,
        shown: at.shown,
    })
}

/// A top-level name, or the default export, that holds something which is surely no function.
type Values<'a> = BTreeSet<&'a str>;
const DEFAULT: &str = "default";

fn values<'a>(program: &'a Program<'a>) -> Values<'a> {
    let mut values = Values::new();
    for statement in &program.body {
        match statement {
            Statement::ExportDeclaration(export) => note(&export.declaration, &mut values),
            Statement::ExportDefaultDeclaration(export) => {
                if is_value(&export.declaration) {
                    values.insert(DEFAULT);
                }
            }
            other => {
                if let Some(declaration) = other.as_declaration() {
                    note(declaration, &mut values);
                }
            }
        }
    }
    values
}

fn note<'a>(declaration: &'a Declaration<'a>, values: &mut Values<'a>) {
    match declaration {
        Declaration::ClassDeclaration(class) => values.extend(class.id.as_ref().map(|id| id.name.as_str())),
        Declaration::VariableDeclaration(variables) => {
            for variable in &variables.declarations {
                let BindingPattern::BindingIdentifier(id) = &variable.id else {
                    continue;
                };
                // Without a first value it may become a function later.
                if variable.init.as_ref().is_some_and(holds_a_value) {
                    values.insert(id.name.as_str());
                }
            }
        }
        _ => {}
    }
}

fn is_value(default: &ExportDefaultDeclarationKind<'_>) -> bool {
    match default {
        ExportDefaultDeclarationKind::FunctionDeclaration(_) => false,
        ExportDefaultDeclarationKind::ClassDeclaration(_) => true,
        other => other.as_expression().is_some_and(holds_a_value),
    }
}

fn holds_a_value(expression: &Expression<'_>) -> bool {
    expression.is_literal()
        || matches!(
            expression,
            Expression::ArrayExpression(_)
                | Expression::ObjectExpression(_)
                | Expression::TemplateLiteral(_)
                | Expression::ClassExpression(_)
                | Expression::NewExpression(_)
                | Expression::BinaryExpression(_)
                | Expression::UnaryExpression(_)
        )
}

fn names_a_value(entry: &ExportEntry<'_>, values: &Values<'_>) -> bool {
    match &entry.local_name {
        ExportLocalName::Name(local) => values.contains(local.name.as_str()),
        ExportLocalName::Default(_) | ExportLocalName::Null => values.contains(DEFAULT),
    }
}

fn described(export: &ExportEntry<'_>, parsed: &ParserReturn<'_>) -> Option<Entry> {
    let name = match &export.export_name {
        ExportExportName::Name(name) => name.name.to_string(),
        ExportExportName::Default(_) => DEFAULT.to_owned(),
        ExportExportName::Null => return None,
    };
    Some(Entry {
        name,
        about: about(export.statement_span, parsed),
        item: Some(Field {
            kind: FieldKind::Json,
            ..Field::default()
        }),
        output: OutputKind::Json,
        ..Entry::default()
    })
}

/// The first paragraph of the comment before the export.
fn about(export: Span, parsed: &ParserReturn<'_>) -> String {
    let comments = &parsed.program.comments;
    let comment = comments
        .iter()
        .rev()
        .find(|comment| comment.attached_to == export.start && comment.is_jsdoc());
    let Some(comment) = comment else {
        return String::new();
    };
    let text = comment.content_span().source_text(parsed.program.source_text);
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches('*').trim());
    let said = lines
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty() && !line.starts_with('@'));
    let words: Vec<&str> = said.collect();
    words.join(" ").chars().take(ABOUT_CHARS_MAX).collect()
}

//! From the author's text to one JavaScript module: parse, take the types away, keep the way back.
use super::compose::compose;
use super::frame::{place, shown};
use super::{MAP_BYTES_MAX, ScriptError, TEXT_BYTES_MAX};
use base64::Engine as _;
use oxc::allocator::Allocator;
use oxc::codegen::{Codegen, CodegenOptions};
use oxc::diagnostics::OxcDiagnostic;
use oxc::parser::{Parser, ParserReturn};
use oxc::semantic::SemanticBuilder;
use oxc::span::SourceType;
use oxc::transformer::{TransformOptions, Transformer};
use oxc_sourcemap::SourceMap;
use std::path::Path;

/// How a bundler ends a file that carries its own source map.
const INLINE_MAP: &str = "//# sourceMappingURL=data:application/json;";

/// The module, and the way back to the author's files where they differ.
pub(super) struct Front {
    pub(super) source: String,
    pub(super) map: Option<String>,
}

/// Reads the author's text.
pub(super) fn front(file: &str, text: &str) -> Result<Front, ScriptError> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(ScriptError::TextTooLong { bytes: text.len() });
    }
    let kind = source_type(file)?;
    let (text, inline) = split_inline_map(text);
    if kind.is_typescript() || kind.is_jsx() {
        transpile(file, text, kind, inline.as_deref())
    } else {
        let allocator = Allocator::default();
        parse(&allocator, file, text, kind)?;
        Ok(Front {
            source: text.to_owned(),
            map: inline,
        })
    }
}

fn source_type(file: &str) -> Result<SourceType, ScriptError> {
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    match ending {
        "js" | "mjs" => Ok(SourceType::mjs()),
        "jsx" => Ok(SourceType::mjs().with_jsx(true)),
        "ts" | "mts" => Ok(SourceType::ts()),
        "tsx" => Ok(SourceType::tsx()),
        _ => Err(ScriptError::Ending {
            file: file.to_owned(),
        }),
    }
}

/// The text without the map at its end; a map that cannot be read is left out.
fn split_inline_map(text: &str) -> (&str, Option<String>) {
    let Some(at) = text.rfind(INLINE_MAP) else {
        return (text, None);
    };
    let comment = text[at..].trim_end();
    if comment.contains('\n') {
        return (text, None);
    }
    let encoded = comment.rsplit_once("base64,").map_or("", |(_, encoded)| encoded);
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).ok();
    let map = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    (&text[..at], map.and_then(|map| usable(&map)))
}

/// The map as this program writes it, without what is too long to keep.
fn usable(map: &str) -> Option<String> {
    let mut parsed = SourceMap::from_json_string(map).ok()?;
    let json = parsed.to_json_string();
    if json.len() <= MAP_BYTES_MAX {
        return Some(json);
    }
    // The positions say more than the texts.
    parsed.set_source_contents(Vec::new());
    Some(parsed.to_json_string()).filter(|json| json.len() <= MAP_BYTES_MAX)
}

/// Parses a module; the first error is told with its line.
pub(super) fn parse<'a>(
    allocator: &'a Allocator,
    file: &str,
    text: &'a str,
    kind: SourceType,
) -> Result<ParserReturn<'a>, ScriptError> {
    let parsed = Parser::new(allocator, text, kind).parse();
    first_error(file, text, parsed.diagnostics.errors())?;
    let semantic = SemanticBuilder::new()
        .with_check_syntax_error(true)
        .build(&parsed.program);
    first_error(file, text, semantic.diagnostics.errors())?;
    Ok(parsed)
}

fn first_error<'d>(
    file: &str,
    text: &str,
    mut errors: impl Iterator<Item = &'d OxcDiagnostic>,
) -> Result<(), ScriptError> {
    let Some(error) = errors.next() else { return Ok(()) };
    let byte = error.labels.first().map_or(0, |label| label.offset() as usize);
    let at = place(text, byte);
    let help = error.help.as_ref().map(|help| format!(" ({help})"));
    Err(ScriptError::Syntax {
        place: format!("{file}:{}:{}", at.line, at.column),
        message: format!("{}{}", error.message, help.unwrap_or_default()),
        shown: shown(text, at),
    })
}

/// Takes the types away; where the text was itself made of others, `inline` is the way from it to them.
fn transpile(file: &str, text: &str, kind: SourceType, inline: Option<&str>) -> Result<Front, ScriptError> {
    let allocator = Allocator::default();
    let mut program = parse(&allocator, file, text, kind)?.program;
    let semantic = SemanticBuilder::new().with_enum_eval(true).build(&program);
    let scoping = semantic.semantic.into_scoping();
    let options = TransformOptions::default();
    let transformed =
        Transformer::new(&allocator, Path::new(file), &options).build_with_scoping(scoping, &mut program);
    first_error(file, text, transformed.diagnostics.errors())?;
    let options = CodegenOptions {
        source_map_path: Some(file.into()),
        ..CodegenOptions::default()
    };
    let printed = Codegen::new().with_options(options).build(&program);
    let map = printed.map.and_then(|map| {
        let first = inline.and_then(|inline| SourceMap::from_json_string(inline).ok());
        usable(&match first {
            Some(first) => compose(&map, &first),
            None => map.to_json_string(),
        })
    });
    Ok(Front {
        source: printed.code,
        map,
    })
}

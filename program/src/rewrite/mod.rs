//! Makes the admitted bytes: what admission adds and changes, put into the module's sections.
//!
//! Additions stand at the end of their index spaces, so no index of the module changes. Custom sections
//! are dropped, except the description and the names of functions: a trap shows the author's names.
mod names;

use crate::check::Function;
use crate::edit::{Edit, apply, growth, leb, read_leb, write_leb};
use crate::limits::{MEMORY_BYTES_MAX, TABLE_ELEMENTS_MAX, WASM_PAGE_BYTES};
use crate::marker;
use crate::refusal::Refusal;
use kernel_abi::DESCRIPTION_SECTION;
use std::ops::Range;
use wasmparser::{ExternalKind, Parser, Payload};

const TYPE: u8 = 1;
const FUNCTION: u8 = 3;
const TABLE: u8 = 4;
const MEMORY: u8 = 5;
const GLOBAL: u8 = 6;
const CUSTOM: u8 = 0;
/// The sections that come before globals.
const BEFORE_GLOBALS: [u8; 6] = [CUSTOM, TYPE, 2, FUNCTION, TABLE, MEMORY];

/// What is added to the module, encoded.
#[derive(Debug, Default)]
pub(crate) struct Additions {
    pub(crate) types: Vec<Vec<u8>>,
    /// The type of each added function.
    pub(crate) functions: Vec<Vec<u8>>,
    /// Their bodies, each with its size before it.
    pub(crate) bodies: Vec<Vec<u8>>,
    pub(crate) globals: Vec<Vec<u8>>,
    /// Function index and name, in rising order.
    pub(crate) names: Vec<(u32, &'static str)>,
    /// Exports by name that become another function.
    pub(crate) exports: Vec<(String, u32)>,
    /// Functions whose calls are counted.
    pub(crate) counted: u32,
    /// Fills and copies that are done in pieces.
    pub(crate) divided: usize,
}

/// The admitted bytes of `module`, which passed every check; `functions` are its own in order.
pub(crate) fn rewrite(
    module: &[u8],
    additions: &Additions,
    functions: Vec<Function>,
) -> Result<Vec<u8>, Refusal> {
    let mut rewriter = Rewriter {
        module,
        additions,
        functions,
        edits: Vec::new(),
        globals_done: additions.globals.is_empty(),
        named: false,
    };
    rewriter.sections()?;
    rewriter.finish()
}

struct Rewriter<'m> {
    module: &'m [u8],
    additions: &'m Additions,
    functions: Vec<Function>,
    edits: Vec<Edit>,
    globals_done: bool,
    named: bool,
}

/// Where a section lies.
#[derive(Clone, Debug)]
struct Place {
    start: usize,
    content: Range<usize>,
}

impl Rewriter<'_> {
    fn sections(&mut self) -> Result<(), Refusal> {
        let mut start = 0;
        for payload in Parser::new(0).parse_all(self.module) {
            let payload = payload?;
            if let Payload::Version { range, .. } = &payload {
                start = range.end;
            }
            if let Some((id, content)) = payload.as_section() {
                let end = content.end;
                self.section(id, &Place { start, content }, &payload)?;
                start = end;
            }
        }
        Ok(())
    }

    fn section(&mut self, id: u8, place: &Place, payload: &Payload<'_>) -> Result<(), Refusal> {
        if !self.globals_done && id != GLOBAL && !BEFORE_GLOBALS.contains(&id) {
            self.new_global_section(place.start);
        }
        let more = self.additions;
        match payload {
            Payload::TypeSection(_) => self.append(place, &more.types, Vec::new()),
            Payload::FunctionSection(_) => self.append(place, &more.functions, Vec::new()),
            Payload::GlobalSection(_) => {
                self.globals_done = true;
                self.append(place, &more.globals, Vec::new());
            }
            Payload::CodeSectionStart { .. } => {
                let inner = self.code();
                self.append(place, &more.bodies, inner);
            }
            Payload::ExportSection(section) if !more.exports.is_empty() => {
                let content = exports(section.clone(), &more.exports)?;
                self.resize(place, vec![Edit::replace(place.content.clone(), content)]);
            }
            Payload::StartSection { .. } => {
                self.edits
                    .push(Edit::replace(place.start..place.content.end, Vec::new()));
            }
            Payload::MemorySection(section) => {
                for memory in section.clone() {
                    let memory = memory?;
                    let most = MEMORY_BYTES_MAX / WASM_PAGE_BYTES;
                    let limits = limits(memory.initial, memory.maximum, most);
                    self.bound(place, &[], memory.maximum, most, &limits);
                }
            }
            Payload::TableSection(section) => {
                for table in section.clone() {
                    let table = table?.ty;
                    let limits = limits(table.initial, table.maximum, TABLE_ELEMENTS_MAX);
                    self.bound(place, &[FUNCREF], table.maximum, TABLE_ELEMENTS_MAX, &limits);
                }
            }
            Payload::CustomSection(section) => match section.name() {
                DESCRIPTION_SECTION => {}
                "name" if !self.named => self.names(place, section),
                _ => self
                    .edits
                    .push(Edit::drop_for_good(place.start..place.content.end)),
            },
            _ => {}
        }
        Ok(())
    }

    /// Adds entries at a section's end and applies `inner` edits to it.
    fn append(&mut self, place: &Place, more: &[Vec<u8>], inner: Vec<Edit>) {
        let mut edits = inner;
        if !more.is_empty() {
            let at = place.content.clone();
            let mut rest = &self.module[at.clone()];
            let count = read_leb(&mut rest).unwrap_or(0);
            let count_end = at.end - rest.len();
            edits.push(Edit::replace(at.start..count_end, leb(count + more.len())));
            edits.push(Edit::insert(at.end, more.concat()));
        }
        self.resize(place, edits);
    }

    fn resize(&mut self, place: &Place, mut edits: Vec<Edit>) {
        if edits.is_empty() {
            return;
        }
        let size = resized(place.content.len(), &edits);
        edits.push(Edit::replace(place.start + 1..place.content.start, leb(size)));
        self.edits.append(&mut edits);
    }

    /// Gives the section's one memory or table its maximum.
    fn bound(&mut self, place: &Place, before: &[u8], found: Option<u64>, most: u64, limits: &[u8]) {
        if found.is_none_or(|found| found > most) {
            let content = [&[1], before, limits].concat();
            self.resize(place, vec![Edit::replace(place.content.clone(), content)]);
        }
    }

    fn code(&mut self) -> Vec<Edit> {
        let mut edits = Vec::new();
        for mut function in std::mem::take(&mut self.functions) {
            if !function.edits.is_empty() {
                let body = function.body();
                let size = resized(body.len(), &function.edits);
                edits.push(Edit::replace(size_before(self.module, &body), leb(size)));
                edits.append(&mut function.edits);
            }
        }
        edits
    }

    fn new_global_section(&mut self, at: usize) {
        self.globals_done = true;
        let mut content = leb(self.additions.globals.len());
        content.extend(self.additions.globals.concat());
        self.edits.push(Edit::insert(at, section(GLOBAL, &content)));
    }

    fn names(&mut self, place: &Place, section: &wasmparser::CustomSectionReader<'_>) {
        let data = section.data_offset()..section.data_offset() + section.data().len();
        match names::append(self.module, data, &self.additions.names) {
            Some(edits) => {
                self.named = true;
                self.resize(place, edits);
            }
            None => self
                .edits
                .push(Edit::drop_for_good(place.start..place.content.end)),
        }
    }

    fn finish(mut self) -> Result<Vec<u8>, Refusal> {
        if !self.named && !self.additions.names.is_empty() {
            let content = names::new_section(&self.additions.names);
            self.edits
                .push(Edit::insert(self.module.len(), section(CUSTOM, &content)));
        }
        let (mut admitted, undo) = apply(self.module, self.edits);
        marker::append(&mut admitted, &undo);
        Ok(admitted)
    }
}

/// The export section with some functions replaced.
fn exports(
    section: wasmparser::ExportSectionReader<'_>,
    replaced: &[(String, u32)],
) -> Result<Vec<u8>, Refusal> {
    let mut content = leb(section.count() as usize);
    for export in section {
        let export = export?;
        let kind = match export.kind {
            ExternalKind::Table => 1,
            ExternalKind::Memory => 2,
            ExternalKind::Global => 3,
            // There are no others among the allowed features.
            _ => 0,
        };
        let new = replaced.iter().find(|(name, _)| kind == 0 && name == export.name);
        write_leb(&mut content, export.name.len());
        content.extend_from_slice(export.name.as_bytes());
        content.push(kind);
        write_leb(
            &mut content,
            new.map_or(export.index, |(_, index)| *index) as usize,
        );
    }
    Ok(content)
}

const FUNCREF: u8 = 0x70;

/// The limits of a memory or table, with a maximum of at most `most`.
fn limits(least: u64, declared: Option<u64>, most: u64) -> Vec<u8> {
    let small = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
    let mut out = vec![1];
    write_leb(&mut out, small(least));
    write_leb(
        &mut out,
        small(declared.map_or(most, |declared| declared.min(most))),
    );
    out
}

/// A section or subsection with its size.
fn section(id: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![id];
    write_leb(&mut out, content.len());
    out.extend_from_slice(content);
    out
}

fn resized(length: usize, edits: &[Edit]) -> usize {
    let by = growth(edits);
    let by_bytes = usize::try_from(by.unsigned_abs()).unwrap_or(usize::MAX);
    if by < 0 {
        length - by_bytes
    } else {
        length + by_bytes
    }
}

/// Where the size of `body` is written. Encodings may be padded, so its length is not that of the number.
fn size_before(module: &[u8], body: &Range<usize>) -> Range<usize> {
    let fits = |length: &usize| {
        let mut bytes = &module[body.start - length..body.start];
        read_leb(&mut bytes) == Some(body.len()) && bytes.is_empty()
    };
    let length = (1..=5).rev().find(fits).unwrap_or(1);
    body.start - length..body.start
}

//! The name section: the author's names stay, and those of added functions join them.
use super::section;
use crate::edit::{Edit, leb, read_leb, write_leb};
use std::ops::Range;
use wasmparser::{BinaryReader, Name, NameSectionReader};

/// The subsection that names functions.
const FUNCTIONS: u8 = 1;

/// The edits that add `more` to the name section whose subsections lie at `data`. `None` when the
/// section cannot be read: engines would ignore it, so it is of no use.
pub(super) fn append(module: &[u8], data: Range<usize>, more: &[(u32, &'static str)]) -> Option<Vec<Edit>> {
    readable(module, data.clone(), more)?;
    if more.is_empty() {
        return Some(Vec::new());
    }
    let mut at = data.start;
    while at < data.end {
        let mut rest = &module[at + 1..data.end];
        let size = read_leb(&mut rest)?;
        let content = data.end - rest.len()..data.end - rest.len() + size;
        if module[at] == FUNCTIONS {
            return Some(extend(module, at + 1..content.start, content, more));
        }
        if module[at] > FUNCTIONS {
            break;
        }
        at = content.end;
    }
    Some(vec![Edit::insert(at, functions(more))])
}

/// A name section that names `more` only.
pub(super) fn new_section(more: &[(u32, &'static str)]) -> Vec<u8> {
    let mut content = leb("name".len());
    content.extend_from_slice(b"name");
    content.extend(functions(more));
    content
}

fn functions(more: &[(u32, &'static str)]) -> Vec<u8> {
    let mut content = leb(more.len());
    content.extend(named(more));
    section(FUNCTIONS, &content)
}

fn named(more: &[(u32, &'static str)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, name) in more {
        write_leb(&mut out, *index as usize);
        write_leb(&mut out, name.len());
        out.extend_from_slice(name.as_bytes());
    }
    out
}

fn extend(
    module: &[u8],
    size_at: Range<usize>,
    content: Range<usize>,
    more: &[(u32, &'static str)],
) -> Vec<Edit> {
    let mut rest = &module[content.clone()];
    let count = read_leb(&mut rest).unwrap_or(0);
    let count_at = content.start..content.end - rest.len();
    let edits = vec![
        Edit::replace(count_at, leb(count + more.len())),
        Edit::insert(content.end, named(more)),
    ];
    let size = super::resized(content.len(), &edits);
    let mut all = vec![Edit::replace(size_at, leb(size))];
    all.extend(edits);
    all
}

/// Reads every subsection once; a function's name must not claim an index that is added.
fn readable(module: &[u8], data: Range<usize>, more: &[(u32, &'static str)]) -> Option<()> {
    let reader = NameSectionReader::new(BinaryReader::new(&module[data], 0));
    let mut last_id = None;
    let first_added = more.first().map_or(u32::MAX, |(index, _)| *index);
    for name in reader {
        let name = name.ok()?;
        let id = if matches!(name, Name::Function(_)) { 1 } else { 2 };
        if id == 1 && last_id.replace(1) == Some(1) {
            return None;
        }
        if let Name::Function(map) = name {
            for naming in map {
                if naming.ok()?.index >= first_added {
                    return None;
                }
            }
        }
    }
    Some(())
}

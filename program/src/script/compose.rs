//! Two steps back in one: the way of a map, and from where it leads the way of the map of the step before.
use oxc_sourcemap::{SourceMap, SourceMapBuilder, Token};

/// From what was made last to what was there first. `last` leads to a text from which `first` leads further;
/// what `first` does not know stays where `last` leads.
pub(super) fn compose(last: &SourceMap<'_>, first: &SourceMap<'_>) -> String {
    let mut builder = SourceMapBuilder::default();
    let further = add_sources(&mut builder, first);
    let nearer = add_sources(&mut builder, last);
    let table = first.generate_lookup_table();
    for token in last.get_tokens() {
        let found = first.lookup_token_approx(&table, token.get_src_line(), token.get_src_col());
        match found.filter(|found| found.get_source_id().is_some()) {
            Some(found) => add(&mut builder, token, found, &further),
            None => add(&mut builder, token, token, &nearer),
        }
    }
    builder.into_sourcemap().to_json_string()
}

/// The sources of a map; what they are called from now on.
fn add_sources<'a>(builder: &mut SourceMapBuilder<'a>, map: &'a SourceMap<'_>) -> Vec<u32> {
    let contents = map.get_source_contents().chain(std::iter::repeat(None));
    let sources = map.get_sources().zip(contents);
    // Two files may have one name: the bundle, and one that is in it.
    sources
        .map(|(name, content)| builder.set_source_and_content(name, content.unwrap_or_default()))
        .collect()
}

fn add(builder: &mut SourceMapBuilder<'_>, from: Token, to: Token, sources: &[u32]) {
    let source = to
        .get_source_id()
        .and_then(|id| sources.get(id as usize).copied());
    builder.add_token(
        from.get_dst_line(),
        from.get_dst_col(),
        to.get_src_line(),
        to.get_src_col(),
        source,
        None,
    );
}

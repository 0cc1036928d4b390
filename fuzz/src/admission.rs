//! Admission: raw bytes, and modules that are valid and strange.
use arbitrary::Unstructured;

/// What is admitted is admitted again unchanged. An odd first byte makes a module out of the rest.
pub(crate) fn run(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let module = match kind % 2 {
        0 => Some(rest.to_vec()),
        _ => made(rest),
    };
    let Some(Ok(admitted)) = module.map(program::admit) else {
        return;
    };
    let again = program::admit(admitted.bytes.clone()).expect("what was admitted is admitted again");
    assert_eq!(again.hash, admitted.hash, "admitting twice changes a program");
}

fn made(seed: &[u8]) -> Option<Vec<u8>> {
    let config = wasm_smith::Config {
        max_imports: 0,
        min_memories: 1,
        max_memories: 1,
        export_everything: true,
        ..wasm_smith::Config::default()
    };
    let module = wasm_smith::Module::new(config, &mut Unstructured::new(seed)).ok()?;
    Some(module.to_bytes())
}

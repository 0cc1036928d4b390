//! The kernels for JavaScript: what `@elytra/rust-core` is made of. An item goes through the same
//! code as in the sandbox, as a shard of one.
use crate::ENTRIES;
use elytra_kernel::abi::{Encoding, encode_list, split_framed};
use elytra_kernel::run_native;
use wasm_bindgen::JsError;
use wasm_bindgen::prelude::wasm_bindgen;

/// Runs one item: parameters and item are JSON, the output is the entry's bytes.
#[wasm_bindgen]
pub fn run(entry: &str, params: &str, item: &str) -> Result<Vec<u8>, JsError> {
    let known = ENTRIES.iter().find(|known| known.name == entry);
    let entry = known.ok_or_else(|| JsError::new(&format!("there is no entry `{entry}`")))?;
    let input = encode_list(params.as_bytes(), Encoding::Json, [item.as_bytes()].into_iter());
    let output = run_native(entry, &input).map_err(|failure| JsError::new(&failure.cause))?;
    // One item went in, so one frame came out.
    Ok(split_framed(&output)
        .next()
        .and_then(Result::ok)
        .map(<[u8]>::to_vec)
        .unwrap_or_default())
}

/// What the entries say of themselves: one JSON object a line.
#[wasm_bindgen]
pub fn descriptions() -> String {
    ENTRIES.iter().map(|entry| entry.description).collect()
}

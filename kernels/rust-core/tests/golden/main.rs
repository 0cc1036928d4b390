//! Answers known from outside, asked for with the bytes that a shell would send.
mod align;
mod mandelbrot;
mod mersenne;
mod montecarlo;

use elytra_kernel::{Entry, run_native};
use kernel_abi::{Encoding, encode_list, encode_range, split_framed};
use serde_json::Value;

/// The outputs over `count` numbers from `first`.
fn over_range(entry: &Entry, params: &Value, first: i64, count: u32) -> Result<Vec<Vec<u8>>, String> {
    outputs(
        entry,
        &encode_range(params.to_string().as_bytes(), first, 1, count),
    )
}

/// The answer for one number, which is JSON.
fn of_number(entry: &Entry, params: &Value, item: i64) -> Result<Value, String> {
    over_range(entry, params, item, 1).map(|outputs| serde_json::from_slice(&outputs[0]).unwrap())
}

/// The answer for one text, which is JSON.
fn of_text(entry: &Entry, params: &Value, item: &str) -> Result<Value, String> {
    let input = encode_list(
        params.to_string().as_bytes(),
        Encoding::Text,
        [item.as_bytes()].into_iter(),
    );
    outputs(entry, &input).map(|outputs| serde_json::from_slice(&outputs[0]).unwrap())
}

fn outputs(entry: &Entry, input: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let output = run_native(entry, input).map_err(|failure| failure.to_string())?;
    Ok(split_framed(&output)
        .map(|frame| frame.unwrap().to_vec())
        .collect())
}

#[test]
fn null_gives_an_empty_output_for_every_item() {
    let outputs = over_range(&rust_core::null::NULL, &Value::Null, 0, 1000).unwrap();
    assert_eq!(outputs, vec![Vec::<u8>::new(); 1000]);
}

#[test]
fn every_entry_describes_itself_on_a_line_of_its_own() {
    for entry in rust_core::ENTRIES {
        assert_eq!(
            entry.description.matches('\n').count(),
            1,
            "{}",
            entry.description
        );
        let line: Value = serde_json::from_str(entry.description).unwrap();
        assert_eq!(line["name"], entry.name);
        assert_eq!(line["program"]["name"], "rust-core");
    }
}

//! Answers known from outside, reached through the bytes a shell would send.
use elytra_kernel::{Entry, run_native};
use kernel_abi::{Encoding, encode_list, encode_range, split_framed};
use rust_core::align::ALIGN;
use rust_core::mandelbrot::{MANDELBROT, escape_count};
use rust_core::mersenne::MERSENNE;
use rust_core::montecarlo::MONTECARLO;
use rust_core::null::NULL;
use serde_json::{Value, json};

fn outputs(entry: &Entry, input: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let output = run_native(entry, input)?;
    Ok(split_framed(&output).map(|frame| frame.unwrap().to_vec()).collect())
}

fn over_range(entry: &Entry, params: &Value, first: i64, count: u32) -> Result<Vec<Vec<u8>>, String> {
    outputs(entry, &encode_range(params.to_string().as_bytes(), first, 1, count))
}

fn over_text(entry: &Entry, params: &Value, item: &str) -> Result<Value, String> {
    let input = encode_list(params.to_string().as_bytes(), Encoding::Text, [item.as_bytes()].into_iter());
    outputs(entry, &input).map(|outputs| serde_json::from_slice(&outputs[0]).unwrap())
}

#[test]
fn null_gives_an_empty_output_for_every_item() {
    let outputs = over_range(&NULL, &Value::Null, 0, 1000).unwrap();
    assert_eq!(outputs, vec![Vec::<u8>::new(); 1000]);
}

/// The exponents of all Mersenne primes below 5,000 (OEIS A000043).
const PRIME_EXPONENTS: [i64; 20] =
    [2, 3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127, 521, 607, 1279, 2203, 2281, 3217, 4253, 4423];

#[test]
fn the_mersenne_primes_are_those_known_and_no_others() {
    let outputs = over_range(&MERSENNE, &Value::Null, 1, 1300).unwrap();
    let answers = outputs.iter().map(|output| serde_json::from_slice::<Value>(output).unwrap());
    let primes: Vec<_> =
        answers.filter(|a| a["prime"] == true).map(|a| a["exponent"].as_i64().unwrap()).collect();
    assert_eq!(primes, PRIME_EXPONENTS[..15]);
}

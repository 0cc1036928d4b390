//! The examples of the repository run, and say what they promise.
use crate::harness::{Call, Items, range};
use serde_json::json;

#[test]
fn the_small_examples_count_and_square() {
    let collatz = include_str!("../../../../examples/scripts/collatz.js");
    let call = Call {
        entry: "collatz",
        ..Call::of(collatz)
    };
    assert_eq!(call.outputs(Items::Json(&[json!(27), json!(1)])), ["111", "0"]);
    let square = include_str!("../../../../examples/scripts/square.js");
    let call = Call {
        entry: "square",
        ..Call::of(square)
    };
    assert_eq!(call.outputs(range(12, 1)), ["144"]);
}

#[test]
fn pi_comes_out_of_hits_that_are_added() {
    let text = include_str!("../../../../examples/scripts/pi.ts");
    let call = |entry, reduce| Call {
        file: "pi.ts",
        entry,
        reduce,
        ..Call::of(text)
    };
    let hits: Vec<i64> = call("hits", false)
        .outputs(range(0, 20))
        .iter()
        .map(|n| n.parse().unwrap())
        .collect();
    let sum = call("add", true).outputs(Items::Json(&[json!(hits)]));
    let pi = 4.0 * sum[0].parse::<f64>().unwrap() / 200_000.0;
    assert!((3.12..3.16).contains(&pi), "{pi}");
}

#[test]
fn the_ray_tracer_draws_a_frame() {
    let call = Call {
        file: "raytracer.ts",
        entry: "frame",
        params: json!({"width": 32}),
        ..Call::of(include_str!("../../../../examples/scripts/raytracer.ts"))
    };
    let frames = call.outputs(range(0, 2));
    let pixels: Vec<u8> = serde_json::from_str(&frames[0]).unwrap();
    assert_eq!(pixels.len(), 3 * 32 * 32);
    assert!(
        pixels.iter().max() > pixels.iter().min(),
        "there is something to see"
    );
    assert_ne!(frames[0], frames[1]);
}

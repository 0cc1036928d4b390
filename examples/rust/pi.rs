//! π by throwing darts, on whatever works for the server: a function in JavaScript, a sum in Rust.
//!
//! `elytra dev` in another terminal, then `cargo run -p elytra-client --example pi`.
use elytra_client::{Elytra, Options};
use serde_json::json;

const DARTS: &str = "
export default function hits(seed, { darts }) {
  let inside = 0;
  for (let i = 0; i < darts; i++) {
    const x = Math.random(), y = Math.random();
    if (x * x + y * y < 1) inside++;
  }
  return inside;
}
export const add = (a, b) => a + b;
";
const ROUNDS: i64 = 200;
const DARTS_PER_ROUND: u32 = 10_000;

#[tokio::main]
async fn main() -> Result<(), elytra_client::Error> {
    let elytra = Elytra::connect(Options::from_env()?).await?;
    let script = elytra.script("darts.js", DARTS)?;
    let rounds = elytra.range(0..ROUNDS).map(script.entry("default"));
    let inside: u64 = rounds
        .params(json!({ "darts": DARTS_PER_ROUND }))
        .reduce(script.entry("add"))
        .await?;
    let thrown = ROUNDS as f64 * f64::from(DARTS_PER_ROUND);
    println!("{}", 4.0 * inside as f64 / thrown);
    Ok(())
}

//! What it costs: benchmarks against the skeleton and peers.
fn main() {}

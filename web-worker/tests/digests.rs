//! The standard kernels, run natively, against the digests that `sandbox.test.mjs` finds in a real Chromium: one
//! file, so the same bytes on both sides. `ELYTRA_WRITE_DIGESTS=1` writes it anew after a kernel was changed.
use protocol::ids::Digest;
use serde::{Deserialize, Serialize};
use std::fs;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/digests.json");

#[derive(Serialize, Deserialize)]
struct Case {
    entry: String,
    params: String,
    first: i64,
    step: i64,
    count: u32,
    sha256: String,
}

impl Case {
    fn digest(&self) -> String {
        let entry = rust_core::ENTRIES
            .into_iter()
            .find(|entry| entry.name == self.entry)
            .expect("a known entry");
        let input = kernel_abi::encode_range(self.params.as_bytes(), self.first, self.step, self.count);
        let output = elytra_kernel::run_native(entry, &input).expect("the kernel runs");
        Digest::of(&output).to_string()
    }
}

#[test]
fn native_runs_give_the_digests_of_the_file() {
    let mut cases: Vec<Case> = serde_json::from_str(&fs::read_to_string(FILE).unwrap()).unwrap();
    if std::env::var_os("ELYTRA_WRITE_DIGESTS").is_some() {
        cases.iter_mut().for_each(|case| case.sha256 = case.digest());
        fs::write(FILE, serde_json::to_string_pretty(&cases).unwrap() + "\n").unwrap();
    }
    for case in &cases {
        assert_eq!(case.digest(), case.sha256, "{} {}", case.entry, case.params);
    }
}

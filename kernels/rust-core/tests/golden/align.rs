//! Alignments from textbooks, and ones small enough to check by hand.
use super::of_text;
use rust_core::align::ALIGN;
use serde_json::{Value, json};

fn with(reference: &str, matching: i32, mismatch: i32, open: i32, extend: i32) -> Value {
    json!({
        "reference": reference, "match": matching, "mismatch": mismatch,
        "gap_open": open, "gap_extend": extend,
    })
}

/// Query's and reference's part, score and CIGAR.
fn told(answer: &Value) -> (i64, [u64; 4], &str) {
    let names = ["query_start", "query_end", "reference_start", "reference_end"];
    let positions = names.map(|name| answer[name].as_u64().unwrap());
    (
        answer["score"].as_i64().unwrap(),
        positions,
        answer["cigar"].as_str().unwrap(),
    )
}

fn check(query: &str, params: &Value, expected: (i64, [u64; 4], &str)) {
    let answer = of_text(&ALIGN, params, query).unwrap();
    assert_eq!(told(&answer), expected, "{query}");
}

/// Wikipedia, "Smith-Waterman algorithm": GTT-AC over GTTGAC, and A-CACACTA over AGCACAC-A.
#[test]
fn examples_of_textbooks() {
    check(
        "TGTTACGG",
        &with("GGTTGACTA", 3, -3, 0, 2),
        (13, [1, 6, 1, 7], "3M1D2M"),
    );
    check(
        "ACACACTA",
        &with("AGCACACA", 2, -1, 0, 1),
        (12, [0, 8, 0, 8], "1M1D5M1I1M"),
    );
}

/// 15 pairs of 2, less 5 + 3 · 2 for one gap of three; without the gap 8 pairs make only 16.
#[test]
fn one_long_gap_is_opened_once() {
    let (left, right) = ("ACGTTGCA", "GATTACA");
    let (short, long) = (format!("{left}{right}"), format!("{left}CCC{right}"));
    check(&short, &with(&long, 2, -3, 5, 2), (19, [0, 15, 0, 18], "8M3D7M"));
    check(&long, &with(&short, 2, -3, 5, 2), (19, [0, 18, 0, 15], "8M3I7M"));
}

/// The proteins of Durbin et al., section 2.3: A 4, W 11, a gap of 8 + 1, H 8, E 5.
#[test]
fn proteins_are_scored_by_blosum62() {
    let params = json!({"reference": "PAWHEAE", "alphabet": "protein", "gap_open": 8, "gap_extend": 1});
    check("HEAGAWGHEE", &params, (19, [4, 9, 1, 5], "2M1I2M"));
}

#[test]
fn ties_are_broken_as_documented() {
    // Two references, two ends in the query, two ends in the reference.
    let params = json!({"reference": ">one\nACGTTTACGT\n>two\nACGT"});
    let answer = of_text(&ALIGN, &params, ">q some text\nacgtgggacgt").unwrap();
    assert_eq!(told(&answer), (8, [0, 4, 0, 4], "4M"));
    assert_eq!(
        (&answer["query"], &answer["reference"]),
        (&json!("q"), &json!("one"))
    );
    // A pair before a gap: the extra A of the query could be either of the two.
    check(
        "CCCCAAGGGG",
        &with("CCCCAGGGG", 2, -3, 1, 1),
        (16, [0, 10, 0, 9], "4M1I5M"),
    );
}

#[test]
fn the_best_of_several_references_is_told() {
    let params = json!({"reference": ">one\nACGTT\n>two\nTTACGTACC\n"});
    let answer = of_text(&ALIGN, &params, "ACGTAC").unwrap();
    assert_eq!(told(&answer), (12, [0, 6, 2, 8], "6M"));
    assert_eq!(answer["reference"], "two");
}

#[test]
fn nothing_aligns() {
    let answer = of_text(&ALIGN, &with(">r\nCCCC", 2, -3, 5, 2), "AAAN").unwrap();
    assert_eq!(told(&answer), (0, [0; 4], ""));
    assert_eq!(answer["reference"], "");
}

#[test]
fn several_queries_give_a_list() {
    let answer = of_text(&ALIGN, &with("ACGT", 2, -3, 5, 2), ">a\nACG\n>b\nGT\n").unwrap();
    assert_eq!(
        answer
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["query"])
            .collect::<Vec<_>>(),
        ["a", "b"]
    );
}

#[test]
fn what_does_not_fit_is_named() {
    let refused = |params: Value, query| of_text(&ALIGN, &params, query).unwrap_err();
    assert!(refused(json!({}), "A").contains("parameter `reference` must be given"));
    assert!(
        refused(json!({"reference": "AC GT!"}), "A")
            .contains("parameter `reference`: letter `!` at position 4")
    );
    assert!(
        refused(json!({"reference": "A", "alphabet": "rna"}), "A")
            .contains("not one of [\"dna\",\"protein\"]")
    );
    assert!(
        refused(json!({"reference": "A"}), ">q\nAC1").contains("the query: `q`: letter `1` at position 2")
    );
    assert!(refused(json!({"reference": "A"}), "").contains("there is no sequence"));
}

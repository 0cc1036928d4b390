//! Known Mersenne primes, and residues worked out with whole numbers of another language.
use super::{of_number, over_range};
use rust_core::mersenne::MERSENNE;
use serde_json::{Value, json};

/// The exponents of all Mersenne primes below 5,000 (OEIS A000043).
const PRIME_EXPONENTS: [i64; 20] = [
    2, 3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127, 521, 607, 1279, 2203, 2281, 3217, 4253, 4423,
];

#[test]
fn the_known_primes_are_found() {
    for exponent in PRIME_EXPONENTS {
        let answer = of_number(&MERSENNE, &Value::Null, exponent).unwrap();
        let expected = json!({"exponent": exponent, "prime": true, "residue": "0000000000000000"});
        assert_eq!(answer, expected);
    }
}

#[test]
fn nothing_else_up_to_1300_is_prime() {
    let outputs = over_range(&MERSENNE, &Value::Null, 1, 1300).unwrap();
    let answers = outputs
        .iter()
        .map(|output| serde_json::from_slice::<Value>(output).unwrap());
    let primes = answers
        .filter(|a| a["prime"] == true)
        .map(|a| a["exponent"].as_i64().unwrap());
    let known = PRIME_EXPONENTS.into_iter().filter(|&p| p <= 1300);
    assert_eq!(primes.collect::<Vec<_>>(), known.collect::<Vec<_>>());
}

/// From Python: `s = 4; for _ in range(p - 2): s = (s * s - 2) % (2**p - 1)`, then `s % 2**64`. The
/// lengths reach from a part of a limb to two levels of Karatsuba.
#[test]
fn residues_are_right() {
    let residues = [
        (4, "000000000000000e"),
        (9, "00000000000000cd"),
        (11, "00000000000006c8"),
        (23, "00000000005d32f7"),
        (29, "000000001b57cb0b"),
        (64, "9244252f0d1c7af3"),
        (67, "677d24ee8ae3b2c2"),
        (100, "9444fcfaf263f828"),
        (101, "d0dd748dd7817436"),
        (1024, "6f7fa8142b1e1e6d"),
        (1277, "5613a480590e78ba"),
        (3001, "1b916b735b21fcd4"),
        (4999, "9116b0be48100d73"),
        (9697, "a23dad2328692889"),
    ];
    for (exponent, residue) in residues {
        let answer = of_number(&MERSENNE, &Value::Null, exponent).unwrap();
        assert_eq!(
            answer,
            json!({"exponent": exponent, "prime": false, "residue": residue})
        );
    }
}

#[test]
fn an_exponent_out_of_range_is_refused() {
    let error = of_number(&MERSENNE, &Value::Null, 100_001).unwrap_err();
    assert_eq!(
        error,
        "elytra-item-failed 0: exponent 100001 is not between 1 and 100000"
    );
    assert!(of_number(&MERSENNE, &Value::Null, 0).is_err());
}

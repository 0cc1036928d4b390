//! The Mersenne primes with exponents below 5,000, and the exponents that have to be tried.

/// Every exponent from 3 to 5,000 with which 2^p - 1 is prime (OEIS A000043).
pub(super) const MERSENNE_EXPONENTS: [u32; 19] = [
    3, 5, 7, 13, 17, 19, 31, 61, 89, 107, 127, 521, 607, 1279, 2203, 2281, 3217, 4253, 4423,
];

/// The odd primes below `end`: with any other exponent above 2 the number has a factor that is easily seen.
pub(super) fn odd_primes_below(end: u32) -> Vec<u32> {
    let mut primes: Vec<u32> = Vec::new();
    for candidate in (3..end).step_by(2) {
        if primes
            .iter()
            .take_while(|&&p| p * p <= candidate)
            .all(|p| candidate % p != 0)
        {
            primes.push(candidate);
        }
    }
    primes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_668_odd_primes_below_5000() {
        let primes = odd_primes_below(5_000);
        assert_eq!(
            (primes.len(), primes.first(), primes.last()),
            (668, Some(&3), Some(&4_999))
        );
        assert!(
            MERSENNE_EXPONENTS
                .iter()
                .all(|exponent| primes.contains(exponent))
        );
    }
}

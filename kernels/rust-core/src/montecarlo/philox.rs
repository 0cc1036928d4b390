//! Philox4x32-10: chance as a function of a counter and a key (Salmon, Moraes, Dror and Shaw,
//! "Parallel random numbers: as easy as 1, 2, 3", 2011), for four counters side by side.
use crate::lanes::U32x4;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;

/// A key, as each round needs it.
pub(super) struct Key {
    rounds: [[U32x4; 2]; ROUNDS],
    multipliers: [U32x4; 2],
}

impl Key {
    pub(super) fn new(mut key: [u32; 2]) -> Self {
        let rounds = core::array::from_fn(|_| {
            let now = key.map(U32x4::splat);
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
            now
        });
        let multipliers = MULTIPLIERS.map(U32x4::splat);
        Self { rounds, multipliers }
    }

    /// Four random words for each of four counters: the first words, the second words and so on.
    #[inline(always)]
    pub(super) fn words(&self, mut counters: [U32x4; 4]) -> [U32x4; 4] {
        // WebAssembly multiplies 32 by 32 to 64 bits, yet from a product with a constant, or with what
        // stays the same in a loop, the compiler makes one of 64 by 64 bits, for which most processors
        // need eight instructions. So it must not know them.
        let multipliers = core::hint::black_box(self.multipliers);
        // Written out, because a sandbox looks at its clock at every turn of a loop.
        macro_rules! rounds {
            ($($at:literal)*) => {$( counters = round(counters, multipliers, self.rounds[$at]); )*};
        }
        rounds!(0 1 2 3 4 5 6 7 8 9);
        counters
    }
}

#[inline(always)]
fn round([a, b, c, d]: [U32x4; 4], multipliers: [U32x4; 2], key: [U32x4; 2]) -> [U32x4; 4] {
    let (first, second) = (a.products(multipliers[0]), c.products(multipliers[1]));
    [
        U32x4::high_halves(second).xor(b).xor(key[0]),
        U32x4::low_halves(second),
        U32x4::high_halves(first).xor(d).xor(key[1]),
        U32x4::low_halves(first),
    ]
}

#[cfg(test)]
mod tests {
    use super::Key;
    use crate::lanes::U32x4;

    /// The known answers of the Random123 library (`kat_vectors`).
    #[test]
    fn known_answers() {
        let cases: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
            (
                [0; 4],
                [0; 2],
                [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8],
            ),
            (
                [u32::MAX; 4],
                [u32::MAX; 2],
                [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd],
            ),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in cases {
            let words = Key::new(key).words(counter.map(U32x4::splat));
            for (word, answer) in words.into_iter().zip(answer) {
                assert_eq!(word.behind(U32x4::splat(0)).to_array(), [i64::from(answer); 4]);
            }
        }
    }
}

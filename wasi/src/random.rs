//! Numbers that look like chance and are the same everywhere: xoshiro256++, seeded by the job and the input.
//! They are not secret: who knows the program and its input knows them.

/// A stream of bytes.
#[derive(Debug)]
pub(crate) struct Random {
    state: [u64; 4],
}

/// Odd numbers without a pattern: the golden ratio, and one from the finaliser of MurmurHash.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
const MIX: u64 = 0xff51_afd7_ed55_8ccd;

impl Random {
    /// The stream of a process with this seed and this standard input.
    pub(crate) fn new(seed: i64, stdin: &[u8]) -> Self {
        let mut at = hash(seed.cast_unsigned(), stdin);
        // Splitmix never gives four zeros in a row, the one state that would stay as it is.
        let state = [(); 4].map(|()| splitmix(&mut at));
        Self { state }
    }

    /// Fills a buffer with the next bytes. How a request is cut up changes what it gets only at
    /// boundaries that are no multiple of 8.
    pub(crate) fn fill(&mut self, into: &mut [u8]) {
        for chunk in into.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }

    fn next(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }
}

fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ GOLDEN.wrapping_mul(bytes.len() as u64 + 1);
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = (state ^ u64::from_le_bytes(word)).wrapping_mul(MIX);
        state ^= state >> 32;
    }
    state
}

fn splitmix(at: &mut u64) -> u64 {
    *at = at.wrapping_add(GOLDEN);
    let mixed = (*at ^ (*at >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: i64, stdin: &[u8]) -> [u8; 16] {
        let mut bytes = [0; 16];
        Random::new(seed, stdin).fill(&mut bytes);
        bytes
    }

    #[test]
    fn the_stream_depends_on_seed_and_input_and_on_nothing_else() {
        assert_eq!(first(1, b"a\n"), first(1, b"a\n"));
        assert_ne!(first(1, b"a\n"), first(2, b"a\n"));
        assert_ne!(first(1, b"a\n"), first(1, b"b\n"));
        assert_ne!(first(1, b""), first(1, b"\0"), "a length counts, too");
    }

    #[test]
    fn the_stream_stays_what_it_is() {
        // Answers that were given once must be given again by later versions.
        assert_eq!(u128::from_le_bytes(first(0, b"")), STREAM_OF_NOTHING);
    }
    const STREAM_OF_NOTHING: u128 = 127_079_466_496_198_222_476_668_464_015_932_800_775;
}

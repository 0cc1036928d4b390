//! What a pair of letters scores and what gaps cost.

/// A letter as its row in the score table.
pub(super) type Code = u8;

/// Rows of the table: enough for every letter of either alphabet.
const ROWS: usize = 24;

/// What gaps cost.
#[derive(Clone, Copy)]
pub(super) struct Gaps {
    /// The first letter of a gap.
    pub(super) first: i32,
    /// Each further letter.
    pub(super) more: i32,
}

/// An alphabet with its score table.
pub(super) struct Scores {
    letters: &'static [u8],
    table: [[i32; ROWS]; ROWS],
    pub(super) gaps: Gaps,
}

/// A, C, G, T come first and match themselves; the rest of IUPAC's letters match nothing.
const DNA: &[u8; 15] = b"ACGTNRYSWKMBDHV";
const DNA_MATCHING: usize = 4;

impl Scores {
    /// Equal bases score `matching`, all else `mismatch`.
    pub(super) fn dna(matching: i32, mismatch: i32, gaps: Gaps) -> Self {
        let mut table = [[mismatch; ROWS]; ROWS];
        for (code, row) in table.iter_mut().enumerate().take(DNA_MATCHING) {
            row[code] = matching;
        }
        Self {
            letters: DNA,
            table,
            gaps,
        }
    }

    /// BLOSUM62.
    pub(super) fn blosum62(gaps: Gaps) -> Self {
        Self {
            letters: BLOSUM62_LETTERS,
            table: BLOSUM62.map(|row| row.map(i32::from)),
            gaps,
        }
    }

    /// The score of a pair.
    pub(super) fn row(&self, code: Code) -> &[i32; ROWS] {
        &self.table[usize::from(code)]
    }

    /// Letters as codes; U counts as T.
    pub(super) fn encode(&self, letters: &[u8]) -> Result<Vec<Code>, String> {
        let codes = letters.iter().enumerate().map(|(at, &letter)| {
            let letter = if letter == b'U' && self.letters.len() == DNA.len() {
                b'T'
            } else {
                letter
            };
            let code = self.letters.iter().position(|&known| known == letter);
            let unknown = || {
                format!(
                    "letter {} at position {at} is none of the alphabet's",
                    shown(letter)
                )
            };
            code.and_then(|code| Code::try_from(code).ok())
                .ok_or_else(unknown)
        });
        codes.collect()
    }
}

fn shown(letter: u8) -> String {
    format!("`{}`", letter.escape_ascii())
}

const BLOSUM62_LETTERS: &[u8; ROWS] = b"ARNDCQEGHILKMFPSTWYVBZX*";

/// Henikoff and Henikoff 1992, as NCBI ships it.
#[rustfmt::skip]
const BLOSUM62: [[i8; ROWS]; ROWS] = [
    [ 4,-1,-2,-2, 0,-1,-1, 0,-2,-1,-1,-1,-1,-2,-1, 1, 0,-3,-2, 0,-2,-1, 0,-4],
    [-1, 5, 0,-2,-3, 1, 0,-2, 0,-3,-2, 2,-1,-3,-2,-1,-1,-3,-2,-3,-1, 0,-1,-4],
    [-2, 0, 6, 1,-3, 0, 0, 0, 1,-3,-3, 0,-2,-3,-2, 1, 0,-4,-2,-3, 3, 0,-1,-4],
    [-2,-2, 1, 6,-3, 0, 2,-1,-1,-3,-4,-1,-3,-3,-1, 0,-1,-4,-3,-3, 4, 1,-1,-4],
    [ 0,-3,-3,-3, 9,-3,-4,-3,-3,-1,-1,-3,-1,-2,-3,-1,-1,-2,-2,-1,-3,-3,-2,-4],
    [-1, 1, 0, 0,-3, 5, 2,-2, 0,-3,-2, 1, 0,-3,-1, 0,-1,-2,-1,-2, 0, 3,-1,-4],
    [-1, 0, 0, 2,-4, 2, 5,-2, 0,-3,-3, 1,-2,-3,-1, 0,-1,-3,-2,-2, 1, 4,-1,-4],
    [ 0,-2, 0,-1,-3,-2,-2, 6,-2,-4,-4,-2,-3,-3,-2, 0,-2,-2,-3,-3,-1,-2,-1,-4],
    [-2, 0, 1,-1,-3, 0, 0,-2, 8,-3,-3,-1,-2,-1,-2,-1,-2,-2, 2,-3, 0, 0,-1,-4],
    [-1,-3,-3,-3,-1,-3,-3,-4,-3, 4, 2,-3, 1, 0,-3,-2,-1,-3,-1, 3,-3,-3,-1,-4],
    [-1,-2,-3,-4,-1,-2,-3,-4,-3, 2, 4,-2, 2, 0,-3,-2,-1,-2,-1, 1,-4,-3,-1,-4],
    [-1, 2, 0,-1,-3, 1, 1,-2,-1,-3,-2, 5,-1,-3,-1, 0,-1,-3,-2,-2, 0, 1,-1,-4],
    [-1,-1,-2,-3,-1, 0,-2,-3,-2, 1, 2,-1, 5, 0,-2,-1,-1,-1,-1, 1,-3,-1,-1,-4],
    [-2,-3,-3,-3,-2,-3,-3,-3,-1, 0, 0,-3, 0, 6,-4,-2,-2, 1, 3,-1,-3,-3,-1,-4],
    [-1,-2,-2,-1,-3,-1,-1,-2,-2,-3,-3,-1,-2,-4, 7,-1,-1,-4,-3,-2,-2,-1,-2,-4],
    [ 1,-1, 1, 0,-1, 0, 0, 0,-1,-2,-2, 0,-1,-2,-1, 4, 1,-3,-2,-2, 0, 0, 0,-4],
    [ 0,-1, 0,-1,-1,-1,-1,-2,-2,-1,-1,-1,-1,-2,-1, 1, 5,-2,-2, 0,-1,-1, 0,-4],
    [-3,-3,-4,-4,-2,-2,-3,-2,-2,-3,-2,-3,-1, 1,-4,-3,-2,11, 2,-3,-4,-3,-2,-4],
    [-2,-2,-2,-3,-2,-1,-2,-3, 2,-1,-1,-2,-1, 3,-3,-2,-2, 2, 7,-1,-3,-2,-1,-4],
    [ 0,-3,-3,-3,-1,-2,-2,-3,-3, 3, 1,-2, 1,-1,-2,-2, 0,-3,-1, 4,-3,-2,-1,-4],
    [-2,-1, 3, 4,-3, 0, 1,-1, 0,-3,-4, 0,-3,-3,-2, 0,-1,-4,-3,-3, 4, 1,-1,-4],
    [-1, 0, 0, 1,-3, 3, 4,-2, 0,-3,-3, 1,-1,-3,-1, 0,-1,-3,-2,-2, 1, 4,-1,-4],
    [ 0,-1,-1,-1,-2,-1,-1,-1,-1,-1,-1,-1,-1,-1,-2, 0, 0,-2,-1,-1,-1,-1,-1,-4],
    [-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4,-4, 1],
];

//! Gotoh's recurrences, twice: forwards over the whole with one row of memory, to find the best
//! score and its end; and over the part before that end, remembering each cell's choice.
//!
//! For cell (i, j), the best alignment that ends in query letter i and reference letter j:
//! ```text
//! up(i, j)   = max(best(i-1, j) - first, up(i-1, j) - more)       letter i against a gap
//! left(i, j) = max(best(i, j-1) - first, left(i, j-1) - more)     letter j against a gap
//! best(i, j) = max(0, best(i-1, j-1) + score(i, j), up(i, j), left(i, j))
//! ```
use super::score::{Code, Scores};
use std::fmt::Write;

/// Below every score that can occur, and far from overflow.
const NEVER: i32 = i32::MIN / 2;

/// Where the best alignment ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) score: i32,
    /// The position after its last letter of the query.
    pub(super) query: usize,
    /// The position after its last letter of the reference.
    pub(super) reference: usize,
}

/// How the best alignment comes to its end.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) query_start: usize,
    pub(super) reference_start: usize,
    pub(super) cigar: String,
}

/// One row of the table: for each reference position the best score and the best that ends in a gap.
struct Row {
    best: Vec<i32>,
    up: Vec<i32>,
}

impl Row {
    fn new(length: usize) -> Self {
        Self {
            best: vec![0; length + 1],
            up: vec![NEVER; length + 1],
        }
    }
}

/// The best score, and of the ends that have it the first in the query, then in the reference.
pub(super) fn best_end(query: &[Code], reference: &[Code], scores: &Scores) -> End {
    let mut row = Row::new(reference.len());
    let mut end = End {
        score: 0,
        query: 0,
        reference: 0,
    };
    for (i, &letter) in query.iter().enumerate() {
        let highest = advance(&mut row, scores.row(letter), reference, scores, |_, _| {});
        if highest > end.score {
            let j = row.best.iter().position(|&score| score == highest).unwrap_or(0);
            end = End {
                score: highest,
                query: i + 1,
                reference: j,
            };
        }
    }
    end
}

/// The bits of a remembered cell: what `best` came from, and whether the gaps go on.
const FROM_MASK: u8 = 3;
const FROM_PAIR: u8 = 1;
const FROM_UP: u8 = 2;
const FROM_LEFT: u8 = 3;
const UP_GOES_ON: u8 = 4;
const LEFT_GOES_ON: u8 = 8;

/// The next row of the table in place of `row`; tells each cell's choices to `remember`. Gives the
/// row's highest score.
#[inline]
fn advance(
    row: &mut Row,
    pairs: &[i32],
    reference: &[Code],
    scores: &Scores,
    mut remember: impl FnMut(usize, u8),
) -> i32 {
    let gaps = scores.gaps;
    let (mut diagonal, mut left_best, mut left) = (0, 0, NEVER);
    let mut highest = 0;
    for (j, ((best, up), &letter)) in row.best[1..]
        .iter_mut()
        .zip(&mut row.up[1..])
        .zip(reference)
        .enumerate()
    {
        let (up_opened, up_extended) = (*best - gaps.first, *up - gaps.more);
        let (left_opened, left_extended) = (left_best - gaps.first, left - gaps.more);
        *up = up_opened.max(up_extended);
        left = left_opened.max(left_extended);
        let pair = diagonal + pairs[usize::from(letter)];
        let score = pair.max(*up).max(left).max(0);
        let from = if score == 0 {
            0
        } else if score == pair {
            FROM_PAIR
        } else if score == *up {
            FROM_UP
        } else {
            FROM_LEFT
        };
        let up_goes_on = if up_extended > up_opened { UP_GOES_ON } else { 0 };
        let left_goes_on = if left_extended > left_opened {
            LEFT_GOES_ON
        } else {
            0
        };
        remember(j, from | up_goes_on | left_goes_on);
        diagonal = *best;
        *best = score;
        left_best = score;
        highest = highest.max(score);
    }
    highest
}

/// The alignment that ends with the last letters of both, told backwards and then turned round.
pub(super) fn walk_back(query: &[Code], reference: &[Code], scores: &Scores) -> Local {
    let width = reference.len();
    let mut cells = vec![0; query.len() * width];
    let mut row = Row::new(width);
    for (&letter, cells) in query.iter().zip(cells.chunks_mut(width)) {
        advance(&mut row, scores.row(letter), reference, scores, |j, cell| {
            cells[j] = cell;
        });
    }
    let (mut i, mut j) = (query.len(), width);
    let mut steps = Steps(Vec::new());
    let mut from = None;
    while i > 0 && j > 0 {
        let cell = cells[(i - 1) * width + j - 1];
        match from.unwrap_or(cell & FROM_MASK) {
            FROM_PAIR => {
                steps.push('M');
                (i, j, from) = (i - 1, j - 1, None);
            }
            FROM_UP => {
                steps.push('I');
                (i, from) = (i - 1, (cell & UP_GOES_ON != 0).then_some(FROM_UP));
            }
            FROM_LEFT => {
                steps.push('D');
                (j, from) = (j - 1, (cell & LEFT_GOES_ON != 0).then_some(FROM_LEFT));
            }
            _ => break,
        }
    }
    Local {
        query_start: i,
        reference_start: j,
        cigar: steps.cigar(),
    }
}

/// Runs of equal steps, the last first.
struct Steps(Vec<(char, usize)>);

impl Steps {
    fn push(&mut self, step: char) {
        match self.0.last_mut() {
            Some((last, count)) if *last == step => *count += 1,
            _ => self.0.push((step, 1)),
        }
    }

    fn cigar(&self) -> String {
        self.0.iter().rev().fold(String::new(), |mut out, (step, count)| {
            // Writing to a string does not fail.
            let _ = write!(out, "{count}{step}");
            out
        })
    }
}

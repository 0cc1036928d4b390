//! Local alignment of sequences with affine gaps: Smith-Waterman in Gotoh's form.
//!
//! An alignment's score is the sum of the scores of its aligned pairs, less `gap_open` + k ·
//! `gap_extend` for each gap of length k. Of all local alignments of the query with all references,
//! one with the highest score is told. Where several have it, the rules are, in this order: the
//! first reference; the end that comes first in the query, then in the reference; and, walking back
//! from that end, a pair before an insertion before a deletion, the shorter gap before the longer.
mod fasta;
mod gotoh;
mod score;

use elytra_kernel::{Choice, Params, kernel};
use fasta::Record;
use gotoh::Local;
use score::{Code, Gaps, Scores};
use serde::Serialize;

/// Cells of the way back that are kept, a byte each: they must fit into the program's memory.
const CELLS_MAX: usize = 128 * 1024 * 1024;

/// What to align with, and how to score.
#[derive(Params)]
pub struct Options {
    /// The references: FASTA records, or one bare sequence.
    pub reference: String,
    /// What the letters are: dna scores by match and mismatch, protein by BLOSUM62.
    #[param(default = "dna", choice)]
    pub alphabet: Alphabet,
    /// Score of two equal bases.
    #[param(default = 2, min = 1, max = 100)]
    pub r#match: i32,
    /// Score of two different bases.
    #[param(default = -3, min = -100, max = 0)]
    pub mismatch: i32,
    /// What a gap costs before its first letter.
    #[param(default = 5, min = 0, max = 1000)]
    pub gap_open: i32,
    /// What each letter of a gap costs.
    #[param(default = 2, min = 1, max = 1000)]
    pub gap_extend: i32,
}

/// What the letters are.
#[derive(Choice, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// A, C, G, T or U; the other letters of IUPAC match nothing.
    Dna,
    /// Amino acids, scored by BLOSUM62.
    Protein,
}

/// The best local alignment. Positions count letters from 0; `start` is the first aligned letter,
/// `end` is the one after the last. A score of 0 means that nothing aligns: the positions are 0 and
/// the reference's name and the CIGAR are empty.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Alignment {
    /// The query's name: the first word of its FASTA header, or empty.
    pub query: String,
    /// The reference's name.
    pub reference: String,
    /// The score.
    pub score: i32,
    /// Where the alignment starts in the query.
    pub query_start: usize,
    /// Where it ends in the query.
    pub query_end: usize,
    /// Where it starts in the reference.
    pub reference_start: usize,
    /// Where it ends in the reference.
    pub reference_end: usize,
    /// M for a pair, I for letters of the query only, D for letters of the reference only.
    pub cigar: String,
}

/// One alignment for an item with one sequence, a list for an item with several.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum Answer {
    /// For one sequence.
    One(Alignment),
    /// For several, in their order.
    Many(Vec<Alignment>),
}

/// The best local alignment of the item's sequences with the references.
#[kernel(title = "Sequence alignment", item = "a query sequence, bare or as FASTA")]
pub fn align(item: String, params: &Options) -> Result<Answer, String> {
    let scores = params.scores();
    let references = encode(fasta::parse(&params.reference), &scores)
        .map_err(|e| format!("parameter `reference`: {e}"))?;
    let queries = encode(fasta::parse(&item), &scores).map_err(|error| format!("the query: {error}"))?;
    let mut answers = Vec::with_capacity(queries.len());
    for (query, codes) in &queries {
        answers.push(best(query, codes, &references, &scores)?);
    }
    match answers.pop() {
        Some(only) if answers.is_empty() => Ok(Answer::One(only)),
        Some(last) => {
            answers.push(last);
            Ok(Answer::Many(answers))
        }
        None => Err("the query: there is no sequence".to_owned()),
    }
}

type Encoded<'a> = (Record<'a>, Vec<Code>);

fn encode<'a>(records: Vec<Record<'a>>, scores: &Scores) -> Result<Vec<Encoded<'a>>, String> {
    let encoded = records.into_iter().map(|record| {
        let codes = scores.encode(&record.letters).map_err(|error| match record.name {
            "" => error,
            name => format!("`{name}`: {error}"),
        });
        codes.map(|codes| (record, codes))
    });
    let encoded = encoded.collect::<Result<Vec<_>, String>>()?;
    if encoded.is_empty() {
        Err("there is no sequence".to_owned())
    } else {
        Ok(encoded)
    }
}

fn best(
    query: &Record<'_>,
    codes: &[Code],
    references: &[Encoded<'_>],
    scores: &Scores,
) -> Result<Alignment, String> {
    let mut best: Option<(gotoh::End, &Encoded<'_>)> = None;
    for reference in references {
        let end = gotoh::best_end(codes, &reference.1, scores);
        if end.score > best.as_ref().map_or(0, |(end, _)| end.score) {
            best = Some((end, reference));
        }
    }
    let Some((end, (record, letters))) = best else {
        return Ok(nothing(query));
    };
    if end.query.saturating_mul(end.reference) > CELLS_MAX {
        return Err(format!(
            "aligning {} with {} letters takes more than {CELLS_MAX} cells: cut the sequences",
            end.query, end.reference
        ));
    }
    let local = gotoh::walk_back(&codes[..end.query], &letters[..end.reference], scores);
    Ok(told(query, record, end, local))
}

fn told(query: &Record<'_>, reference: &Record<'_>, end: gotoh::End, local: Local) -> Alignment {
    Alignment {
        query: query.name.to_owned(),
        reference: reference.name.to_owned(),
        score: end.score,
        query_start: local.query_start,
        query_end: end.query,
        reference_start: local.reference_start,
        reference_end: end.reference,
        cigar: local.cigar,
    }
}

fn nothing(query: &Record<'_>) -> Alignment {
    let (query, reference, cigar) = (query.name.to_owned(), String::new(), String::new());
    Alignment {
        query,
        reference,
        score: 0,
        query_start: 0,
        query_end: 0,
        reference_start: 0,
        reference_end: 0,
        cigar,
    }
}

impl Options {
    fn scores(&self) -> Scores {
        let gaps = Gaps {
            first: self.gap_open + self.gap_extend,
            more: self.gap_extend,
        };
        match self.alphabet {
            Alphabet::Dna => Scores::dna(self.r#match, self.mismatch, gaps),
            Alphabet::Protein => Scores::blosum62(gaps),
        }
    }
}

//! The words of standard input by how often they occur, most frequent first. Words in `stopwords.txt`, if there is
//! such a file, do not count; the variable `LEAST` says how often a word must occur.
use std::collections::{HashMap, HashSet};
use std::io::{BufWriter, Read, Write};

fn main() -> std::io::Result<()> {
    let stopwords = std::fs::read_to_string("stopwords.txt").unwrap_or_default();
    let stopwords: HashSet<&str> = stopwords.split_whitespace().collect();
    let least: usize = match std::env::var("LEAST") {
        Ok(text) => text.parse().expect("LEAST is a number"),
        Err(_) => 1,
    };
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if !word.is_empty() && !stopwords.contains(word) {
            *counts.entry(word).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().filter(|&(_, count)| count >= least).collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (word, count) in counts {
        writeln!(out, "{count} {word}")?;
    }
    out.flush()
}

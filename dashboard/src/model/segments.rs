//! A job's shards by state, as parts of a bar that fill it exactly.
use super::words::Tone;
use protocol::api::JobCounts;

/// One part of the bar.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The state's word.
    pub word: &'static str,
    /// Its CSS class ends with the word; the tone says how it is meant.
    pub tone: Tone,
    /// How many shards.
    pub shards: u64,
    /// Whether the number is a guess: items that are not cut yet.
    pub estimated: bool,
    /// Its share of the bar, from 0 to 1.
    pub share: f64,
}

/// The parts in the order of a shard's life, backwards: what is done comes first. Empty ones are left out.
pub fn segments(counts: &JobCounts) -> Vec<Segment> {
    let parts = [
        ("accepted", Tone::Good, counts.accepted),
        ("verifying", Tone::Active, counts.verifying),
        ("leased", Tone::Active, counts.leased),
        ("pending", Tone::Plain, counts.pending),
        ("uncut", Tone::Plain, uncut_shards(counts)),
        ("skipped", Tone::Warn, counts.skipped),
        ("failed", Tone::Bad, counts.failed),
        ("canceled", Tone::Plain, counts.canceled),
    ];
    let whole: u64 = parts.iter().map(|(_, _, shards)| shards).sum();
    let filled = parts.into_iter().filter(|(_, _, shards)| *shards > 0);
    filled
        .map(|(word, tone, shards)| Segment {
            word,
            tone,
            shards,
            estimated: word == "uncut",
            share: shards as f64 / whole as f64,
        })
        .collect()
}

/// How many shards the items that are not cut yet will make, if they are cut like those before them.
fn uncut_shards(counts: &JobCounts) -> u64 {
    let cut = counts.items.saturating_sub(counts.items_uncut);
    if counts.shards == 0 || cut == 0 {
        return counts.items_uncut;
    }
    let shards = u128::from(counts.items_uncut) * u128::from(counts.shards);
    u64::try_from(shards.div_ceil(u128::from(cut))).unwrap_or(u64::MAX)
}

/// The share of items that are accepted, from 0 to 1; `None` while more items may come.
pub fn progress(counts: &JobCounts) -> Option<f64> {
    (!counts.items_open && counts.items > 0).then(|| counts.items_accepted as f64 / counts.items as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_bar_and_uncut_items_are_guessed() {
        let counts = JobCounts {
            items: 1_000,
            items_uncut: 500,
            shards: 10,
            accepted: 6,
            leased: 3,
            failed: 1,
            ..JobCounts::default()
        };
        let parts = segments(&counts);
        let words: Vec<_> = parts.iter().map(|part| (part.word, part.shards)).collect();
        assert_eq!(
            words,
            [("accepted", 6), ("leased", 3), ("uncut", 10), ("failed", 1)]
        );
        let whole: f64 = parts.iter().map(|part| part.share).sum();
        assert!((whole - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_yet_is_no_parts_and_an_open_job_has_no_share() {
        assert!(segments(&JobCounts::default()).is_empty());
        let open = JobCounts {
            items: 10,
            items_open: true,
            items_accepted: 10,
            ..JobCounts::default()
        };
        assert_eq!(progress(&open), None);
        assert_eq!(
            progress(&JobCounts {
                items_open: false,
                ..open
            }),
            Some(1.0)
        );
    }
}

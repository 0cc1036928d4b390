//! Says whether a job's history holds what was promised: no shard lost, none counted twice.
use crate::worker::output;
use protocol::ids::Digest;

/// What the API showed right before a kill, and what it shows right after.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown {
    pub(crate) accepted_before: u64,
    pub(crate) accepted_after: u64,
    /// A page of results in the order of acceptance, from the same cursor.
    pub(crate) results_before: Vec<(u64, String)>,
    pub(crate) results_after: Vec<(u64, String)>,
}

/// All that was seen of a job over `0..items` with one item a shard.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub(crate) items: u64,
    pub(crate) shards: u64,
    pub(crate) accepted: u64,
    pub(crate) items_accepted: u64,
    /// Items and their outputs, in the order of the items.
    pub(crate) ordered: Vec<(u64, String)>,
    /// The same in the order in which they were accepted.
    pub(crate) completed: Vec<(u64, String)>,
    pub(crate) kills: Vec<Shown>,
}

/// What does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// An item has no result, or the counts say that a shard is missing.
    Lost(u64),
    /// An item was accepted twice, or the counts say so.
    Twice(u64),
    /// What was shown before this kill is gone after it.
    Forgotten(usize),
    /// The results are not those that were computed.
    Digest,
}

/// The digest of every output of `0..items`, in order.
pub(crate) fn expected_digest(items: u64) -> Digest {
    digest((0..items).map(|item| output(item).to_string()))
}

pub(crate) fn digest(outputs: impl Iterator<Item = String>) -> Digest {
    let mut all = String::new();
    for output in outputs {
        all.push_str(&output);
        all.push('\n');
    }
    Digest::of(all.as_bytes())
}

/// Whether everything holds.
pub(crate) fn check(history: &History) -> Result<(), Fault> {
    let items = history.items;
    check_once(items, history.completed.iter().map(|(item, _)| *item))?;
    check_once(items, history.ordered.iter().map(|(item, _)| *item))?;
    for counted in [history.shards, history.accepted, history.items_accepted] {
        match counted.cmp(&items) {
            std::cmp::Ordering::Less => return Err(Fault::Lost(counted)),
            std::cmp::Ordering::Greater => return Err(Fault::Twice(counted)),
            std::cmp::Ordering::Equal => {}
        }
    }
    for (kill, shown) in history.kills.iter().enumerate() {
        let kept = shown.results_after.starts_with(&shown.results_before);
        if shown.accepted_after < shown.accepted_before || !kept {
            return Err(Fault::Forgotten(kill));
        }
    }
    let found = digest(history.ordered.iter().map(|(_, output)| output.clone()));
    if found == expected_digest(items) {
        Ok(())
    } else {
        Err(Fault::Digest)
    }
}

fn check_once(items: u64, seen: impl Iterator<Item = u64>) -> Result<(), Fault> {
    let mut times = vec![0u8; usize::try_from(items).unwrap()];
    for item in seen {
        let times = &mut times[usize::try_from(item).unwrap()];
        *times += 1;
        if *times > 1 {
            return Err(Fault::Twice(item));
        }
    }
    match times.iter().position(|times| *times == 0) {
        Some(item) => Err(Fault::Lost(item as u64)),
        None => Ok(()),
    }
}

fn good() -> History {
    let ordered: Vec<_> = (0..50).map(|item| (item, output(item).to_string())).collect();
    let completed: Vec<_> = ordered.iter().rev().cloned().collect();
    let shown = Shown {
        accepted_before: 10,
        accepted_after: 12,
        results_before: completed[..10].to_vec(),
        results_after: completed[..12].to_vec(),
    };
    History {
        items: 50,
        shards: 50,
        accepted: 50,
        items_accepted: 50,
        ordered,
        completed,
        kills: vec![shown],
    }
}

#[test]
fn a_good_history_passes() {
    assert_eq!(check(&good()), Ok(()));
}

/// The broken twins: each promise, broken once.
#[test]
fn a_bad_history_does_not_pass() {
    let broken = |wreck: fn(&mut History)| {
        let mut history = good();
        wreck(&mut history);
        check(&history).unwrap_err()
    };
    assert_eq!(broken(|h| drop(h.ordered.remove(7))), Fault::Lost(7));
    assert_eq!(broken(|h| drop(h.completed.remove(7))), Fault::Lost(42));
    assert_eq!(broken(|h| h.completed.push((3, String::new()))), Fault::Twice(3));
    assert_eq!(broken(|h| h.accepted = 49), Fault::Lost(49));
    assert_eq!(broken(|h| h.items_accepted = 51), Fault::Twice(51));
    assert_eq!(broken(|h| h.kills[0].accepted_after = 9), Fault::Forgotten(0));
    let forgets = |h: &mut History| drop(h.kills[0].results_after.remove(3));
    assert_eq!(broken(forgets), Fault::Forgotten(0));
    assert_eq!(broken(|h| h.ordered[9].1 = "0".into()), Fault::Digest);
}

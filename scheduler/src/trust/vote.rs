//! Credibility voting after Sarmenta (2002): which of several answers is right where no trusted worker
//! can say, and how surely.
use super::answer::{Answer, Voter};
use protocol::trust::LIARS_SHARE_MAX;

/// One answer to a shard, and who gave it.
#[derive(Clone, Debug)]
pub(crate) struct Vote {
    pub(crate) voter: Voter,
    pub(crate) answer: Answer,
}

/// How likely a worker's answer is right after it passed so many checks: `1 - f / ((1 - f) e k)`.
pub(crate) fn credibility(passed: u32) -> f64 {
    let fresh = 1.0 - LIARS_SHARE_MAX;
    if passed == 0 {
        return fresh;
    }
    let proven = 1.0 - LIARS_SHARE_MAX / (fresh * std::f64::consts::E * f64::from(passed));
    proven.max(fresh)
}

/// The group of equal answers most likely right, as the place of its first vote, and how likely: that it
/// is right and every other is wrong, over all cases there are.
pub(crate) fn leading(votes: &[Vote], passed: impl Fn(&Voter) -> u32) -> Option<(usize, f64)> {
    let credible: Vec<f64> = votes.iter().map(|v| credibility(passed(&v.voter))).collect();
    let first_of = |k: usize| {
        votes
            .iter()
            .position(|v| v.answer.says(&votes[k].answer))
            .unwrap_or(k)
    };
    let groups: Vec<usize> = (0..votes.len()).map(first_of).collect();
    let right = |group: usize| {
        let each = credible.iter().zip(&groups);
        each.map(|(c, g)| if *g == group { *c } else { 1.0 - c })
            .product::<f64>()
    };
    let heads = || (0..votes.len()).filter(|k| groups[*k] == *k);
    let all_wrong: f64 = credible.iter().map(|c| 1.0 - c).product();
    let total = all_wrong + heads().map(right).sum::<f64>();
    let best = heads().max_by(|a, b| right(*a).total_cmp(&right(*b)))?;
    Some((best, right(best) / total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use protocol::ids::{AccountId, WorkerId};
    use protocol::trust::NetworkPrefix;

    fn votes(answers: &[&'static [u8]]) -> Vec<Vote> {
        let voter = |k: u64| Voter {
            account: AccountId(k),
            network: NetworkPrefix(k),
            worker: WorkerId(k),
        };
        let vote = |(k, bytes): (usize, &&'static [u8])| Vote {
            voter: voter(k as u64),
            answer: Answer::Bytes(Bytes::from_static(bytes)),
        };
        answers.iter().enumerate().map(vote).collect()
    }

    #[test]
    fn more_and_better_voters_are_more_credible() {
        let nobody = |_: &Voter| 0;
        let (_, alone) = leading(&votes(&[b"a"]), nobody).unwrap();
        let (_, two) = leading(&votes(&[b"a", b"a"]), nobody).unwrap();
        let (best, three) = leading(&votes(&[b"b", b"a", b"a"]), nobody).unwrap();
        assert!((alone - 0.65).abs() < 1e-9 && two > 0.77 && best == 1);
        assert!(two > three, "a dissenting voice makes it less sure");
        let (_, proven) = leading(&votes(&[b"a", b"a"]), |_| 200).unwrap();
        assert!(proven > 0.999_99, "{proven}");
    }

    #[test]
    fn who_passed_many_checks_outweighs_a_crowd_of_strangers() {
        let passed = |v: &Voter| if v.account == AccountId(0) { 1_000 } else { 0 };
        let (best, _) = leading(&votes(&[b"a", b"b", b"b", b"b"]), passed).unwrap();
        assert_eq!(best, 0);
    }
}

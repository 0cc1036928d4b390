//! Answers of strangers: which are looked at again, and when they are let go.
//!
//! # The scheme
//! Programs are bit-identical everywhere, so a second execution says for certain whether the first was
//! right. A trusted worker's word is final. The outputs of one account in one job are a *batch*: they are
//! held back, a sample of them is computed again, and the batch is let go as a whole or thrown away as
//! a whole. A batch ends when its account's last session leaves, when the job has nothing more to hand
//! out, when it is large, or when it is old; then as many checks are added as it still lacks. Shards are
//! drawn for a check *after* their output arrived, each as often as the batch needs or more: there is nothing a
//! worker could recognise, not even together with others, and whether a lie is told early, late, seldom, only
//! on dear shards or only after good behaviour never makes its chance of being drawn smaller than that.
//!
//! # The bound
//! Say a liar's batch holds `n` outputs, `x n` of them wrong, and `k` shards of it, drawn evenly, are
//! checked. It is let go with probability at most `(1 - x)^k`: with all shards checked where `n < k`.
//! While liars do a share `f` of the work, the share of wrong shards among the accepted ones is at most
//!
//! ```text
//!     f x (1 - x)^k / (1 - f + f (1 - x)^k)
//! ```
//!
//! because a batch that was thrown away is done again by others. In a long batch the first shards are drawn with the
//! level's rate and the one behind `i` others with probability `k / (i + 1)`, which is `k / n` or more wherever it
//! ends: then it is let go with probability at most `(1 - k / n)^(x n)`, which is below `exp(-x k)`, the limit for which
//! `k` was chosen. For `f` = 0.35 no `x` makes this
//! greater than `0.1676 / k` (a test in `level` tries them). So `k = 0.176 / bound` checks for each batch:
//! 18 at `fast`, 176 at `standard`, 1,760 at `strict`. The bound holds for every single job, because
//! a batch's checks are its own: good behaviour in other jobs, or in an earlier batch, buys nothing. It
//! does not depend on how long workers stay or how many names a liar has; those only change the price.
//!
//! # The price
//! `k` checks for each batch are dear where visits are short, and nothing where they are long: a visitor
//! of 7 minutes computes about 1,700 shards of a quarter of a second, so `standard` costs a tenth. The
//! first output of an account that was never checked is looked at before it gets a second shard, and a
//! share of the batch while it grows, so that plain liars waste little: what they computed is computed
//! again. Who comes back under a new name from a network where liars were caught waits ever longer (`share`).
//! What remains is the liar who lies just seldom enough to be found late: all his work is done
//! again, and no scheme with this bound can spare that.
//!
//! # Where no trusted worker is connected
//! Another stranger computes the second copy: another account on another network. It counts for
//! `1 - f`, because so often he is no friend of the first. Where two disagree, more are asked until the
//! credibility of one answer (Sarmenta; `vote`) reaches what the level asks for, or a trusted
//! worker comes. A vote can be lost by the honest, so it shuts an account out of that job only;
//! a trusted worker's word shuts a liar out everywhere.
//!
//! # What costs nothing
//! Vanishing, timeouts, running out of memory: no answer, tried again elsewhere. A trap is an answer: it
//! is always looked at again, and when it is confirmed the shard has failed. A trap that is refuted is
//! no lie (browsers run out of many things); who keeps trapping gets no more of that job.
//!
//! # What is assumed
//! Liars do at most 0.35 of the work, trusted workers are right, the seed of the sample is secret.
//! Memory is bounded by [`protocol::limits::HELD_BYTES_MAX`] a job; votes exist for undecided shards only.

mod answer;
mod batch;
mod book;
mod chance;
mod hold;
mod judge;
mod level;
mod share;
mod standing;
mod vote;

pub use answer::Finished;
pub(crate) use answer::{Answer, Voter, one};
pub(crate) use book::Checks;
pub(crate) use judge::is_answer;
pub(crate) use share::Suspects;
pub use standing::Standing;
pub(crate) use standing::Standings;

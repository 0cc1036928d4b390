//! Broken twins: one deliberate mistake for each checker, which must see it.
use crate::checker::Checker;

/// A deliberate mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sabotage {
    /// None: the real thing.
    #[default]
    None,
    /// The store says that outputs are stored, and forgets some.
    SwallowAccept,
    /// Outputs are sent to the store twice.
    CountTwice,
    /// The store overwrites an output.
    ChangeAccepted,
    /// A worker computes something else.
    WrongBytes,
    /// The store adds one too many.
    CookTheBooks,
    /// The answer to a claim gets lost.
    SwallowClaim,
    /// The final state of a cancelled job is never stored.
    IgnoreCancel,
    /// Workers are not told of cancelled shards.
    NeverTellWorkers,
    /// An old lease id is given again.
    ReuseLease,
    /// Frames are damaged on their way.
    DamageFrames,
}

impl Sabotage {
    /// Every mistake with the checker that must see it.
    pub const ALL: [(Sabotage, Checker); 10] = [
        (Sabotage::SwallowAccept, Checker::ShardLost),
        (Sabotage::CountTwice, Checker::CountedOnce),
        (Sabotage::ChangeAccepted, Checker::AcceptedChanged),
        (Sabotage::WrongBytes, Checker::WrongOutput),
        (Sabotage::CookTheBooks, Checker::Books),
        (Sabotage::SwallowClaim, Checker::Progress),
        (Sabotage::IgnoreCancel, Checker::CancelBounded),
        (Sabotage::NeverTellWorkers, Checker::StoppedMeansStopped),
        (Sabotage::ReuseLease, Checker::LeaseTwice),
        (Sabotage::DamageFrames, Checker::Protocol),
    ];
}

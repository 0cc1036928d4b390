//! Who lies about what.
use crate::chance::Chance;

/// A kind of liar, and how many of the visitors are of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adversary {
    /// Nobody lies.
    Nobody,
    /// One visitor in twenty lies about everything.
    FewAlways,
    /// One in five lies about everything.
    Always,
    /// One in five lies about one shard in ten.
    OneInTen,
    /// More than a third lie about one shard in ten.
    ManyOneInTen,
    /// One in five behaves for 60 shards, then lies about three in ten.
    Sleeper,
    /// One in five lies about everything; whoever is caught is back at once under a new name from one
    /// of ten networks.
    NewNames,
    /// One in five lies about a tenth of the shards that nobody had before him.
    WhenAlone,
    /// One in five lies about one shard in ten, and says what his friends said where they were first.
    CopyNeighbour,
    /// One in five behaves until shards look dear (the last third of the job), then lies about a third.
    WhenDear,
    /// One in five lies just often enough to harm most before he is caught.
    JustEnough,
    /// More than a third do so.
    ManyJustEnough,
    /// One in five behaves for three shards, lies about nine, leaves and is back under a new name.
    HitAndRun,
}

impl Adversary {
    /// Every kind.
    pub const ALL: [Adversary; 13] = [
        Adversary::Nobody,
        Adversary::FewAlways,
        Adversary::Always,
        Adversary::OneInTen,
        Adversary::ManyOneInTen,
        Adversary::Sleeper,
        Adversary::NewNames,
        Adversary::WhenAlone,
        Adversary::CopyNeighbour,
        Adversary::WhenDear,
        Adversary::JustEnough,
        Adversary::ManyJustEnough,
        Adversary::HitAndRun,
    ];

    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nobody => "none",
            Self::FewAlways => "5 % always lie",
            Self::Always => "20 % always lie",
            Self::OneInTen => "20 % lie 1 in 10",
            Self::ManyOneInTen => "35 % lie 1 in 10",
            Self::Sleeper => "20 % sleepers: honest for 60, then 30 %",
            Self::NewNames => "20 %, back under new names from ten networks",
            Self::WhenAlone => "20 % lie when alone",
            Self::CopyNeighbour => "20 % copy a neighbour",
            Self::WhenDear => "20 % lie when shards look dear",
            Self::JustEnough => "20 % lie just often enough",
            Self::ManyJustEnough => "35 % lie just often enough",
            Self::HitAndRun => "20 % hit and run",
        }
    }

    /// Liars among a hundred visitors.
    pub(crate) fn liars_percent(self) -> u64 {
        match self {
            Self::Nobody => 0,
            Self::FewAlways => 5,
            Self::ManyOneInTen | Self::ManyJustEnough => 35,
            _ => 20,
        }
    }

    /// Whether a liar's place is taken by a liar at once.
    pub(crate) fn returns(self) -> bool {
        matches!(self, Self::NewNames | Self::HitAndRun)
    }

    /// After how many shards a liar leaves by himself.
    pub(crate) fn leaves_after(self) -> Option<u32> {
        (self == Self::HitAndRun).then_some(12)
    }

    /// Whether a liar lies about a shard.
    pub(crate) fn lies(self, about: &Sight, chance: &mut Chance) -> bool {
        let mut of_ten_thousand = |share: u64| chance.between(0, 10_000) < share;
        match self {
            Self::Nobody => false,
            Self::FewAlways | Self::Always | Self::NewNames => true,
            Self::HitAndRun => about.done > 3,
            Self::OneInTen | Self::ManyOneInTen => of_ten_thousand(1_000),
            Self::Sleeper => about.done >= 60 && of_ten_thousand(3_000),
            Self::WhenAlone => about.alone && of_ten_thousand(1_000),
            Self::CopyNeighbour => about.friend_lied.unwrap_or_else(|| of_ten_thousand(1_000)),
            Self::WhenDear => about.dear && of_ten_thousand(3_333),
            Self::JustEnough | Self::ManyJustEnough => {
                of_ten_thousand((10_000.0 / about.checks_min).max(1.0) as u64)
            }
        }
    }
}

/// What a liar sees before he answers.
pub(crate) struct Sight {
    /// Shards that he computed so far.
    pub(crate) done: u32,
    /// Whether the shard was never handed to anybody else.
    pub(crate) alone: bool,
    /// What a friend said who had the shard before.
    pub(crate) friend_lied: Option<bool>,
    /// Whether the shard looks dear.
    pub(crate) dear: bool,
    /// How many checks his batch will have to pass.
    pub(crate) checks_min: f64,
}

//! How far strangers' answers are trusted: the levels, what each promises, and what a job's report says.
use core::net::IpAddr;
use serde::{Deserialize, Serialize};

/// How far workers are trusted. Each level has a price; `private` costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Trust {
    /// Every worker is trusted: the first output of a shard is accepted. For a pool whose tokens you
    /// handed out.
    #[default]
    Private,
    /// At most 1 accepted shard in 100 is wrong.
    Fast,
    /// At most 1 accepted shard in 1,000 is wrong. The level for strangers.
    Standard,
    /// At most 1 accepted shard in 10,000 is wrong.
    Strict,
    /// Every shard is computed again on a trusted worker.
    Verified,
}

/// The share of the work done by liars up to which the bounds hold.
pub const LIARS_SHARE_MAX: f64 = 0.35;

impl Trust {
    /// Every level, the cheapest first.
    pub const ALL: [Trust; 5] = [
        Trust::Private,
        Trust::Fast,
        Trust::Standard,
        Trust::Strict,
        Trust::Verified,
    ];

    /// The promised share of wrong shards among the accepted ones, while liars do at most
    /// [`LIARS_SHARE_MAX`] of the work; `None` where nothing is promised.
    pub fn wrong_share_max(self) -> Option<f64> {
        match self {
            Self::Private => None,
            Self::Fast => Some(1e-2),
            Self::Standard => Some(1e-3),
            Self::Strict => Some(1e-4),
            Self::Verified => Some(0.0),
        }
    }

    /// Executions of a shard to expect, with visitors who stay some minutes, one in five of them a liar;
    /// measured (`cargo xtask sim -- trust`).
    pub fn executions_expected(self) -> f64 {
        match self {
            Self::Private => 1.0,
            Self::Fast => 1.07,
            Self::Standard => 1.15,
            Self::Strict => 1.75,
            Self::Verified => 2.0,
        }
    }

    /// The word, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Fast => "fast",
            Self::Standard => "standard",
            Self::Strict => "strict",
            Self::Verified => "verified",
        }
    }
}

impl std::fmt::Display for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// What was done so that a job's answers can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrustReport {
    /// The level.
    pub level: Trust,
    /// The promised share of wrong shards; absent where nothing is promised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong_share_max: Option<f64>,
    /// Executions that came back, of whatever worth.
    pub executions: u64,
    /// Shards that were computed a second time to check the first.
    pub spot_checks: u64,
    /// Second looks that said something else.
    pub conflicts: u64,
    /// Accounts that were caught with a wrong answer.
    pub workers_withdrawn: u32,
    /// Their outputs that were thrown away before anybody saw them.
    pub shards_withdrawn: u64,
}

/// The network a worker connects from, as coarse as an operator hands out addresses: copies of a shard
/// never meet on one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkPrefix(pub u64);

impl NetworkPrefix {
    /// The /24 of an IPv4 address, the /48 of an IPv6 address.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(u64::from(v4.to_bits() >> 8)),
            // The mark keeps the two families apart.
            IpAddr::V6(v6) => Self(1 << 63 | (v6.to_bits() >> 80) as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_network_and_strangers_do_not() {
        let of = |text: &str| NetworkPrefix::of(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("192.0.2.254"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.7"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:1::1"), of("2001:db8:1:ffff::2"));
        assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
    }

    #[test]
    fn a_level_reads_as_it_is_written() {
        for level in Trust::ALL {
            let json = format!("\"{level}\"");
            assert_eq!(serde_json::from_str::<Trust>(&json).unwrap(), level);
        }
    }
}

//! The price of a European option and its Greeks, by simulation.
//!
//! The item is a block of paths. A path's chance comes from the counter (pair of paths, block) and
//! the seed alone, so a block's sums are the same whoever computes it and with whichever others.
//! Sums over blocks, divided by the number of paths, are the estimates:
//!
//! ```text
//! S_T   = spot · exp((rate - volatility² / 2) · T + volatility · √T · Z)
//! price = exp(-rate · T) · payoff(S_T)
//! delta = ± exp(-rate · T) · S_T / spot                       where the option pays (pathwise)
//! vega  = ± exp(-rate · T) · S_T · (√T · Z - volatility · T)  where it pays (pathwise)
//! gamma = exp(-rate · T) · strike · Z / (spot² · volatility · √T)   where a call pays; for a put
//!         with the other sign (pathwise, then likelihood ratio)
//! ```
mod maths;
mod normal;
mod philox;

use crate::lanes::{F64x4, U32x4};
use elytra_kernel::{Choice, Params, kernel};
use serde::Serialize;

/// The option, and how to simulate it.
#[derive(Params)]
pub struct Market {
    /// Price of the share today.
    #[param(default = 100.0, min = 1e-9, max = 1e12)]
    pub spot: f64,
    /// Price at which the option lets one buy or sell.
    #[param(default = 100.0, min = 1e-9, max = 1e12)]
    pub strike: f64,
    /// Interest a year without risk, continuously compounded: 0.05 is 5 %.
    #[param(default = 0.05, min = -1, max = 10)]
    pub rate: f64,
    /// Volatility a year: 0.2 is 20 %.
    #[param(default = 0.2, min = 1e-6, max = 10)]
    pub volatility: f64,
    /// Years until the option ends.
    #[param(default = 1.0, min = 1e-6, max = 100)]
    pub maturity_years: f64,
    /// Whether it lets one buy (call) or sell (put).
    #[param(default = "call", choice)]
    pub kind: Kind,
    /// Paths in a block.
    #[param(default = 100000, min = 1, max = 100000000)]
    pub paths_per_item: u32,
    /// Another seed gives other paths.
    #[param(default = 0, min = 0)]
    pub seed: u64,
}

/// What the option lets its owner do.
#[derive(Choice, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Buy at the strike.
    Call,
    /// Sell at the strike.
    Put,
}

/// The sums over a block's paths.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sums {
    /// The block.
    pub block: u64,
    /// How many paths were added up.
    pub paths: u32,
    /// Of discounted payoffs.
    pub price_sum: f64,
    /// Of their squares, for the standard error.
    pub price_square_sum: f64,
    /// Of the estimates of delta: the change of the price with the spot.
    pub delta_sum: f64,
    /// Of gamma: the change of delta with the spot.
    pub gamma_sum: f64,
    /// Of vega: the change of the price with the volatility.
    pub vega_sum: f64,
}

/// The sums of a block of simulated paths, from which price, standard error and Greeks follow.
#[kernel(
    title = "Option price by Monte Carlo",
    item = "number of a block of paths",
    item_min = 0
)]
pub fn montecarlo(item: u64, params: &Market) -> Sums {
    let model = Model::new(params);
    let key = philox::Key::new(halves(params.seed));
    let mut totals = Totals::new();
    let paths = u64::from(params.paths_per_item);
    let turns = paths.div_ceil(PATHS_PER_TURN);
    let mut batch = Batch::new();
    for first in (0..turns).step_by(BATCH_TURNS) {
        let count = (turns - first).min(BATCH_TURNS as u64) as usize;
        batch.draw(count, first, item, &key);
        for (turn, normals) in (first..).zip(&batch.normals[..count]) {
            let rest = paths - turn * PATHS_PER_TURN;
            model.add(normals[0], counted(rest, 0), &mut totals);
            model.add(normals[1], counted(rest, 1), &mut totals);
        }
    }
    model.sums(item, params.paths_per_item, &totals)
}

/// What a turn of a loop computes: four pairs of paths, for four counters.
const PATHS_PER_TURN: u64 = 8;
/// Turns of a batch: few enough for a processor's nearest cache.
const BATCH_TURNS: usize = 32;

/// Paths step by step: short loops, of which a processor does several turns at once.
struct Batch {
    words: [[U32x4; 4]; BATCH_TURNS],
    normals: [[F64x4; 2]; BATCH_TURNS],
}

impl Batch {
    fn new() -> Self {
        Self {
            words: [[U32x4::splat(0); 4]; BATCH_TURNS],
            normals: [[F64x4::splat(0.0); 2]; BATCH_TURNS],
        }
    }

    /// The normal numbers of `count` turns from `first` on.
    fn draw(&mut self, count: usize, first: u64, block: u64, key: &philox::Key) {
        for (turn, words) in (first..).zip(&mut self.words[..count]) {
            *words = key.words(counters(turn * PATHS_PER_TURN / 2, block));
        }
        for (normals, words) in self.normals[..count].iter_mut().zip(&self.words) {
            *normals = normal::pairs(*words);
        }
    }
}

/// 1 for paths that count and 0 for those beyond the last, where `rest` are left: of the first or the
/// second paths of four pairs.
#[inline(always)]
fn counted(rest: u64, which: u64) -> F64x4 {
    if rest >= PATHS_PER_TURN {
        return F64x4::splat(1.0);
    }
    F64x4::new([0, 2, 4, 6].map(|pair| f64::from(u8::from(pair + which < rest))))
}

/// The counters of four pairs; `pair` is divisible by four.
#[inline(always)]
fn counters(pair: u64, block: u64) -> [U32x4; 4] {
    let ([a, b], [c, d]) = (halves(pair), halves(block));
    [
        U32x4::new([a, a | 1, a | 2, a | 3]),
        U32x4::splat(b),
        U32x4::splat(c),
        U32x4::splat(d),
    ]
}

/// The low half and the high half.
fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// Sums over paths that pay, yet without the factors that all paths share. A lane adds up the paths
/// of every fourth pair, in their order.
struct Totals {
    payoff: F64x4,
    payoff_square: F64x4,
    end: F64x4,
    normal: F64x4,
    vega: F64x4,
}

impl Totals {
    fn new() -> Self {
        let zero = F64x4::splat(0.0);
        Self {
            payoff: zero,
            payoff_square: zero,
            end: zero,
            normal: zero,
            vega: zero,
        }
    }
}

/// What is the same for every path.
struct Model {
    spot: f64,
    strike: f64,
    /// 1 for a call, -1 for a put.
    sign: f64,
    discount: f64,
    drift: f64,
    /// Volatility times the root of the time.
    spread: f64,
    root_years: f64,
    variance_rate: f64,
    gamma_factor: f64,
}

impl Model {
    fn new(market: &Market) -> Self {
        let Market {
            spot,
            strike,
            rate,
            volatility,
            maturity_years,
            kind,
            ..
        } = *market;
        let root_years = maturity_years.sqrt();
        let discount = libm::exp(-rate * maturity_years);
        let sign = if kind == Kind::Call { 1.0 } else { -1.0 };
        Self {
            spot,
            strike,
            sign,
            discount,
            drift: (rate - volatility * volatility / 2.0) * maturity_years,
            spread: volatility * root_years,
            root_years,
            variance_rate: volatility * maturity_years,
            gamma_factor: sign * discount * strike / (spot * spot * volatility * root_years),
        }
    }

    /// Adds the paths of four normal numbers; a path counts once or not at all.
    #[inline(always)]
    fn add(&self, z: F64x4, counts: F64x4, totals: &mut Totals) {
        let (zero, one) = (F64x4::splat(0.0), F64x4::splat(1.0));
        let growth = maths::exp(F64x4::splat(self.drift) + F64x4::splat(self.spread) * z);
        let end = F64x4::splat(self.spot) * growth;
        let payoff = F64x4::splat(self.sign) * (end - F64x4::splat(self.strike));
        let pays = F64x4::from_bits(zero.below(payoff).and(one.to_bits())) * counts;
        let (payoff, end) = (payoff * pays, end * pays);
        totals.payoff = totals.payoff + payoff;
        totals.payoff_square = totals.payoff_square + payoff * payoff;
        totals.end = totals.end + end;
        totals.normal = totals.normal + z * pays;
        let slope = F64x4::splat(self.root_years) * z - F64x4::splat(self.variance_rate);
        totals.vega = totals.vega + end * slope;
    }

    /// The sums, with the factors that all paths share.
    fn sums(&self, block: u64, paths: u32, totals: &Totals) -> Sums {
        let sum = |lanes: F64x4| {
            let [a, b, c, d] = lanes.to_array();
            (a + b) + (c + d)
        };
        let slope = self.sign * self.discount;
        Sums {
            block,
            paths,
            price_sum: self.discount * sum(totals.payoff),
            price_square_sum: self.discount * self.discount * sum(totals.payoff_square),
            delta_sum: slope / self.spot * sum(totals.end),
            gamma_sum: self.gamma_factor * sum(totals.normal),
            vega_sum: slope * sum(totals.vega),
        }
    }
}

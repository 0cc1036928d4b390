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

use crate::lanes::{F64x4, FloatSum, U32x4};
use core::f64::consts::LOG2_E;
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
    let mut batch = [Turn::new(); BATCH_TURNS];
    for first in (0..turns).step_by(BATCH_TURNS) {
        let count = (turns - first).min(BATCH_TURNS as u64) as usize;
        let batch = &mut batch[..count];
        draw(batch, first, item, &key);
        if first + count as u64 == turns {
            batch[count - 1].leave_out(turns * PATHS_PER_TURN - paths, model.far_out);
        }
        model.add(batch, &mut totals);
    }
    model.sums(item, params.paths_per_item, &totals)
}

const PATHS_PER_TURN: u64 = 8;
/// Turns of a batch: few enough for a processor's nearest cache.
const BATCH_TURNS: usize = 32;

/// What a turn of a loop computes: four pairs of paths, for four counters.
#[derive(Clone, Copy)]
struct Turn {
    words: [U32x4; 4],
    radii: F64x4,
    normals: [F64x4; 2],
}

impl Turn {
    fn new() -> Self {
        let zeros = F64x4::splat(0.0);
        Self {
            words: [U32x4::splat(0); 4],
            radii: zeros,
            normals: [zeros; 2],
        }
    }

    /// The last `paths` get a normal number at which no option pays, so that they do not count.
    fn leave_out(&mut self, paths: u64, far_out: f64) {
        for (lanes, first) in self.normals.iter_mut().zip(0..) {
            let mut normals = lanes.to_array();
            for (normal, pair) in normals.iter_mut().zip([0, 2, 4, 6]) {
                if first + pair + paths >= PATHS_PER_TURN {
                    *normal = far_out;
                }
            }
            *lanes = F64x4::new(normals);
        }
    }
}

/// The normal numbers of a batch whose first turn is `first`. Short loops, of which a processor does several
/// turns at once.
fn draw(batch: &mut [Turn], first: u64, block: u64, key: &philox::Key) {
    for (at, turn) in (first..).zip(batch.iter_mut()) {
        turn.words = key.words(counters(at * PATHS_PER_TURN / 2, block));
    }
    for turn in batch.iter_mut() {
        turn.radii = normal::radii(turn.words);
    }
    for turn in batch {
        turn.normals = normal::pairs(turn.words, turn.radii);
    }
}

/// The counters of four pairs; `pair` is divisible by four.
#[inline(always)]
fn counters(pair: u64, block: u64) -> [U32x4; 4] {
    let ([a, b], [c, d]) = (halves(pair), halves(block));
    [
        U32x4::splat(a).xor(U32x4::new([0, 1, 2, 3])),
        U32x4::splat(b),
        U32x4::splat(c),
        U32x4::splat(d),
    ]
}

/// The low half and the high half.
fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

/// Sums over paths that pay, in units of the spot and yet without the factors that all paths share.
struct Totals {
    paying: FloatSum,
    normal: FloatSum,
    payoff: FloatSum,
    payoff_square: FloatSum,
    /// Of the products of payoff and normal number.
    product: FloatSum,
}

impl Totals {
    fn new() -> Self {
        let zero = FloatSum::zero();
        Self {
            paying: zero,
            normal: zero,
            payoff: zero,
            payoff_square: zero,
            product: zero,
        }
    }
}

/// What is the same for every path.
struct Model {
    spot: f64,
    /// 1 for a call, -1 for a put.
    sign: f64,
    /// The strike in units of the spot, with that sign.
    strike: f64,
    /// A normal number at which this option does not pay.
    far_out: f64,
    discount: f64,
    /// Growth is 2 to the power of `drift + spread · Z`.
    drift: f64,
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
            sign,
            strike: sign * strike / spot,
            far_out: -sign * 1e300,
            discount,
            drift: (rate - volatility * volatility / 2.0) * maturity_years * LOG2_E,
            spread: volatility * root_years * LOG2_E,
            root_years,
            variance_rate: volatility * maturity_years,
            gamma_factor: sign * discount * strike / (spot * spot * volatility * root_years),
        }
    }

    /// By what the share's price is multiplied on the paths of four normal numbers, with the option's sign.
    #[inline(always)]
    fn growth(&self, z: F64x4) -> F64x4 {
        let exponent = F64x4::splat(self.drift) + F64x4::splat(self.spread) * z;
        maths::power_of_two(exponent, self.sign)
    }

    /// Adds the paths of a batch; a path counts once or not at all.
    fn add(&self, batch: &[Turn], totals: &mut Totals) {
        let (zero, one) = (F64x4::splat(0.0), F64x4::splat(1.0));
        let strike = F64x4::splat(self.strike);
        for Turn { normals, .. } in batch {
            let gains = normals.map(|z| self.growth(z) - strike);
            let pay = gains.map(|gain| F64x4::from_bits(zero.below(gain).and(one.to_bits())));
            let times = |a: [F64x4; 2], b: [F64x4; 2]| [a[0] * b[0], a[1] * b[1]];
            let payoffs = times(gains, pay);
            totals.paying = totals.paying.plus(pay);
            totals.normal = totals.normal.plus(times(*normals, pay));
            totals.payoff = totals.payoff.plus(payoffs);
            totals.payoff_square = totals.payoff_square.plus(times(payoffs, payoffs));
            totals.product = totals.product.plus(times(*normals, payoffs));
        }
    }

    /// The sums, with the factors that all paths share.
    fn sums(&self, block: u64, paths: u32, totals: &Totals) -> Sums {
        let worth = self.discount * self.spot;
        let (payoff, normal) = (totals.payoff.total(), totals.normal.total());
        // payoff = sign · growth - strike, where it pays
        let growth = payoff + self.strike * totals.paying.total();
        let product = totals.product.total() + self.strike * normal;
        let vega = self.root_years * product - self.variance_rate * growth;
        Sums {
            block,
            paths,
            price_sum: worth * payoff,
            price_square_sum: worth * worth * totals.payoff_square.total(),
            delta_sum: self.discount * growth,
            gamma_sum: self.gamma_factor * normal,
            vega_sum: worth * vega,
        }
    }
}

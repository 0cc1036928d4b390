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
mod normal;
mod philox;

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
    let mut sums = Sums {
        block: item,
        paths: params.paths_per_item,
        ..Sums::default()
    };
    for pair in 0..u64::from(params.paths_per_item.div_ceil(2)) {
        let [first, second] = normal::pair(philox::philox4x32(counter(pair, item), key(params.seed)));
        model.add(first, &mut sums);
        if pair * 2 + 1 < u64::from(params.paths_per_item) {
            model.add(second, &mut sums);
        }
    }
    sums
}

fn counter(pair: u64, block: u64) -> [u32; 4] {
    let ([a, b], [c, d]) = (key(pair), key(block));
    [a, b, c, d]
}

/// The low half and the high half.
fn key(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
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
        let root_years = libm::sqrt(maturity_years);
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

    /// Adds the path of the normal number `z`.
    fn add(&self, z: f64, sums: &mut Sums) {
        let end = self.spot * libm::exp(self.drift + self.spread * z);
        let payoff = self.sign * (end - self.strike);
        if payoff <= 0.0 {
            return;
        }
        let price = self.discount * payoff;
        let slope = self.sign * self.discount * end;
        sums.price_sum += price;
        sums.price_square_sum += price * price;
        sums.delta_sum += slope / self.spot;
        sums.gamma_sum += self.gamma_factor * z;
        sums.vega_sum += slope * (self.root_years * z - self.variance_rate);
    }
}

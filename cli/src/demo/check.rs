//! Whether the demonstration's answers are right, by other means than those that made them: a picture
//! drawn afresh with two plain loops, the list of known Mersenne primes, and the formula of Black,
//! Scholes and Merton.
use super::primes::{MERSENNE_EXPONENTS, odd_primes_below};
use super::work::{Answers, Mersenne, Sums, VIEW, View};
use crate::picture::Size;

/// How many standard errors an estimate may lie beside the truth (once in 15,000 it is more).
const ERRORS_MAX: f64 = 4.0;

/// What a check found.
pub(super) struct Finding {
    /// What was compared with what.
    pub(super) what: &'static str,
    /// What is wrong, if anything.
    pub(super) wrong: Option<String>,
}

/// Every check.
pub(super) fn all(answers: &Answers) -> Vec<Finding> {
    let (_, size, canvas) = &answers.picture;
    vec![
        Finding {
            what: "the picture equals an independent rendering, pixel by pixel",
            wrong: picture(canvas.counts(), *size),
        },
        Finding {
            what: "the Mersenne primes are the known ones, and no other",
            wrong: mersenne(&answers.mersenne.1),
        },
        Finding {
            what: "the option's price is the one of Black, Scholes and Merton within its error",
            wrong: option(&answers.option.1),
        },
    ]
}

fn picture(counts: &[u16], size: Size) -> Option<String> {
    let drawn = draw(&VIEW, size);
    let different = counts.iter().zip(&drawn).filter(|(a, b)| a != b).count();
    (different > 0 || counts.len() != drawn.len()).then(|| {
        format!(
            "{different} of {} pixels differ from an independent rendering",
            drawn.len()
        )
    })
}

/// The counts, row by row, with as many threads as there are cores.
fn draw(view: &View, size: Size) -> Vec<u16> {
    let mut counts = vec![0; size.width as usize * size.height as usize];
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let rows_each = (size.height as usize).div_ceil(threads).max(1);
    std::thread::scope(|scope| {
        for (band, rows) in counts.chunks_mut(rows_each * size.width as usize).enumerate() {
            scope.spawn(move || draw_rows(view, size, band * rows_each, rows));
        }
    });
    counts
}

fn draw_rows(view: &View, size: Size, first: usize, counts: &mut [u16]) {
    let width = f64::from(size.width);
    let step = view.span / width;
    for (row, line) in counts.chunks_mut(size.width as usize).enumerate() {
        let y = (first + row) as f64 + 0.5 - f64::from(size.height) / 2.0;
        for (x, count) in line.iter_mut().enumerate() {
            let x = x as f64 + 0.5 - width / 2.0;
            *count = escape(view.center_x + x * step, view.center_y - y * step, size.inside);
        }
    }
}

/// The first n with |z| > 2, where z starts at 0 and becomes z² + c; `max` when there is none below it.
fn escape(real: f64, imaginary: f64, max: u16) -> u16 {
    let (mut x, mut y) = (0.0, 0.0);
    let mut n = 0;
    while n < max && x * x + y * y <= 4.0 {
        let xy: f64 = x * y;
        x = x * x - y * y + real;
        y = xy + xy + imaginary;
        n += 1;
    }
    n
}

fn mersenne(answers: &[Mersenne]) -> Option<String> {
    let tried: Vec<u32> = answers.iter().map(|answer| answer.exponent).collect();
    if tried != odd_primes_below(5_000) {
        return Some("the exponents that were tried are not the odd primes below 5,000".into());
    }
    let found: Vec<u32> = answers
        .iter()
        .filter(|answer| answer.prime)
        .map(|answer| answer.exponent)
        .collect();
    (found != MERSENNE_EXPONENTS)
        .then(|| format!("the exponents found are {found:?}, not {MERSENNE_EXPONENTS:?}"))
}

fn option(blocks: &[Sums]) -> Option<String> {
    let estimate = Estimate::of(blocks);
    let truth = black_scholes();
    let beside = (estimate.price - truth.price).abs() / estimate.error;
    // A comparison that is not a number is wrong too.
    let is_right = beside <= ERRORS_MAX;
    (!is_right).then(|| {
        format!(
            "the price {:.4} lies {beside:.1} standard errors beside {:.4}",
            estimate.price, truth.price
        )
    })
}

/// Price and Greeks of an option.
pub(super) struct Estimate {
    pub(super) paths: u64,
    pub(super) price: f64,
    /// Standard error of the price.
    pub(super) error: f64,
    pub(super) delta: f64,
    pub(super) gamma: f64,
    pub(super) vega: f64,
}

impl Estimate {
    /// Sums over all blocks, divided by the number of paths.
    pub(super) fn of(blocks: &[Sums]) -> Self {
        let paths: u64 = blocks.iter().map(|block| u64::from(block.paths)).sum();
        let mean = |part: fn(&Sums) -> f64| blocks.iter().map(part).sum::<f64>() / paths as f64;
        let price = mean(|block| block.price_sum);
        let variance = mean(|block| block.price_square_sum) - price * price;
        Self {
            paths,
            price,
            error: (variance / paths as f64).sqrt(),
            delta: mean(|block| block.delta_sum),
            gamma: mean(|block| block.gamma_sum),
            vega: mean(|block| block.vega_sum),
        }
    }
}

/// The call of the demonstration (spot and strike 100, 5 % interest, 20 % volatility, one year), by the
/// closed formula.
pub(super) fn black_scholes() -> Estimate {
    let (spot, strike, rate, volatility) = (100.0_f64, 100.0_f64, 0.05_f64, 0.2_f64);
    let d1 = ((spot / strike).ln() + rate + volatility * volatility / 2.0) / volatility;
    let density = (-d1 * d1 / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let (n1, n2) = (normal(d1), normal(d1 - volatility));
    Estimate {
        paths: 0,
        price: spot * n1 - strike * (-rate).exp() * n2,
        error: 0.0,
        delta: n1,
        gamma: density / (spot * volatility),
        vega: spot * density,
    }
}

/// The distribution function of the normal distribution, by its series (Abramowitz and Stegun 26.2.11).
fn normal(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..100 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / std::f64::consts::TAU.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_gives_the_published_price() {
        // Hull, Options, Futures and Other Derivatives: 10.4506 for these values.
        let truth = black_scholes();
        assert!(
            (truth.price - 10.450_583_572_185_565).abs() < 1e-9,
            "{}",
            truth.price
        );
        assert!(
            (truth.delta - 0.636_830_651_175_619).abs() < 1e-9,
            "{}",
            truth.delta
        );
    }

    #[test]
    fn a_single_wrong_pixel_is_seen() {
        let size = Size {
            width: 64,
            height: 48,
            tile: 64,
            inside: 500,
        };
        let mut counts = draw(&VIEW, size);
        assert_eq!(picture(&counts, size), None);
        counts[1_000] ^= 1;
        assert!(picture(&counts, size).is_some_and(|wrong| wrong.starts_with("1 of 3072 pixels")));
    }

    #[test]
    fn escape_counts_are_the_known_ones() {
        assert_eq!(escape(0.0, 0.0, 100), 100);
        assert_eq!(escape(2.5, 0.0, 100), 1);
        assert_eq!(escape(1.0, 0.0, 100), 3);
    }
}

//! Numbers counted into bins of a round width.
use super::format;

/// About so many bins.
const BINS: f64 = 20.0;
/// Whole numbers up to this are written out.
const WHOLE_MAX: f64 = 1e15;

/// Numbers from `from` up to, but without, `to`.
#[derive(Clone, Debug, PartialEq)]
pub struct Bin {
    /// Which numbers, in words.
    pub label: String,
    /// How many.
    pub count: u64,
}

/// Numbers counted into bins.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// From the least to the greatest.
    pub bins: Vec<Bin>,
    /// The same in a sentence.
    pub summary: String,
    /// The least and the greatest number.
    pub ends: (String, String),
}

impl Histogram {
    /// The count of the fullest bin; not 0.
    pub fn most(&self) -> u64 {
        self.bins.iter().map(|bin| bin.count).max().unwrap_or(1).max(1)
    }
}

/// Counts numbers; `None` where fewer than two differ.
pub fn histogram(numbers: &[f64]) -> Option<Histogram> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (least, most) = (*sorted.first()?, *sorted.last()?);
    let span = most - least;
    if !span.is_finite() || span <= 0.0 {
        return None;
    }
    let whole = sorted.iter().all(|number| number.fract().abs() < f64::EPSILON);
    let step = round_up(span / BINS, whole);
    Some(Histogram {
        bins: bins(&sorted, step, whole),
        summary: summary(&sorted, least, most),
        ends: (written(least), written(most)),
    })
}

/// The next of 1, 2, 5, 10, … times a power of ten; at least 1 between whole numbers.
fn round_up(width: f64, whole: bool) -> f64 {
    let width = if whole { width.max(1.0) } else { width };
    let power = 10f64.powf(width.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= width);
    factor.unwrap_or(10.0) * power
}

fn bins(sorted: &[f64], step: f64, whole: bool) -> Vec<Bin> {
    let first = (sorted[0] / step).floor();
    let last = (sorted[sorted.len() - 1] / step).floor();
    let mut rest = sorted;
    let mut bins = Vec::new();
    let mut at = first;
    while at <= last {
        let next = rest.iter().position(|number| number / step >= at + 1.0);
        let (inside, after) = rest.split_at(next.unwrap_or(rest.len()));
        bins.push(Bin {
            label: label(at, step, whole),
            count: inside.len() as u64,
        });
        rest = after;
        at += 1.0;
    }
    bins
}

fn label(at: f64, step: f64, whole: bool) -> String {
    let (from, to) = (at * step, (at + 1.0) * step);
    if whole && step <= 1.0 {
        written(from)
    } else if whole {
        format!("{} to {}", written(from), written(to - 1.0))
    } else {
        format!("{} to {}", written(from), written(to))
    }
}

fn summary(sorted: &[f64], least: f64, most: f64) -> String {
    let mean = sorted.iter().sum::<f64>() / sorted.len() as f64;
    let median = sorted[sorted.len() / 2];
    format!(
        "{} from {} to {}: mean {}, median {}",
        format::count_of(sorted.len() as u64, "number", "numbers"),
        written(least),
        written(most),
        written(mean),
        written(median)
    )
}

/// A number for people, with up to six digits that mean something.
pub fn written(number: f64) -> String {
    let size = number.abs();
    let nearly_whole = (number - number.round()).abs() <= size * 1e-12;
    if nearly_whole && size < WHOLE_MAX {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "below 10^15 and not negative"
        )]
        let digits = format::count(size.round() as u64);
        return if number < 0.0 {
            format!("−{digits}")
        } else {
            digits
        };
    }
    if !(1e-4..1e9).contains(&size) {
        return format!("{number:.3e}");
    }
    let text = format!("{number:.*}", if size < 1.0 { 6 } else { 3 });
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_whole_numbers_have_a_bin_each() {
        let found = histogram(&[1.0, 2.0, 2.0, 4.0]).unwrap();
        let bins: Vec<_> = found
            .bins
            .iter()
            .map(|bin| (bin.label.as_str(), bin.count))
            .collect();
        assert_eq!(bins, [("1", 1), ("2", 2), ("3", 0), ("4", 1)]);
        assert_eq!(found.summary, "4 numbers from 1 to 4: mean 2.25, median 2");
    }

    #[test]
    fn every_number_is_in_a_bin_and_the_width_is_round() {
        let cases: [Vec<f64>; 4] = [
            (0..1_000).map(|n| f64::from(n * n)).collect(),
            (0..100).map(|n| f64::from(n).sin()).collect(),
            vec![-1e300, 1e300],
            vec![1e-12, 3e-12, 2.5e-12],
        ];
        for numbers in cases {
            let found = histogram(&numbers).unwrap();
            let counted: u64 = found.bins.iter().map(|bin| bin.count).sum();
            assert_eq!(counted, numbers.len() as u64, "{:?}", found.bins);
            assert!((1..=22).contains(&found.bins.len()), "{:?}", found.bins);
        }
        let squares: Vec<f64> = (0..1_000).map(|n| f64::from(n * n)).collect();
        assert_eq!(histogram(&squares).unwrap().bins[0].label, "0 to 49,999");
    }

    #[test]
    fn what_does_not_differ_makes_no_histogram() {
        assert_eq!(histogram(&[]), None);
        assert_eq!(histogram(&[3.0, 3.0]), None);
        assert_eq!(histogram(&[-f64::MAX, f64::MAX]), None);
    }
}

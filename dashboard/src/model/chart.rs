//! The geometry of the throughput chart: samples in, SVG paths, ticks and a table out.
use super::format;
use protocol::api::Sample;

/// Width of the drawing, in user units.
pub const WIDTH: f64 = 960.0;
/// Height of the drawing, in user units.
pub const HEIGHT: f64 = 170.0;
/// Seconds that the chart spans.
pub const SPAN_S: u64 = 300;
/// Seconds of one row of the table beside the chart.
const ROW_S: u64 = 30;

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chart {
    /// The line of items a second.
    pub line: String,
    /// The area below it.
    pub area: String,
    /// Horizontal rules: height in user units and label.
    pub rules: Vec<(f64, String)>,
    /// Vertical marks: place in user units and label.
    pub marks: Vec<(f64, String)>,
    /// Marks of seconds in which attempts failed: place in user units.
    pub failures: Vec<f64>,
    /// One sentence for those who cannot see it.
    pub summary: String,
}

/// One row of the table that says what the chart shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Seconds before now at which it begins.
    pub ago_s: u64,
    /// Items a second, on average.
    pub items_per_second: f64,
    /// Shards a second, on average.
    pub shards_per_second: f64,
    /// Attempts failed.
    pub failed: u64,
}

/// Draws the last five minutes before the newest sample.
pub fn chart(samples: &[Sample]) -> Chart {
    let Some(newest) = samples.last() else {
        return Chart {
            summary: "No work was measured yet.".into(),
            ..Chart::default()
        };
    };
    let recent: Vec<&Sample> = samples.iter().filter(|s| age_s(newest, s) <= SPAN_S).collect();
    let most = recent.iter().map(|s| s.items).max().unwrap_or(0);
    let top = nice_top(most as f64);
    let points: Vec<(f64, f64)> = recent
        .iter()
        .map(|s| (x_of(age_s(newest, s)), y_of(s.items as f64, top)))
        .collect();
    let line = path(&points);
    let area = match (points.first(), points.last()) {
        (Some(first), Some(last)) => format!("{line}L{:.1} {HEIGHT}L{:.1} {HEIGHT}Z", last.0, first.0),
        _ => String::new(),
    };
    Chart {
        line,
        area,
        rules: rules(top),
        marks: (0..=5)
            .map(|minute| (x_of(minute * 60), mark_label(minute)))
            .collect(),
        failures: recent
            .iter()
            .filter(|s| s.failed > 0)
            .map(|s| x_of(age_s(newest, s)))
            .collect(),
        summary: summary(&recent, most),
    }
}

/// The same in half minutes, newest first.
pub fn rows(samples: &[Sample]) -> Vec<Row> {
    let Some(newest) = samples.last() else {
        return Vec::new();
    };
    let row = |index: u64| {
        let inside = |s: &&Sample| age_s(newest, s) / ROW_S == index;
        let seconds: Vec<&Sample> = samples.iter().filter(inside).collect();
        (!seconds.is_empty()).then(|| Row {
            ago_s: index * ROW_S,
            items_per_second: seconds.iter().map(|s| s.items).sum::<u64>() as f64 / seconds.len() as f64,
            shards_per_second: seconds.iter().map(|s| s.shards).sum::<u64>() as f64 / seconds.len() as f64,
            failed: seconds.iter().map(|s| s.failed).sum(),
        })
    };
    (0..SPAN_S / ROW_S).filter_map(row).collect()
}

/// Items a second over the last ten seconds.
pub fn items_per_second_now(samples: &[Sample]) -> f64 {
    let last = &samples[samples.len().saturating_sub(10)..];
    if last.is_empty() {
        0.0
    } else {
        last.iter().map(|s| s.items).sum::<u64>() as f64 / last.len() as f64
    }
}

fn age_s(newest: &Sample, sample: &Sample) -> u64 {
    newest.time_ms.saturating_sub(sample.time_ms) / 1000
}

fn x_of(age_s: u64) -> f64 {
    WIDTH - age_s as f64 / SPAN_S as f64 * WIDTH
}

fn y_of(value: f64, top: f64) -> f64 {
    HEIGHT - value / top * HEIGHT
}

fn path(points: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        text.push_str(&format!("{}{x:.1} {y:.1}", if at == 0 { 'M' } else { 'L' }));
    }
    text
}

/// The least of 1, 2, 4, 5 and 10 times a power of ten that is not below `most`; each divides by four well.
fn nice_top(most: f64) -> f64 {
    let most = most.max(1.0);
    let power = 10f64.powf(most.log10().floor());
    let steps = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0];
    steps
        .into_iter()
        .map(|step| step * power)
        .find(|top| *top >= most * 0.999_999)
        .unwrap_or(10.0 * power)
}

fn rules(top: f64) -> Vec<(f64, String)> {
    [0.0, 0.5, 1.0]
        .map(|share| (y_of(share * top, top), format::compact(share * top)))
        .to_vec()
}

fn mark_label(minute: u64) -> String {
    if minute == 0 {
        "now".into()
    } else {
        format!("−{minute} min")
    }
}

fn summary(recent: &[&Sample], most: u64) -> String {
    let items: u64 = recent.iter().map(|s| s.items).sum();
    let failed: u64 = recent.iter().map(|s| s.failed).sum();
    let average = items as f64 / recent.len().max(1) as f64;
    let failures = match failed {
        0 => "No attempt failed.".into(),
        n => format!("{} failed.", format::count_of(n, "attempt", "attempts")),
    };
    format!(
        "{} in the last five minutes: {} on average, {} at most. {failures}",
        format::count_of(items, "item", "items"),
        format::rate(average),
        format::rate(most as f64),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(items: &[u64]) -> Vec<Sample> {
        let sample = |(at, items): (usize, &u64)| Sample {
            time_ms: at as u64 * 1000,
            items: *items,
            shards: items / 2,
            failed: u64::from(*items == 7),
        };
        items.iter().enumerate().map(sample).collect()
    }

    #[test]
    fn the_newest_second_is_at_the_right_edge_and_the_most_is_inside() {
        let chart = chart(&samples(&[0, 80, 40]));
        assert_eq!(chart.line, "M953.6 170.0L956.8 0.0L960.0 85.0");
        assert!(chart.area.ends_with("L960.0 170L953.6 170Z"));
        assert_eq!(chart.rules[2], (0.0, "80".into()));
        assert!(
            chart
                .summary
                .starts_with("120 items in the last five minutes: 40 items/s on average")
        );
    }

    #[test]
    fn nothing_measured_draws_nothing_and_says_so() {
        let empty = chart(&[]);
        assert_eq!(
            (empty.line.as_str(), empty.summary.as_str()),
            ("", "No work was measured yet.")
        );
        assert!(rows(&[]).is_empty());
        assert!(items_per_second_now(&[]) < f64::EPSILON);
    }

    #[test]
    fn the_table_says_the_same_as_the_chart() {
        let mut items = vec![2; 60];
        items[59] = 7;
        let rows = rows(&samples(&items));
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].ago_s, rows[0].failed, rows[1].failed), (0, 1, 0));
        assert!((rows[1].items_per_second - 2.0).abs() < 1e-9);
    }

    #[test]
    fn the_scale_ends_at_a_round_number() {
        for (most, top) in [
            (0.0, 1.0),
            (1.0, 1.0),
            (3.0, 4.0),
            (101.0, 200.0),
            (950.0, 1_000.0),
            (1_000.0, 1_000.0),
        ] {
            assert!((nice_top(most) - top).abs() < 1e-6, "{most}: {}", nice_top(most));
        }
    }
}

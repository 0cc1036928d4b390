//! Numbers, sizes, spans of time and dates as people read them. One place, so that pages agree.

/// A whole number with its thousands apart: `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with its noun: `1 shard`, `12 shards`.
pub fn count_of(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A number of any size in a few characters: `0.25`, `7.5`, `980`, `12.3 k`, `4.1 M`.
pub fn compact(number: f64) -> String {
    const STEPS: [(f64, &str); 4] = [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e4, " k")];
    if !number.is_finite() {
        return "–".into();
    }
    for (from, suffix) in STEPS {
        let unit = if from == 1e4 { 1e3 } else { from };
        if number.abs() >= from {
            return format!("{:.1}{suffix}", number / unit);
        }
    }
    match number.abs() {
        n if n >= 100.0 => count_signed(number),
        n if n >= 1.0 => trim(format!("{number:.1}")),
        n if n > 0.0 => trim(format!("{number:.2}")),
        _ => "0".into(),
    }
}

fn count_signed(number: f64) -> String {
    let sign = if number < 0.0 { "−" } else { "" };
    // At most 1e4 here, so the cast is exact and positive.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rounded, 0 to 10,000"
    )]
    let whole = number.abs().round() as u64;
    format!("{sign}{}", count(whole))
}

fn trim(text: String) -> String {
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short.is_empty() {
        "0".into()
    } else {
        short.into()
    }
}

/// A rate of items: `1.2 k items/s`.
pub fn rate(items_per_second: f64) -> String {
    format!("{} items/s", compact(items_per_second))
}

/// Bytes in binary units: `512 B`, `1.5 KiB`, `20 MiB`.
pub fn bytes(length: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = length as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{length} B")
    } else {
        format!("{} {}", trim(format!("{value:.1}")), UNITS[unit])
    }
}

/// A span of time in its two largest units: `320 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..=9 => format!("{} s", trim(format!("{:.1}", ms as f64 / 1000.0))),
        10..=59 => format!("{seconds} s"),
        60..=3_599 => two(seconds / 60, "min", seconds % 60, "s"),
        3_600..=86_399 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

fn two(large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    if small == 0 {
        format!("{large} {large_unit}")
    } else {
        format!("{large} {large_unit} {small} {small_unit}")
    }
}

/// How long ago `then_ms` was: `just now`, `12 s ago`, `5 min ago`, `3 d ago`. Clocks that disagree by a
/// little never give a time in the future.
pub fn ago(now_ms: u64, then_ms: u64) -> String {
    let seconds = now_ms.saturating_sub(then_ms) / 1000;
    match seconds {
        0..=2 => "just now".into(),
        3..=59 => format!("{seconds} s ago"),
        60..=3_599 => format!("{} min ago", seconds / 60),
        3_600..=86_399 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

/// A share in percent, never rounded up to 100 nor down to 0: `0 %`, `<0.1 %`, `42 %`, `99.9 %`, `100 %`.
pub fn percent(part: u64, whole: u64) -> String {
    if whole == 0 || part == 0 {
        return "0 %".into();
    }
    if part >= whole {
        return "100 %".into();
    }
    let share = part as f64 / whole as f64 * 100.0;
    match share {
        s if s < 0.1 => "<0.1 %".into(),
        s if s > 99.0 => format!("{:.1} %", (s * 10.0).floor() / 10.0),
        s if s < 10.0 => format!("{} %", trim(format!("{s:.1}"))),
        s => format!("{s:.0} %"),
    }
}

/// A moment as ISO 8601 in UTC, to the second, for `<time datetime>`.
pub fn iso(ms: u64) -> String {
    let (days, seconds) = (ms / 86_400_000, ms / 1000 % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The day of the Gregorian calendar, from days since 1970 (H. Hinnant, `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let cases = [
            (0.0, "0"),
            (0.25, "0.25"),
            (7.5, "7.5"),
            (42.0, "42"),
            (980.4, "980"),
            (9_999.0, "9,999"),
        ];
        let large = [
            (12_345.0, "12.3 k"),
            (4_100_000.0, "4.1 M"),
            (3e12, "3.0 T"),
            (f64::NAN, "–"),
        ];
        for (number, text) in cases.into_iter().chain(large) {
            assert_eq!(compact(number), text);
        }
        assert_eq!(
            [count(0), count(999), count(1_000), count(1_234_567)],
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!(
            [count_of(1, "tab", "tabs"), count_of(2, "tab", "tabs")],
            ["1 tab", "2 tabs"]
        );
        assert_eq!(
            [bytes(512), bytes(1_536), bytes(20 << 20)],
            ["512 B", "1.5 KiB", "20 MiB"]
        );
    }

    #[test]
    fn spans_of_time() {
        let cases = [
            (320, "320 ms"),
            (4_200, "4.2 s"),
            (59_999, "59 s"),
            (185_000, "3 min 5 s"),
            (120_000, "2 min"),
        ];
        for (ms, text) in cases
            .into_iter()
            .chain([(7_800_000, "2 h 10 min"), (273_600_000, "3 d 4 h")])
        {
            assert_eq!(duration(ms), text);
        }
        assert_eq!(
            ago(10_000, 11_000),
            "just now",
            "a clock that runs ahead is no future"
        );
        assert_eq!([ago(72_000, 0), ago(40_000, 0)], ["1 min ago", "40 s ago"]);
    }

    #[test]
    fn a_share_is_only_whole_when_all_of_it_is_there() {
        assert_eq!(percent(999_999, 1_000_000), "99.9 %");
        assert_eq!(
            [percent(1, 1_000_000), percent(0, 5), percent(5, 5)],
            ["<0.1 %", "0 %", "100 %"]
        );
        assert_eq!(
            [percent(1, 3), percent(1, 30), percent(0, 0)],
            ["33 %", "3.3 %", "0 %"]
        );
    }

    #[test]
    fn dates() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(951_827_696_000), "2000-02-29T12:34:56Z");
        assert_eq!(iso(1_795_219_200_000), "2026-11-21T00:00:00Z");
    }
}

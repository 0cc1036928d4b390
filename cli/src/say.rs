//! What people read: words on standard error, and numbers, times and sizes as people say them.
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Colours, where the reader is a terminal and has not said NO_COLOR.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint(bool);

impl Paint {
    /// For standard error.
    pub(crate) fn stderr() -> Self {
        Self(std::io::stderr().is_terminal() && colours_wanted())
    }
    /// For standard output.
    pub(crate) fn stdout() -> Self {
        Self(std::io::stdout().is_terminal() && colours_wanted())
    }
    /// No colours.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self(false)
    }
    pub(crate) fn red(self, text: &str) -> String {
        self.with("1;31", text)
    }
    pub(crate) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }
    pub(crate) fn dim(self, text: &str) -> String {
        self.with("2", text)
    }
    fn with(self, code: &str, text: &str) -> String {
        if self.0 {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.into()
        }
    }
}

/// <https://no-color.org>: any value but the empty one.
fn colours_wanted() -> bool {
    let says = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !says("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// One line for people. A closed standard error is no reason to stop.
pub(crate) fn note(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// 12345 → `12,345`.
pub(crate) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 item`, `12,345 items`.
pub(crate) fn count(value: u64, what: &str) -> String {
    format!("{} {what}{}", number(value), if value == 1 { "" } else { "s" })
}

/// A number a second, with about three digits.
pub(crate) fn rate(per_second: f64) -> String {
    match per_second {
        r if !r.is_finite() || r <= 0.0 => "0".into(),
        r if r < 10.0 => format!("{r:.2}"),
        r if r < 100.0 => format!("{r:.1}"),
        r => number(r.round() as u64),
    }
}

/// `420 ms`, `3.2 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`.
pub(crate) fn duration(time: Duration) -> String {
    let s = time.as_secs();
    let two = |big: u64, big_word: &str, small: u64, small_word: &str| match small {
        0 => format!("{big} {big_word}"),
        _ => format!("{big} {big_word} {small} {small_word}"),
    };
    match s {
        0 if time.subsec_millis() == 0 => "under 1 ms".into(),
        0 => format!("{} ms", time.as_millis()),
        1..=59 => format!("{:.1} s", time.as_secs_f64()),
        60..=3599 => two(s / 60, "min", s % 60, "s"),
        3600..=86_399 => two(s / 3600, "h", s % 3600 / 60, "min"),
        _ => two(s / 86_400, "d", s % 86_400 / 3600, "h"),
    }
}

/// [`duration`] of milliseconds.
pub(crate) fn duration_ms(ms: u64) -> String {
    duration(Duration::from_millis(ms))
}

/// `3.2 s ago`, from milliseconds since 1970.
pub(crate) fn ago(time_ms: u64) -> String {
    let passed = now_ms().saturating_sub(time_ms);
    if passed < 1_000 {
        "just now".into()
    } else {
        format!("{} ago", duration_ms(passed / 1_000 * 1_000))
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `812 B`, `4.0 KiB`, `1.2 MiB`.
pub(crate) fn bytes(length: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    if length < 1024 {
        return format!("{length} B");
    }
    let mut value = length as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(
            [number(0), number(999), number(1_234_567)],
            ["0", "999", "1,234,567"]
        );
        assert_eq!(
            [count(1, "item"), count(2_000, "item")],
            ["1 item", "2,000 items"]
        );
        assert_eq!(
            [rate(0.0), rate(1.234), rate(12.34), rate(1234.4)],
            ["0", "1.23", "12.3", "1,234"]
        );
        assert_eq!(
            [bytes(812), bytes(4096), bytes(5 << 30)],
            ["812 B", "4.0 KiB", "5.0 GiB"]
        );
    }

    #[test]
    fn times_are_said_in_two_units_at_most() {
        let told = [0, 420, 3_250, 125_000, 3_600_000, 187_200_000].map(duration_ms);
        assert_eq!(
            told,
            ["under 1 ms", "420 ms", "3.2 s", "2 min 5 s", "1 h", "2 d 4 h"]
        );
    }
}

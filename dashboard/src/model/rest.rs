//! When a lent tab rests by itself: on battery, while nobody looks at it, outside the contributor's hours.
use serde::{Deserialize, Serialize};

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;

/// What the contributor wants; nothing at first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rest {
    /// Not on battery.
    pub battery: bool,
    /// Not while the tab is hidden.
    pub hidden: bool,
    /// Only within the hours.
    pub schedule: bool,
    /// When the hours begin, in minutes since midnight.
    pub from: u16,
    /// When they end; before [`Rest::from`] means the next day.
    pub until: u16,
}

/// How the device stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether it runs on battery; `None` where the browser does not tell.
    pub on_battery: Option<bool>,
    /// Whether the tab is hidden.
    pub hidden: bool,
    /// Local time in minutes since midnight.
    pub minute: u16,
}

impl Rest {
    /// The evening and the night, as a start.
    pub fn suggested() -> Rest {
        Rest {
            from: 20 * 60,
            until: 7 * 60,
            ..Rest::default()
        }
    }

    /// Each reason to rest (the words of `/web-worker/page.js`), and whether it holds now.
    pub fn reasons(&self, seen: Seen) -> [(&'static str, bool); 3] {
        [
            ("battery", self.battery && seen.on_battery == Some(true)),
            ("hidden", self.hidden && seen.hidden),
            ("schedule", self.schedule && !self.within(seen.minute)),
        ]
    }

    /// Whether the hours hold this minute. Hours that begin when they end are the whole day.
    fn within(&self, minute: u16) -> bool {
        let from_to = |from: u16, to: u16| (to + DAY_MINUTES - from) % DAY_MINUTES;
        let length = from_to(self.from % DAY_MINUTES, self.until % DAY_MINUTES);
        length == 0 || from_to(self.from % DAY_MINUTES, minute % DAY_MINUTES) < length
    }
}

/// `HH:MM`, as inputs of times read and write it.
pub fn clock_text(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60)
}

/// The minutes of `HH:MM`.
pub fn clock_minutes(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (hours.parse::<u16>().ok()?, minutes.parse::<u16>().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(rest: &Rest, seen: Seen) -> Vec<&'static str> {
        let reasons = rest.reasons(seen).into_iter();
        reasons
            .filter(|(_, holds)| *holds)
            .map(|(word, _)| word)
            .collect()
    }

    #[test]
    fn only_what_was_asked_for_rests() {
        let seen = Seen {
            on_battery: Some(true),
            hidden: true,
            minute: 12 * 60,
        };
        assert!(holding(&Rest::suggested(), seen).is_empty());
        let all = Rest {
            battery: true,
            hidden: true,
            schedule: true,
            ..Rest::suggested()
        };
        assert_eq!(holding(&all, seen), ["battery", "hidden", "schedule"]);
        let unknown = Seen {
            on_battery: None,
            hidden: false,
            minute: 23 * 60,
        };
        assert!(
            holding(&all, unknown).is_empty(),
            "a device that does not tell is taken for plugged in"
        );
    }

    #[test]
    fn hours_may_pass_midnight() {
        let hours = |from, until| Rest {
            from,
            until,
            ..Rest::default()
        };
        for (rest, minute, within) in [
            (hours(1_200, 420), 1_199, false),
            (hours(1_200, 420), 1_200, true),
            (hours(1_200, 420), 0, true),
            (hours(1_200, 420), 420, false),
            (hours(540, 1_020), 539, false),
            (hours(540, 1_020), 600, true),
            (hours(540, 540), 3, true),
        ] {
            assert_eq!(rest.within(minute), within, "{rest:?} at {minute}");
        }
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(clock_minutes(&clock_text(1_205)), Some(1_205));
        for wrong in ["", "24:00", "7", "1:60", "a:b"] {
            assert_eq!(clock_minutes(wrong), None, "{wrong}");
        }
    }
}

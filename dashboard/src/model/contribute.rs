//! How a lent tab stands, as the tab's worker tells it, in words.
use serde::Deserialize;
use serde_json::Value;

/// How the tab stands. The tab's worker defines it (`Status` of `/web-worker/page.js`).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    /// In which state.
    pub state: State,
    /// Why, as a stable word; may be empty.
    pub reason: String,
    /// Why, for people, with what to do; may be empty.
    pub detail: String,
    /// The jobs it works for.
    pub jobs: Vec<JobStatus>,
    /// Things it may run at a time.
    pub slots: u32,
    /// One flag for each slot: whether it executes something now.
    pub busy: Vec<bool>,
    /// Share of the time the slots may work, 1 to 100.
    pub intensity_percent: u32,
    /// Shards finished since Start.
    pub shards_done: u64,
    /// Items finished since Start.
    pub items_done: u64,
    /// Attempts that failed since Start.
    pub shards_failed: u64,
    /// Items a second, lately.
    pub items_per_second: f64,
    /// When it was started, in milliseconds since 1970; 0 before.
    pub started_ms: f64,
    /// Connections lost or refused since Start.
    pub connection_errors: u64,
}

/// In which state a tab is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Nothing runs.
    #[default]
    Stopped,
    /// Looking for the coordinator.
    Connecting,
    /// Executing shards.
    Working,
    /// Connected, and nothing to do.
    Idle,
    /// Connected, and asked to do nothing.
    Paused,
    /// Finishing what it holds.
    Finishing,
}

/// One job that this tab works for.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct JobStatus {
    /// Its id.
    pub id: String,
    /// Its name; may be empty.
    pub name: String,
    /// For whom.
    pub owner: String,
    /// What is computed.
    pub entry: String,
    /// Whether its outputs make a picture.
    pub picture: bool,
    /// Its parameters, where it has a picture.
    pub params: Value,
}

impl JobStatus {
    /// What people call it.
    pub fn title(&self) -> &str {
        if self.name.is_empty() {
            &self.entry
        } else {
            &self.name
        }
    }
}

impl Status {
    /// Whether a click has started it and nothing has ended it.
    pub fn is_on(&self) -> bool {
        self.state != State::Stopped
    }

    /// The state in a word or two.
    pub fn headline(&self) -> &'static str {
        match self.state {
            State::Stopped => "Not contributing",
            State::Connecting => "Connecting",
            State::Working => "Working",
            State::Idle => "Ready, nothing to do",
            State::Paused => "Paused",
            State::Finishing => "Finishing",
        }
    }

    /// Why it stands so, and what would change it.
    pub fn explanation(&self) -> String {
        if !self.detail.is_empty() {
            return self.detail.clone();
        }
        let text = match (self.state, self.reason.as_str()) {
            (State::Stopped, _) => "Nothing runs in this tab. Press Start to lend it.",
            (State::Connecting, _) => "Looking for the coordinator. This tab keeps trying by itself.",
            (State::Working, _) => "This tab is executing shards. Keep it open; you can use other tabs.",
            (State::Idle, _) => {
                "No job needs this tab just now. Work begins by itself when somebody submits a job."
            }
            (State::Paused, "battery") => "This device runs on battery. Work goes on when it is plugged in.",
            (State::Paused, "hidden") => "This tab is hidden. Work goes on when you look at it again.",
            (State::Paused, "schedule") => "It is outside your hours. Work goes on when they begin.",
            (State::Paused, _) => "You paused it. Press Resume to go on.",
            (State::Finishing, _) => {
                "What runs is being finished, nothing new is taken. Then this tab stops."
            }
        };
        text.into()
    }

    /// Slots that execute something now.
    pub fn busy_slots(&self) -> usize {
        self.busy.iter().filter(|busy| **busy).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_read_with_unknown_and_missing_fields() {
        let json = r#"{"state":"working","jobs":[{"id":"j","entry":"mandelbrot","picture":true}],"busy":[true,false],
            "items_per_second":1.5,"later":1}"#;
        let status: Status = serde_json::from_str(json).unwrap();
        assert!(status.is_on());
        assert_eq!((status.busy_slots(), status.jobs[0].title()), (1, "mandelbrot"));
    }

    #[test]
    fn the_tab_s_own_words_win() {
        let told = Status {
            state: State::Connecting,
            detail: "The server asks for a token.".into(),
            ..Status::default()
        };
        assert_eq!(told.explanation(), "The server asks for a token.");
        let hidden = Status {
            state: State::Paused,
            reason: "hidden".into(),
            ..Status::default()
        };
        assert!(hidden.explanation().contains("hidden"));
    }
}

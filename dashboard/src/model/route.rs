//! Addresses of the pages: from the address bar to a page and back.
use protocol::ids::JobId;
use protocol::job::JobState;

/// A page, and what of it is in its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// How everything stands.
    Overview,
    /// Lend this tab.
    Contribute,
    /// All jobs, or those in one state.
    Jobs(Option<JobState>),
    /// One job.
    Job(JobId),
    /// All workers.
    Workers,
    /// All programs, and a new one.
    Programs,
    /// A new job; of this program and entry, when they are named.
    Submit(Wanted),
    /// A new job of a script that is written here.
    Script,
    /// Token and appearance.
    Settings,
    /// No page has this address.
    Missing,
}

/// What a new job begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A program's hash, or the name of one that the coordinator carries.
    pub program: Option<String>,
    /// An entry's name.
    pub entry: Option<String>,
}

impl Wanted {
    fn read(query: &str) -> Wanted {
        Wanted {
            program: value_of(query, "program").map(String::from),
            entry: value_of(query, "entry").map(String::from),
        }
    }

    fn query(&self) -> String {
        let parts = [("program", &self.program), ("entry", &self.entry)];
        let parts: Vec<String> = parts
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)))
            .collect();
        if parts.is_empty() {
            String::new()
        } else {
            format!("?{}", parts.join("&"))
        }
    }
}

/// Every state, in the order of a job's life.
pub const STATES: [JobState; 7] = [
    JobState::Queued,
    JobState::Running,
    JobState::Paused,
    JobState::Canceling,
    JobState::Succeeded,
    JobState::Failed,
    JobState::Canceled,
];

impl Route {
    /// The pages of the main navigation, with their names.
    pub fn main() -> [(Route, &'static str); 6] {
        [
            (Route::Overview, "Overview"),
            (Route::Contribute, "Contribute"),
            (Route::Jobs(None), "Jobs"),
            (Route::Workers, "Workers"),
            (Route::Programs, "Programs"),
            (Route::Submit(Wanted::default()), "Submit"),
        ]
    }

    /// Reads an address; `query` may begin with a question mark.
    pub fn parse(path: &str, query: &str) -> Route {
        let mut parts = path.split('/').filter(|part| !part.is_empty());
        match (parts.next(), parts.next(), parts.next()) {
            (None, ..) | (Some("overview" | "index.html"), None, _) => Route::Overview,
            (Some("contribute"), None, _) => Route::Contribute,
            (Some("jobs"), None, _) => Route::Jobs(value_of(query, "state").and_then(state_named)),
            (Some("jobs"), Some(id), None) => id.parse().map_or(Route::Missing, Route::Job),
            (Some("workers"), None, _) => Route::Workers,
            (Some("programs"), None, _) => Route::Programs,
            (Some("submit"), None, _) => Route::Submit(Wanted::read(query)),
            (Some("submit"), Some("script"), None) => Route::Script,
            (Some("settings"), None, _) => Route::Settings,
            _ => Route::Missing,
        }
    }

    /// Its address.
    pub fn href(&self) -> String {
        match self {
            Route::Overview | Route::Missing => "/".into(),
            Route::Contribute => "/contribute".into(),
            Route::Jobs(None) => "/jobs".into(),
            Route::Jobs(Some(state)) => format!("/jobs?state={state}"),
            Route::Job(id) => format!("/jobs/{id}"),
            Route::Workers => "/workers".into(),
            Route::Programs => "/programs".into(),
            Route::Submit(wanted) => format!("/submit{}", wanted.query()),
            Route::Script => "/submit/script".into(),
            Route::Settings => "/settings".into(),
        }
    }

    /// What the browser calls it.
    pub fn title(&self) -> String {
        let page = match self {
            Route::Overview => "Overview",
            Route::Contribute => "Contribute",
            Route::Jobs(_) => "Jobs",
            Route::Job(id) => return format!("Job {id} · Elytra"),
            Route::Workers => "Workers",
            Route::Programs => "Programs",
            Route::Submit(_) => "Submit a job",
            Route::Script => "Run a script",
            Route::Settings => "Settings",
            Route::Missing => "No such page",
        };
        format!("{page} · Elytra")
    }

    /// Whether `self` and `other` are the same page, whatever it begins with.
    pub fn is_same_page(&self, other: &Route) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// Whether `self` is inside the part of the site that `entry` of the main navigation opens.
    pub fn is_within(&self, entry: &Route) -> bool {
        match entry {
            Route::Jobs(_) => matches!(self, Route::Jobs(_) | Route::Job(_)),
            Route::Submit(_) => matches!(self, Route::Submit(_) | Route::Script),
            other => self == other,
        }
    }
}

/// The state that is called `word`.
pub fn state_named(word: &str) -> Option<JobState> {
    STATES.into_iter().find(|state| state.word() == word)
}

fn value_of<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    let pairs = query.trim_start_matches('?').split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_is_found_again_by_its_own_address() {
        let pages = [
            Route::Overview,
            Route::Contribute,
            Route::Jobs(None),
            Route::Jobs(Some(JobState::Failed)),
            Route::Job(JobId(77)),
            Route::Workers,
            Route::Programs,
            Route::Submit(Wanted::default()),
            Route::Submit(Wanted {
                program: None,
                entry: Some("mandelbrot".into()),
            }),
            Route::Submit(Wanted {
                program: Some("0d".repeat(32)),
                entry: Some("main".into()),
            }),
            Route::Script,
            Route::Settings,
        ];
        for page in pages {
            let href = page.href();
            let (path, query) = href.split_once('?').unwrap_or((&href, ""));
            assert_eq!(Route::parse(path, query), page, "{href}");
        }
    }

    #[test]
    fn what_is_no_address_is_missing_and_an_unknown_state_shows_all() {
        for path in [
            "/nowhere",
            "/jobs/j-1",
            "/jobs/j-0000000000001/more",
            "/workers/w",
        ] {
            assert_eq!(Route::parse(path, ""), Route::Missing, "{path}");
        }
        assert_eq!(Route::parse("/jobs", "?state=odd"), Route::Jobs(None));
    }
}

//! The rows, with what passes and what is the goal, and the machine they were measured on.

/// Collects rows and prints them as Markdown.
pub(crate) struct Table {
    rows: Vec<String>,
    notes: Vec<String>,
}

impl Table {
    pub(crate) fn new() -> Self {
        Self {
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// A figure that must not be smaller.
    pub(crate) fn at_least(&mut self, what: &str, figure: f64, unit: &str, pass: f64, goal: f64) {
        let verdict = verdict(figure >= pass, figure >= goal);
        self.row(what, figure, unit, pass, goal, verdict);
    }

    /// A figure that must not be larger.
    pub(crate) fn at_most(&mut self, what: &str, figure: f64, unit: &str, pass: f64, goal: f64) {
        let verdict = verdict(figure <= pass, figure <= goal);
        self.row(what, figure, unit, pass, goal, verdict);
    }

    fn row(&mut self, what: &str, figure: f64, unit: &str, pass: f64, goal: f64, verdict: &str) {
        let row = format!("| {what} | {figure:.2} {unit} | {pass} | {goal} | {verdict} |");
        eprintln!("{row}");
        self.rows.push(row);
    }

    /// Something to know beside the rows.
    pub(crate) fn note(&mut self, note: &str) {
        eprintln!("{note}");
        self.notes.push(note.into());
    }

    /// Prints everything.
    pub(crate) fn print(&self) {
        println!("{}\n", machine());
        println!("| what | figure | pass | goal | |\n|---|---:|---:|---:|---|");
        self.rows.iter().for_each(|row| println!("{row}"));
        println!();
        self.notes.iter().for_each(|note| println!("    {note}"));
    }
}

fn verdict(passes: bool, reaches_goal: bool) -> &'static str {
    match (passes, reaches_goal) {
        (_, true) => "goal",
        (true, false) => "pass",
        (false, false) => "MISSED",
    }
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!(
        "{cores} cores, {}, Linux {}, load {} at the end, Elytra {}",
        model.trim_start_matches([' ', ':', '\t']),
        kernel.trim(),
        load.split(' ').next().unwrap_or_default(),
        env!("CARGO_PKG_VERSION"),
    )
}

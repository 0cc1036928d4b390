//! What needs no server: help, completions, settings.
use crate::house::{Ended, elytra};

fn run(args: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    Ended::of(elytra(folder.path()).args(args).output().unwrap())
}

#[test]
fn help_tells_commands_and_exit_codes() {
    let help = run(&["--help"]).ok();
    for word in [
        "run",
        "submit",
        "explain",
        "completions",
        "Exit codes",
        "11 cancelled",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(
        run(&["run", "--help"])
            .ok()
            .contains("seq 3 2 5000 | elytra run mersenne")
    );
    assert!(run(&["completions", "bash"]).ok().contains("elytra"));
}

#[test]
fn settings_tell_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("elytra.toml"), "durability = \"normal\"\n").unwrap();
    let run = |args: &[&str]| {
        let mut command = elytra(folder.path());
        Ended::of(
            command
                .args(args)
                .env("ELYTRA_CONNECTIONS_MAX", "7")
                .output()
                .unwrap(),
        )
    };
    let shown = run(&["config", "show", "--listen", "127.0.0.1:9"]).ok();
    let line = |key: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(key))
            .unwrap()
            .to_owned()
    };
    assert!(line("listen ").ends_with("--listen"), "{shown}");
    assert!(
        line("connections_max").ends_with("ELYTRA_CONNECTIONS_MAX"),
        "{shown}"
    );
    assert!(line("durability").ends_with("elytra.toml"), "{shown}");
    assert!(line("store").ends_with("default"), "{shown}");
    std::fs::write(folder.path().join("elytra.toml"), "durablity = \"normal\"\n").unwrap();
    let told = run(&["server"]).failed(2);
    assert!(told.contains("did you mean 'durability'?"), "{told}");
}

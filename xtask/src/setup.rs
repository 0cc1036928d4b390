//! `setup`: checks the tools of this machine, and installs what can be installed without asking.

use crate::command;
use crate::house::House;
use crate::toolchain::{self, Toolchain};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// A tool that only the tests need.
struct TestTool {
    /// The Debian package that brings it.
    package: &'static str,
    /// Any of these programs will do.
    programs: &'static [&'static str],
    /// Names a program elsewhere.
    variable: &'static str,
}

const TEST_TOOLS: [TestTool; 2] = [
    TestTool {
        package: "redis-server",
        programs: &["redis-server", "/usr/bin/redis-server"],
        variable: "XTASK_REDIS_SERVER",
    },
    TestTool {
        package: "chromium",
        programs: &[
            "/usr/bin/chromium",
            "/usr/bin/chromium-browser",
            "/usr/bin/google-chrome",
            "/Applications/Chromium.app/Contents/MacOS/Chromium",
            "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        ],
        variable: "XTASK_CHROMIUM",
    },
];

/// Checks everything that building needs and, where asked, what the tests need besides.
pub(crate) fn run(house: &House, tests: bool) -> Result<()> {
    versions(house)?;
    packages(house)?;
    let way = Toolchain::find(house)?;
    eprintln!("xtask: WebAssembly comes from the {} toolchain", way.name());
    if tests {
        test_tools(house)?;
    }
    Ok(())
}

fn versions(house: &House) -> Result<()> {
    for (tool, flag) in [
        ("rustc", "--version"),
        ("cargo", "--version"),
        ("node", "--version"),
    ] {
        let version = command::output(command::program(house, tool).arg(flag))?;
        eprintln!("xtask: {tool} {}", version.trim_start_matches(tool).trim());
    }
    Ok(())
}

/// `scripts/xtask.mjs` installs the packages on the way through npm; a direct `cargo xtask` does it here.
fn packages(house: &House) -> Result<()> {
    if house.root.join("node_modules").join(".elytra-lock").exists() {
        return Ok(());
    }
    eprintln!("xtask: installing npm packages");
    command::run(command::program(house, "node").args(["scripts/xtask.mjs", "--version"]))
}

fn test_tools(house: &House) -> Result<()> {
    let missing: Vec<&str> = TEST_TOOLS
        .iter()
        .filter(|tool| !tool.is_here())
        .map(|tool| tool.package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !toolchain::can_use_apt() {
        bail!(
            "the tests need {}; install them (on Debian: apt-get install {0})",
            missing.join(" ")
        );
    }
    toolchain::apt_install(house, &missing)
}

impl TestTool {
    fn is_here(&self) -> bool {
        let named = std::env::var_os(self.variable).map(|path| Path::new(&path).exists());
        named.unwrap_or_else(|| self.programs.iter().any(|program| is_program(program)))
    }
}

/// A path that exists, or a name found on the search path. Chromium is never started to find out.
fn is_program(name: &str) -> bool {
    if name.contains('/') {
        return Path::new(name).exists();
    }
    let found = Command::new("sh")
        .args(["-c", "command -v \"$0\" >/dev/null", name])
        .status();
    found.is_ok_and(|status| status.success())
}

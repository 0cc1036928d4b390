//! Which compiler makes WebAssembly here. Two ways, tried in this order and then remembered:
//!
//! 1. the installed toolchain with the target `wasm32-unknown-unknown`, added by rustup where it can be;
//! 2. Debian's own compiler with the source of the standard library, where rustup's server is out of reach.

use crate::command;
use crate::house::House;
use anyhow::{Context as _, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The one target of everything that runs in a tab or as a kernel.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler, its source and its linker.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-22"];
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld-22";

/// An unreachable server must not hold a build up for longer than this.
const TARGET_ADD_LIMIT: Duration = Duration::from_secs(120);
const APT_LIMIT: Duration = Duration::from_secs(900);

/// Names the way that worked last time, inside the WebAssembly target folder.
const REMEMBERED: &str = "toolchain";

/// A way to build WebAssembly that is known to be complete on this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Toolchain {
    /// The installed toolchain has the target.
    Installed,
    /// Debian's compiler builds the standard library too.
    Debian,
}

impl Toolchain {
    /// Finds a way, installing what is missing where that is possible.
    /// `XTASK_WASM_TOOLCHAIN` (`installed` or `debian`) forces one.
    pub(crate) fn find(house: &House) -> Result<Toolchain> {
        match std::env::var("XTASK_WASM_TOOLCHAIN").ok().as_deref() {
            Some("installed") => Toolchain::Installed.completed(house),
            Some("debian") => Toolchain::Debian.completed(house),
            Some(other) => bail!("XTASK_WASM_TOOLCHAIN is {other:?}; it must be `installed` or `debian`"),
            None => Self::remembered(house).map_or_else(|| Self::search(house)?.remember(house), Ok),
        }
    }

    /// A cargo that builds for [`TARGET`] into the WebAssembly target folder.
    pub(crate) fn cargo(self, house: &House, subcommand: &str) -> Command {
        let mut cargo = match self {
            Toolchain::Installed => command::program(house, "cargo"),
            Toolchain::Debian => command::program(house, DEBIAN_CARGO),
        };
        cargo.env("CARGO_TARGET_DIR", house.web_target.join(self.name()));
        cargo.args([subcommand, "--target", TARGET]);
        if self == Toolchain::Debian {
            cargo.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC);
            cargo.args(["-Z", "build-std=std,panic_abort", "--config"]);
            cargo.arg(format!("target.{TARGET}.linker=\"{DEBIAN_LINKER}\""));
        }
        cargo
    }

    /// Where that cargo leaves what it built in `profile`.
    pub(crate) fn built(self, house: &House, profile: &str) -> PathBuf {
        house.web_target.join(self.name()).join(TARGET).join(profile)
    }

    /// The word for this way in messages and in the file that remembers it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Toolchain::Installed => "installed",
            Toolchain::Debian => "debian",
        }
    }

    fn remembered(house: &House) -> Option<Toolchain> {
        let word = fs::read_to_string(house.web_target.join(REMEMBERED)).ok()?;
        let ways = [Toolchain::Installed, Toolchain::Debian];
        ways.into_iter()
            .find(|way| way.name() == word.trim() && way.is_complete(house))
    }

    fn remember(self, house: &House) -> Result<Toolchain> {
        let file = house.web_target.join(REMEMBERED);
        fs::create_dir_all(&house.web_target)
            .and_then(|()| fs::write(&file, self.name()))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(self)
    }

    fn search(house: &House) -> Result<Toolchain> {
        if Toolchain::Installed.is_complete(house) {
            return Ok(Toolchain::Installed);
        }
        if Toolchain::Debian.is_complete(house) {
            return Ok(Toolchain::Debian);
        }
        let refusal = match add_target(house) {
            Ok(()) => return Ok(Toolchain::Installed),
            Err(error) => error,
        };
        eprintln!("xtask: {refusal:#}");
        Toolchain::Debian.completed(house)
    }

    fn is_complete(self, house: &House) -> bool {
        match self {
            Toolchain::Installed => {
                sysroot(house, "rustc").is_some_and(|root| root.join("lib/rustlib").join(TARGET).is_dir())
            }
            Toolchain::Debian => {
                let tools = [DEBIAN_CARGO, DEBIAN_RUSTC, DEBIAN_LINKER];
                tools.iter().all(|tool| Path::new(tool).exists()) && has_std_source(house)
            }
        }
    }

    /// This way, with what it lacks installed where that is possible.
    fn completed(self, house: &House) -> Result<Toolchain> {
        if self.is_complete(house) {
            return Ok(self);
        }
        match self {
            Toolchain::Installed => add_target(house)?,
            Toolchain::Debian if can_use_apt() => apt_install(house, &DEBIAN_PACKAGES)?,
            Toolchain::Debian => bail!("no compiler for {TARGET}; install one: {}", what_to_install()),
        }
        Ok(self)
    }
}

/// Installs Debian packages; only for root on Debian, which [`can_use_apt`] tells.
pub(crate) fn apt_install(house: &House, packages: &[&str]) -> Result<()> {
    eprintln!("xtask: installing {} through apt-get", packages.join(", "));
    let mut update = command::program(house, "apt-get");
    command::run_within(update.args(["update", "-q"]), APT_LIMIT)?;
    let mut install = command::program(house, "apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install
        .args(["install", "-y", "--no-install-recommends"])
        .args(packages);
    command::run_within(&mut install, APT_LIMIT)
}

/// Whether this is Debian and we are root.
pub(crate) fn can_use_apt() -> bool {
    let user = Command::new("id").arg("-u").output();
    let is_root = user.is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    is_root && Path::new("/etc/debian_version").exists() && command::answers("apt-get")
}

fn what_to_install() -> String {
    format!(
        "`rustup target add {TARGET}`, or on Debian `apt-get install {}`",
        DEBIAN_PACKAGES.join(" ")
    )
}

fn add_target(house: &House) -> Result<()> {
    if !command::answers("rustup") {
        bail!("rustup is not installed, so it cannot add {TARGET}");
    }
    eprintln!(
        "xtask: adding the target {TARGET} (at most {} s)",
        TARGET_ADD_LIMIT.as_secs()
    );
    let mut rustup = command::program(house, "rustup");
    command::run_within(rustup.args(["target", "add", TARGET]), TARGET_ADD_LIMIT)
}

fn sysroot(house: &House, rustc: &str) -> Option<PathBuf> {
    let mut ask = command::program(house, rustc);
    command::output(ask.args(["--print", "sysroot"]))
        .ok()
        .map(PathBuf::from)
}

fn has_std_source(house: &House) -> bool {
    sysroot(house, DEBIAN_RUSTC).is_some_and(|root| root.join("lib/rustlib/src/rust/library/std").is_dir())
}

//! The skeleton: a bare dispatcher that is the practical limit, built on the spot where it is found.
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where it lies beside the checkout.
const PLACE: &str = "../shared/bench/peers/ws";

/// The skeleton's binary.
pub(crate) struct Skeleton(PathBuf);

/// What one run of it printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) server_us: f64,
    pub(crate) turn_us: f64,
}

impl Skeleton {
    /// Builds it; `None` where it is not to be found.
    pub(crate) fn build() -> Result<Option<Self>> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .context("the checkout")?;
        let place = root.join(PLACE);
        if !place.join("Cargo.toml").exists() {
            return Ok(None);
        }
        let target = target_dir()?.join("skeleton");
        let source = target.join("source");
        copy(&place, &source)?;
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--release"])
            .current_dir(&source)
            .env("CARGO_TARGET_DIR", &target);
        if !cargo.status().context("cargo")?.success() {
            bail!("the skeleton does not build");
        }
        Ok(Some(Self(target.join("release/wslimit"))))
    }

    /// Drains `shards` durable shards through `workers` connections.
    pub(crate) fn drain(
        &self,
        mode: &str,
        workers: u32,
        window: u32,
        shards: u64,
        extra_bytes: usize,
    ) -> Result<Figures> {
        let mut run = Command::new(&self.0);
        run.args(["disp", mode])
            .args([workers.to_string(), window.to_string(), shards.to_string()]);
        let folder = tempfile::tempdir()?;
        run.env("PAY", extra_bytes.to_string())
            .env("DB", folder.path().join("skeleton.db"));
        let output = run.output().context("the skeleton")?;
        let text = String::from_utf8(output.stdout)?;
        let json: serde_json::Value = serde_json::from_str(text.trim()).context("the skeleton's line")?;
        let number = |name: &str| json[name].as_f64().with_context(|| format!("{name} in {text}"));
        Ok(Figures {
            per_second: number("with_insert_per_s")?,
            server_us: number("srv_us_per_task")?,
            turn_us: number("turn_p50_us")?,
        })
    }
}

fn target_dir() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    Ok(exe.ancestors().nth(2).context("the target folder")?.to_owned())
}

/// Only what it is built from: the place itself may be read-only.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to.join("src"))?;
    for file in ["Cargo.toml", "src/main.rs"] {
        let mut bytes = std::fs::read(from.join(file))?;
        if file == "Cargo.toml" {
            // Our target folder may lie inside our workspace, to which it does not belong.
            bytes.extend_from_slice(b"\n[workspace]\n");
        }
        if std::fs::read(to.join(file)).ok().as_deref() != Some(&bytes) {
            std::fs::write(to.join(file), bytes)?;
        }
    }
    Ok(())
}

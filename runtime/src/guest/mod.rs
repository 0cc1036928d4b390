//! The second wall: a process that runs programs for another process and can do nothing else.
//!
//! The process that has the token and the network starts one guest process for each tenant
//! ([`GuestOptions::command`]: the same executable, which calls [`crate::child`] first in its `main`) and speaks
//! with it over a socket on its standard input, in the frames of [`wire`]. Before it reads the first of them it
//! gives everything up that the kernel lets it give up, see [`lock`]. It loads only code that its parent sends;
//! the parent has checked the MAC, and its key is where a guest cannot read.
//!
//! | file | what it does |
//! |---|---|
//! | [`lock`] | namespaces, user, Landlock, limits, seccomp; what the kernel did not give |
//! | [`wire`] | the frames |
//! | `serve` | the guest's side: threads that take turns at the socket |
#[cfg_attr(not(target_os = "linux"), path = "lock_elsewhere.rs")]
pub mod lock;
mod serve;
pub mod wire;

pub(crate) use serve::serve;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::str::FromStr;

/// The first argument of an executable that is to run programs for its parent.
pub const GUEST_ARGUMENT: &str = "__guest";
/// Programs a guest process keeps loaded; its parent says which one goes.
pub const PROGRAMS_MAX: usize = 32;

/// What the operator asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// Guest processes with all the walls that the kernel gives.
    #[default]
    Auto,
    /// The same, and no work at all where a wall is missing.
    Required,
    /// No guest processes: programs run in the worker's own process.
    Off,
}

/// The text is no such setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not one of auto, required, off")]
pub struct NotASandbox(String);

impl FromStr for Sandbox {
    type Err = NotASandbox;

    fn from_str(text: &str) -> Result<Self, NotASandbox> {
        match text {
            "auto" => Ok(Self::Auto),
            "required" => Ok(Self::Required),
            "off" => Ok(Self::Off),
            other => Err(NotASandbox(other.to_owned())),
        }
    }
}

impl Sandbox {
    /// How guest processes are made of `program`; none at all with [`Sandbox::Off`].
    pub fn guests_of(self, program: PathBuf) -> Option<GuestProgram> {
        let required = self == Self::Required;
        (self != Self::Off).then_some(GuestProgram { program, required })
    }
}

/// The executable that guest processes are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestProgram {
    /// Its `main` must call [`crate::child`] first.
    pub program: PathBuf,
    /// Whether a guest process ends, rather than run anything, where a wall is missing.
    pub required: bool,
}

/// What a guest process is told at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestOptions {
    /// What it is made of.
    pub program: GuestProgram,
    /// Runs at the same time.
    pub slots: u32,
    /// The most memory any run can have.
    pub memory_bytes_max: usize,
}

impl GuestOptions {
    /// The command that starts it. `socket` becomes its standard input: a connected stream of which the caller
    /// keeps the other end.
    pub fn command(&self, socket: impl Into<Stdio>) -> Command {
        let mut command = Command::new(&self.program.program);
        command
            .arg(GUEST_ARGUMENT)
            .args([
                self.slots.to_string(),
                self.memory_bytes_max.to_string(),
                u8::from(self.program.required).to_string(),
            ])
            // Secrets like to live there.
            .env_clear()
            .current_dir("/")
            .stdin(socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// The arguments behind [`GUEST_ARGUMENT`].
struct Arguments {
    slots: u32,
    memory_bytes_max: usize,
    required: bool,
}

impl Arguments {
    fn parse(mut arguments: impl Iterator<Item = OsString>) -> Option<Self> {
        let mut next = || arguments.next()?.into_string().ok();
        Some(Self {
            slots: next()?.parse().ok()?,
            memory_bytes_max: next()?.parse().ok()?,
            required: next()? == "1",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_one_of_three_words() {
        assert_eq!("auto".parse(), Ok(Sandbox::Auto));
        assert_eq!("required".parse(), Ok(Sandbox::Required));
        assert_eq!("off".parse(), Ok(Sandbox::Off));
        let error = "on".parse::<Sandbox>().unwrap_err().to_string();
        assert_eq!(error, "'on' is not one of auto, required, off");
        assert_eq!(Sandbox::Off.guests_of("x".into()), None);
    }
}

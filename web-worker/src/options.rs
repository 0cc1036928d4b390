//! How the contributor lends this tab: what the page hands over as JSON.
use protocol::account::{AccountKey, InvalidKey, audience};
use protocol::ids::WorkerId;
use protocol::limits;
use protocol::wire::{PauseReason, WorkerKind};
use serde::Deserialize;
use worker::{Account, WorkerConfig};

/// Most shards in one message to a slot: 30 ms of the smallest there are.
const BATCH_SHARDS_MAX: u32 = 2_048;
/// Most shards in flight to a tab.
const WINDOW_MAX: u32 = 8_192;

/// What the page hands over, once; see `ts/shared/messages.ts`.
#[derive(Clone, Deserialize)]
pub struct Options {
    /// The coordinator's origin.
    pub server: String,
    /// A bearer token, where the operator asks for one.
    pub token: Option<String>,
    /// The identity: 16 hex digits.
    pub worker: String,
    /// The key of the contributor's account: 64 hex digits.
    pub account: Option<String>,
    /// The name under which the contributor wants to be listed.
    pub display_name: Option<String>,
    /// A name for people.
    pub name: String,
    /// Slots at the start.
    pub slots: u16,
    /// Share of the time the slots may work.
    pub intensity_percent: u8,
    /// Chance for the jitter of reconnections.
    pub seed: u32,
    /// Memory one instance may have.
    pub memory_mib: u32,
    /// Whether fixed-width SIMD runs here.
    pub simd: bool,
}

/// The page handed over something else.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    /// Not the JSON that is wanted.
    #[error("the page's options cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// The identity is no number.
    #[error("the identity '{0}' is not 16 hex digits")]
    Identity(String),
    /// The key is none.
    #[error(transparent)]
    Key(#[from] InvalidKey),
}

impl Options {
    /// Reads what the page handed over.
    pub fn read(json: &str) -> Result<Self, OptionsError> {
        Ok(serde_json::from_str(json)?)
    }

    /// What the heart wants to know.
    pub fn config(&self) -> Result<WorkerConfig, OptionsError> {
        let worker =
            u64::from_str_radix(&self.worker, 16).map_err(|_| OptionsError::Identity(self.worker.clone()))?;
        Ok(WorkerConfig {
            worker: WorkerId(worker),
            kind: WorkerKind::Tab,
            name: self.name.clone(),
            agent: concat!("elytra-tab ", env!("CARGO_PKG_VERSION")).into(),
            token: self.token.clone(),
            slots: self.slots.clamp(1, limits::SLOTS_MAX),
            window_max: WINDOW_MAX,
            batch_shards_max: BATCH_SHARDS_MAX,
            memory_mib: self.memory_mib.min(limits::MEMORY_MIB_MAX),
            simd: self.simd,
            cached: Vec::new(),
            account: self.account()?,
            seed: u64::from(self.seed),
        })
    }

    /// The contributor's account, where there is one.
    pub fn account(&self) -> Result<Option<Account>, OptionsError> {
        let Some(digits) = &self.account else {
            return Ok(None);
        };
        Ok(Some(Account {
            key: AccountKey::from_digits(digits)?,
            audience: audience(&self.server).unwrap_or_default(),
            display_name: self.display_name.clone(),
        }))
    }

    /// An address at the coordinator.
    pub fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.server)
    }

    /// Where the worker's socket lies: `http` becomes `ws`, `https` becomes `wss`.
    pub fn socket_url(&self) -> String {
        self.url("work").replacen("http", "ws", 1)
    }
}

/// A reason of the page's by its word; anything else is the person.
pub fn pause_reason(word: &str) -> PauseReason {
    match word {
        "battery" => PauseReason::Battery,
        "hidden" => PauseReason::Hidden,
        "schedule" => PauseReason::Schedule,
        _ => PauseReason::Person,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_s_options_become_the_heart_s() {
        let json = r#"{"server":"https://a.b","token":null,"worker":"00000000000000ff","account":null,"display_name":null,"name":"","slots":0,
            "intensity_percent":50,"seed":7,"memory_mib":4096,"simd":true}"#;
        let options = Options::read(json).unwrap();
        let config = options.config().unwrap();
        assert_eq!(
            (config.worker, config.slots, config.memory_mib),
            (WorkerId(255), 1, limits::MEMORY_MIB_MAX)
        );
        assert_eq!(options.socket_url(), "wss://a.b/api/v1/work");
    }
}

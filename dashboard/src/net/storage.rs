//! What a visit leaves behind, only where the visitor asked for it: the token, the appearance, the key of a lent tab.
//! Storage that is full or forbidden counts as empty: the page works without it.
use crate::model::rest::Rest;
use protocol::account::AccountKey;
use web_sys::{Storage, Window, window};

const TOKEN: &str = "elytra.token";
const THEME: &str = "elytra.theme";
const REST: &str = "elytra.rest";
/// The tab's worker makes and reads these; see `web-worker/ts/page/account.ts`.
const ACCOUNT: &str = "elytra.account";
const ACCOUNT_NAME: &str = "elytra.account.name";

/// Where a token is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Until this tab is closed.
    Tab,
    /// Until it is forgotten.
    Device,
}

/// The token, if there is one.
pub fn token() -> Option<String> {
    let stores = [session(), local()];
    stores
        .into_iter()
        .flatten()
        .find_map(|store| store.get_item(TOKEN).ok()?)
        .filter(|token| !token.is_empty())
}

/// Keeps a token; an older one is forgotten.
pub fn keep_token(token: &str, keep: Keep) -> bool {
    forget_token();
    let store = match keep {
        Keep::Tab => session(),
        Keep::Device => local(),
    };
    store.is_some_and(|store| store.set_item(TOKEN, token).is_ok())
}

/// Forgets the token.
pub fn forget_token() {
    for store in [session(), local()].into_iter().flatten() {
        let _ = store.remove_item(TOKEN);
    }
}

/// Takes a token out of the address (`#token=…`, as `elytra dev` prints it) and out of the history.
pub fn take_token_from_address() {
    let Some(window) = window() else { return };
    let Ok(hash) = window.location().hash() else {
        return;
    };
    let Some(token) = hash.trim_start_matches('#').strip_prefix("token=") else {
        return;
    };
    keep_token(token, Keep::Tab);
    clear_fragment(&window);
}

fn clear_fragment(window: &Window) {
    let location = window.location();
    let (path, query) = (
        location.pathname().unwrap_or_default(),
        location.search().unwrap_or_default(),
    );
    if let Ok(history) = window.history() {
        let state = wasm_bindgen::JsValue::NULL;
        let _ = history.replace_state_with_url(&state, "", Some(&format!("{path}{query}")));
    }
}

/// The chosen appearance: `auto`, `light` or `dark`.
pub fn theme() -> String {
    local()
        .and_then(|store| store.get_item(THEME).ok()?)
        .unwrap_or_else(|| "auto".into())
}

/// Shows and keeps an appearance. `boot.js` applies it before the first paint of the next visit.
pub fn set_theme(theme: &str) {
    if let Some(root) = window()
        .and_then(|w| w.document())
        .and_then(|d| d.document_element())
    {
        let _ = root.set_attribute("data-theme", theme);
    }
    if let Some(store) = local() {
        let _ = store.set_item(THEME, theme);
    }
}

/// When a lent tab rests, if somebody said so here.
pub fn rest() -> Option<Rest> {
    serde_json::from_str(&local()?.get_item(REST).ok()??).ok()
}

/// Keeps when a lent tab rests; nothing is left behind where nothing was wished.
pub fn keep_rest(rest: &Rest) {
    let Some(store) = local() else { return };
    let _ = if *rest == Rest::suggested() {
        store.remove_item(REST)
    } else {
        store.set_item(REST, &serde_json::to_string(rest).unwrap_or_default())
    };
}

/// The key of the account that a lent tab works for.
pub fn account() -> Option<AccountKey> {
    AccountKey::from_digits(&local()?.get_item(ACCOUNT).ok()??).ok()
}

/// Has tabs work for this account from the next start on; says whether it could be kept.
pub fn keep_account(key: &AccountKey) -> bool {
    local().is_some_and(|store| store.set_item(ACCOUNT, &key.digits()).is_ok())
}

/// Forgets the account and the name it is listed under.
pub fn forget_account() {
    for name in [ACCOUNT, ACCOUNT_NAME] {
        if let Some(store) = local() {
            let _ = store.remove_item(name);
        }
    }
}

/// The name under which the account is listed, if somebody chose one here.
pub fn account_name() -> Option<String> {
    local()?.get_item(ACCOUNT_NAME).ok()?
}

/// Keeps the name; none where it is empty.
pub fn keep_account_name(name: &str) {
    let Some(store) = local() else { return };
    let _ = if name.is_empty() {
        store.remove_item(ACCOUNT_NAME)
    } else {
        store.set_item(ACCOUNT_NAME, name)
    };
}

fn session() -> Option<Storage> {
    window()?.session_storage().ok()?
}

fn local() -> Option<Storage> {
    window()?.local_storage().ok()?
}

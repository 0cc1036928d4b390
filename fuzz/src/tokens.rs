//! Tokens: among all texts only the one that was made is one.
use coordinator::auth::{Auth, make_token_offline};
use coordinator::store::{SqliteOptions, SqliteStore, Store as _};
use protocol::api::{Scope, TokenRequest};
use std::sync::LazyLock;
use tempfile::TempDir;
use tokio::runtime::Runtime;

struct Site {
    runtime: Runtime,
    auth: Auth,
    token: String,
    _folder: TempDir,
}

static SITE: LazyLock<Site> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = SqliteStore::open(&SqliteOptions::new(folder.path())).expect("a store");
    let request = TokenRequest {
        name: "ana".into(),
        scopes: vec![Scope::Read],
        expires_ms: None,
    };
    let made = make_token_offline(&mut store, request).expect("a token");
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    Site {
        runtime: runtime.enable_all().build().expect("a runtime"),
        auth: Auth::new(store.reader()),
        token: made.token,
        _folder: folder,
    }
});

/// Bytes are tried as they are, and as changes to a good token: pairs of a place and what stands there.
pub(crate) fn run(bytes: &[u8]) {
    let site = &*SITE;
    let mut near = site.token.clone().into_bytes();
    for change in bytes.chunks_exact(2).take(4) {
        let at = usize::from(change[0]) % near.len();
        near[at] = change[1];
    }
    for text in [bytes, &near] {
        let Ok(text) = std::str::from_utf8(text) else {
            continue;
        };
        let is_good = site.runtime.block_on(site.auth.check(text)).is_ok();
        assert_eq!(is_good, text == site.token, "{text:?}");
    }
}

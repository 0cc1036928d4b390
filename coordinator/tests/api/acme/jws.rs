//! What a client signs (RFC 7515 as RFC 8555 uses it): ES256 over the protected header and the payload.
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A public key on P-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Jwk {
    x: String,
    y: String,
}

impl Jwk {
    pub(super) fn of(header: &Value) -> Option<Self> {
        let jwk = &header["jwk"];
        let text = |name: &str| jwk[name].as_str().map(str::to_owned);
        (jwk["kty"] == "EC" && jwk["crv"] == "P-256").then_some(())?;
        Some(Self {
            x: text("x")?,
            y: text("y")?,
        })
    }

    /// RFC 7638: the members in the order of their names, without spaces.
    pub(super) fn thumbprint(&self) -> String {
        let Self { x, y } = self;
        let json = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::digest(json))
    }

    fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        let half = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
        let point = [&[4][..], &half(&self.x), &half(&self.y)].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(text.as_bytes(), signature).is_ok()
    }
}

/// A request, before it is known who sent it.
pub(super) struct Signed {
    pub(super) header: Value,
    text: String,
    payload: String,
    signature: Vec<u8>,
}

impl Signed {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let part = |name: &str| body[name].as_str();
        let (protected, payload) = (part("protected")?, part("payload")?);
        let header = URL_SAFE_NO_PAD.decode(protected).ok()?;
        Some(Self {
            header: serde_json::from_slice(&header).ok()?,
            text: format!("{protected}.{payload}"),
            payload: payload.into(),
            signature: URL_SAFE_NO_PAD.decode(part("signature")?).ok()?,
        })
    }

    /// What it says, if this key signed it; nothing at all where it only asks.
    pub(super) fn payload(&self, key: &Jwk) -> Option<Value> {
        let fits = self.header["alg"] == "ES256" && key.has_signed(&self.text, &self.signature);
        fits.then_some(())?;
        if self.payload.is_empty() {
            return Some(Value::Null);
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(&self.payload).ok()?).ok()
    }
}

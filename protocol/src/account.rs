//! Accounts: a contributor's key, whose hash is the account's name, and how its owner is recognised.
//!
//! There is no sign-up. The key (Ed25519, RFC 8032) is made where it is used, kept there, and leaves only as a
//! text that its owner copies. At the beginning of a session the coordinator sends a [`Nonce`]; the
//! worker signs it together with the name of the server it believes to talk to, so that a server that merely
//! passes a challenge on gets nothing it could use elsewhere.
use crate::ids::{AccountId, PublicKey, WorkerId};
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

/// What a session's proof is signed as, so that the signature is good for nothing else.
const SESSION: &[u8] = b"elytra session 1\0";
/// What a receipt is signed as.
const RECEIPT: &[u8] = b"elytra receipt 1\0";
/// Before the id of a worker that has no key.
const WORKER: &[u8] = b"elytra worker 1\0";
/// A key as text begins so; scanners for leaked secrets find it.
const PREFIX: &str = "elyk";
const SECRET_DIGITS: usize = 64;
const CHECK_DIGITS: usize = 8;

/// Chance that a coordinator makes for one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce(pub [u8; 32]);

/// A signature of 64 bytes, in its two halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature(pub [u8; 32], pub [u8; 32]);

/// The secret key of an account. It shows itself only by [`AccountKey::text`].
#[derive(Clone, PartialEq, Eq)]
pub struct AccountKey([u8; 32]);

/// The text is not the key of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the key of an account (elyk_…): copy it whole, as it was shown")]
pub struct InvalidKey;

impl AccountKey {
    /// A key from 32 bytes of chance.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// A key from its 64 hex digits, as programs hand it to each other.
    pub fn from_digits(digits: &str) -> Result<Self, InvalidKey> {
        bytes_of(digits).map(Self).ok_or(InvalidKey)
    }

    /// Its 64 hex digits.
    pub fn digits(&self) -> String {
        hex(&self.0)
    }

    /// What others may know of it.
    pub fn public(&self) -> PublicKey {
        PublicKey(SigningKey::from_bytes(&self.0).verifying_key().to_bytes())
    }

    /// The account's name.
    pub fn account(&self) -> AccountId {
        self.public().account()
    }

    /// The key as its owner keeps it: whoever has this text is the account.
    pub fn text(&self) -> String {
        let secret = self.digits();
        format!("{PREFIX}_{secret}_{}", check_digits(&secret))
    }

    /// Says that this account begins a session with the server of that name.
    pub fn prove(&self, nonce: &Nonce, audience: &str) -> Signature {
        self.sign(&session(nonce, audience))
    }

    /// Says that a receipt is this server's.
    pub fn seal(&self, receipt: &[u8]) -> Signature {
        self.sign(&[RECEIPT, receipt].concat())
    }

    fn sign(&self, message: &[u8]) -> Signature {
        let bytes = SigningKey::from_bytes(&self.0).sign(message).to_bytes();
        let mut halves = Signature([0; 32], [0; 32]);
        halves.0.copy_from_slice(&bytes[..32]);
        halves.1.copy_from_slice(&bytes[32..]);
        halves
    }
}

impl fmt::Debug for AccountKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountKey")
    }
}

impl FromStr for AccountKey {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let mut parts = text.trim().split('_');
        let mut next = || parts.next().ok_or(InvalidKey);
        let (prefix, secret, check) = (next()?, next()?, next()?);
        let fits = prefix == PREFIX && secret.len() == SECRET_DIGITS && next().is_err();
        if !fits || check != check_digits(secret) {
            return Err(InvalidKey);
        }
        Self::from_digits(secret)
    }
}

impl PublicKey {
    /// The account's name: the beginning of the key's SHA-256.
    pub fn account(&self) -> AccountId {
        AccountId(first_bytes(&Sha256::digest(self.0)))
    }

    /// Whether the owner of this key begins a session with the server of that name.
    pub fn has_proved(&self, nonce: &Nonce, audience: &str, signature: &Signature) -> bool {
        self.has_signed(&session(nonce, audience), signature)
    }

    /// Whether a receipt is of the server with this key.
    pub fn has_sealed(&self, receipt: &[u8], signature: &Signature) -> bool {
        self.has_signed(&[RECEIPT, receipt].concat(), signature)
    }

    fn has_signed(&self, message: &[u8], signature: &Signature) -> bool {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&signature.0);
        bytes[32..].copy_from_slice(&signature.1);
        let signature = ed25519_dalek::Signature::from_bytes(&bytes);
        // Strict: keys of small order, with which one signature fits every message, are refused.
        VerifyingKey::from_bytes(&self.0).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl AccountId {
    /// The account of a worker that has no key: it is worth no more than the worker's word. It can never be
    /// that of a key, so nobody is blamed or praised for what another one says to be.
    pub fn of_worker(worker: WorkerId) -> Self {
        let hash = Sha256::new()
            .chain_update(WORKER)
            .chain_update(worker.0.to_le_bytes());
        Self(first_bytes(&hash.finalize()))
    }
}

fn session(nonce: &Nonce, audience: &str) -> Vec<u8> {
    [SESSION, &nonce.0, audience.as_bytes()].concat()
}

fn first_bytes(hash: &[u8]) -> u64 {
    hash.iter()
        .take(8)
        .fold(0, |all, byte| all << 8 | u64::from(*byte))
}

fn check_digits(secret: &str) -> String {
    hex(&Sha256::digest(secret)[..CHECK_DIGITS / 2])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(digits: &str) -> Option<[u8; 32]> {
    // The same shape as a hash: 64 hex digits.
    digits.parse::<PublicKey>().ok().map(|bytes| bytes.0)
}

/// The name of a server as a worker signs it: host and port of its address, in small letters, without a port
/// that goes without saying. `None` when it is no address.
pub fn audience(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let authority = rest.split(['/', '?', '#']).next()?.to_ascii_lowercase();
    let usual = match scheme {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => "",
    };
    let name = authority
        .strip_suffix(usual)
        .filter(|_| !usual.is_empty())
        .unwrap_or(&authority);
    (!name.is_empty() && !name.contains('@')).then(|| name.to_owned())
}

/// Whether a name that a worker signed is that of the server it asked, as its request names it. The request says
/// nothing of how it was encrypted, so a port that goes without saying may be missing on either side.
pub fn is_audience(signed: &str, host: &str) -> bool {
    let bare = |name: &str| {
        let name = name.to_ascii_lowercase();
        let usual = [":80", ":443"]
            .into_iter()
            .find_map(|port| name.strip_suffix(port));
        usual.map_or_else(|| name.clone(), str::to_owned)
    };
    !host.is_empty() && bare(signed) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> AccountKey {
        AccountKey::new([byte; 32])
    }

    #[test]
    fn a_key_reads_back_and_a_slip_is_told() {
        let text = key(7).text();
        assert_eq!(format!(" {text}\n").parse::<AccountKey>(), Ok(key(7)));
        let slip = text.replacen("07", "70", 1);
        assert_eq!(slip.parse::<AccountKey>(), Err(InvalidKey));
        for wrong in ["", "elyk", "elyk__", &text[1..], &format!("{text}_")] {
            assert_eq!(wrong.parse::<AccountKey>(), Err(InvalidKey), "{wrong}");
        }
        assert_eq!(format!("{:?}", key(7)), "AccountKey");
    }

    /// RFC 8032, 7.1, test 1: the public key.
    #[test]
    fn the_key_is_an_ed25519_key() {
        let secret: PublicKey = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
            .parse()
            .unwrap();
        assert_eq!(
            AccountKey::new(secret.0).public().to_string(),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
        );
    }

    #[test]
    fn a_proof_is_good_for_one_session_with_one_server_by_one_key() {
        let (nonce, public) = (Nonce([1; 32]), key(1).public());
        let proof = key(1).prove(&nonce, "a.example");
        assert!(public.has_proved(&nonce, "a.example", &proof));
        assert!(!public.has_proved(&Nonce([2; 32]), "a.example", &proof));
        assert!(!public.has_proved(&nonce, "b.example", &proof));
        assert!(!key(2).public().has_proved(&nonce, "a.example", &proof));
        assert!(!public.has_sealed(&[&nonce.0[..], b"a.example"].concat(), &proof));
    }

    /// The neutral point as a key, for which a signature of zeros fits any message.
    #[test]
    fn a_key_of_small_order_proves_nothing() {
        let mut neutral = PublicKey([0; 32]);
        neutral.0[0] = 1;
        let zero = Signature(neutral.0, [0; 32]);
        assert!(!neutral.has_proved(&Nonce([3; 32]), "a.example", &zero));
    }

    #[test]
    fn a_worker_without_a_key_is_nobody_else() {
        assert_ne!(AccountId::of_worker(WorkerId(5)), AccountId(5));
        assert_ne!(
            AccountId::of_worker(WorkerId(5)),
            AccountId::of_worker(WorkerId(6))
        );
    }

    #[test]
    fn a_server_s_name_is_its_host_and_port() {
        for (address, name) in [
            ("http://127.0.0.1:4750", "127.0.0.1:4750"),
            ("https://Example.org/", "example.org"),
            ("https://example.org:443", "example.org"),
            ("http://[::1]:80/x", "[::1]"),
        ] {
            assert_eq!(audience(address).as_deref(), Some(name), "{address}");
        }
        assert_eq!(audience("http://user@example.org"), None);
        assert_eq!(audience(""), None);
        assert!(is_audience("example.org", "Example.org:443"));
        assert!(!is_audience("example.org", "evil.org") && !is_audience("", ""));
    }
}

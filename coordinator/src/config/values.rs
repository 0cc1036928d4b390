//! Texts into values and back: each says what would fit.
use crate::accept::acme::{LETS_ENCRYPT, LETS_ENCRYPT_STAGING};
use crate::net::{Network, Networks};
use std::net::SocketAddr;
use std::path::PathBuf;

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "must be an address and port, such as 127.0.0.1:4750 or [::]:4750".into())
}

pub(super) fn folder(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() {
        Err("must be a folder".into())
    } else {
        Ok(text.into())
    }
}

pub(super) fn optional<T>(text: &str, read: fn(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() {
        Ok(None)
    } else {
        read(text).map(Some)
    }
}

pub(super) fn file(text: &str) -> Result<PathBuf, String> {
    Ok(text.into())
}

pub(super) fn shown_file(path: Option<&PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

/// Comma-separated texts; empty ones do not count.
fn list(text: &str) -> Vec<String> {
    let texts = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    texts.map(str::to_owned).collect()
}

/// A name as in DNS: letters, digits and hyphens in parts, and no address.
fn is_name(text: &str) -> bool {
    let part = |part: &str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&part.len()) && part.bytes().all(plain)
    };
    text.len() <= 253 && text.split('.').all(part) && text.parse::<std::net::IpAddr>().is_err()
}

pub(super) fn hosts(text: &str) -> Result<Vec<String>, String> {
    let list: Vec<String> = list(text).iter().map(|name| name.to_ascii_lowercase()).collect();
    let fits = |name: &String| name == "*" || is_name(name.strip_prefix("*.").unwrap_or(name));
    match list.iter().all(fits) {
        true => Ok(list),
        false => Err(
            "must be names such as elytra.example.org or *.example.org, with commas between them: no \
            scheme, no port, no addresses (those are always taken)"
                .into(),
        ),
    }
}

pub(super) fn domains(text: &str) -> Result<Vec<String>, String> {
    let list: Vec<String> = list(text).iter().map(|name| name.to_ascii_lowercase()).collect();
    match list.iter().all(|name| is_name(name)) {
        true => Ok(list),
        false => Err(
            "must be names such as elytra.example.org, with commas between them: no scheme, no port, no \
            *, which this way of asking cannot prove"
                .into(),
        ),
    }
}

pub(super) fn mail(text: &str) -> Result<String, String> {
    let fits = text.contains('@') && !text.contains([':', ',', ' ']);
    fits.then(|| text.to_owned())
        .ok_or_else(|| "must be an address of mail, such as admin@example.org".into())
}

pub(super) fn directory(text: &str) -> Result<String, String> {
    match text {
        "letsencrypt" => Ok(LETS_ENCRYPT.into()),
        "letsencrypt-staging" => Ok(LETS_ENCRYPT_STAGING.into()),
        url if url.starts_with("https://") => Ok(url.into()),
        _ => Err(
            "must be letsencrypt, letsencrypt-staging, or the https:// address of an ACME directory".into(),
        ),
    }
}

pub(super) fn networks(text: &str) -> Result<Networks, String> {
    let list = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    let read = |text: &str| {
        text.parse::<Network>()
            .map_err(|error| format!("'{text}' {error}"))
    };
    list.map(read).collect::<Result<Vec<_>, _>>().map(Networks::new)
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "must be true or false".into())
}

/// As a browser writes them, so that they can be compared byte for byte.
pub(super) fn origins(text: &str) -> Result<Vec<String>, String> {
    let is_origin = |text: &str| {
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        let plain = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':' | b'[' | b']');
        host.is_some_and(|host| !host.is_empty() && host.bytes().all(plain))
    };
    let list = text.split(',').map(str::trim).filter(|text| !text.is_empty());
    let list: Vec<String> = list.map(str::to_owned).collect();
    if list.iter().all(|text| is_origin(text)) {
        Ok(list)
    } else {
        Err("must be origins such as https://example.org or http://localhost:8080, with commas between them: small letters, no path, no *".into())
    }
}

pub(super) fn number<T: TryFrom<u32>>(text: &str, max: u32) -> Result<T, String> {
    let wanted = || format!("must be a number from 1 to {max}");
    let value = text.parse::<u32>().map_err(|_| wanted())?;
    if value == 0 || value > max {
        return Err(wanted());
    }
    T::try_from(value).map_err(|_| wanted())
}

pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    let found = choices.iter().find(|(word, _)| *word == text);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        format!("must be one of {}", words.join(", "))
    })
}

pub(super) fn word<T: Copy + PartialEq>(value: T, choices: &[(&str, T)]) -> String {
    let found = choices.iter().find(|(_, v)| *v == value);
    found.map(|(word, _)| (*word).to_owned()).unwrap_or_default()
}

pub(super) fn redis_url(text: &str) -> Result<String, String> {
    let known = ["redis://", "rediss://", "unix://", "redis+unix://"];
    if known.iter().any(|scheme| text.starts_with(scheme)) {
        Ok(text.into())
    } else {
        Err("must be a URL such as redis://127.0.0.1:6379".into())
    }
}

pub(super) fn filter(text: &str) -> Result<String, String> {
    tracing_subscriber::EnvFilter::try_new(text)
        .map(|_| text.into())
        .map_err(|error| format!("must be a level or a list such as info,coordinator=debug ({error})"))
}

//! Which promise holds: read from Redis's own settings at start and said aloud.
use super::link::Link;
use crate::store::StoreError;
use redis::Value;
use std::collections::HashMap;

/// What Redis says of itself, from `INFO`.
struct Info(HashMap<String, String>);

impl Info {
    fn read(link: &mut Link) -> Result<Self, StoreError> {
        let answers = link.send(redis::pipe().add_command(redis::cmd("INFO")))?;
        let text = match answers.into_iter().next() {
            Some(Value::BulkString(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
            Some(Value::VerbatimString { text, .. }) => text,
            _ => String::new(),
        };
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Ok(Self(
            pairs.map(|(k, v)| (k.to_owned(), v.trim().to_owned())).collect(),
        ))
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// A setting, where Redis lets it be read.
fn setting(link: &mut Link, name: &str) -> Option<String> {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg(name);
    let answers = link.send(redis::pipe().add_command(command)).ok()?;
    let pair: Vec<String> = redis::from_redis_value(answers.into_iter().next()?).ok()?;
    pair.into_iter().nth(1)
}

fn refuse<T>(text: String) -> Result<T, StoreError> {
    Err(StoreError::Unavailable(text))
}

/// Checks that Redis can keep what it is given; returns the promise for people.
pub(super) fn check(link: &mut Link, allow_volatile: bool) -> Result<String, StoreError> {
    let at = link.address.shown();
    let info = Info::read(link)?;
    let version = info.get("redis_version").to_owned();
    if version
        .split('.')
        .next()
        .and_then(|n| n.parse().ok())
        .is_none_or(|major: u32| major < 7)
    {
        return refuse(format!(
            "Redis at {at} has version '{version}'; Elytra needs 7.0 or later"
        ));
    }
    if info.get("role") == "slave" {
        return refuse(format!(
            "Redis at {at} is a replica. Name its primary in the settings"
        ));
    }
    let evicts = info.get("maxmemory_policy");
    if !matches!(evicts, "" | "noeviction") && !allow_volatile {
        return refuse(format!(
            "Redis at {at} throws data away when it is full (maxmemory-policy {evicts}). \
             Run: CONFIG SET maxmemory-policy noeviction"
        ));
    }
    if info.get("aof_enabled") == "1" {
        let fsync = setting(link, "appendfsync");
        return Ok(format!("Redis {version} at {at}, {}", promise(fsync.as_deref())));
    }
    if allow_volatile {
        return Ok(format!(
            "Redis {version} at {at} without an append-only file: what is accepted is gone when Redis stops"
        ));
    }
    refuse(format!(
        "Redis at {at} keeps no append-only file: accepted work would be gone when it stops. \
         Run: CONFIG SET appendonly yes (and CONFIG REWRITE), or allow a volatile Redis in the settings"
    ))
}

fn promise(fsync: Option<&str>) -> &'static str {
    match fsync {
        Some("always") => {
            "appendfsync always: what is accepted survives a crash and a power cut of its machine"
        }
        Some("everysec") => {
            "appendfsync everysec: what is accepted survives a crash of Redis; \
             a power cut may take back the last two seconds"
        }
        Some(_) => {
            "appendfsync no: what is accepted survives a crash of Redis; \
             a power cut may take back the last half minute"
        }
        None => {
            "with an append-only file: what is accepted survives a crash of Redis; \
             it does not say what a power cut may take back (CONFIG GET is not allowed)"
        }
    }
}

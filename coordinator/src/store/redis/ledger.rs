//! Accounts and bookings in the shared store.
use super::decode::{array, bytes, corrupt, number};
use super::read::RedisReader;
use super::scripts::{Scripts, call, job_name, key};
use crate::store::{AccountRecord, BOOKINGS_PAGE_MAX, Entry, LEADERS_MAX, Standing, StoreError};
use protocol::credit::{Booking, Given, Leader};
use protocol::ids::{AccountId, JobId, ProgramHash, ReceiptId};
use protocol::trust::TrustReport;
use redis::{Cmd, Value};

type Result<T> = std::result::Result<T, StoreError>;

fn account_key(what: &str, account: AccountId) -> String {
    format!("{{elytra}}:{what}:{:016x}", account.0)
}

fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn script(scripts: &Scripts, account: AccountId) -> Cmd {
    let keys = [
        account_key("account", account),
        account_key("bookings_of", account),
        key::BOOKINGS.into(),
        key::LEADERS.into(),
        account_key("standings", account),
    ];
    let mut command = call(&scripts.ledger, &keys);
    command.arg(format!("{:016x}", account.0));
    command
}

/// What Redis is told of an entry.
pub(super) fn command(scripts: &Scripts, entry: &Entry) -> Result<Cmd> {
    Ok(match entry {
        Entry::Caught {
            account,
            job,
            shard,
            time_ms,
        } => Cmd::hset_nx(
            account_key("account", *account),
            "caught",
            format!("{time_ms} {job} {shard}"),
        ),
        Entry::Stands { account, standing } => {
            let mut command = script(scripts, *account);
            command.arg("stands").arg(&standing.program.0);
            command.arg(standing.passed).arg(standing.batches);
            command
        }
        Entry::Named { account, name } => {
            let mut command = script(scripts, *account);
            command.arg("named").arg(name.as_deref().unwrap_or_default());
            command
        }
        Entry::Credit(credit) => {
            let booking = credit.booking();
            let mut command = script(scripts, credit.account);
            command
                .arg("credit")
                .arg(booking.id.to_string())
                .arg(json(&booking)?);
            command.arg(booking.shards).arg(booking.items);
            command.arg(credit.name.as_deref().unwrap_or_default());
            command
        }
        Entry::Report { job, report } => Cmd::hset(key::REPORTS, job_name(*job), json(report)?),
    })
}

impl RedisReader {
    pub(super) fn read_account(&self, id: AccountId) -> Result<Option<AccountRecord>> {
        let mut fields = redis::cmd("HMGET");
        fields
            .arg(account_key("account", id))
            .arg(&["name", "caught", "shards", "items", "bookings"]);
        let standings = Cmd::hgetall(account_key("standings", id));
        let answers = self.send(redis::pipe().add_command(fields).add_command(standings))?;
        let [fields, standings]: [Value; 2] = answers.try_into().map_err(|_| corrupt("an account"))?;
        let fields = array(fields)?;
        let pairs = array(standings)?;
        let is_known = fields.iter().any(|value| *value != Value::Nil) || !pairs.is_empty();
        let record = account(fields, &pairs)?;
        Ok(is_known.then_some(record))
    }

    pub(super) fn read_booking(&self, id: ReceiptId) -> Result<Option<Booking>> {
        match self.ask(Cmd::hget(key::BOOKINGS, id.to_string()))? {
            Value::Nil => Ok(None),
            value => read(value, "a booking").map(Some),
        }
    }

    /// Places in the account's list count from 1.
    pub(super) fn read_bookings(
        &self,
        account: AccountId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Booking)>> {
        let list = account_key("bookings_of", account);
        let length = number(&self.ask(Cmd::llen(&list))?).unwrap_or(0);
        let end = before.map_or(length, |before| before.saturating_sub(1).min(length));
        let begin = end.saturating_sub(limit.min(BOOKINGS_PAGE_MAX) as u64);
        if begin == end {
            return Ok(Vec::new());
        }
        let mut command = redis::cmd("LRANGE");
        command.arg(&list).arg(begin).arg(end - 1);
        let ids: Vec<Vec<u8>> = self.list(command)?.into_iter().filter_map(bytes).collect();
        let mut command = redis::cmd("HMGET");
        command.arg(key::BOOKINGS).arg(&ids);
        let found = self
            .list(command)?
            .into_iter()
            .map(|value| read(value, "a booking"));
        let numbered = (begin + 1..)
            .zip(found)
            .map(|(number, booking)| Ok((number, booking?)));
        let mut page = numbered.collect::<Result<Vec<_>>>()?;
        page.reverse();
        Ok(page)
    }

    pub(super) fn read_leaders(&self) -> Result<Vec<Leader>> {
        let mut command = redis::cmd("ZREVRANGE");
        command.arg(key::LEADERS).arg(0).arg(LEADERS_MAX - 1);
        let accounts = self.list(command)?.into_iter().filter_map(|value| {
            let name = String::from_utf8(bytes(value)?).ok()?;
            u64::from_str_radix(&name, 16).ok().map(AccountId)
        });
        let mut leaders = Vec::new();
        for account in accounts {
            let record = self.read_account(account)?.filter(|record| !record.caught);
            leaders.extend(record.and_then(|record| {
                Some(Leader {
                    name: record.name?,
                    credited: record.credited,
                })
            }));
        }
        Ok(leaders)
    }

    pub(super) fn read_reports(&self, jobs: &[JobId]) -> Result<Vec<Option<TrustReport>>> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let names: Vec<String> = jobs.iter().map(|job| job_name(*job)).collect();
        let mut command = redis::cmd("HMGET");
        command.arg(key::REPORTS).arg(&names);
        let values = self.list(command)?.into_iter().map(|value| match value {
            Value::Nil => Ok(None),
            value => read(value, "a trust report").map(Some),
        });
        values.collect()
    }
}

fn read<T: serde::de::DeserializeOwned>(value: Value, what: &str) -> Result<T> {
    let json = bytes(value).ok_or_else(|| corrupt(what))?;
    serde_json::from_slice(&json).map_err(|_| corrupt(what))
}

fn account(fields: Vec<Value>, pairs: &[Value]) -> Result<AccountRecord> {
    let [name, caught, shards, items, bookings]: [Value; 5] =
        fields.try_into().map_err(|_| corrupt("an account"))?;
    let count = |value: &Value| number(value).unwrap_or(0);
    let mut standings = pairs
        .chunks_exact(2)
        .map(|pair| standing(pair).ok_or_else(|| corrupt("a standing")))
        .collect::<Result<Vec<_>>>()?;
    standings.sort_unstable();
    Ok(AccountRecord {
        name: bytes(name).and_then(|name| String::from_utf8(name).ok()),
        caught: caught != Value::Nil,
        standings,
        credited: Given {
            shards: count(&shards),
            items: count(&items),
            bookings: count(&bookings),
        },
    })
}

fn standing(pair: &[Value]) -> Option<Standing> {
    let program = ProgramHash(bytes(pair.first()?.clone())?.try_into().ok()?);
    let text = String::from_utf8(bytes(pair.get(1)?.clone())?).ok()?;
    let (passed, batches) = text.split_once(' ')?;
    Some(Standing {
        program,
        passed: passed.parse().ok()?,
        batches: batches.parse().ok()?,
    })
}

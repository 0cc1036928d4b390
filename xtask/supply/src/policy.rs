//! `deny.toml`: which licences, crates and sources are let in.
use crate::packages::Package;
use anyhow::{Context as _, Result};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};
use std::fs;
use std::path::Path;

/// What may come in.
#[derive(Debug)]
pub struct Policy {
    /// Advisories that are excepted, each with its reason in the file.
    pub ignored: Vec<String>,
    licences: Vec<Licensee>,
    banned: Vec<Banned>,
}

#[derive(Deserialize)]
struct File {
    advisories: Advisories,
    licenses: Licenses,
    bans: Bans,
}

#[derive(Deserialize)]
struct Advisories {
    ignore: Vec<Ignored>,
}

/// As `cargo deny` reads it: the id alone, or with a reason.
#[derive(Deserialize)]
#[serde(untagged)]
enum Ignored {
    Id(String),
    WithReason { id: String },
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Debug, Deserialize)]
struct Banned {
    name: String,
    reason: String,
}

impl Policy {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let file: File = toml::from_str(&text).with_context(|| path.display().to_string())?;
        let licences = file.licenses.allow.iter().map(|name| Licensee::parse(name));
        let ignored = file.advisories.ignore.into_iter().map(|ignored| match ignored {
            Ignored::Id(id) | Ignored::WithReason { id } => id,
        });
        Ok(Self {
            ignored: ignored.collect(),
            licences: licences
                .collect::<Result<_, _>>()
                .context("deny.toml: licenses.allow")?,
            banned: file.bans.deny,
        })
    }

    /// What speaks against a package.
    pub fn against(&self, package: &Package) -> Vec<String> {
        let mut findings = Vec::new();
        if let Some(banned) = self.banned.iter().find(|banned| banned.name == package.name) {
            findings.push(format!("{package} is not let in: {}", banned.reason));
        }
        if !package.is_from_registry && !package.is_ours {
            findings.push(format!(
                "{package} comes neither from the registry nor from this house"
            ));
        }
        match self.allows(package.licence.as_deref()) {
            Ok(true) => {}
            Ok(false) => findings.push(format!(
                "{package}: its licence {} is not on the list of deny.toml",
                package.licence.as_deref().unwrap_or("(none)")
            )),
            Err(error) => findings.push(format!("{package}: its licence cannot be read: {error}")),
        }
        findings
    }

    fn allows(&self, licence: Option<&str>) -> Result<bool, spdx::ParseError> {
        let Some(licence) = licence else {
            return Ok(false);
        };
        let expression = Expression::parse_mode(licence, ParseMode::LAX)?;
        Ok(expression.evaluate(|wanted| self.licences.iter().any(|allowed| allowed.satisfies(wanted))))
    }
}

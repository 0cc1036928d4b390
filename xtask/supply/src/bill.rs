//! The bill of materials, as CycloneDX 1.5 (ECMA-424) in JSON.
use crate::packages::Package;
use anyhow::{Context as _, Result, ensure};
use cyclonedx_bom::external_models::spdx::SpdxExpression;
use cyclonedx_bom::models::bom::SpecVersion;
use cyclonedx_bom::models::component::{Classification, Component, Components};
use cyclonedx_bom::models::hash::{Hash, HashAlgorithm, HashValue, Hashes};
use cyclonedx_bom::models::license::{LicenseChoice, Licenses};
use cyclonedx_bom::prelude::{Bom, Purl, Validate as _};

/// Every package from outside, with its licence and the checksum of its archive.
pub fn bill(packages: &[Package]) -> Result<String> {
    let outside = packages.iter().filter(|package| !package.is_ours);
    let components = outside.map(component).collect::<Result<_>>()?;
    let bom = Bom {
        components: Some(Components(components)),
        ..Bom::default()
    };
    let valid = bom.validate_version(SpecVersion::V1_5);
    let passed = valid.passed();
    let reasons: Vec<String> = valid.errors().map(|error| format!("{error:?}")).collect();
    ensure!(
        passed,
        "the bill of materials is not valid: {}",
        reasons.join("; ")
    );
    let mut text = Vec::new();
    bom.output_as_json_v1_5(&mut text)
        .context("the bill of materials")?;
    Ok(String::from_utf8(text)?)
}

fn component(package: &Package) -> Result<Component> {
    let Package { name, version, .. } = package;
    let mut component = Component::new(Classification::Library, name, version, None);
    component.purl = Some(Purl::new("cargo", name, version).with_context(|| package.to_string())?);
    let licence = package.licence.clone().map(SpdxExpression::parse_lax);
    let licence = licence.transpose().with_context(|| package.to_string())?;
    component.licenses = licence.map(|licence| Licenses(vec![LicenseChoice::Expression(licence)]));
    component.hashes = package.checksum.clone().map(|checksum| {
        let hash = Hash {
            alg: HashAlgorithm::SHA_256,
            content: HashValue(checksum),
        };
        Hashes(vec![hash])
    });
    Ok(component)
}

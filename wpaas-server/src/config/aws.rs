//! `[aws]`: everything in it but types and sizes names what the operator made. It has no flags: it is too much of it.

use serde::{Deserialize, Serialize};
use wpaas_core::name::Slug;

use super::resolve::value;
use super::{ConfigError, Period, file};

/// Of the AWS backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AwsSettings {
    /// Tells the objects of two installations in one account apart.
    pub installation: String,
    /// Such as `eu-central-1`.
    pub region: String,
    /// The VPC of the subnets.
    pub vpc: String,
    /// At most one a zone, in the order in which database nodes get them.
    pub subnets: Vec<AwsSubnet>,
    /// Of what outlives instances.
    pub bucket: String,
    /// The nodes' instance profile, by its name.
    pub profile: String,
    /// The unique id of its role.
    pub role_id: String,
    /// The AMI of the nodes.
    pub image: String,
    /// The hosted zone of the sites' names; without, the platform answers for them itself as `[dns]` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Of a database node's volume, in GiB.
    pub database_gib: u32,
    /// `bucket`, or where nodes reach this server's listener for reports, as `http://HOST:PORT`.
    pub reports: String,
    /// For how long after a change EC2's listings may not show it yet: so long a removal is not believed.
    pub listing_lag: Period,
    /// How long a node may take to its first word; one that takes longer is replaced.
    pub boot_patience: Period,
    /// Another address of all of AWS's services, for tests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// What nodes run on.
    pub types: AwsTypes,
}

/// A subnet and its zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsSubnet {
    /// `subnet-…`.
    pub id: String,
    /// Such as `eu-central-1a`.
    pub zone: String,
}

/// Types of instances, the preferred one first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "by the kind of node")]
pub struct AwsTypes {
    pub database: Vec<String>,
    pub wordpress: Vec<String>,
    pub gateway: Vec<String>,
}

/// What is to be used; every name must be given.
pub(super) fn settings(file: file::Aws) -> Result<AwsSettings, ConfigError> {
    let file::Aws {
        installation,
        region,
        vpc,
        subnets,
        bucket,
        profile,
        role_id,
        image,
        zone,
        database_gib,
        reports,
        listing_lag,
        boot_patience,
        types,
        endpoint,
    } = file;
    let installation = installation.unwrap_or_else(|| "wpaas".to_owned());
    installation.parse::<Slug>().map_err(|error| value("aws.installation", error))?;
    Ok(AwsSettings {
        installation,
        region: named("aws.region", region, "eu-central-1")?,
        vpc: named("aws.vpc", vpc, "vpc-0123")?,
        subnets: one_a_zone(subnets)?,
        bucket: named("aws.bucket", bucket, "example-wpaas")?,
        profile: named("aws.profile", profile, "wpaas-node")?,
        role_id: named("aws.role_id", role_id, "AROAEXAMPLE")?,
        image: named("aws.image", image, "ami-0123")?,
        zone: zone.map(|zone| named("aws.zone", Some(zone), "Z0123")).transpose()?,
        database_gib: gib(database_gib.unwrap_or(20))?,
        reports: way_of_reports(reports.unwrap_or_else(|| "bucket".to_owned()))?,
        listing_lag: listing_lag.unwrap_or(Period::seconds(120)),
        boot_patience: at_least_a_minute(boot_patience.unwrap_or(Period::seconds(600)))?,
        endpoint: endpoint.map(|url| address("aws.endpoint", url)).transpose()?,
        types: AwsTypes {
            database: some_of("aws.types.database", types.database, "t4g.small")?,
            wordpress: some_of("aws.types.wordpress", types.wordpress, "t4g.small")?,
            gateway: some_of("aws.types.gateway", types.gateway, "t4g.micro")?,
        },
    })
}

/// One word: these end up in keys, scripts and policies.
fn named(name: &'static str, given: Option<String>, like: &str) -> Result<String, ConfigError> {
    let given = given.ok_or_else(|| value(name, format!("is needed for the backend aws, such as {like}")))?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._+=@,".contains(&byte);
    if given.is_empty() || !given.bytes().all(plain) {
        return Err(value(name, format!("must be like {like}")));
    }
    Ok(given)
}

fn one_a_zone(subnets: Vec<AwsSubnet>) -> Result<Vec<AwsSubnet>, ConfigError> {
    let name = "aws.subnets";
    if subnets.is_empty() {
        return Err(value(
            name,
            "is needed for the backend aws: [{ id = \"subnet-0a\", zone = \"eu-central-1a\" }]",
        ));
    }
    for (n, AwsSubnet { id, zone }) in subnets.iter().enumerate() {
        named(name, Some(id.clone()), "subnet-0a")?;
        named(name, Some(zone.clone()), "eu-central-1a")?;
        if subnets[..n].iter().any(|before| before.zone == *zone) {
            return Err(value(name, format!("has two subnets in {zone}: one a zone is enough")));
        }
    }
    Ok(subnets)
}

/// What gp3 allows.
fn gib(gib: u32) -> Result<u32, ConfigError> {
    if (1..=65_536).contains(&gib) { Ok(gib) } else { Err(value("aws.database_gib", "must be 1 to 65536")) }
}

/// Or nothing that boots would ever be heard.
fn at_least_a_minute(patience: Period) -> Result<Period, ConfigError> {
    let name = "aws.boot_patience";
    if patience >= Period::seconds(60) { Ok(patience) } else { Err(value(name, "must be 1m or more")) }
}

fn way_of_reports(reports: String) -> Result<String, ConfigError> {
    match reports.as_str() {
        "bucket" => Ok(reports),
        // Nodes speak plain HTTP inside the VPC.
        text if text.starts_with("https://") => Err(value("aws.reports", "must be like http://HOST:PORT")),
        _ => address("aws.reports", reports),
    }
}

fn address(name: &'static str, url: String) -> Result<String, ConfigError> {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"'/".contains(&byte);
    if !host.is_some_and(|host| !host.is_empty() && host.bytes().all(plain)) {
        return Err(value(name, "must be like http://HOST:PORT"));
    }
    Ok(url)
}

fn some_of(
    name: &'static str,
    given: Option<Vec<String>>,
    default: &str,
) -> Result<Vec<String>, ConfigError> {
    let types = given.unwrap_or_else(|| vec![default.to_owned()]);
    if types.is_empty() {
        return Err(value(name, format!("must have one type, such as {default}")));
    }
    types.into_iter().map(|kind| named(name, Some(kind), default)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "region = 'eu-central-1'\nvpc = 'vpc-1'\nbucket = 'b'\nprofile = 'p'\nrole_id = 'AROA1'\n\
                         image = 'ami-1'\nsubnets = [{ id = 'subnet-a', zone = 'eu-central-1a' }]\n";

    fn read(text: &str) -> Result<AwsSettings, String> {
        let file: file::Aws = toml::from_str(text).map_err(|error| error.to_string())?;
        settings(file).map_err(|error| error.to_string())
    }

    #[test]
    fn what_has_a_default_may_be_left_out() {
        let settings = read(WHOLE).unwrap();
        assert_eq!((settings.installation.as_str(), settings.database_gib), ("wpaas", 20));
        assert_eq!((settings.reports.as_str(), settings.zone, settings.endpoint), ("bucket", None, None));
        assert_eq!(settings.types.gateway, ["t4g.micro"]);
    }

    #[test]
    fn every_name_is_needed_and_a_missing_or_bad_one_is_told_by_its_own() {
        for name in ["region", "vpc", "bucket", "profile", "role_id", "image", "subnets"] {
            let without: Vec<_> = WHOLE.lines().filter(|line| !line.starts_with(name)).collect();
            let told = read(&without.join("\n")).unwrap_err();
            assert!(told.starts_with(&format!("aws.{name}: is needed")), "{told}");
        }
        for (more, name) in [
            ("zone = 'Z 1'", "aws.zone"),
            ("installation = 'A'", "aws.installation"),
            ("database_gib = 0", "aws.database_gib"),
            ("boot_patience = '5s'", "aws.boot_patience"),
            ("reports = 'somewhere'", "aws.reports"),
            ("reports = 'https://10.0.0.5:8010'", "aws.reports"),
            ("endpoint = 'http://a/b'", "aws.endpoint"),
            ("[types]\ngateway = []", "aws.types.gateway"),
        ] {
            let told = read(&format!("{WHOLE}{more}")).unwrap_err();
            assert!(told.starts_with(name), "{told}");
        }
        let twice = WHOLE.replace("}]", "}, { id = 'subnet-b', zone = 'eu-central-1a' }]");
        assert!(read(&twice).unwrap_err().contains("two subnets in eu-central-1a"));
        assert!(read(&format!("{WHOLE}regoin = 'x'")).unwrap_err().contains("regoin"));
    }
}

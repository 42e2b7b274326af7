//! One value of four: flag or environment, file, default.

use std::fmt::Display;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use wpaas_core::name::{Email, Hostname, Slug};
use wpaas_core::reach::is_prefix;
use wpaas_core::store::PostgresUrl;

use super::{
    AcmeSettings, AutoscaleSettings, AwsSettings, BackendKind, CodeSettings, ConfigError, DatabaseSettings,
    DnsSettings, DockerSettings, DomainSettings, EdgeSettings, ExternalAccountSettings, File, Flags,
    GraceSettings, LimitSettings, LogFormat, LogSettings, Period, Publish, Registration, Settings,
    SimulatedSettings, WebhookSettings, aws, file, sso,
};

pub(super) fn settings(flags: Flags, file: File) -> Result<Settings, ConfigError> {
    let File {
        listen,
        report_listen,
        data,
        advertise,
        public_url,
        backend,
        domain,
        registration,
        spares,
        grace,
        log,
        limits,
        database,
        code,
        webhooks,
        docker,
        simulated,
        dns,
        edge,
        domains,
        acme,
        sso,
        aws,
        autoscale,
    } = file;
    let backend = flags.backend.or(backend).unwrap_or(BackendKind::Docker);
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8010));
    let public_url = sso::public_url(flags.public_url.clone().or(public_url))?;
    let sso = sso::providers(sso, public_url.is_some())?;
    let acme = acme_settings(&flags, acme)?;
    Ok(Settings {
        spares: spares_setting(&flags, spares)?,
        limits: limit_settings(&flags, limits)?,
        grace: grace_settings(&flags, &grace),
        log: log_settings(&flags, log),
        database: database_settings(&flags, database)?,
        advertise: advertise_setting(&flags, advertise)?,
        code: code_settings(&flags, code)?,
        webhooks: webhook_settings(&flags, webhooks)?,
        dns: dns_settings(&flags, dns),
        edge: edge_settings(&flags, &edge, backend, acme.is_some())?,
        domains: domain_settings(&flags, domains),
        aws: aws_settings(backend, aws)?,
        autoscale: autoscale_settings(&flags, &autoscale)?,
        acme,
        docker: docker_settings(&flags, docker)?,
        simulated: SimulatedSettings {
            latency: flags.simulated_latency.or(simulated.latency).unwrap_or(Period::seconds(0)),
        },
        public_url,
        sso,
        listen: flags.listen.or(listen).unwrap_or(local),
        report_listen: flags.report_listen.or(report_listen).unwrap_or(everywhere),
        data: flags.data.or(data).unwrap_or_else(|| PathBuf::from("./.wpaas/data")),
        backend,
        domain: flags.domain.or(domain).map_or_else(default_domain, Ok)?,
        registration: flags.registration.or(registration).unwrap_or(Registration::Closed),
    })
}

/// All of them are read with each page of the sites.
const MOST_SPARES: usize = 100;

fn spares_setting(flags: &Flags, file: Option<usize>) -> Result<usize, ConfigError> {
    match flags.spares.or(file).unwrap_or(0) {
        spares if spares <= MOST_SPARES => Ok(spares),
        _ => Err(value("spares", format!("must be from 0 to {MOST_SPARES}"))),
    }
}

fn default_domain() -> Result<Hostname, ConfigError> {
    "wpaas.localhost".parse().map_err(|error| value("domain", error))
}

fn grace_settings(flags: &Flags, file: &file::Grace) -> GraceSettings {
    GraceSettings {
        site: flags.grace_site.or(file.site).unwrap_or(Period::seconds(24 * 3600)),
        customer: flags.grace_customer.or(file.customer).unwrap_or(Period::seconds(7 * 24 * 3600)),
    }
}

fn log_settings(flags: &Flags, file: file::Log) -> LogSettings {
    LogSettings {
        format: flags.log_format.or(file.format).unwrap_or(LogFormat::Text),
        filter: flags.log_filter.clone().or(file.filter).unwrap_or_else(|| "info".to_owned()),
    }
}

fn limit_settings(flags: &Flags, file: file::Limits) -> Result<LimitSettings, ConfigError> {
    let limits = LimitSettings {
        body_bytes: flags.limits_body_bytes.or(file.body_bytes).unwrap_or(256 * 1024),
        report_bytes: flags.limits_report_bytes.or(file.report_bytes).unwrap_or(16 * 1024),
        timeout: flags.limits_timeout.or(file.timeout).unwrap_or(Period::seconds(30)),
        concurrency: flags.limits_concurrency.or(file.concurrency).unwrap_or(256),
        shutdown: flags.limits_shutdown.or(file.shutdown).unwrap_or(Period::seconds(10)),
        principal_rate: flags.limits_principal_rate.or(file.principal_rate).unwrap_or(300),
        attempts_per_minute: flags.limits_attempts_per_minute.or(file.attempts_per_minute).unwrap_or(60),
        lockout_after: flags.limits_lockout_after.or(file.lockout_after).unwrap_or(10),
        trusted_proxies: flags.limits_trusted_proxies.clone().or(file.trusted_proxies).unwrap_or_default(),
    };
    if limits.concurrency == 0 {
        return Err(value("limits.concurrency", "must be at least 1"));
    }
    if limits.timeout == Period::seconds(0) {
        return Err(value("limits.timeout", "must be longer than 0s"));
    }
    Ok(limits)
}

fn database_settings(flags: &Flags, file: file::Database) -> Result<DatabaseSettings, ConfigError> {
    let url = flags.database_url.clone().or(file.url);
    if let Some(url) = &url {
        url.parse::<PostgresUrl>().map_err(|error| value("database.url", error))?;
    }
    let password_file = flags.database_password_file.clone().or(file.password_file);
    Ok(DatabaseSettings { url, password_file })
}

fn advertise_setting(flags: &Flags, file: Option<String>) -> Result<Option<String>, ConfigError> {
    let Some(url) = flags.advertise.clone().or(file) else { return Ok(None) };
    let at = url.trim_end_matches('/');
    if !at.strip_prefix("http://").is_some_and(|host| !host.is_empty() && !host.contains('/')) {
        return Err(value("advertise", "must be like http://HOST:PORT"));
    }
    Ok(Some(at.to_owned()))
}

fn code_settings(flags: &Flags, file: file::Code) -> Result<CodeSettings, ConfigError> {
    let prefixes = flags.code_allowed_prefixes.clone().or(file.allowed_prefixes).unwrap_or_default();
    if prefixes.iter().any(|prefix| !prefix.contains("://")) {
        return Err(value("code.allowed_prefixes", "each must begin with a scheme, such as https://"));
    }
    Ok(CodeSettings {
        allowed_prefixes: prefixes,
        endpoints: flags.code_endpoints.clone().or(file.endpoints).unwrap_or_default(),
        buckets: flags.code_buckets.clone().or(file.buckets).unwrap_or_default(),
        known_hosts: flags.code_known_hosts.clone().or(file.known_hosts),
        max_bytes: flags.code_max_bytes.or(file.max_bytes).unwrap_or(1 << 30),
        max_entries: flags.code_max_entries.or(file.max_entries).unwrap_or(100_000),
        max_time: flags.code_max_time.or(file.max_time).unwrap_or(Period::seconds(300)),
    })
}

fn webhook_settings(flags: &Flags, file: file::Webhooks) -> Result<WebhookSettings, ConfigError> {
    let allowed_prefixes =
        flags.webhooks_allowed_prefixes.clone().or(file.allowed_prefixes).unwrap_or_default();
    if let Some(text) = allowed_prefixes.iter().find(|text| !is_prefix(text)) {
        let why = "must be a URL that ends in / and has no password, query or fragment";
        return Err(value("webhooks.allowed_prefixes", format!("{text:?} {why}")));
    }
    Ok(WebhookSettings { allowed_prefixes })
}

fn dns_settings(flags: &Flags, file: file::Dns) -> DnsSettings {
    DnsSettings {
        enabled: flags.dns_enabled.or(file.enabled).unwrap_or(true),
        listen: flags.dns_listen.or(file.listen).unwrap_or((Ipv4Addr::LOCALHOST, 5300).into()),
        address: flags.dns_address.or(file.address),
        zone: flags.dns_zone.clone().or(file.zone),
    }
}

/// Only where there is an `[aws]` that is used is it checked.
fn aws_settings(backend: BackendKind, file: Option<file::Aws>) -> Result<Option<AwsSettings>, ConfigError> {
    match backend {
        BackendKind::Aws => aws::settings(file.unwrap_or_default()).map(Some),
        BackendKind::Docker | BackendKind::Simulated => Ok(None),
    }
}

fn edge_settings(
    flags: &Flags,
    file: &file::Edge,
    backend: BackendKind,
    speaks_tls: bool,
) -> Result<EdgeSettings, ConfigError> {
    let enabled = flags.edge_enabled.or(file.enabled);
    if enabled == Some(true) && backend == BackendKind::Aws {
        return Err(value(
            "edge.enabled",
            "there is no edge on the backend aws: each site has its own address",
        ));
    }
    let listen = flags.edge_listen.or(file.listen).unwrap_or((Ipv4Addr::LOCALHOST, 8000).into());
    let beside = (listen.ip(), if listen.port() == 80 { 443 } else { 8443 });
    let listen_tls = flags.edge_listen_tls.or(file.listen_tls).unwrap_or(beside.into());
    if speaks_tls && listen_tls.port() == listen.port() {
        return Err(value("edge.listen_tls", "must be another port than that of edge.listen"));
    }
    Ok(EdgeSettings {
        enabled: enabled.unwrap_or(backend != BackendKind::Aws),
        listen,
        listen_tls,
        address: flags.edge_address.or(file.address),
    })
}

fn autoscale_settings(flags: &Flags, file: &file::Autoscale) -> Result<AutoscaleSettings, ConfigError> {
    let file::Autoscale { up_after, down_after } = file;
    let up_after = flags.autoscale_up_after.or(*up_after).unwrap_or(Period::seconds(15));
    let down_after = flags.autoscale_down_after.or(*down_after).unwrap_or(Period::seconds(300));
    for (name, period) in [("autoscale.up_after", up_after), ("autoscale.down_after", down_after)] {
        if !(Period::seconds(1)..=Period::seconds(3600)).contains(&period) {
            return Err(value(name, "must be from 1s to 1h"));
        }
    }
    Ok(AutoscaleSettings { up_after, down_after })
}

fn domain_settings(flags: &Flags, file: file::Domains) -> DomainSettings {
    DomainSettings {
        verify: flags.domains_verify.or(file.verify).unwrap_or(true),
        resolvers: flags.domains_resolvers.clone().or(file.resolvers).unwrap_or_default(),
        reserved: flags.domains_reserved.clone().or(file.reserved).unwrap_or_default(),
    }
}

fn acme_settings(flags: &Flags, file: file::Acme) -> Result<Option<AcmeSettings>, ConfigError> {
    let file::Acme { directory, contact, root, external_account, wildcards, per_domain } = file;
    let Some(directory) = flags.acme_directory.clone().or(directory) else { return Ok(None) };
    if !directory.strip_prefix("https://").is_some_and(|host| !host.is_empty() && !host.starts_with('/')) {
        return Err(value("acme.directory", "must be the https URL of an ACME directory"));
    }
    let contact = flags.acme_contact.clone().or(contact).unwrap_or_default();
    let contact = contact.iter().map(|address| match address.parse::<Email>() {
        Ok(address) => Ok(address.to_string()),
        Err(error) => Err(value("acme.contact", format!("{address:?} {error}"))),
    });
    Ok(Some(AcmeSettings {
        directory,
        contact: contact.collect::<Result<_, _>>()?,
        root: flags.acme_root.clone().or(root),
        external_account: external_account_settings(flags, external_account.unwrap_or_default())?,
        wildcards: flags.acme_wildcards.or(wildcards).unwrap_or(true),
        per_domain: flags.acme_per_domain.or(per_domain).unwrap_or(40),
    }))
}

/// Both or none.
fn external_account_settings(
    flags: &Flags,
    file: file::ExternalAccount,
) -> Result<Option<ExternalAccountSettings>, ConfigError> {
    let file::ExternalAccount { kid, hmac_key_file } = file;
    let kid = flags.acme_external_account_kid.clone().or(kid).filter(|kid| !kid.is_empty());
    match (kid, flags.acme_external_account_hmac_key_file.clone().or(hmac_key_file)) {
        (None, None) => Ok(None),
        (Some(kid), Some(hmac_key_file)) => Ok(Some(ExternalAccountSettings { kid, hmac_key_file })),
        _ => Err(value("acme.external_account", "needs both kid and hmac_key_file, or neither")),
    }
}

fn docker_settings(flags: &Flags, file: file::Docker) -> Result<DockerSettings, ConfigError> {
    let installation =
        flags.docker_installation.clone().or(file.installation).unwrap_or_else(|| "wpaas".to_owned());
    installation.parse::<Slug>().map_err(|error| value("docker.installation", error))?;
    let subnets = flags.docker_subnets.clone().or(file.subnets);
    let base_image = flags.docker_base_image.clone().or(file.base_image);
    Ok(DockerSettings {
        installation,
        host: flags.docker_host.clone().or(file.host),
        report_port: flags.docker_report_port.or(file.report_port),
        subnets: subnets.unwrap_or_else(|| "10.208.0.0/12".to_owned()),
        base_image: base_image.unwrap_or_else(|| "debian:trixie-slim".to_owned()),
        publish: flags.docker_publish.or(file.publish).unwrap_or(Publish::Auto),
    })
}

pub(super) fn value(name: &'static str, reason: impl Display) -> ConfigError {
    ConfigError::Value { name, reason: format!("{reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
        let file: File =
            toml::from_str("listen = '127.0.0.1:1'\ndata = '/srv'\n[log]\nformat = 'json'").unwrap();
        let flags = Flags { listen: Some("127.0.0.1:2".parse().unwrap()), ..Flags::default() };
        let settings = settings(flags, file).unwrap();
        assert_eq!(settings.listen.port(), 2);
        assert_eq!(settings.data, PathBuf::from("/srv"));
        assert_eq!(settings.log.format, LogFormat::Json);
        assert_eq!(settings.report_listen.to_string(), "0.0.0.0:8010");
        assert_eq!(settings.registration, Registration::Closed);
        assert_eq!(settings.dns.listen.to_string(), "127.0.0.1:5300");
        assert_eq!(settings.edge.listen.to_string(), "127.0.0.1:8000");
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        for text in ["lisen = '127.0.0.1:1'", "[log]\nlisen = 1"] {
            let error = toml::from_str::<File>(text).unwrap_err();
            assert!(error.to_string().contains("lisen"), "{error}");
        }
    }

    #[test]
    fn a_bad_value_is_refused_by_name() {
        let refused = |text: &str| {
            let file: File = toml::from_str(text).unwrap();
            settings(Flags::default(), file).unwrap_err().to_string()
        };
        assert!(refused("spares = 101").starts_with("spares"));
        assert!(refused("[limits]\nconcurrency = 0").starts_with("limits.concurrency"));
        assert!(refused("[limits]\ntimeout = '0s'").starts_with("limits.timeout"));
        assert!(refused("[autoscale]\nup_after = '0s'").starts_with("autoscale.up_after"));
        assert!(refused("[autoscale]\ndown_after = '2h'").starts_with("autoscale.down_after"));
        assert!(refused("[docker]\ninstallation = 'A B'").starts_with("docker.installation"));
        for text in ["url = 'mysql://a@b/c'", "url = 'postgres://a:secret@b/c'"] {
            let told = refused(&format!("[database]\n{text}"));
            assert!(told.starts_with("database.url") && !told.contains("secret"), "{told}");
        }
        assert!(refused("backend = 'aws'\n[aws]\nvpc = 'v'").starts_with("aws.region"));
        assert!(refused("backend = 'aws'\n[edge]\nenabled = true").starts_with("edge.enabled"));
        assert!(refused("advertise = 'db.example'").starts_with("advertise"));
        assert!(refused("[acme]\ndirectory = 'http://acme.example'").starts_with("acme.directory"));
        let told = refused("[acme]\ndirectory = 'https://acme.example/dir'\ncontact = ['nobody']");
        assert!(told.starts_with("acme.contact"), "{told}");
        let told = refused("[acme]\ndirectory = 'https://acme.example/dir'\nexternal_account = {kid = 'us'}");
        assert!(told.starts_with("acme.external_account"), "{told}");
        let told =
            refused("[acme]\ndirectory = 'https://acme.example/dir'\n[edge]\nlisten = '127.0.0.1:8443'");
        assert!(told.starts_with("edge.listen_tls"), "{told}");
        assert!(refused("public_url = 'http://wpaas.example'").starts_with("public_url"));
        assert!(refused("[code]\nallowed_prefixes = ['/tmp']").starts_with("code.allowed_prefixes"));
        let told = refused("[webhooks]\nallowed_prefixes = ['http://127.0.0.1']");
        assert!(told.starts_with("webhooks.allowed_prefixes"), "{told}");
    }
}

//! The server's configuration as the domain takes it.

use wpaas_core::service;
use wpaas_core::site::{CertificateRules, EdgePorts};

use crate::config::{BackendKind, Registration, Settings};

/// What the service is set to.
pub fn settings(settings: &Settings) -> service::Settings {
    service::Settings {
        registration: match settings.registration {
            Registration::Open => service::Registration::Open,
            Registration::Closed => service::Registration::Closed,
        },
        edge_ports: settings.edge.enabled.then(|| EdgePorts {
            http: settings.edge.listen.port(),
            https: settings.edge.tls(settings.acme.as_ref()).map(|listen| listen.port()),
        }),
        edge_address: settings.edge.enabled.then(|| settings.edge.address()),
        certificates: settings.acme.as_ref().map(|acme| {
            let hosted = settings.aws.as_ref().filter(|_| settings.backend == BackendKind::Aws);
            let zone = hosted.is_some_and(|aws| aws.zone.is_some()) || settings.dns.enabled;
            CertificateRules { wildcards: acme.wildcards && zone }
        }),
        reserved_domains: settings.domains.reserved.clone(),
        spares: settings.spares,
        site_grace: settings.grace.site.as_signed(),
        customer_grace: settings.grace.customer.as_signed(),
        lockout_after: settings.limits.lockout_after,
        webhook_prefixes: settings.webhooks.allowed_prefixes.clone(),
        ..service::Settings::new(settings.domain.clone())
    }
}

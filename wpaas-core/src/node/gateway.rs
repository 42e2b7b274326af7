//! What a gateway is told.

use std::fmt;
use std::net::IpAddr;

use super::outline::written;
use crate::converge::{
    FileContent, Fingerprint, Fingerprinting, NodeFile, RouteState, Routes, RunIntent, TlsCertificate,
    TlsIntent,
};

/// What a gateway is told: servers and names.
#[derive(Debug, Clone, Copy)]
pub struct GatewayConfig<'a> {
    /// Names this configuration; the gateway reports it once it follows.
    pub revision: Fingerprint,
    routes: Servers<'a>,
    authorities: Authorities<'a>,
    tls: Tls<'a>,
}

impl<'a> GatewayConfig<'a> {
    /// For these servers, and the names and the address of the site.
    #[must_use]
    pub fn new(run: &'a RunIntent, address: Option<(IpAddr, Option<u16>)>, routes: &'a Routes<'a>) -> Self {
        let authorities = Authorities { run, address, routes };
        let routes = Servers(routes);
        let mut revision = Fingerprinting::default();
        let tls = Tls(&run.tls);
        revision.text(routes).text(authorities).text(tls);
        Self { revision: revision.done(), routes, authorities, tls }
    }

    /// As the gateway reads it: a certificate before it is named; the routes last, because they carry the revision.
    #[must_use]
    pub fn files(&self) -> Vec<NodeFile> {
        let routes = format!("revision={}\n{}end\n", self.revision, self.routes);
        let secrets = self.tls.0.certificates.iter().map(|certificate| {
            let path = format!("secrets/certificate-{}", certificate.secret.version);
            let content = FileContent::Secret(certificate.secret);
            NodeFile { path, mode: 0o400, group: "root", content }
        });
        let told = [
            written("certificates", self.tls.to_string()),
            written("authorities", self.authorities.to_string()),
            written("routes", routes),
        ];
        secrets.chain(told).collect()
    }
}

/// One line a server.
#[derive(Debug, Clone, Copy)]
struct Servers<'a>(&'a Routes<'a>);

impl fmt::Display for Servers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part, state) in self.0.iter() {
            let state = match state {
                RouteState::Ready => "ready",
                RouteState::Drain => "drain",
            };
            writeln!(f, "{part}={state}")?;
        }
        for (part, names) in self.0.previews() {
            write!(f, "{part}=preview")?;
            names.iter().try_for_each(|name| write!(f, " {name}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}

/// What is answered to an authority, the certificates that are served, what redirects to them, and who is to be asked
/// for over HTTPS alone.
#[derive(Debug, Clone, Copy)]
struct Tls<'a>(&'a TlsIntent);

impl fmt::Display for Tls<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TlsIntent { challenge, certificates } = self.0;
        challenge.iter().try_for_each(|answer| writeln!(f, "challenge {answer}"))?;
        for TlsCertificate { secret, redirects, strict } in certificates {
            writeln!(f, "certificate {}", secret.version)?;
            redirects.iter().try_for_each(|(from, to)| writeln!(f, "redirect {from} {to}"))?;
            strict.iter().try_for_each(|(host, seconds)| writeln!(f, "hsts {host} {seconds}"))?;
        }
        writeln!(f, "end")
    }
}

/// One line a name that is answered.
#[derive(Debug, Clone, Copy)]
struct Authorities<'a> {
    run: &'a RunIntent,
    address: Option<(IpAddr, Option<u16>)>,
    routes: &'a Routes<'a>,
}

impl fmt::Display for Authorities<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, address, routes } = self;
        run.authorities.iter().try_for_each(|name| writeln!(f, "{name}"))?;
        if let Some((ip, port)) = address {
            writeln!(f, "{ip}")?;
            if let Some(port) = port {
                writeln!(f, "127.0.0.1:{port}\nlocalhost:{port}")?;
            }
        }
        run.redirects.iter().try_for_each(|(from, to)| writeln!(f, "{from} {to}"))?;
        routes.previews().flat_map(|(_, names)| names).try_for_each(|name| writeln!(f, "{name}"))?;
        writeln!(f, "end")
    }
}

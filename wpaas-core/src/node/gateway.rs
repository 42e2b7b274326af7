//! What a gateway is told.

use std::fmt;
use std::net::IpAddr;

use super::outline::written;
use crate::converge::{Fingerprint, Fingerprinting, NodeFile, RouteState, Routes, RunIntent};

/// What a gateway is told: servers and names.
#[derive(Debug, Clone, Copy)]
pub struct GatewayConfig<'a> {
    /// Names this configuration; the gateway reports it once it follows.
    pub revision: Fingerprint,
    routes: Servers<'a>,
    authorities: Authorities<'a>,
}

impl<'a> GatewayConfig<'a> {
    /// For these servers, and the names and the address of the site.
    #[must_use]
    pub fn new(run: &'a RunIntent, address: Option<(IpAddr, Option<u16>)>, routes: &'a Routes<'a>) -> Self {
        let authorities = Authorities { run, address, routes };
        let routes = Servers(routes);
        let mut revision = Fingerprinting::default();
        revision.text(routes).text(authorities);
        Self { revision: revision.done(), routes, authorities }
    }

    /// As the gateway reads it; the routes last, because they carry the revision.
    #[must_use]
    pub fn files(&self) -> Vec<NodeFile> {
        let routes = format!("revision={}\n{}end\n", self.revision, self.routes);
        vec![written("authorities", self.authorities.to_string()), written("routes", routes)]
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

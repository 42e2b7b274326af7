use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use wpaas_core::site::{DomainLeads, DomainLook, DomainWants, NoAnswer};

use crate::dns::text;

/// A question is asked twice, for so long each.
const PATIENCE: Duration = Duration::from_secs(2);

/// Asks DNS as anybody on the Internet would.
#[derive(Debug)]
pub struct Resolver(TokioResolver);

/// Nobody can be asked. The text is for the operator.
#[derive(Debug, thiserror::Error)]
#[error("there is no resolver to ask: name one as domains.resolvers, or set domains.verify to false")]
pub struct ResolverError(#[source] Box<NetError>);

impl Resolver {
    /// That asks these servers; the machine's own without.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, ResolverError> {
        let failed = |error| ResolverError(Box::new(error));
        let mut builder = if servers.is_empty() {
            TokioResolver::builder_tokio().map_err(failed)?
        } else {
            let servers = servers.iter().map(|at| server(*at)).collect();
            let config = ResolverConfig::from_name_servers(servers);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        set(builder.options_mut());
        Ok(Self(builder.build().map_err(failed)?))
    }

    /// What DNS says now.
    pub async fn look(&self, wants: &DomainWants) -> DomainLook {
        let (record, domain) = (wants.record_name(), wants.domain().as_str());
        let (texts, alias, v4, v6) = tokio::join!(
            self.ask(&record, RecordType::TXT),
            self.ask(domain, RecordType::CNAME),
            self.ask(domain, RecordType::A),
            self.ask(domain, RecordType::AAAA),
        );
        let leads = [alias, v4, v6].into_iter().collect::<Result<Vec<_>, _>>().map(leads);
        DomainLook { texts: texts.map(|records| records.iter().filter_map(text).collect()), leads }
    }

    /// The records; none is an answer, too.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, NoAnswer> {
        // With its last dot it is not looked for below the machine's own domain.
        match self.0.lookup(format!("{name}."), kind).await {
            Ok(found) => Ok(found.answers().to_vec()),
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
            {
                Ok(Vec::new())
            }
            Err(error) => Err(NoAnswer(error.to_string())),
        }
    }
}

fn server(at: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = at.port();
    }
    NameServerConfig::new(at.ip(), true, connections)
}

fn set(options: &mut ResolverOpts) {
    options.timeout = PATIENCE;
    options.attempts = 1;
    // Who asks after a change wants to see it; a cache of no size keeps its last answers for a while.
    options.cache_size = 0;
    options.positive_max_ttl = Some(Duration::ZERO);
    options.negative_max_ttl = Some(Duration::ZERO);
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
}

fn leads(answers: Vec<Vec<Record>>) -> DomainLeads {
    let mut leads = DomainLeads::default();
    for record in answers.into_iter().flatten() {
        match record.data {
            RData::CNAME(alias) => leads.aliases.push(alias.0.to_string()),
            RData::A(ip) => leads.addresses.push(IpAddr::V4(ip.0)),
            RData::AAAA(ip) => leads.addresses.push(IpAddr::V6(ip.0)),
            _ => {}
        }
    }
    leads.aliases.dedup();
    leads
}

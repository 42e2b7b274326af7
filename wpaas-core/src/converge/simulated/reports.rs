//! What the nodes of a site would say.

use std::sync::Arc;

use super::place::Place;
use super::thing::Thing;
use crate::converge::{
    Draining, GatewayReport, NodeReport, Part, Report, ServerState, WordpressPhase, WordpressReport,
};
use crate::id::SiteId;

impl Place {
    /// What every running node would say now.
    pub(super) fn reports(&self, site: SiteId) -> impl Iterator<Item = Report> {
        self.objects.values().filter(|thing| thing.runs()).filter_map(move |thing| {
            let part = thing.object.part;
            let node = match part {
                Part::Database(n) => NodeReport::Database(Arc::new(self.database_report(n, thing)?)),
                Part::Wordpress(_) => NodeReport::Wordpress(Arc::new(self.wordpress_report(thing))),
                Part::Gateway(_) => NodeReport::Gateway(Box::new(self.gateway_report(thing))),
                _ => return None,
            };
            Some(Report { site, part, boot: thing.boot_id(), node })
        })
    }

    fn wordpress_report(&self, node: &Thing) -> WordpressReport {
        let tries = node.value("wordpress.conf", "trial") == Some("on");
        WordpressReport {
            phase: match (node.up, node.refused) {
                (true, _) => WordpressPhase::Serving,
                (false, true) if tries => WordpressPhase::Refused,
                (false, true) => WordpressPhase::Failed,
                (false, false) => WordpressPhase::Waiting,
            },
            release: node.value("wordpress.conf", "release").unwrap_or_default().to_owned(),
            admin_version: self.tables,
            version: Some("simulated".into()),
            schema: None,
            tables: None,
            content: None,
            error: node.refused.then(|| "the front page answers 500".into()),
        }
    }

    fn gateway_report(&self, node: &Thing) -> GatewayReport {
        let routes = node.text("routes").filter(|_| node.follows.is_some()).unwrap_or_default();
        let servers = routes.lines().filter_map(|line| {
            let (server, state) = line.split_once('=')?;
            let server = server.parse().ok()?;
            let up = match server {
                Part::Database(n) => self.is_synced(n),
                part => self.node(part).is_some_and(|node| node.up),
            };
            let state = match (state, up) {
                ("drain", _) => ServerState::Drain,
                (_, true) => ServerState::Up,
                (_, false) => ServerState::Down,
            };
            Some((server, state))
        });
        let requests = |part: &Part| self.node(*part).map_or(0, |node| node.requests);
        let draining = node.drained.iter().filter(|(part, _)| requests(part) > 0);
        let draining =
            draining.map(|(part, &seconds)| (*part, Draining { requests: requests(part), seconds }));
        GatewayReport {
            revision: node.follows.as_deref().map(Into::into),
            servers: servers.collect(),
            draining: draining.collect(),
            error: None,
        }
    }
}

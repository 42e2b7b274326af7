//! The gateway: what it is, and where it sends visitors.

use super::{HoldReason, Pass};
use crate::converge::{Action, NodeReport, Object, ObjectState, Part, Routes, RunIntent, Seen};
use crate::node;

const GATEWAY: Part = Part::Gateway(0);

impl Pass<'_> {
    pub(super) fn gateway(&mut self, run: &RunIntent, routes: &Routes) {
        let config = node::GatewayConfig::new(run, self.facts.address(), routes);
        let spec = node::gateway(0, &config);
        match self.facts.seen(GATEWAY) {
            Seen::Busy => self.hold(GATEWAY, HoldReason::Busy),
            Seen::Unknown => self.hold(GATEWAY, HoldReason::Unseen),
            Seen::Absent => match self.missing(&[Part::Network]) {
                Some(need) => self.hold(GATEWAY, HoldReason::Needs(need)),
                None => self.step(GATEWAY, Action::CreateNode(spec)),
            },
            Seen::There(object) if object.fingerprint != Some(spec.fingerprint) => {
                self.replace_gateway(object);
            }
            Seen::There(object) => self.existing_gateway(object, &config),
        }
    }

    fn replace_gateway(&mut self, object: &Object) {
        match object.state {
            ObjectState::Removing => self.hold(GATEWAY, HoldReason::Removing),
            _ => self.step(GATEWAY, Action::Remove { object: object.id.clone() }),
        }
    }

    fn existing_gateway(&mut self, object: &Object, config: &node::GatewayConfig) {
        let id = object.id.clone();
        match object.state {
            ObjectState::Incomplete | ObjectState::Broken => {
                self.step(GATEWAY, Action::Remove { object: id });
            }
            ObjectState::Stopped | ObjectState::Frozen => {
                self.step(GATEWAY, Action::StartNode { object: id });
            }
            ObjectState::Removing => self.hold(GATEWAY, HoldReason::Removing),
            ObjectState::Ready => match self.gateway_revision() {
                None => self.hold(GATEWAY, HoldReason::Silent),
                Some(revision) if revision == config.revision => {}
                Some(_) => self.tell(GATEWAY, Action::Configure { object: id, files: config.files() }),
            },
        }
    }

    fn gateway_revision(&self) -> Option<&str> {
        match &self.facts.report(GATEWAY)?.node {
            NodeReport::Gateway(report) => Some(&report.revision),
            NodeReport::Database(_) | NodeReport::Wordpress(_) => None,
        }
    }

    /// Whether the gateway sends visitors by these routes now, or sends none at all.
    pub(super) fn gateway_follows(&self, run: &RunIntent, routes: &Routes) -> bool {
        let config = node::GatewayConfig::new(run, self.facts.address(), routes);
        self.facts.seen(GATEWAY) == Seen::Absent || self.gateway_revision() == Some(&config.revision)
    }
}

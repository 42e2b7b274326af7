//! Gateways: what they are, where they send visitors, and which of them the address leads to.

use super::{HoldReason, Pass};
use crate::converge::{
    Action, Fingerprint, GatewayReport, NodeReport, Object, ObjectState, Part, Routes, RunIntent, Seen,
    StepReason,
};
use crate::node::{self, GatewayConfig};

impl Pass<'_> {
    /// One gateway; two where the address can be moved from one to the other.
    fn gateways(&self) -> impl Iterator<Item = Part> + use<> {
        let wanted = if self.facts.lead().is_some() { 2 } else { 1 };
        (0..wanted).map(Part::Gateway)
    }

    pub(super) fn gateway(&mut self, run: &RunIntent, routes: &Routes<'_>) {
        let config = GatewayConfig::new(run, self.facts.address(), routes);
        let fingerprint = node::gateway_fingerprint();
        for part in self.gateways() {
            self.gateway_node(part, &config, fingerprint);
        }
        if self.facts.lead().is_some() {
            self.lead(fingerprint);
        }
    }

    fn gateway_node(&mut self, part: Part, config: &GatewayConfig<'_>, fingerprint: Fingerprint) {
        let Part::Gateway(n) = part else { return };
        match self.facts.seen(part) {
            Seen::Busy => self.hold(part, HoldReason::Busy),
            Seen::Unknown => self.hold(part, HoldReason::Unseen),
            Seen::Absent => match self.missing([Part::Network]) {
                Some(need) => self.hold(part, HoldReason::Needs(need)),
                None => self.step(part, Action::CreateNode(node::gateway(n, config)), StepReason::Missing),
            },
            Seen::There(object) if object.fingerprint != Some(fingerprint) => {
                self.replace_gateway(part, object, fingerprint);
            }
            Seen::There(object) => self.existing_gateway(part, object, config),
        }
    }

    /// Of two gateways one is replaced at a time: not while the address leads to it and it serves, nor before the
    /// other serves.
    fn replace_gateway(&mut self, part: Part, object: &Object, fingerprint: Fingerprint) {
        let leads = self.facts.leading_gateway() == Some(part);
        let other = self.gateways().find(|other| *other != part);
        let served =
            other.is_none_or(|other| self.fits(other, fingerprint) || (!leads && self.serves(other)));
        match object.state {
            ObjectState::Removing => self.hold(part, HoldReason::Removing),
            ObjectState::Ready if other.is_some() && self.serves(part) && (leads || !served) => {
                self.hold(part, HoldReason::Serving);
            }
            _ => self.step(part, Action::Remove { object: object.id.clone() }, StepReason::Outdated),
        }
    }

    fn existing_gateway(&mut self, part: Part, object: &Object, config: &GatewayConfig<'_>) {
        let id = || object.id.clone();
        match object.state {
            ObjectState::Incomplete | ObjectState::Broken => {
                self.step(part, Action::Remove { object: id() }, StepReason::of(object.state));
            }
            ObjectState::Stopped | ObjectState::Frozen => {
                self.step(part, Action::StartNode { object: id() }, StepReason::of(object.state));
            }
            ObjectState::Removing => self.hold(part, HoldReason::Removing),
            ObjectState::Ready => match self.gateway_report(part) {
                None if self.is_given_up(part) => {
                    self.step(part, Action::Remove { object: id() }, StepReason::Silent);
                }
                None => self.hold(part, HoldReason::Silent),
                Some(GatewayReport { revision: None, .. }) => self.hold(part, HoldReason::Starting),
                Some(report) if report.follows(config.revision) => {}
                Some(_) => {
                    let action = Action::Configure { object: id(), files: config.files() };
                    self.tell(part, action, StepReason::Routes);
                }
            },
        }
    }

    /// Moves the address when it leads nowhere, to a gateway that does not serve, or to one that is to be replaced
    /// while another serves.
    fn lead(&mut self, fingerprint: Fingerprint) {
        let leading = self.facts.leading_gateway();
        if leading.is_some_and(|part| self.fits(part, fingerprint)) {
            return;
        }
        let serving = leading.filter(|part| self.serves(*part));
        let fit = self.gateways().find(|part| self.fits(*part, fingerprint));
        let target = fit.or_else(|| self.gateways().find(|part| serving.is_none() && self.serves(*part)));
        match target.and_then(|part| Some((part, self.facts.ready(part)?.id.clone()))) {
            Some((part, object)) => self.tell(part, Action::Lead { object }, StepReason::Leads),
            None if serving.is_none() => self.hold(Part::Network, HoldReason::Needs(Part::Gateway(0))),
            None => {}
        }
    }

    /// Whether it serves and is what is wanted.
    fn fits(&self, part: Part, fingerprint: Fingerprint) -> bool {
        self.serves(part)
            && self.facts.ready(part).is_some_and(|object| object.fingerprint == Some(fingerprint))
    }

    fn serves(&self, part: Part) -> bool {
        self.gateway_report(part).is_some_and(|report| report.revision.is_some())
    }

    fn gateway_report(&self, part: Part) -> Option<&GatewayReport> {
        match &self.facts.report(part)?.node {
            NodeReport::Gateway(report) => Some(report),
            NodeReport::Database(_) | NodeReport::Wordpress(_) => None,
        }
    }

    /// Whether every gateway that sends visitors does so by these routes now. One that has not reported sends
    /// some, if it is there and the address may lead to it.
    pub(super) fn gateway_follows(&self, run: &RunIntent, routes: &Routes<'_>) -> bool {
        let config = GatewayConfig::new(run, self.facts.address(), routes);
        let leading = self.facts.leading_gateway();
        self.gateways().all(|part| match self.gateway_report(part) {
            Some(report) => report.follows(config.revision),
            None => self.facts.seen(part) == Seen::Absent || leading.is_some_and(|leading| leading != part),
        })
    }
}

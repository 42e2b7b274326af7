//! Each rule of the lint by itself: a plan made by hand that breaks it, and its nearest neighbours that do not.
#![allow(clippy::unwrap_used, reason = "tests may panic")]

mod database;
mod founding;
mod kept;
mod own_site;
#[path = "../support/mod.rs"]
mod support;
mod visitors;

use std::sync::Arc;

use wpaas_core::converge::{
    Action, BootId, DatabaseOrder, DatabaseReport, Draining, Facts, FileContent, GatewayReport, Heard,
    Intent, Lead, NodeFile, NodeReport, NodeRole, NodeSpec, Object, ObjectId, Part, RunIntent, Silent,
    SitePlan, Step, StepReason, Told, Wanted, lint,
};
use wpaas_core::site::DatabaseSize;

use support::{Harness, wanted};

/// What is wanted and known of one site that has come up, to be bent by a test.
struct Scene {
    intent: Intent,
    facts: Facts,
}

impl Scene {
    fn of(wordpress: u8, database: DatabaseSize) -> Self {
        let mut site = Harness::up(wanted(wordpress, database));
        Self { intent: site.intent.clone(), facts: site.facts() }
    }

    fn wants(&mut self, change: impl FnOnce(&mut RunIntent)) {
        let Wanted::Run(run) = &mut self.intent.wanted else { panic!("the site is to run") };
        change(run);
    }

    fn object(&mut self, part: Part) -> &mut Object {
        self.facts.objects.iter_mut().find(|object| object.part == part).unwrap()
    }

    fn is_gone(&mut self, part: Part) {
        self.facts.objects.retain(|object| object.part != part);
    }

    /// Another of the same kind, which says the same.
    fn is_there_too(&mut self, part: Part, like: Part) {
        let object = Object { part, id: ObjectId::new("another"), ..self.object(like).clone() };
        self.facts.objects.push(object);
        let said = self.facts.reports.iter().find(|report| report.part == like).cloned();
        self.facts.reports.extend(said.map(|said| Heard { part, ..said }));
    }

    fn said(&mut self, part: Part) -> &mut NodeReport {
        &mut self.facts.reports.iter_mut().find(|report| report.part == part).unwrap().node
    }

    fn database(&mut self, n: u8) -> &mut DatabaseReport {
        let NodeReport::Database(report) = self.said(Part::Database(n)) else { panic!("a database node") };
        Arc::make_mut(report)
    }

    fn gateway(&mut self) -> &mut GatewayReport {
        let NodeReport::Gateway(report) = self.said(Part::Gateway(0)) else { panic!("a gateway") };
        report
    }

    fn says_nothing(&mut self, part: Part) {
        self.facts.reports.retain(|report| report.part != part);
    }

    /// For too long.
    fn is_silent(&mut self, part: Part, was_heard: bool) {
        self.says_nothing(part);
        self.facts.silent.push(Silent { part, was_heard });
    }

    fn is_busy(&mut self, part: Part) {
        self.facts.busy.push(part);
    }

    fn was_told(&mut self, part: Part) {
        self.facts.told.push(Told { part, message: "something".into() });
    }

    /// Some requests are under way at it.
    fn has_visitors(&mut self, part: Part) {
        self.gateway().draining.insert(part, Draining { requests: 1, seconds: 0 });
    }

    fn leads(&mut self, to: Lead) {
        self.object(Part::Network).entry.as_mut().unwrap().lead = Some(Box::new(to));
    }

    fn id(&self, part: Part) -> ObjectId {
        self.facts.object(part).map_or_else(|| ObjectId::new("none"), |object| object.id.clone())
    }

    fn step(&self, part: Part, action: Action) -> Step {
        let Intent { site, generation, epoch, .. } = self.intent;
        Step { site, generation, epoch, part, action, why: StepReason::Outdated }
    }

    fn remove(&self, part: Part) -> Step {
        self.step(part, Action::Remove { object: self.id(part) })
    }

    fn remove_silent(&self, part: Part) -> Step {
        Step { why: StepReason::Silent, ..self.remove(part) }
    }

    fn lead(&self, part: Part) -> Step {
        self.step(part, Action::Lead { object: self.id(part) })
    }

    fn order(&self, part: Part, order: DatabaseOrder) -> Step {
        let boot =
            self.facts.report(part).map_or_else(|| BootId::new("none").unwrap(), |heard| heard.boot.clone());
        self.step(part, Action::Order { object: self.id(part), boot, order })
    }

    fn join(&self, n: u8) -> Step {
        self.order(Part::Database(n), DatabaseOrder::Join { number: 1 })
    }

    fn found(&self, n: u8, number: u64) -> Step {
        self.order(Part::Database(n), DatabaseOrder::Found { number })
    }

    fn create(&self, part: Part, files: Vec<NodeFile>) -> Step {
        let fingerprint = NodeFile::fingerprint(&files);
        let (role, mounts, memory_mib) = (NodeRole::Wordpress, Vec::new(), 256);
        let spec = NodeSpec { role, fingerprint, files, mounts, memory_mib, restart: true, founds: None };
        self.step(part, Action::CreateNode(spec))
    }

    fn configure(&self, part: Part, lines: &str) -> Step {
        self.step(part, Action::Configure { object: self.id(part), files: vec![file(lines)] })
    }

    /// What is wrong with a plan of these steps.
    fn wrong(&self, steps: impl IntoIterator<Item = Step>) -> Option<(u8, &'static str)> {
        let Intent { site, generation, .. } = self.intent;
        let plan = SitePlan { site, generation, steps: steps.into_iter().collect(), holds: Vec::new() };
        lint(&self.intent, &self.facts, &plan).err().map(|broken| (broken.rule, broken.why))
    }
}

fn file(lines: &str) -> NodeFile {
    NodeFile { path: "a".into(), mode: 0o644, group: "root", content: FileContent::Text(lines.into()) }
}

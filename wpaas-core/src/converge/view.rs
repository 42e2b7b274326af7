//! What is known of every site, merged from listings, steps and reports. Pure: time is an argument.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::{Applied, Coverage, Facts, Object, ObjectState, Observation, Part, Report, Scope, Step, Told};
use crate::id::SiteId;

/// The fleet as far as it is known. A listing that began before a step ended can't undo what the step did.
#[derive(Debug, Clone, Default)]
pub struct View {
    sites: HashMap<SiteId, SiteView>,
    /// Whether everything was once listed completely: from then on, what was never seen is not there.
    complete: bool,
}

#[derive(Debug, Clone, Default)]
struct SiteView {
    objects: Vec<Object>,
    reports: BTreeMap<Part, (Instant, Report)>,
    told: BTreeMap<Part, (Instant, String)>,
    /// Parts that a step is under way for (`None`), or when the last one ended.
    steps: BTreeMap<Part, Option<Instant>>,
}

impl View {
    /// After this time without a word a node is silent. Nodes report every 5 s.
    pub const STALE: Duration = Duration::from_secs(20);
    /// After this time a node that was told something and did not answer is told again.
    pub const TELL_AGAIN: Duration = Duration::from_secs(10);

    /// Takes a listing in. Returns the sites of which anything changed.
    pub fn listed(&mut self, scope: &Scope, began: Instant, observation: Observation) -> Vec<SiteId> {
        let complete = observation.coverage == Coverage::Complete;
        let mut listed: HashMap<SiteId, Vec<Object>> = HashMap::new();
        for (site, object) in observation.objects {
            listed.entry(site).or_default().push(object);
        }
        if let Scope::Site(site) = scope {
            listed.retain(|listed, _| listed == site);
            listed.entry(*site).or_default();
        } else {
            self.complete |= complete;
            for site in self.sites.keys() {
                listed.entry(*site).or_default();
            }
        }
        let merge = |(site, objects)| {
            let changed = self.sites.entry(site).or_default().merge(objects, complete, began);
            changed.then_some(site)
        };
        listed.into_iter().filter_map(merge).collect()
    }

    /// A step is under way: its part is busy, and what its node said before counts no more.
    pub fn step_began(&mut self, step: &Step) {
        let site = self.sites.entry(step.site).or_default();
        site.steps.insert(step.part, None);
        if step.message().is_none() {
            site.forget_node(step.part);
        }
    }

    /// A step has ended; without a result nobody knows what it left.
    pub fn step_ended(&mut self, step: &Step, applied: Option<Applied>, now: Instant) {
        let site = self.sites.entry(step.site).or_default();
        site.steps.insert(step.part, Some(now));
        match applied {
            Some(Applied::Present(object)) => site.put(object),
            Some(Applied::Absent) => {
                site.objects.retain(|object| object.part != step.part);
                site.forget_node(step.part);
            }
            Some(Applied::Told) => {
                if let Some(message) = step.message() {
                    site.told.insert(step.part, (now, message));
                }
            }
            None => {}
        }
    }

    /// Takes a node's report in. Returns whether it says anything new.
    pub fn reported(&mut self, report: Report, now: Instant) -> bool {
        let site = self.sites.entry(report.site).or_default();
        let part = report.part;
        let old = site.reports.insert(part, (now, report));
        let (_, report) = &site.reports[&part];
        let fresh = old.is_some_and(|(at, old)| old == *report && now - at < Self::STALE);
        if !fresh {
            site.told.remove(&part);
        }
        !fresh
    }

    /// What is known of one site now.
    #[must_use]
    pub fn facts(&self, site: SiteId, now: Instant) -> Facts {
        let coverage = if self.complete { Coverage::Complete } else { Coverage::Partial };
        let Some(view) = self.sites.get(&site) else {
            return Facts { coverage, ..Facts::nothing() };
        };
        let reports = view.reports.values().filter(|(at, _)| now - *at < Self::STALE);
        let told = view.told.iter().filter(|(_, (at, _))| now - *at < Self::TELL_AGAIN);
        Facts {
            coverage,
            objects: view.objects.clone(),
            reports: reports.map(|(_, report)| report.clone()).collect(),
            told: told.map(|(part, (_, message))| Told { part: *part, message: message.clone() }).collect(),
            busy: view.busy().collect(),
        }
    }

    /// Every site of which anything is known.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> {
        self.sites.keys().copied()
    }

    /// Whether anything of the site is there, as far as known.
    #[must_use]
    pub fn has_objects(&self, site: SiteId) -> bool {
        self.sites.get(&site).is_some_and(|view| !view.objects.is_empty())
    }

    /// The sites with a node that fell silent between these times.
    pub fn fell_silent(&self, since: Instant, now: Instant) -> impl Iterator<Item = SiteId> {
        let fell = move |at: &Instant| (since..now).contains(&(*at + Self::STALE));
        let silent = move |view: &SiteView| view.reports.values().any(|(at, _)| fell(at));
        self.sites.iter().filter(move |(_, view)| silent(view)).map(|(site, _)| *site)
    }

    /// Forgets a site that is gone.
    pub fn forget(&mut self, site: SiteId) {
        self.sites.remove(&site);
    }
}

impl SiteView {
    fn busy(&self) -> impl Iterator<Item = Part> {
        self.steps.iter().filter(|(_, ended)| ended.is_none()).map(|(part, _)| *part)
    }

    /// Takes a listing of this site in, but for the parts that steps have touched since it began.
    fn merge(&mut self, listed: Vec<Object>, complete: bool, began: Instant) -> bool {
        let newer =
            |part: &Part| self.steps.get(part).is_some_and(|ended| ended.is_none_or(|at| at >= began));
        let mut objects: Vec<Object> = listed.into_iter().filter(|object| !newer(&object.part)).collect();
        let keep = |object: &&Object| {
            newer(&object.part) || (!complete && !objects.iter().any(|listed| listed.part == object.part))
        };
        let kept: Vec<Object> = self.objects.iter().filter(keep).cloned().collect();
        objects.extend(kept);
        objects.sort_by(|a, b| (a.part, a.generation, &a.id).cmp(&(b.part, b.generation, &b.id)));
        if objects == self.objects {
            return false;
        }
        self.forget_changed_nodes(&objects);
        self.objects = objects;
        true
    }

    /// What a node said counts only while that same node runs.
    fn forget_changed_nodes(&mut self, objects: &[Object]) {
        let runs = |part: Part| {
            let old = self.objects.iter().find(|object| object.part == part);
            let new = objects.iter().find(|object| object.part == part);
            match (old, new) {
                (Some(old), Some(new)) => old.id == new.id && new.state == ObjectState::Ready,
                (None, Some(new)) => new.state == ObjectState::Ready,
                (_, None) => false,
            }
        };
        let gone: Vec<Part> = self.reports.keys().copied().filter(|part| !runs(*part)).collect();
        for part in gone {
            self.forget_node(part);
        }
    }

    fn forget_node(&mut self, part: Part) {
        self.reports.remove(&part);
        self.told.remove(&part);
    }

    fn put(&mut self, object: Object) {
        self.objects.retain(|old| old.part != object.part);
        let at = self.objects.partition_point(|old| old.part < object.part);
        self.objects.insert(at, object);
    }
}

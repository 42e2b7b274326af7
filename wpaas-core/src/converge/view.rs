//! What is known of every site, merged from listings, steps and reports. Pure: time is an argument.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Applied, Coverage, Facts, Object, Observation, Report, Scope, Step};
use crate::id::{SiteId, SiteMap};

mod site;

use site::SiteView;

/// The fleet as far as it is known. A listing that began before a step ended can't undo what the step did.
///
/// Taking in a listing that shows nothing new compares each object with the known one where it lies, and allocates
/// nothing.
#[derive(Debug, Clone, Default)]
pub struct View {
    sites: SiteMap<Box<SiteView>>,
    /// Whether everything was once listed completely: from then on, what was never seen is not there.
    complete: bool,
    /// Until when the nodes that were there before anybody listened may be silent.
    listening: Option<Instant>,
    /// A listing may be older than its beginning by this.
    lag: Duration,
    /// Whether the last listing lacked more than can be believed at once.
    doubts: bool,
}

impl View {
    /// After this time without a word a node is silent. Nodes report every 5 s.
    pub const STALE: Duration = Duration::from_secs(20);
    /// After this time a node that was told something and did not answer is told again.
    pub const TELL_AGAIN: Duration = Duration::from_secs(10);
    /// Of fewer objects than this, all can be gone at once.
    const MANY: usize = 16;

    /// Of a backend whose listings may be as old as this: nobody learns from one before that time that what a step
    /// has just made is not there, or that what it removed is.
    #[must_use]
    pub fn lagging(lag: Duration) -> Self {
        Self { lag, ..Self::default() }
    }

    /// Takes a listing in. Returns the sites of which anything changed.
    ///
    /// One of everything that lacks more than half of what was there proves no absence: so much is believed to be gone
    /// only when the next one lacks it, too.
    pub fn listed(&mut self, scope: &Scope, began: Instant, observation: Observation) -> Vec<SiteId> {
        let complete = observation.coverage == Coverage::Complete;
        match scope {
            Scope::Site(site) => {
                let own = |(listed, object)| (listed == *site).then_some(object);
                let objects = observation.objects.into_iter().filter_map(own).collect();
                self.merge(BTreeMap::from([(*site, objects)]), complete, began)
            }
            Scope::Fleet => {
                let complete = complete && self.is_believed(observation.objects.len());
                let first = complete && !self.complete;
                if first {
                    self.complete();
                }
                let news = self.news(observation.objects, complete);
                let lag = self.lag;
                for view in self.sites.values_mut() {
                    view.forget_steps(began, lag);
                }
                let changed = self.merge(news, complete, began);
                if first {
                    self.listen(began);
                }
                changed
            }
        }
    }

    /// Whether the last listing of everything lacked more than is believed at once; the next one tells.
    #[must_use]
    pub const fn doubts(&self) -> bool {
        self.doubts
    }

    /// Whether a complete listing of so many objects proves that the others are gone.
    fn is_believed(&mut self, listed: usize) -> bool {
        let known: usize = self.sites.values().map(|view| view.facts.objects.len()).sum();
        let lacks_much = known >= Self::MANY && listed < known / 2;
        let believed = !lacks_much || self.doubts;
        self.doubts = !believed;
        believed
    }

    /// From now on, what was never seen is not there.
    fn complete(&mut self) {
        self.complete = true;
        for view in self.sites.values_mut() {
            view.facts.coverage = Coverage::Complete;
        }
    }

    /// What runs now was there before anybody listened.
    fn listen(&mut self, now: Instant) {
        self.listening = Some(now + Self::STALE);
        for view in self.sites.values_mut() {
            view.unheard = true;
        }
    }

    /// Until when nothing should be concluded from the silence of the site's nodes, because they ran before anybody
    /// listened and have not had the time to report.
    #[must_use]
    pub fn unheard(&self, site: SiteId, now: Instant) -> Option<Instant> {
        let until = self.listening.filter(|until| now < *until)?;
        self.sites.get(&site).is_some_and(|view| view.is_unheard()).then_some(until)
    }

    /// The objects of the sites that are not listed as they are known.
    fn news(&mut self, listed: Vec<(SiteId, Object)>, complete: bool) -> BTreeMap<SiteId, Vec<Object>> {
        let mut news = BTreeMap::new();
        for (site, object) in &listed {
            match self.sites.get_mut(site) {
                Some(view) => view.compare(object),
                None => drop(news.insert(*site, Vec::new())),
            }
        }
        for (site, view) in &mut self.sites {
            if view.compared(complete) {
                news.insert(*site, Vec::new());
            }
        }
        if !news.is_empty() {
            for (site, object) in listed {
                if let Some(objects) = news.get_mut(&site) {
                    objects.push(object);
                }
            }
        }
        news
    }

    fn merge(
        &mut self,
        listed: BTreeMap<SiteId, Vec<Object>>,
        complete: bool,
        began: Instant,
    ) -> Vec<SiteId> {
        let lag = self.lag;
        let merge = |(site, objects)| self.site(site).merge(objects, complete, began, lag).then_some(site);
        listed.into_iter().filter_map(merge).collect()
    }

    fn site(&mut self, site: SiteId) -> &mut SiteView {
        let coverage = self.coverage();
        self.sites.entry(site).or_insert_with(|| Box::new(SiteView::new(coverage)))
    }

    const fn coverage(&self) -> Coverage {
        if self.complete { Coverage::Complete } else { Coverage::Partial }
    }

    /// A step is under way: its part is busy, and what its node said before counts no more.
    pub fn step_began(&mut self, step: &Step) {
        self.site(step.site).step_began(step);
    }

    /// A step has ended; without a result nobody knows what it left.
    pub fn step_ended(&mut self, step: &Step, applied: Option<Applied>, now: Instant) {
        self.site(step.site).step_ended(step, applied, now);
    }

    /// Takes a node's report in. Returns whether it says anything new.
    pub fn reported(&mut self, report: Report, now: Instant) -> bool {
        self.site(report.site).reported(report, now)
    }

    /// What is known of one site now; borrowed unless something of it has become too old to count.
    #[must_use]
    pub fn facts(&self, site: SiteId, now: Instant) -> Cow<'_, Facts> {
        match self.sites.get(&site) {
            Some(view) => view.facts(now),
            None => Cow::Owned(Facts { coverage: self.coverage(), ..Facts::nothing() }),
        }
    }

    /// Every site of which anything is known.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> {
        self.sites.keys().copied()
    }

    /// Whether anything of the site is there, as far as known.
    #[must_use]
    pub fn has_objects(&self, site: SiteId) -> bool {
        self.sites.get(&site).is_some_and(|view| !view.facts.objects.is_empty())
    }

    /// The sites with a node that fell silent between these times.
    pub fn fell_silent(&self, since: Instant, now: Instant) -> impl Iterator<Item = SiteId> {
        let silent = move |view: &SiteView| view.fell_silent(since, now);
        self.sites.iter().filter(move |(_, view)| silent(view)).map(|(site, _)| *site)
    }

    /// Forgets a site that is gone.
    pub fn forget(&mut self, site: SiteId) {
        self.sites.remove(&site);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::converge::{Action, ObjectId, ObjectState, Part, StepReason};

    const PART: Part = Part::Database(0);

    fn object(id: &str, state: ObjectState) -> Object {
        Object {
            part: PART,
            id: ObjectId::new(id),
            fingerprint: None,
            generation: 1,
            epoch: 1,
            state,
            entry: None,
        }
    }

    /// A view of a backend that lags by a minute, after a step for the part has ended so.
    fn after(applied: Option<Applied>) -> (View, SiteId, Instant) {
        let (site, now) = (SiteId::new(), Instant::now());
        let (action, why) = (Action::CreateVolume, StepReason::Missing);
        let step = Step { site, generation: 1, epoch: 1, part: PART, action, why };
        let mut view = View::lagging(Duration::from_secs(60));
        view.step_began(&step);
        view.step_ended(&step, applied, now);
        (view, site, now)
    }

    /// What is known of the part after a complete listing that began so long after.
    fn listed(view: &mut View, site: SiteId, began: Instant, found: Option<Object>) -> Option<Object> {
        let objects = found.into_iter().map(|object| (site, object)).collect();
        let seen = Observation { objects, coverage: Coverage::Complete, runs: Vec::new() };
        view.listed(&Scope::Site(site), began, seen);
        view.facts(site, began).object(PART).cloned()
    }

    #[test]
    fn a_listing_that_may_be_too_old_undoes_no_step() {
        let (soon, late) = (Duration::from_secs(10), Duration::from_secs(61));
        let made = object("new", ObjectState::Incomplete);
        let (mut view, site, now) = after(Some(Applied::Present(made.clone())));
        assert_eq!(listed(&mut view, site, now + soon, None), Some(made.clone()));
        let old = object("old", ObjectState::Ready);
        assert_eq!(listed(&mut view, site, now + soon, Some(old.clone())), Some(made));
        let ready = object("new", ObjectState::Ready);
        assert_eq!(listed(&mut view, site, now + soon, Some(ready.clone())), Some(ready), "how it is now");
        assert_eq!(listed(&mut view, site, now + late, None), None);
        let (mut view, site, now) = after(Some(Applied::Absent));
        assert_eq!(listed(&mut view, site, now + soon, Some(old.clone())), None);
        assert_eq!(listed(&mut view, site, now + late, Some(old.clone())), Some(old));
    }

    #[test]
    fn a_step_that_failed_hides_nothing_from_a_listing_that_began_after_it() {
        let (mut view, site, now) = after(None);
        let there = object("there", ObjectState::Ready);
        assert_eq!(listed(&mut view, site, now, Some(there.clone())), None);
        let soon = now + Duration::from_secs(1);
        assert_eq!(listed(&mut view, site, soon, Some(there.clone())), Some(there));
    }
}

#[cfg(test)]
mod doubts {
    use super::*;
    use crate::converge::{ObjectId, ObjectState, Part};

    fn object(site: SiteId, n: u8) -> (SiteId, Object) {
        let (part, id) = (Part::Wordpress(n), ObjectId::new(&format!("{site} {n}")));
        let state = ObjectState::Ready;
        (site, Object { part, id, fingerprint: None, generation: 1, epoch: 1, state, entry: None })
    }

    /// The view lists this many of the objects. Returns how many it knows then.
    fn list(view: &mut View, objects: &[(SiteId, Object)], shown: usize) -> usize {
        let objects = objects[..shown].to_vec();
        view.listed(
            &Scope::Fleet,
            Instant::now(),
            Observation { coverage: Coverage::Complete, objects, runs: Vec::new() },
        );
        view.sites.values().map(|view| view.facts.objects.len()).sum()
    }

    fn fleet(sites: u8) -> Vec<(SiteId, Object)> {
        let ids: Vec<_> = (0..sites).map(|_| SiteId::new()).collect();
        ids.into_iter().flat_map(|site| (0..4).map(move |n| object(site, n))).collect()
    }

    #[test]
    fn more_than_half_is_gone_only_when_it_is_twice_not_listed() {
        let (mut view, all) = (View::default(), fleet(5));
        assert_eq!(list(&mut view, &all, 20), 20);
        assert_eq!(list(&mut view, &all, 10), 10, "half can be gone");
        assert_eq!(list(&mut view, &all, 20), 20);
        assert_eq!(list(&mut view, &all, 9), 20);
        assert!(view.doubts());
        assert_eq!(list(&mut view, &all, 20), 20, "it was a bad listing");
        assert_eq!(list(&mut view, &all, 0), 20);
        assert_eq!(list(&mut view, &all, 0), 0, "they are gone");
        assert!(!view.doubts());
    }

    #[test]
    fn of_a_few_all_can_be_gone() {
        let (mut view, all) = (View::default(), fleet(3));
        assert_eq!(list(&mut view, &all, 12), 12);
        assert_eq!(list(&mut view, &all, 0), 0);
    }
}

//! What is known of every site, merged from listings, steps and reports. Pure: time is an argument.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Applied, Coverage, Facts, Object, Observation, Patience, Report, Scope, Step};
use crate::id::{SiteId, SiteMap};

mod doubts;
mod said;
mod silence;
mod site;

use doubts::{Doubts, Missed};
use said::Said;
use silence::{Ears, Hearing};
use site::{Absence, SiteView};

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
    /// How long nodes may be silent.
    patience: Option<Patience>,
    hearing: Hearing,
    said: Said,
    doubts: Doubts,
}

impl View {
    /// After this time without a word a node is silent. Nodes report every 5 s.
    pub const STALE: Duration = Duration::from_secs(20);
    /// After this time a node that was told something and did not answer is told again.
    pub const TELL_AGAIN: Duration = Duration::from_secs(10);

    /// Of a backend whose listings may be as old as this: nobody learns from one before that time that what a step
    /// has just made is not there, or that what it removed is.
    #[must_use]
    pub fn lagging(lag: Duration) -> Self {
        Self { lag, ..Self::default() }
    }

    /// Of a backend whose nodes may be silent for so long; for ever with `None`.
    #[must_use]
    pub const fn patient(mut self, patience: Option<Patience>) -> Self {
        self.patience = patience;
        self
    }

    /// Takes a listing in. Returns the sites of which anything changed.
    ///
    /// One that lacks more than half of what was there, of everything or of its site, proves no absence: then only that
    /// is gone which the next complete one lacks, too.
    pub fn listed(&mut self, scope: &Scope, began: Instant, observation: Observation) -> Vec<SiteId> {
        let complete = observation.coverage == Coverage::Complete;
        match scope {
            Scope::Site(site) => {
                let own = |(listed, object)| (listed == *site).then_some(object);
                let objects = observation.objects.into_iter().filter_map(own).collect();
                let news = BTreeMap::from([(*site, objects)]);
                let known = self.sites.get(site).map_or(0, |view| view.facts.objects.len());
                let missed = self.missed(&news, complete, began);
                let kept = self.doubts.weigh(scope, complete, known, missed);
                self.merge(news, complete, &kept, began)
            }
            Scope::Fleet => {
                let (news, known) = self.news(observation.objects, complete, began);
                let missed = self.missed(&news, complete, began);
                let kept = self.doubts.weigh(scope, complete, known, missed);
                let first = complete && kept.is_empty() && !self.complete;
                if first {
                    self.complete();
                }
                let changed = self.merge(news, complete, &kept, began);
                if first {
                    self.listen(began);
                }
                changed
            }
        }
    }

    /// Whether a listing lacked more than is believed at once; the next complete one tells.
    #[must_use]
    pub fn doubts(&self) -> bool {
        !self.doubts.is_empty()
    }

    /// What a complete listing of these sites lacks, though nothing says that it should have gone.
    fn missed(&self, listed: &BTreeMap<SiteId, Vec<Object>>, complete: bool, began: Instant) -> Missed {
        let missed = |(site, objects): (&SiteId, &Vec<Object>)| {
            let missed = self.sites.get(site)?.missed(objects, began, self.lag);
            (complete && !missed.is_empty()).then_some((*site, missed))
        };
        listed.iter().filter_map(missed).collect()
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
            view.silence.listen(now);
        }
    }

    /// The reports of this site's nodes are taken in from now on; they were not before.
    pub fn listen_to(&mut self, site: SiteId, now: Instant) {
        if let Some(view) = self.sites.get_mut(&site) {
            view.silence.listen(now);
        }
    }

    /// Until when nothing should be concluded from the silence of the site's nodes, because they ran before anybody
    /// listened and have not had the time to report.
    #[must_use]
    pub fn unheard(&self, site: SiteId, now: Instant) -> Option<Instant> {
        let until = self.listening.filter(|until| now < *until)?;
        self.sites.get(&site).is_some_and(|view| view.is_unheard()).then_some(until)
    }

    /// The sites of which nodes ran before anybody listened and have not been heard since.
    pub fn still_unheard(&self) -> impl Iterator<Item = SiteId> {
        self.sites.iter().filter(|(_, view)| view.is_unheard()).map(|(site, _)| *site)
    }

    /// The objects of the sites that are not listed as they are known, and how many are known of all. What is looked at
    /// in every site is looked at once: with many sites it is memory that takes the time.
    fn news(
        &mut self,
        listed: Vec<(SiteId, Object)>,
        complete: bool,
        began: Instant,
    ) -> (BTreeMap<SiteId, Vec<Object>>, usize) {
        let (mut news, mut known, lag) = (BTreeMap::new(), 0, self.lag);
        for of_site in listed.chunk_by(|one, next| one.0 == next.0) {
            let [(site, _), ..] = of_site else { continue };
            match self.sites.get_mut(site) {
                Some(view) => of_site.iter().for_each(|(_, object)| view.compare(object)),
                None => drop(news.insert(*site, Vec::with_capacity(of_site.len()))),
            }
        }
        for (site, view) in &mut self.sites {
            known += view.facts.objects.len();
            view.forget_steps(began, lag);
            if view.compared(complete) {
                news.insert(*site, Vec::new());
            }
        }
        if !news.is_empty() {
            sort_into(&mut news, listed);
        }
        (news, known)
    }

    fn merge(
        &mut self,
        listed: BTreeMap<SiteId, Vec<Object>>,
        complete: bool,
        kept: &Missed,
        began: Instant,
    ) -> Vec<SiteId> {
        let lag = self.lag;
        self.sites.reserve(listed.len().saturating_sub(self.sites.len()));
        let merge = |(site, objects)| {
            let stays = kept.get(&site).map_or(&[][..], Vec::as_slice);
            let absence = if complete { Absence::But(stays) } else { Absence::Unproved };
            self.site(site).merge(objects, absence, began, lag).then_some(site)
        };
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
        self.hearing.heard(now);
        let coverage = self.coverage();
        let view = self.sites.entry(report.site).or_insert_with(|| Box::new(SiteView::new(coverage)));
        view.reported(report, now, &mut self.said)
    }

    /// What is known of one site now; borrowed unless something of it has become too old to count.
    #[must_use]
    pub fn facts(&self, site: SiteId, now: Instant) -> Cow<'_, Facts> {
        match self.sites.get(&site) {
            Some(view) => view.facts(now, Ears { patience: self.patience, since: self.hearing.since(now) }),
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
        self.doubts.forget(site);
    }
}

/// Gives each of these sites what is listed of it. A site's objects mostly follow each other.
fn sort_into(news: &mut BTreeMap<SiteId, Vec<Object>>, listed: Vec<(SiteId, Object)>) {
    let mut listed = listed.into_iter().peekable();
    while let Some((site, first)) = listed.next() {
        let rest = std::iter::from_fn(|| listed.next_if(|(next, _)| *next == site).map(|(_, object)| object));
        let of_site = std::iter::once(first).chain(rest);
        match news.get_mut(&site) {
            Some(objects) => objects.extend(of_site),
            None => of_site.for_each(drop),
        }
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
        assert!(
            listed(&mut view, site, now + late, None).is_some(),
            "all that was there: the next one tells"
        );
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

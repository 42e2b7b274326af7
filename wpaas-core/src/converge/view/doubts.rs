//! Listings that lack more than is believed at once. Pure.

use crate::converge::{ObjectId, Scope};
use crate::id::{SiteId, SiteMap};

/// Objects that a complete listing lacked, site by site; no site without any.
pub(super) type Missed = SiteMap<Vec<ObjectId>>;

/// The sites of which a complete listing lacked too much, with what the last listing lacked: that is gone if the next
/// one lacks it, too. Nothing of one that was partial: it breaks the row, and ends no doubt.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubts(SiteMap<Vec<ObjectId>>);

impl Doubts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn forget(&mut self, site: SiteId) {
        self.0.remove(&site);
    }

    /// A listing, of so many known objects, lacked these. Returns those of them that are not believed to be gone.
    pub(super) fn weigh(&mut self, scope: &Scope, complete: bool, known: usize, missed: Missed) -> Missed {
        if !complete {
            self.of(scope).for_each(Vec::clear);
            return Missed::default();
        }
        let much = missed.values().map(Vec::len).sum::<usize>() * 2 > known;
        let kept = if much { self.without_gone(missed) } else { Missed::default() };
        match scope {
            Scope::Fleet => self.0.clear(),
            Scope::Site(site) => self.forget(*site),
        }
        self.0.extend(kept.iter().map(|(site, missed)| (*site, missed.clone())));
        kept
    }

    /// What was missed, but for what the listing before lacked, too.
    fn without_gone(&self, mut missed: Missed) -> Missed {
        for (site, before) in &self.0 {
            if let Some(missed) = missed.get_mut(site) {
                missed.retain(|object| !before.contains(object));
            }
        }
        missed.retain(|_, missed| !missed.is_empty());
        missed
    }

    fn of(&mut self, scope: &Scope) -> impl Iterator<Item = &mut Vec<ObjectId>> {
        let inside = move |site: &SiteId| matches!(scope, Scope::Fleet) || *scope == Scope::Site(*site);
        self.0.iter_mut().filter(move |(site, _)| inside(site)).map(|(_, missed)| missed)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use crate::converge::{Coverage, Object, ObjectId, ObjectState, Observation, Part, Scope, View};
    use crate::id::SiteId;

    fn object(site: SiteId, n: u8) -> (SiteId, Object) {
        let (part, id) = (Part::Wordpress(n), ObjectId::new(&format!("{site} {n}")));
        let state = ObjectState::Ready;
        (site, Object { part, id, fingerprint: None, generation: 1, epoch: 1, state, entry: None })
    }

    fn fleet(sites: u8) -> Vec<(SiteId, Object)> {
        let ids: Vec<_> = (0..sites).map(|_| SiteId::new()).collect();
        ids.into_iter().flat_map(|site| (0..4).map(move |n| object(site, n))).collect()
    }

    fn look(view: &mut View, scope: Scope, coverage: Coverage, objects: &[(SiteId, Object)]) -> usize {
        let seen = Observation { coverage, objects: objects.to_vec(), runs: Vec::new() };
        view.listed(&scope, Instant::now(), seen);
        view.sites.values().map(|view| view.facts.objects.len()).sum()
    }

    /// The view lists these completely. Returns how many it knows then.
    fn list(view: &mut View, objects: &[(SiteId, Object)]) -> usize {
        look(view, Scope::Fleet, Coverage::Complete, objects)
    }

    #[test]
    fn more_than_half_is_gone_only_when_it_is_twice_not_listed() {
        let (mut view, all) = (View::default(), fleet(5));
        assert_eq!(list(&mut view, &all), 20);
        assert_eq!(list(&mut view, &all[..10]), 10, "half can be gone");
        assert_eq!(list(&mut view, &all), 20);
        assert_eq!(list(&mut view, &all[..9]), 20);
        assert!(view.doubts());
        assert_eq!(list(&mut view, &all), 20, "it was a bad listing");
        assert!(!view.doubts());
        assert_eq!(list(&mut view, &[]), 20);
        assert_eq!(list(&mut view, &[]), 0, "they are gone");
        assert!(!view.doubts());
    }

    #[test]
    fn only_what_both_of_two_bad_listings_lack_is_gone() {
        let (mut view, all) = (View::default(), fleet(10));
        assert_eq!(list(&mut view, &all), 40);
        assert_eq!(list(&mut view, &all[..16]), 40);
        assert_eq!(list(&mut view, &all[25..]), 31, "16 to 24 alone");
        assert!(view.doubts(), "0 to 15 are in doubt still");
        assert_eq!(list(&mut view, &all), 40);
        assert!(!view.doubts());
    }

    #[test]
    fn a_partial_listing_between_neither_proves_nor_clears() {
        let (mut view, all) = (View::default(), fleet(10));
        list(&mut view, &all);
        assert_eq!(list(&mut view, &[]), 40);
        assert_eq!(look(&mut view, Scope::Fleet, Coverage::Partial, &all[..4]), 40);
        assert!(view.doubts());
        assert_eq!(list(&mut view, &[]), 40, "the first complete one since");
        assert_eq!(list(&mut view, &[]), 0);
    }

    #[test]
    fn of_one_site_the_same_holds() {
        let (mut view, all) = (View::default(), fleet(1));
        let site = Scope::Site(all[0].0);
        assert_eq!(list(&mut view, &all), 4);
        assert_eq!(list(&mut view, &[]), 4, "also of a few");
        assert_eq!(list(&mut view, &all), 4);
        assert_eq!(look(&mut view, site, Coverage::Complete, &[]), 4);
        assert!(view.doubts());
        assert_eq!(look(&mut view, site, Coverage::Complete, &all[..1]), 1);
        assert!(!view.doubts());
    }

    #[test]
    fn what_is_on_its_way_out_is_not_missed() {
        let (mut view, mut all) = (View::default(), fleet(1));
        for (_, object) in &mut all[1..] {
            object.state = ObjectState::Removing;
        }
        assert_eq!(list(&mut view, &all), 4);
        assert_eq!(list(&mut view, &all[..1]), 1);
    }
}

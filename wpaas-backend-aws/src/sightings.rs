//! What was seen, and what to make of it when a listing does not show it any more.
//!
//! AWS's listings lag and can be cut short without saying so. So what was seen before is believed to be there
//! until two listings in a row, well after it was made, do not show it; and a listing that misses too much at once
//! is not believed at all. What a listing shows as ended or on its way out is no miss. What was whole and is shown without a
//! piece (a network without its address, a node without its files) is believed like absence.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::time::Instant;
use wpaas_core::converge::{Object, ObjectId, ObjectState, Part, Scope};
use wpaas_core::id::SiteId;

use crate::tag::Mark;

mod lessened;

/// What was seen of the fleet.
#[derive(Debug, Clone)]
pub(crate) struct Sightings {
    /// Within this time of its making a listing need not show a thing yet.
    lag: Duration,
    seen: BTreeMap<(SiteId, Part, ObjectId), Sighting>,
    /// Since when listings of everything miss too much.
    missing_since: Option<Instant>,
    /// When everything was first listed.
    whole_since: Option<Instant>,
    /// In which epoch this server tends a site, and since when it is known to.
    tended: BTreeMap<SiteId, (u64, Instant)>,
    /// Instances that EC2 has ended by itself, and when that was first seen.
    died: BTreeMap<String, Instant>,
}

#[derive(Debug, Clone)]
struct Sighting {
    object: Object,
    /// When it was first made or shown; `None`: it was there when everything was first listed.
    first: Option<Instant>,
    /// When it was last made or shown.
    at: Instant,
    /// Listings since that did not show it.
    missed: u8,
    /// Listings since that showed it without a piece.
    lessened: u8,
}

/// What to believe after a listing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Belief {
    /// What is there.
    pub objects: Vec<(SiteId, Object)>,
    /// Whether what is not in there is surely absent.
    pub complete: bool,
}

impl Sightings {
    /// More than this share of what is known missing at once is not believed: one part in this many.
    const SHARE: usize = 5;
    /// Fewer than this are believed, whatever their share.
    const FEW: usize = 10;
    /// After this long it is believed all the same.
    const PATIENCE: Duration = Duration::from_secs(900);

    /// Of nothing yet, through listings that may lag by so much.
    pub(crate) const fn lagging(lag: Duration) -> Self {
        Self {
            lag,
            seen: BTreeMap::new(),
            missing_since: None,
            whole_since: None,
            tended: BTreeMap::new(),
            died: BTreeMap::new(),
        }
    }

    /// Takes a listing in. `ended` are ids that it shows as ended.
    pub(crate) fn listed(
        &mut self,
        scope: &Scope,
        objects: Vec<(SiteId, Object)>,
        ended: &BTreeSet<String>,
        now: Instant,
    ) -> Belief {
        let (lessened, objects): (Vec<_>, Vec<_>) =
            objects.into_iter().partition(|(site, object)| self.is_lessened(*site, object));
        let key = |(site, object): &(SiteId, Object)| (*site, object.part, object.id.clone());
        let mut shown: BTreeSet<_> = objects.iter().map(key).collect();
        shown.extend(lessened.iter().filter_map(|(site, object)| self.key_of(*site, object)));
        let in_scope = |site: &SiteId| match scope {
            Scope::Fleet => true,
            Scope::Site(of) => site == of,
        };
        self.seen.retain(|(_, _, id), _| !ended.contains(&id.to_string()));
        let known = self.seen.keys().filter(|(site, ..)| in_scope(site)).count();
        let missing: Vec<_> =
            self.seen.keys().filter(|key| in_scope(&key.0) && !shown.contains(key)).cloned().collect();
        let frozen = self.is_frozen(scope, missing.len(), known, now);
        for key in missing {
            let Some(sighting) = self.seen.get_mut(&key) else { continue };
            if sighting.object.state == ObjectState::Removing {
                sighting.missed = 2;
            } else if !frozen && now.saturating_duration_since(sighting.at) >= self.lag {
                sighting.missed += 1;
            }
            if sighting.missed >= 2 {
                self.seen.remove(&key);
            }
        }
        for (site, object) in lessened {
            if !frozen && self.believes_less(site, &object, now) {
                self.put(site, object, now);
            }
        }
        for (site, object) in objects {
            self.put(site, object, now);
        }
        if *scope == Scope::Fleet && self.whole_since.is_none() {
            self.whole_since = Some(now);
            self.seen.values_mut().for_each(|sighting| sighting.first = None);
        }
        let believed = self.seen.iter().filter(|((site, ..), _)| in_scope(site));
        let objects = believed.map(|((site, ..), sighting)| (*site, sighting.object.clone())).collect();
        Belief { objects, complete: !frozen }
    }

    /// As what this object was seen before. A network is named by the first of its pieces that is there.
    fn key_of(&self, site: SiteId, object: &Object) -> Option<(SiteId, Part, ObjectId)> {
        let same = |(_, part, id): &&(SiteId, Part, ObjectId)| {
            *part == object.part && (*part == Part::Network || *id == object.id)
        };
        let all = self.seen.range((site, object.part, ObjectId::new(""))..).map(|(key, _)| key);
        all.take_while(|(of, part, _)| (*of, *part) == (site, object.part)).find(same).cloned()
    }

    /// Whether listings miss so much of what was there that nothing is to be removed by what they say.
    pub(crate) fn freezes(&self, now: Instant) -> bool {
        self.missing_since.is_some_and(|since| now.saturating_duration_since(since) < Self::PATIENCE)
    }

    /// A look at one site tells nothing of how well listings are; while they miss much, it proves no absence either.
    fn is_frozen(&mut self, scope: &Scope, missing: usize, known: usize, now: Instant) -> bool {
        if *scope != Scope::Fleet {
            return self.freezes(now);
        }
        if missing < Self::FEW || missing * Self::SHARE <= known {
            self.missing_since = None;
            return false;
        }
        self.missing_since.get_or_insert(now);
        let frozen = self.freezes(now);
        tracing::warn!(missing, known, frozen, "a listing misses much of what was there");
        frozen
    }

    /// Something was made or shown.
    pub(crate) fn put(&mut self, site: SiteId, object: Object, now: Instant) {
        // A network is named by the first of its pieces that is there.
        if object.part == Part::Network {
            self.seen.retain(|(of, part, id), _| *of != site || *part != Part::Network || *id == object.id);
        }
        let key = (site, object.part, object.id.clone());
        let first = self.seen.get(&key).map_or(Some(now), |sighting| sighting.first);
        self.seen.insert(key, Sighting { object, first, at: now, missed: 0, lessened: 0 });
    }

    /// The newest mark on anything of the site.
    pub(crate) fn mark(&self, site: SiteId) -> Option<Mark> {
        self.of(site).map(|sighting| (sighting.object.generation, sighting.object.epoch)).max()
    }

    fn of(&self, site: SiteId) -> impl Iterator<Item = &Sighting> {
        let all = self.seen.range((site, Part::Network, ObjectId::new(""))..);
        all.take_while(move |((of, ..), _)| *of == site).map(|(_, sighting)| sighting)
    }

    /// Something was removed for sure.
    pub(crate) fn gone(&mut self, site: SiteId, part: Part, id: &str) {
        self.seen.remove(&(site, part, ObjectId::new(id)));
    }

    /// Whose node this instance is.
    pub(crate) fn nodes(&self) -> BTreeMap<String, (SiteId, Part)> {
        let nodes = self.seen.keys().filter(|(_, part, _)| part.is_node());
        nodes.map(|(site, part, id)| (id.to_string(), (*site, *part))).collect()
    }

    /// The sites' addresses; `None` before everything was listed.
    pub(crate) fn addresses(&self) -> Option<BTreeMap<SiteId, Ipv4Addr>> {
        let address = |((site, ..), sighting): (&(SiteId, Part, ObjectId), &Sighting)| match sighting
            .object
            .address()
        {
            Some(IpAddr::V4(ip)) => Some((*site, ip)),
            _ => None,
        };
        self.whole_since.is_some().then(|| self.seen.iter().filter_map(address).collect())
    }

    /// When it was first seen that EC2 has ended this instance by itself.
    pub(crate) fn died(&mut self, id: &str, now: Instant) -> Instant {
        // It is listed for an hour.
        self.died.retain(|_, first| now.saturating_duration_since(*first) < Duration::from_secs(7200));
        *self.died.entry(id.to_owned()).or_insert(now)
    }

    /// A step of this epoch is to be taken for the site.
    pub(crate) fn tend(&mut self, site: SiteId, epoch: u64, now: Instant) {
        let known = self.tended.entry(site).or_insert((epoch, now));
        if known.0 != epoch {
            *known = (epoch, now);
        }
    }

    /// Whether what others have made of the site, who tended it before this server in this epoch, is shown by now, however
    /// listings lag.
    pub(crate) fn is_settled(&self, site: SiteId, epoch: u64, now: Instant) -> bool {
        let lasts = |since: Instant| now.saturating_duration_since(since) >= self.lag;
        let tended = self.tended.get(&site).filter(|(known, _)| *known == epoch);
        self.whole_since.is_some_and(lasts) && tended.is_some_and(|(_, since)| lasts(*since))
    }

    /// Whether the site has had a gateway for long enough to serve: then what is done for it is a repair. One that was
    /// there before this server is taken for one that has.
    pub(crate) fn is_established(&self, site: SiteId, now: Instant) -> bool {
        let old = |sighting: &Sighting| {
            sighting.first.is_none_or(|first| now.saturating_duration_since(first) > Self::PATIENCE)
        };
        self.of(site).any(|sighting| matches!(sighting.object.part, Part::Gateway(_)) && old(sighting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::object;

    fn volume(n: u8) -> Object {
        object(Part::DatabaseVolume(n), &format!("vol-{n}"), (1, 1), ObjectState::Ready)
    }

    fn count(sightings: &mut Sightings, shown: Vec<(SiteId, Object)>, now: Instant) -> (usize, bool) {
        let belief = sightings.listed(&Scope::Fleet, shown, &BTreeSet::new(), now);
        (belief.objects.len(), belief.complete)
    }

    #[test]
    fn what_is_new_need_not_be_shown_and_what_is_old_is_gone_after_two_listings() {
        let (site, start) = (SiteId::new(), Instant::now());
        let mut sightings = Sightings::lagging(Duration::from_secs(120));
        sightings.put(site, volume(0), start);
        for seconds in [1, 60, 119] {
            assert_eq!(count(&mut sightings, vec![], start + Duration::from_secs(seconds)), (1, true));
        }
        assert_eq!(count(&mut sightings, vec![], start + Duration::from_secs(130)), (1, true), "missed once");
        assert_eq!(count(&mut sightings, vec![], start + Duration::from_secs(145)), (0, true));
    }

    #[test]
    fn what_is_shown_again_was_never_gone() {
        let (site, start) = (SiteId::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sightings = Sightings::lagging(Duration::from_secs(120));
        sightings.put(site, volume(0), start);
        assert_eq!(count(&mut sightings, vec![], at(300)), (1, true));
        assert_eq!(count(&mut sightings, vec![(site, volume(0))], at(315)), (1, true));
        assert_eq!(count(&mut sightings, vec![], at(330)), (1, true));
    }

    #[test]
    fn what_is_shown_as_ended_is_gone_at_once() {
        let (site, now) = (SiteId::new(), Instant::now());
        let mut sightings = Sightings::lagging(Duration::from_secs(120));
        sightings.put(site, volume(0), now);
        let ended = BTreeSet::from(["vol-0".to_owned()]);
        assert_eq!(sightings.listed(&Scope::Fleet, vec![], &ended, now).objects, []);
    }

    #[test]
    fn a_listing_that_misses_too_much_proves_nothing_until_it_has_lasted() {
        let (site, start) = (SiteId::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sightings = Sightings::lagging(Duration::from_secs(120));
        let all: Vec<_> = (0..20).map(|n| (site, volume(n))).collect();
        assert_eq!(count(&mut sightings, all.clone(), at(0)), (20, true));
        assert!(!sightings.freezes(at(0)));
        for seconds in (300..1200).step_by(100) {
            assert_eq!(count(&mut sightings, all[..8].to_vec(), at(seconds)), (20, false), "{seconds}");
            assert!(sightings.freezes(at(seconds)), "{seconds}");
        }
        assert!(!sightings.freezes(at(1200)), "it has lasted");
        assert_eq!(count(&mut sightings, all[..8].to_vec(), at(1200)), (20, true));
        assert_eq!(count(&mut sightings, all[..8].to_vec(), at(1300)), (8, true));
    }

    #[test]
    fn a_look_at_one_site_proves_nothing_either_while_listings_miss_too_much() {
        let (site, start) = (SiteId::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sightings = Sightings::lagging(Duration::from_secs(120));
        let all: Vec<_> = (0..20).map(|n| (site, volume(n))).collect();
        assert_eq!(count(&mut sightings, all.clone(), at(0)), (20, true));
        assert_eq!(count(&mut sightings, vec![], at(300)), (20, false));
        for seconds in [310, 320, 330] {
            let belief = sightings.listed(&Scope::Site(site), vec![], &BTreeSet::new(), at(seconds));
            assert_eq!((belief.objects.len(), belief.complete), (20, false), "{seconds}");
        }
        assert_eq!(count(&mut sightings, all, at(340)), (20, true));
        for (seconds, left) in [(500, 20), (510, 0)] {
            let belief = sightings.listed(&Scope::Site(site), vec![], &BTreeSet::new(), at(seconds));
            assert_eq!((belief.objects.len(), belief.complete), (left, true), "{seconds}");
        }
    }

    #[test]
    fn a_site_is_established_once_its_gateway_has_been_there_for_long() {
        let (new, old, start) = (SiteId::new(), SiteId::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let gateway = || Object { part: Part::Gateway(0), ..volume(0) };
        let mut sightings = Sightings::lagging(Duration::from_secs(120));
        assert_eq!(count(&mut sightings, vec![(old, gateway()), (new, volume(1))], at(0)), (2, true));
        sightings.put(new, gateway(), at(10));
        assert!(sightings.is_established(old, at(10)), "it was there before anybody looked");
        assert!(!sightings.is_established(new, at(909)));
        assert!(sightings.is_established(new, at(911)));
        assert!(!sightings.is_established(SiteId::new(), at(911)));
    }

    #[test]
    fn what_another_server_made_is_shown_only_some_time_after_it_gave_the_site_up() {
        let (site, start) = (SiteId::new(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut sightings = Sightings::lagging(Duration::from_secs(120));
        sightings.tend(site, 1, at(0));
        assert!(!sightings.is_settled(site, 1, at(1000)), "nothing was listed");
        count(&mut sightings, vec![], at(1000));
        sightings.tend(site, 1, at(1001));
        assert!(sightings.is_settled(site, 1, at(1120)));
        sightings.tend(site, 3, at(2000));
        assert!(!sightings.is_settled(site, 3, at(2119)) && sightings.is_settled(site, 3, at(2120)));
        assert!(
            !sightings.is_settled(site, 1, at(2120)) && !sightings.is_settled(SiteId::new(), 3, at(2120))
        );
    }

    #[test]
    fn another_sites_listing_says_nothing_of_this_one() {
        let (site, other, start) = (SiteId::new(), SiteId::new(), Instant::now());
        let mut sightings = Sightings::lagging(Duration::from_secs(120));
        sightings.put(site, volume(0), start);
        for seconds in [300, 400, 500] {
            let now = start + Duration::from_secs(seconds);
            let belief = sightings.listed(&Scope::Site(other), vec![], &BTreeSet::new(), now);
            assert_eq!(belief.objects, []);
        }
        assert_eq!(sightings.seen.len(), 1);
    }
}
